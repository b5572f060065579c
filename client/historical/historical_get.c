/* ldr_historical_get: a spine in columns, the answer in columns. */
#include "client/historical/historical.h"

#include <stdio.h>

#define BLOCK_ROWS ((size_t)4096)

struct get {
    struct ldr_join join;
    const struct ldr_query_plan *plan;
    const struct ldr_spine *spine;
    pthread_mutex_t lock; /* guards what follows */
    size_t bad_row;       /* the first one, SIZE_MAX: none */
    char why[256];
};

static int refuse(struct get *g, size_t row, const char *key, const char *why)
{
    pthread_mutex_lock(&g->lock);
    if (row < g->bad_row) {
        g->bad_row = row;
        snprintf(g->why, sizeof g->why, "spine row %zu: join key %s: %s", row, key, why);
    }
    pthread_mutex_unlock(&g->lock);
    return LDR_E_INVALID;
}

static bool bit(const uint8_t *bits, size_t i)
{
    return bits[i / 8] >> (i % 8) & 1;
}

/* One cell as the caller wrote it. */
static int read_cell(const struct ldr_column_data *c, size_t i, struct ldr_datum *d)
{
    *d = (struct ldr_datum){.type = c->type};
    if (c->validity && !bit(c->validity, i)) {
        d->status = LDR_NULL_VALUE;
        return 0;
    }
    switch (c->type) {
    case LDR_BOOL:
        d->v.b = bit(c->data, i);
        return 0;
    case LDR_INT32:
        d->v.i = ((const int32_t *)c->data)[i];
        return 0;
    case LDR_INT64:
    case LDR_TIMESTAMP:
        d->v.i = ((const int64_t *)c->data)[i];
        return 0;
    default: {
        int64_t from = c->offsets[i], to = c->offsets[i + 1];
        if (from < 0 || to < from)
            return LDR_E_INVALID;
        d->v.s.p = (const char *)c->data + from;
        d->v.s.n = (size_t)(to - from);
        return 0;
    }
    }
}

static int key_value(struct get *g, size_t row, uint32_t k, struct ldr_value *out)
{
    const struct ldr_query_key *key = &g->plan->keys[k];
    const char *why = "offsets do not ascend";
    struct ldr_datum d;
    if (read_cell(&g->spine->keys[k], row, &d))
        return refuse(g, row, key->name, why);
    if (d.status != LDR_PRESENT) {
        *out = ldr_value_null(key->type);
        return 0;
    }
    return ldr_datum_value(&d, key->type, out, &why) ? refuse(g, row, key->name, why) : 0;
}

static int put_block(void *ctx, size_t block, unsigned worker)
{
    struct get *g = ctx;
    const struct ldr_spine *s = g->spine;
    struct ldr_value *values = ldr_calloc(NULL, g->plan->nkeys, sizeof *values);
    if (!values)
        return LDR_E_NOMEM;
    size_t from = block * BLOCK_ROWS, to = from + BLOCK_ROWS < s->nrows ? from + BLOCK_ROWS : s->nrows;
    int rc = 0;
    for (size_t i = from; rc == 0 && i < to; i++) {
        int64_t known = s->known_at_us    ? s->known_at_us[i]
                        : s->has_known_at ? s->known_at_all_us
                                          : LDR_KNOWN_AT_ANY;
        for (uint32_t k = 0; rc == 0 && k < g->plan->nkeys; k++)
            rc = key_value(g, i, k, &values[k]);
        if (rc == 0)
            rc = ldr_join_put(&g->join, worker, i, s->t_us[i], known, values);
    }
    ldr_release(NULL, values);
    return rc;
}

static bool key_column_ok(const struct ldr_column_data *c, size_t nrows)
{
    if (c->n != nrows || !ldr_type_key_valid(c->type))
        return false;
    bool text = c->type == LDR_STRING || c->type == LDR_BYTES;
    return nrows == 0 || (text ? c->offsets != NULL : c->data != NULL);
}

static int check_spine(const struct ldr_query_plan *plan, const struct ldr_spine *s, struct ldr_err *err)
{
    if (s->nrows && !s->t_us)
        return ldr_fail(err, LDR_E_INVALID, "the spine has no times");
    for (uint32_t k = 0; k < plan->nkeys; k++)
        if (!s->keys || !key_column_ok(&s->keys[k], s->nrows))
            return ldr_fail(
                err, LDR_E_INVALID,
                "join key %s: expected a column of %zu values of a key type (%s), with its buffers",
                plan->keys[k].name, s->nrows, ldr_type_name(plan->keys[k].type));
    return 0;
}

static int get_run(struct get *g, const struct ldr_historical_opts *opts, struct ldr_batch **out,
                   struct ldr_err *err)
{
    struct ldr_store *s = g->join.store;
    if (!ldr_fresh_valid(opts->fresh))
        return ldr_fail(err, LDR_E_INVALID, "fresh is %d, expected one of enum ldr_fresh", opts->fresh);
    g->join.fresh = opts->fresh;
    int rc = ldr_join_begin(&g->join, g->spine->nrows);
    if (rc == 0)
        rc = ldr_pool_each(s->pool, (g->spine->nrows + BLOCK_ROWS - 1) / BLOCK_ROWS, put_block, g);
    if (rc == LDR_E_INVALID)
        return ldr_fail(err, rc, "%s", g->why);
    if (rc)
        return ldr_fail(err, rc, "%s", ldr_code_text(rc));
    rc = ldr_join_run(&g->join, err);
    if (rc == 0 && (rc = ldr_batch_gather(&g->join, opts, out)) != 0)
        rc = ldr_fail(err, rc, "%s", ldr_code_text(rc));
    return rc;
}

int ldr_historical_get(const struct ldr_query *q, const struct ldr_spine *spine,
                       const struct ldr_historical_opts *opts, struct ldr_batch **out, struct ldr_err *err)
{
    static const struct ldr_historical_opts none;
    *out = NULL;
    ldr_err_clear(err);
    int entered = ldr_store_enter(q->store, err);
    if (entered)
        return entered;
    int rc = 0;
    const struct ldr_query_plan *plan = ldr_query_resolve(q, &rc, err);
    if (!plan || (rc = check_spine(plan, spine, err)) != 0)
        return rc;
    struct get g = {.plan = plan, .spine = spine, .bad_row = SIZE_MAX};
    pthread_mutex_init(&g.lock, NULL);
    rc = ldr_join_init(&g.join, q->store, plan, err);
    if (rc == 0)
        rc = get_run(&g, opts ? opts : &none, out, err);
    ldr_join_close(&g.join);
    pthread_mutex_destroy(&g.lock);
    return rc;
}
