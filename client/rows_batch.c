/* Online rows as columns. */
#include "client/historical/historical_batch.h"
#include "client/rows.h"

static int side_arrays(struct ldr_batch *b, const struct ldr_historical_opts *opts)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < b->ncols; i++) {
        struct ldr_batch_col *c = &b->cols[i];
        if (opts->with_status)
            rc = ldr_batch_array_get(b, &c->status, b->nrows, 1);
        if (!rc && opts->with_times)
            rc = ldr_batch_array_get(b, &c->event, b->nrows, sizeof(int64_t));
        if (!rc && opts->with_times)
            rc = ldr_batch_array_get(b, &c->created, b->nrows, sizeof(int64_t));
    }
    return rc;
}

static void put_side(const struct ldr_rows *r, size_t row, size_t col, struct ldr_batch_col *to)
{
    if (to->status.p)
        ((uint8_t *)to->status.p)[row] = r->cells[row * r->ncols + col].status;
    if (!to->event.p)
        return;
    int64_t event_us = INT64_MIN, created_us = INT64_MIN;
    ldr_rows_times(r, row, col, &event_us, &created_us);
    ((int64_t *)to->event.p)[row] = event_us;
    ((int64_t *)to->created.p)[row] = created_us;
}

static int put_column(const struct ldr_rows *r, unsigned type, size_t col, struct ldr_column_builder *b,
                      struct ldr_batch_col *to)
{
    int rc = ldr_column_builder_init(b, type);
    for (size_t row = 0; !rc && row < r->nrows; row++) {
        const struct ldr_datum *d = &r->cells[row * r->ncols + col];
        struct ldr_value v = {.type = d->type, .null = d->null, .count = d->count};
        memcpy(&v.i, &d->v, sizeof d->v);
        rc = ldr_column_builder_add(b, &v);
        put_side(r, row, col, to);
    }
    ldr_column_builder_finish(b);
    to->data = b->data;
    to->child = b->child;
    if (b->data.child)
        to->data.child = &to->child;
    return rc;
}

int ldr_rows_batch(const struct ldr_query *q, const struct ldr_rows *r,
                   const struct ldr_historical_opts *opts, struct ldr_batch **out, struct ldr_err *err)
{
    static const struct ldr_historical_opts none;
    ldr_err_clear(err);
    *out = NULL;
    if (r->ncols != ldr_query_columns(q))
        return ldr_fail(err, LDR_E_INVALID, "the rows are not of this query");
    struct ldr_batch *b = NULL;
    int rc = ldr_batch_create(r->nrows, r->ncols, &b);
    if (!rc)
        b->built = ldr_calloc(NULL, r->ncols, sizeof *b->built);
    if (!rc && !b->built)
        rc = LDR_E_NOMEM;
    if (!rc)
        rc = side_arrays(b, opts ? opts : &none);
    for (size_t i = 0; !rc && i < r->ncols; i++)
        rc = put_column(r, ldr_query_column_type(q, i), i, &b->built[i], &b->cols[i]);
    if (rc) {
        ldr_batch_destroy(b);
        return ldr_fail(err, rc, "%s", ldr_code_text(rc));
    }
    *out = b;
    return 0;
}
