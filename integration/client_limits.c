/* Where a client of a cluster meets its limits: batches and answers larger than a message, rows larger than
 * one, and deadlines while no node answers. Public header only. usage: client_limits URL big|many|late.
 * Prints "ok ..." and "not ok ..." lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/larder.h"

#define MIB      ((size_t)1 << 20)
#define BIG_ROWS 4u
#define MANY     200000u
#define LONG_MS  300000 /* 96 MiB take their time on a machine that is busy */

static int bad;
static void verdict(bool fine, const char *what, const struct ldr_err *err)
{
    printf("%s %s\n", fine ? "ok" : "not ok", what);
    if (!fine && err)
        printf("  %s (code %d, %s)\n", err->message, err->code, err->in_doubt ? "in doubt" : "not in doubt");
    fflush(stdout);
    bad += !fine;
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct ldr_datum int_of(int64_t i)
{
    return (struct ldr_datum){.type = LDR_INT64, .v.i = i};
}
static struct ldr_datum bytes_of(const void *p, size_t n)
{
    return (struct ldr_datum){.type = LDR_BYTES, .v.s = {p, n}};
}

static struct ldr_query *query_of(struct ldr_store *s, const char *view, struct ldr_err *err)
{
    struct ldr_query *q = NULL;
    struct ldr_query_spec spec = {.features = &view, .nfeatures = 1};
    return ldr_query_create(s, &spec, &q, err) ? NULL : q;
}

/* Rows of 24 MiB: a batch of them is three messages, and so is the answer to all at once. */
static void big(struct ldr_store *s)
{
    static const char *const names[] = {"id", "a", "b", "c"};
    struct ldr_err err = {0};
    struct ldr_datum cells[BIG_ROWS * 4], keys[BIG_ROWS];
    int64_t event_us[BIG_ROWS];
    uint8_t *values[BIG_ROWS];
    for (uint32_t i = 0; i < BIG_ROWS; i++) {
        values[i] = malloc(15 * MIB);
        if (!values[i])
            exit(2);
        for (size_t k = 0; k < 15 * MIB; k++)
            values[i][k] = (uint8_t)(k * 31 + k / 4096 + i);
        keys[i] = cells[i * 4] = int_of(i);
        cells[i * 4 + 1] = bytes_of(values[i], 12 * MIB);
        cells[i * 4 + 2] = bytes_of(values[i] + 1, 12 * MIB);
        cells[i * 4 + 3] = (struct ldr_datum){.type = LDR_BYTES, .status = LDR_NULL_VALUE, .null = true};
        event_us[i] = 1000000;
    }
    int rc = ldr_write(s, "big", names, 4, cells, BIG_ROWS, event_us, NULL, NULL, &err);
    verdict(rc == 0, "a batch of 96 MiB in rows of 24 MiB is written", &err);
    struct ldr_query *q = query_of(s, "big", &err);
    struct ldr_rows *rows = NULL;
    if (!q || ldr_rows_create(&rows))
        exit(2);
    struct ldr_online_opts strict = {.fresh = LDR_FRESH_STRICT};
    rc = ldr_online_get(q, keys, BIG_ROWS, &strict, rows, &err);
    bool same = rc == 0;
    for (uint32_t i = 0; same && i < BIG_ROWS; i++) {
        const struct ldr_datum *c = ldr_rows_row(rows, i);
        for (uint32_t k = 0; same && k < 2; k++)
            same = c[k].v.s.n == 12 * MIB && memcmp(c[k].v.s.p, values[i] + k, 12 * MIB) == 0;
    }
    verdict(same, "and read back in one call, byte for byte", &err);
    int64_t t_us[BIG_ROWS];
    int64_t ids[BIG_ROWS];
    for (uint32_t i = 0; i < BIG_ROWS; i++) {
        ids[i] = i;
        t_us[i] = 2000000;
    }
    struct ldr_column_data column = {.type = LDR_INT64, .n = BIG_ROWS, .data = ids};
    struct ldr_spine spine = {.nrows = BIG_ROWS, .t_us = t_us, .keys = &column};
    struct ldr_batch *joined = NULL;
    rc = ldr_historical_get(q, &spine, NULL, &joined, &err);
    const struct ldr_column_data *a = rc ? NULL : ldr_batch_column(joined, 0);
    same = a && a->offsets[BIG_ROWS] == (int64_t)(BIG_ROWS * 12 * MIB);
    for (uint32_t i = 0; same && i < BIG_ROWS; i++)
        same = memcmp((const uint8_t *)a->data + a->offsets[i], values[i], 12 * MIB) == 0;
    verdict(same, "and joined", &err);
    ldr_batch_destroy(joined);

    struct ldr_datum large[8];
    for (uint32_t i = 0; i < 2; i++) { /* one that fits, and one that does not, behind it */
        large[i * 4] = int_of(100 + i);
        for (uint32_t k = 1; k < 4; k++)
            large[i * 4 + k] = bytes_of(values[0], i ? 15 * MIB : 10);
    }
    rc = ldr_write(s, "big", names, 4, large, 2, event_us, NULL, NULL, &err);
    verdict(rc == LDR_E_TOO_BIG && !err.in_doubt && strstr(err.message, "row 1") &&
                strstr(err.message, "28 MiB"),
            "a row of 45 MiB is refused, by its number and with the limit", &err);
    struct ldr_datum first = int_of(100);
    rc = ldr_online_get(q, &first, 1, &strict, rows, &err);
    verdict(rc == 0 && ldr_rows_row(rows, 0)->status == LDR_NOT_FOUND, "and nothing of its batch was stored",
            &err);
    for (uint32_t i = 0; i < BIG_ROWS; i++)
        free(values[i]);
    ldr_rows_destroy(rows);
    ldr_query_destroy(q);
}

/* Many small rows at once: more than a message names. */
static void many(struct ldr_store *s)
{
    static const char *const names[] = {"id", "a"};
    struct ldr_err err = {0};
    struct ldr_write_report rep;
    struct ldr_datum *cells = calloc((size_t)MANY * 2, sizeof *cells), *keys = calloc(MANY, sizeof *keys);
    int64_t *event_us = calloc(MANY, sizeof *event_us);
    if (!cells || !keys || !event_us)
        exit(2);
    for (size_t i = 0; i < MANY; i++) {
        keys[i] = cells[i * 2] = int_of((int64_t)i + 1000000);
        cells[i * 2 + 1] = int_of((int64_t)i * 3);
        event_us[i] = 1000000;
    }
    int rc = ldr_write(s, "v", names, 2, cells, MANY, event_us, NULL, &rep, &err);
    verdict(rc == 0 && rep.taken == MANY, "200,000 rows are written in one call", &err);
    struct ldr_query *q = query_of(s, "v", &err);
    struct ldr_rows *rows = NULL;
    if (!q || ldr_rows_create(&rows))
        exit(2);
    struct ldr_online_opts strict = {.fresh = LDR_FRESH_STRICT};
    rc = ldr_online_get(q, keys, MANY, &strict, rows, &err);
    bool same = rc == 0;
    for (size_t i = 0; same && i < MANY; i++)
        same = ldr_rows_row(rows, i)->v.i == (int64_t)i * 3;
    verdict(same, "and read back in one call", &err);
    ldr_rows_destroy(rows);
    ldr_query_destroy(q);
    free(cells);
    free(keys);
    free(event_us);
}

/* No node answers; deadlines of 300 ms, where 10 s and more are usual. */
#define MUCH_LATER 5000

static void late(struct ldr_store *s)
{
    static const char *const names[] = {"id", "a"};
    struct ldr_err err = {0};
    struct ldr_query *q = query_of(s, "v", &err);
    struct ldr_rows *rows = NULL;
    if (!q || ldr_rows_create(&rows))
        exit(2);
    struct ldr_datum key = int_of(5), cells[2] = {int_of(5), int_of(50)};
    int64_t when_us = 1000000;
    for (int fresh = LDR_FRESH_BOUNDED; fresh <= LDR_FRESH_STRICT; fresh++) {
        struct ldr_online_opts opts = {.fresh = fresh};
        char what[128];
        double from = now_ms();
        int rc = ldr_online_get(q, &key, 1, &opts, rows, &err);
        double took = now_ms() - from;
        snprintf(what, sizeof what, "a read (fresh %d) that may take 300 ms fails after %.0f", fresh, took);
        verdict(rc && took >= 200 && took < MUCH_LATER, what, &err);
    }
    for (int stamped = 0; stamped < 2; stamped++) {
        char what[128];
        double from = now_ms();
        int rc = ldr_write(s, "v", names, 2, cells, 1, &when_us, stamped ? NULL : &when_us, NULL, &err);
        double took = now_ms() - from;
        snprintf(what, sizeof what, "a write %s that may take 300 ms fails after %.0f, %s",
                 stamped ? "without a created time" : "with a created time", took,
                 err.in_doubt ? "in doubt" : "not in doubt");
        /* Without one the nodes are asked for a time first, so it was never sent. With one it waits for a
         * greeting: whether the last attempt has ended by then, and is known not to have been sent, is a
         * matter of a millisecond. */
        verdict(rc && took >= 200 && took < MUCH_LATER && !(stamped && err.in_doubt), what, &err);
    }
    ldr_rows_destroy(rows);
    ldr_query_destroy(q);
}

int main(int argc, char **argv)
{
    struct ldr_store *s = NULL;
    struct ldr_err err = {0};
    if (argc != 3) {
        fputs("usage: client_limits URL big|many|late\n", stderr);
        return 2;
    }
    bool short_time = strcmp(argv[2], "late") == 0;
    struct ldr_open_opts opts = {.cache_dir = getenv("LARDER_CACHE_DIR"),
                                 .threads = 1,
                                 .read_ms = short_time ? 300 : LONG_MS,
                                 .write_ms = short_time ? 300 : LONG_MS};
    if (ldr_open(argv[1], &opts, &s, &err)) {
        verdict(false, "a client", &err);
        return 1;
    }
    if (strcmp(argv[2], "big") == 0)
        big(s);
    else if (strcmp(argv[2], "many") == 0)
        many(s);
    else
        late(s);
    ldr_close(s);
    return bad ? 1 : 0;
}
