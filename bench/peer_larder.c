/* Larder, embedded, through larder.h alone: typed values of all 25 features with their statuses. */
#include "bench/larder_rows.h"

/* Large enough for the bulk path; each batch is durable when its call returns. */
enum { BATCH = 250000, KEYS_MAX = 1000 };
struct ld {
    struct ldr_store *store;
    struct ldr_query *query;
    struct ldr_rows *rows;
    struct ldr_datum keys[KEYS_MAX];
};
static void *ld_open(const char *dir)
{
    struct ld *l = calloc(1, sizeof *l);
    struct ldr_err err = {0};
    char path[4096], url[4096];
    snprintf(path, sizeof path, "%s/defs.yaml", dir);
    snprintf(url, sizeof url, "local:%s/store", dir);
    write_definition(path);
    struct ldr_open_opts o = {.latest_bytes = (size_t)1 << 30};
    must(ldr_open(url, &o, &l->store, &err), &err);
    must(ldr_apply(l->store, dir, UINT64_MAX, NULL, NULL, NULL, NULL, &err), &err);
    return l;
}
static void ld_load(void *db, uint64_t entities)
{
    struct ld *l = db;
    struct ldr_err err = {0};
    struct ldr_datum *v = calloc((size_t)BATCH * COLUMNS, sizeof *v);
    struct row *r = calloc(BATCH, sizeof *r);
    int64_t *t = calloc(BATCH, sizeof *t);
    if (!v || !r || !t)
        bench_die("larder", "memory");
    for (uint64_t e = 0; e < entities; e += BATCH) {
        size_t n = entities - e < BATCH ? (size_t)(entities - e) : BATCH;
        for (size_t i = 0; i < n; i++) {
            row_make(&r[i], e + i, 0);
            put_cells(v + i * COLUMNS, e + i, &r[i]);
            t[i] = START_US;
        }
        must(ldr_write(l->store, "v", names, COLUMNS, v, n, t, t, NULL, &err), &err);
    }
    free(v);
    free(r);
    free(t);
    const char *features[] = {"v"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 1};
    must(ldr_query_create(l->store, &spec, &l->query, &err), &err);
    must(ldr_rows_create(&l->rows), &err);
}
static uint64_t ld_get(void *db, uint64_t entity)
{
    struct ld *l = db;
    struct ldr_err err = {0};
    struct ldr_datum key = {.type = LDR_INT64, .v.i = (int64_t)entity};
    must(ldr_online_get(l->query, &key, 1, NULL, l->rows, &err), &err);
    return read_cells(ldr_rows_row(l->rows, 0));
}
static uint64_t ld_get_many(void *db, const uint64_t *entity, size_t n)
{
    struct ld *l = db;
    struct ldr_err err = {0};
    uint64_t sum = 0;
    if (n > KEYS_MAX)
        bench_die("larder", "too many keys in a batch");
    for (size_t i = 0; i < n; i++)
        l->keys[i] = (struct ldr_datum){.type = LDR_INT64, .v.i = (int64_t)entity[i]};
    must(ldr_online_get(l->query, l->keys, n, NULL, l->rows, &err), &err);
    for (size_t i = 0; i < n; i++)
        sum += read_cells(ldr_rows_row(l->rows, i));
    return sum;
}
static void ld_put(void *db, uint64_t entity, uint64_t version)
{
    struct ld *l = db;
    struct ldr_err err = {0};
    struct ldr_datum v[COLUMNS];
    struct row r;
    int64_t t = START_US + (int64_t)version;
    row_make(&r, entity, version);
    put_cells(v, entity, &r);
    must(ldr_write(l->store, "v", names, COLUMNS, v, 1, &t, &t, NULL, &err), &err);
}
static void ld_close(void *db)
{
    struct ld *l = db;
    ldr_rows_destroy(l->rows);
    ldr_query_destroy(l->query);
    ldr_close(l->store);
    free(l);
}
const struct peer peer_larder = {"larder", ld_open, ld_load, ld_get, ld_get_many, ld_put, ld_close};
