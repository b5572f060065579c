/* How long a client waits: opens a store again and again, and times opening, the first request of the fresh
 * client and the requests after it. Values that are read are held against what was written. Public header
 * only. usage: client_probe URL write|read ROUNDS [OPS]. Prints one JSON object; exits 1 when a request
 * failed or an answer was wrong. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/larder.h"

#define ENTITIES 64
#define MOST     4096 /* of times kept, of each kind */

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

struct times {
    double list[MOST];
    size_t n;
};
static struct times opens, firsts, laters;

static void note(struct times *t, double took)
{
    if (t->n < MOST)
        t->list[t->n++] = took;
}
static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
/* The slowest, and the one in the middle: a machine that is busy for a moment makes the one, a client that
 * waits for what is dead the other. */
static void tell(const char *name, struct times *t)
{
    qsort(t->list, t->n, sizeof *t->list, by_size);
    printf(", \"%s_ms\": %.1f, \"%s_mid_ms\": %.1f", name, t->n ? t->list[t->n - 1] : 0, name,
           t->n ? t->list[t->n / 2] : 0);
}

struct probe {
    struct ldr_store *store;
    struct ldr_query *query;
    struct ldr_rows *rows;
    struct ldr_err err;
};

static struct ldr_datum int_of(int64_t i)
{
    return (struct ldr_datum){.type = LDR_INT64, .v.i = i};
}

static int write_one(struct probe *p, int64_t id, int64_t value)
{
    static const char *const names[] = {"id", "a"};
    struct ldr_datum cells[2] = {int_of(id), int_of(value)};
    int64_t event_us = 1000000;
    return ldr_write(p->store, "v", names, 2, cells, 1, &event_us, NULL, NULL, &p->err);
}

/* *value: what is there, -1 = nothing. */
static int look(struct probe *p, int64_t id, int fresh, int64_t *value)
{
    struct ldr_datum key = int_of(id);
    struct ldr_online_opts opts = {.fresh = fresh};
    int rc = ldr_online_get(p->query, &key, 1, &opts, p->rows, &p->err);
    const struct ldr_datum *cell = rc ? NULL : ldr_rows_row(p->rows, 0);
    *value = cell && !cell->null ? cell->v.i : -1;
    return rc;
}

static int read_one(struct probe *p, int64_t id, int64_t expected, int fresh)
{
    int64_t value;
    int rc = look(p, id, fresh, &value);
    if (!rc && value != expected) {
        snprintf(p->err.message, sizeof p->err.message, "entity %lld: found %lld, expected %lld",
                 (long long)id, (long long)value, (long long)expected);
        rc = LDR_E_CORRUPT;
    }
    return rc;
}

static int open_probe(struct probe *p, const char *url)
{
    static const char *const features[] = {"v:a"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 1};
    struct ldr_open_opts opts = {.threads = 1, .cache_dir = getenv("LARDER_CACHE_DIR")};
    int rc = ldr_open(url, &opts, &p->store, &p->err);
    if (!rc)
        rc = ldr_query_create(p->store, &spec, &p->query, &p->err);
    return rc ? rc : ldr_rows_create(&p->rows);
}

static void close_probe(struct probe *p)
{
    ldr_rows_destroy(p->rows);
    ldr_query_destroy(p->query);
    if (p->store)
        ldr_close(p->store);
}

/* Reads follow writes: rounds times, every time another value of one of a few entities. */
static int after_writes(const char *url, bool own, long rounds)
{
    struct probe p[3] = {0};
    long behind = 0;
    /* values that no run before had: a fact that is sent again merges into its earlier stamp */
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    int64_t base = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000, value;
    int rc = 0, at = 0;
    for (int i = 0; !rc && i < 3; i++)
        rc = open_probe(&p[at = i], url);
    for (long i = 0; !rc && i < rounds; i++) {
        int64_t id = 1000 + i % 7;
        rc = write_one(&p[at = 0], id, base + i);
        if (!rc)
            rc = look(&p[at = 2], id, LDR_FRESH_BOUNDED, &value);
        behind += !rc && value != base + i;
        double from = now_ms();
        if (!rc)
            rc = read_one(&p[at = own ? 0 : 1], id, base + i, own ? LDR_FRESH_OWN : LDR_FRESH_STRICT);
        note(&laters, now_ms() - from);
    }
    if (rc)
        fprintf(stderr, "%s: %s\n", ldr_error_name(rc), p[at].err.message);
    printf("{\"op\": \"%s\", \"rounds\": %ld, \"failed\": %d, \"behind\": %ld", own ? "own" : "strict",
           rounds, rc != 0, behind);
    tell("first", &firsts);
    tell("later", &laters);
    puts("}");
    for (int i = 0; i < 3; i++)
        close_probe(&p[i]);
    return rc ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("usage: client_probe URL write|read|strict|own ROUNDS [OPS]\n", stderr);
        return 2;
    }
    bool writes = strcmp(argv[2], "write") == 0;
    long rounds = strtol(argv[3], NULL, 10), ops = argc > 4 ? strtol(argv[4], NULL, 10) : 4, failed = 0;
    if (strcmp(argv[2], "strict") == 0 || strcmp(argv[2], "own") == 0)
        return after_writes(argv[1], argv[2][0] == 'o', rounds);
    for (long i = 0; i < rounds; i++) {
        struct probe p = {0};
        double from = now_ms();
        int rc = open_probe(&p, argv[1]);
        note(&opens, now_ms() - from);
        for (long k = 0; !rc && k < ops; k++) {
            from = now_ms();
            int64_t id = (writes ? i * ops + k : i * 7 + k) % ENTITIES;
            rc = writes ? write_one(&p, id, id * 10) : read_one(&p, id, id * 10, LDR_FRESH_BOUNDED);
            note(k ? &laters : &firsts, now_ms() - from);
        }
        if (rc) {
            fprintf(stderr, "round %ld: %s: %s\n", i, ldr_error_name(rc), p.err.message);
            failed++;
        }
        close_probe(&p);
    }
    printf("{\"op\": \"%s\", \"rounds\": %ld, \"failed\": %ld", argv[2], rounds, failed);
    tell("open", &opens);
    tell("first", &firsts);
    tell("later", &laters);
    puts("}");
    return failed ? 1 : 0;
}
