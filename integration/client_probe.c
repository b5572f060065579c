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

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
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

static int write_one(struct probe *p, int64_t id)
{
    static const char *const names[] = {"id", "a"};
    struct ldr_datum cells[2] = {int_of(id), int_of(id * 10)};
    int64_t event_us = 1000000;
    return ldr_write(p->store, "v", names, 2, cells, 1, &event_us, NULL, NULL, &p->err);
}

static int read_one(struct probe *p, int64_t id)
{
    struct ldr_datum key = int_of(id);
    int rc = ldr_online_get(p->query, &key, 1, NULL, p->rows, &p->err);
    const struct ldr_datum *cell = rc ? NULL : ldr_rows_row(p->rows, 0);
    if (cell && (cell->null || cell->v.i != id * 10)) {
        snprintf(p->err.message, sizeof p->err.message, "entity %lld: status %d, value %lld", (long long)id,
                 cell->status, (long long)cell->v.i);
        rc = LDR_E_CORRUPT;
    }
    return rc;
}

static int open_probe(struct probe *p, const char *url)
{
    static const char *const features[] = {"v:a"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 1};
    struct ldr_open_opts opts = {.threads = 1};
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

int main(int argc, char **argv)
{
    if (argc < 4) {
        fputs("usage: client_probe URL write|read ROUNDS [OPS]\n", stderr);
        return 2;
    }
    bool writes = strcmp(argv[2], "write") == 0;
    long rounds = strtol(argv[3], NULL, 10), ops = argc > 4 ? strtol(argv[4], NULL, 10) : 4, failed = 0;
    double worst_open = 0, worst_first = 0, worst_later = 0;
    for (long i = 0; i < rounds; i++) {
        struct probe p = {0};
        double from = now_ms();
        int rc = open_probe(&p, argv[1]);
        double took = now_ms() - from;
        worst_open = took > worst_open ? took : worst_open;
        for (long k = 0; !rc && k < ops; k++) {
            double *worst = k ? &worst_later : &worst_first;
            from = now_ms();
            rc = writes ? write_one(&p, (i * ops + k) % ENTITIES) : read_one(&p, (i * 7 + k) % ENTITIES);
            took = now_ms() - from;
            *worst = took > *worst ? took : *worst;
        }
        if (rc) {
            fprintf(stderr, "round %ld: %s: %s\n", i, ldr_error_name(rc), p.err.message);
            failed++;
        }
        close_probe(&p);
    }
    printf("{\"op\": \"%s\", \"rounds\": %ld, \"failed\": %ld, \"open_ms\": %.1f, \"first_ms\": %.1f, "
           "\"later_ms\": %.1f}\n",
           argv[2], rounds, failed, worst_open, worst_first, worst_later);
    return failed ? 1 : 0;
}
