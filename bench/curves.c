/* What one store costs at one size: load, memory, reads, joins. usage: bench_curves DIR ENTITIES FEATURES
 * VERSIONS SHARDS SECONDS    DIR is an empty folder; each read is measured for SECONDS. Prints "METRIC VALUE
 * UNIT" lines for bench/curves.sh. Every answer is read and counted: a missing value ends the program. */
#include <stdlib.h>

#include "bench/rows.h"
#include "client/larder.h"

#define START_US INT64_C(1700000000000000)
#define STEP_US  INT64_C(1000000) /* between versions */
enum { CELLS_MAX = 4000000, FEATURES_MAX = 1000, BATCH = 100, SPINE = 20000 };

static uint64_t entities, versions;
static size_t features;

_Noreturn static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_curves: %s: %s\n", what, why);
    exit(1);
}
static void must(int rc, const struct ldr_err *err)
{
    if (rc)
        die("larder", err->message);
}
static void *room(size_t n, size_t size)
{
    void *p = calloc(n, size);
    if (!p)
        die("memory", "there is none");
    return p;
}
static void say(const char *metric, double value, const char *unit)
{
    printf("%s %.6g %s\n", metric, value, unit);
    fflush(stdout);
}

static double value_of(uint64_t entity, uint64_t version, size_t feature)
{
    return (double)(entity % 100000) + (double)version / 16384 + (double)feature * 1e6;
}

static void declare(struct ldr_store *s, const char *dir)
{
    struct ldr_err err = {0};
    char path[4096];
    snprintf(path, sizeof path, "%s/defs.yaml", dir);
    FILE *f = fopen(path, "w");
    if (!f)
        die(path, "cannot write");
    fprintf(f, "project: curves\nentities: [{name: thing, join_keys: [{name: id, type: int64}]}]\n"
               "feature_views:\n  - name: v\n    entity: thing\n    features:\n");
    for (size_t k = 0; k < features; k++)
        fprintf(f, "      - {name: f%03zu, type: float64}\n", k);
    if (fclose(f))
        die(path, "cannot write");
    must(ldr_apply(s, dir, UINT64_MAX, NULL, NULL, NULL, NULL, &err), &err);
}

/* Facts come by time, as they would: all entities' first version, then the second. */
static void load(struct ldr_store *s)
{
    struct ldr_err err = {0};
    static char text[FEATURES_MAX + 1][8];
    static const char *names[FEATURES_MAX + 1];
    size_t columns = features + 1, most = CELLS_MAX / columns;
    uint64_t facts = entities * versions;
    struct ldr_datum *cells = room(most * columns, sizeof *cells);
    int64_t *t = room(most, sizeof *t);
    double spent = 0;
    names[0] = "id";
    for (size_t k = 0; k < features; k++) {
        snprintf(text[k], sizeof text[k], "f%03u", (unsigned)(k % FEATURES_MAX));
        names[k + 1] = text[k];
    }
    for (uint64_t at = 0, n; at < facts; at += n) {
        n = facts - at < most ? facts - at : most;
        for (uint64_t i = 0; i < n; i++) {
            uint64_t entity = (at + i) % entities, version = (at + i) / entities;
            struct ldr_datum *c = cells + i * columns;
            *c++ = (struct ldr_datum){.type = LDR_INT64, .v.i = (int64_t)entity};
            for (size_t k = 0; k < features; k++)
                *c++ = (struct ldr_datum){.type = LDR_FLOAT64, .v.f64 = value_of(entity, version, k)};
            t[i] = START_US + (int64_t)version * STEP_US;
        }
        double began = seconds_now();
        must(ldr_write(s, "v", names, columns, cells, n, t, t, NULL, &err), &err);
        spent += seconds_now() - began;
    }
    say("load_per_fact", spent / (double)facts * 1e6, "us");
    free(cells);
    free(t);
}

static void memory(struct ldr_store *s)
{
    struct ldr_err err = {0};
    struct ldr_table *t;
    must(ldr_store_stats(s, &t, &err), &err);
    for (size_t i = 0; i < ldr_table_rows(t); i++) {
        const struct ldr_datum *name = ldr_table_cell(t, i, 0), *value = ldr_table_cell(t, i, 1);
        if (name->v.s.n == strlen("latest_table_bytes") &&
            memcmp(name->v.s.p, "latest_table_bytes", name->v.s.n) == 0)
            say("memory_per_entity", (double)value->v.i / (double)entities, "bytes");
    }
    ldr_table_destroy(t);
}

