#include "client/rows.h"

#include <stdlib.h>

#define ROWS_BYTES_MAX ((size_t)1 << 32) /* of one result */

int ldr_rows_create(struct ldr_rows **out)
{
    struct ldr_rows *r = ldr_calloc(NULL, 1, sizeof *r);
    *out = r;
    if (!r)
        return LDR_E_NOMEM;
    ldr_buf_init(&r->rows, NULL, ROWS_BYTES_MAX);
    ldr_buf_init(&r->keys, NULL, UINT32_MAX);
    return 0;
}

void ldr_rows_destroy(struct ldr_rows *r)
{
    if (!r)
        return;
    ldr_buf_close(&r->rows);
    ldr_buf_close(&r->keys);
    free(r->cells);
    free(r->times);
    free(r->col_view);
    free(r->points);
    free(r->answers);
    free(r->at);
    free(r);
}

size_t ldr_rows_count(const struct ldr_rows *r)
{
    return r->nrows;
}

const struct ldr_datum *ldr_rows_row(const struct ldr_rows *r, size_t row)
{
    return row < r->nrows ? r->cells + row * r->ncols : NULL;
}

bool ldr_rows_times(const struct ldr_rows *r, size_t row, size_t col, int64_t *event_us, int64_t *created_us)
{
    if (row >= r->nrows || col >= r->ncols || r->cells[row * r->ncols + col].status == LDR_NOT_FOUND)
        return false;
    const struct ldr_row_times *t = &r->times[row * r->nviews + r->col_view[col]];
    if (event_us)
        *event_us = t->event_us;
    if (created_us)
        *created_us = t->created_us;
    return t->found;
}

static bool room(void *array_of, size_t *cap, size_t n, size_t size)
{
    if (n <= *cap)
        return true;
    void *old, *more;
    memcpy(&old, array_of, sizeof old);
    size_t want = n < 16 ? 16 : n;
    more = ldr_resize(NULL, old, want * size);
    if (!more)
        return false;
    memcpy(array_of, &more, sizeof more);
    *cap = want;
    return true;
}

int ldr_rows_shape(struct ldr_rows *r, const struct ldr_query_plan *p, size_t nrows, struct ldr_err *err)
{
    r->nrows = 0;
    r->npoints = 0;
    ldr_buf_reset(&r->rows);
    ldr_buf_reset(&r->keys);
    if (nrows > LDR_CELLS_MAX / p->ncols || nrows > UINT32_MAX)
        return ldr_fail(err, LDR_E_TOO_BIG, "%zu rows of %u features: at most %llu values are read at once",
                        nrows, p->ncols, (unsigned long long)LDR_CELLS_MAX);
    size_t n = nrows * p->nviews; /* a view has a column: no more than cells */
    if (!room(&r->cells, &r->cap_cells, nrows * p->ncols, sizeof *r->cells) ||
        !room(&r->times, &r->cap_times, n, sizeof *r->times) ||
        !room(&r->col_view, &r->cap_cols, p->ncols, sizeof *r->col_view) ||
        !room(&r->points, &r->cap_points, n, sizeof *r->points) ||
        !room(&r->answers, &r->cap_answers, n, sizeof *r->answers) ||
        !room(&r->at, &r->cap_at, n, sizeof *r->at))
        return ldr_fail(err, LDR_E_NOMEM, "out of memory for %zu rows", nrows);
    r->ncols = p->ncols;
    r->nviews = p->nviews;
    for (uint32_t i = 0; i < p->ncols; i++)
        r->col_view[i] = p->cols[i].view;
    return 0;
}
