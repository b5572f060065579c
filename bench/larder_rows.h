/* The bench rows as Larder sees them: the definition, the cells of a row, reading one back. For programs that
 * use larder.h alone. */
#ifndef BENCH_LARDER_ROWS_H
#define BENCH_LARDER_ROWS_H
#include "bench/peer.h"
#include "client/larder.h"
#include <stdlib.h>

#define START_US INT64_C(1700000000000000)
enum { COLUMNS = ROW_FEATURES + 1 };
static char names_text[COLUMNS][8];
static const char *names[COLUMNS];

static inline void must(int rc, const struct ldr_err *err)
{
    if (rc)
        bench_die("larder", err->message);
}
static inline void name_columns(void)
{
    names[0] = "id";
    for (int k = 0; k < ROW_FEATURES; k++) {
        snprintf(names_text[k], sizeof names_text[k], "f%02d", k);
        names[k + 1] = names_text[k];
    }
}
static inline void write_definition(const char *path)
{
    FILE *f = fopen(path, "w");
    if (!f)
        bench_die(path, "cannot write");
    fprintf(f, "project: bench\nentities: [{name: thing, join_keys: [{name: id, type: int64}]}]\n"
               "feature_views:\n  - name: v\n    entity: thing\n    features:\n");
    name_columns();
    for (int k = 0; k < ROW_FEATURES; k++)
        fprintf(f, "      - {name: %s, type: %s}\n", names[k + 1],
                k < ROW_INTS                            ? "int64"
                : k < ROW_INTS + ROW_FLOATS             ? "float64"
                : k < ROW_INTS + ROW_FLOATS + ROW_BOOLS ? "bool"
                                                        : "string");
    if (fclose(f))
        bench_die(path, "cannot write");
}
static inline void put_cells(struct ldr_datum *d, uint64_t entity, const struct row *r)
{
    *d++ = (struct ldr_datum){.type = LDR_INT64, .v.i = (int64_t)entity};
    for (int k = 0; k < ROW_INTS; k++)
        *d++ = (struct ldr_datum){.type = LDR_INT64, .v.i = r->i[k]};
    for (int k = 0; k < ROW_FLOATS; k++)
        *d++ = (struct ldr_datum){.type = LDR_FLOAT64, .v.f64 = r->f[k]};
    for (int k = 0; k < ROW_BOOLS; k++)
        *d++ = (struct ldr_datum){.type = LDR_BOOL, .v.b = r->b[k]};
    for (int k = 0; k < ROW_TEXTS; k++)
        *d++ = (struct ldr_datum){.type = LDR_STRING, .v.s = {r->t[k], strlen(r->t[k])}};
}
static inline uint64_t read_cells(const struct ldr_datum *c)
{
    uint64_t sum = 0;
    for (int k = 0; k < ROW_FEATURES; k++, c++) {
        if (c->status != LDR_PRESENT)
            bench_die("larder", "a value is missing");
        if (c->type == LDR_FLOAT64)
            sum += (uint64_t)c->v.f64;
        else if (c->type == LDR_STRING)
            sum += c->v.s.n + *(const uint8_t *)c->v.s.p;
        else
            sum += c->type == LDR_BOOL ? c->v.b : (uint64_t)c->v.i;
    }
    return sum;
}
#endif