/* Entities `at` and following, or (spread) as many anywhere. */
static void read_batch(const struct ldr_query *q, struct ldr_rows *rows, uint64_t at, size_t n, bool spread)
{
    struct ldr_err err = {0};
    struct ldr_datum keys[BATCH];
    for (size_t i = 0; i < n; i++)
        keys[i] = (struct ldr_datum){.type = LDR_INT64,
                                     .v.i = (int64_t)((spread ? mix(at + i) : at + i) % entities)};
    must(ldr_online_get(q, keys, n, NULL, rows, &err), &err);
    for (size_t i = 0; i < n; i++) {
        const struct ldr_datum *c = ldr_rows_row(rows, i);
        for (size_t k = 0; k < features; k++)
            if (c[k].status != LDR_PRESENT || c[k].v.f64 != value_of((uint64_t)keys[i].v.i, versions - 1, k))
                die("read", "a value is missing or wrong");
    }
}
static void reads(const struct ldr_query *q, const char *metric, size_t n, double seconds)
{
    struct ldr_err err = {0};
    struct ldr_rows *rows;
    uint64_t count = 0;
    double spent = 0;
    must(ldr_rows_create(&rows), &err);
    for (uint64_t e = 0; e < entities; e += BATCH) /* warm: all rows are in memory afterwards */
        read_batch(q, rows, e, BATCH, false);
    for (double began = seconds_now(); spent < seconds; spent = seconds_now() - began)
        for (size_t i = 0; i < 1024 / n + 1; i++, count += n)
            read_batch(q, rows, count, n, true);
    say(metric, spent / (double)count * 1e9, "ns");
    ldr_rows_destroy(rows);
}

static void joins(const struct ldr_query *q, double seconds)
{
    struct ldr_err err = {0};
    int64_t *id = room(SPINE, sizeof *id), *t = room(SPINE, sizeof *t);
    double spent = 0;
    size_t rounds = 0;
    for (size_t i = 0; i < SPINE; i++) {
        id[i] = (int64_t)(mix(i) % entities);
        t[i] = START_US + (int64_t)(mix(i + SPINE) % versions) * STEP_US;
    }
    struct ldr_column_data key = {.type = LDR_INT64, .n = SPINE, .data = id};
    struct ldr_spine spine = {.nrows = SPINE, .t_us = t, .keys = &key};
    for (size_t r = 0; r < 2 || spent < seconds; r++) {
        struct ldr_batch *b;
        double began = seconds_now();
        must(ldr_historical_get(q, &spine, NULL, &b, &err), &err);
        spent += r ? seconds_now() - began : 0; /* the first one fills the cache */
        rounds += r ? 1 : 0;
        const double *got = ldr_batch_column(b, 0)->data;
        for (size_t i = 0; i < SPINE; i++)
            if (got[i] != value_of((uint64_t)id[i], (uint64_t)((t[i] - START_US) / STEP_US), 0))
                die("join", "a value is missing or wrong");
        ldr_batch_destroy(b);
    }
    say("join_per_row", spent / (double)(rounds * SPINE) * 1e6, "us");
    free(id);
    free(t);
}

int main(int argc, char **argv)
{
    if (argc != 7)
        die("usage", "bench_curves DIR ENTITIES FEATURES VERSIONS SHARDS SECONDS");
    struct ldr_err err = {0};
    struct ldr_store *s;
    struct ldr_query *q;
    char url[4096];
    entities = strtoull(argv[2], NULL, 10);
    features = strtoul(argv[3], NULL, 10);
    versions = strtoull(argv[4], NULL, 10);
    unsigned shards = (unsigned)strtoul(argv[5], NULL, 10);
    double seconds = strtod(argv[6], NULL);
    if (entities < 1 || features < 1 || features > FEATURES_MAX || versions < 1 || shards < 1 || seconds <= 0)
        die("usage", "every number is above 0, features are 1 to 1000");
    snprintf(url, sizeof url, "local:%s/store", argv[1]);
    /* all rows are in memory, whatever the size: what is measured is the table, not its misses */
    size_t latest = (size_t)entities * (features * 8 + 200) * 2 + ((size_t)256 << 20);
    struct ldr_open_opts o = {.shards = shards, .latest_bytes = latest};
    must(ldr_open(url, &o, &s, &err), &err);
    declare(s, argv[1]);
    load(s);
    const char *views[] = {"v"};
    struct ldr_query_spec spec = {.features = views, .nfeatures = 1};
    must(ldr_query_create(s, &spec, &q, &err), &err);
    reads(q, "read_one", 1, seconds);
    reads(q, "read_hundred_each", BATCH, seconds);
    memory(s);
    joins(q, seconds);
    ldr_query_destroy(q);
    ldr_close(s);
    return 0;
}
