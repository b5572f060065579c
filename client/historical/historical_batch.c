/* A batch: its memory and how callers look into it. */
#include "client/historical/historical_batch.h"

#define MAP_FROM ((size_t)1 << 20)

int ldr_batch_array_get(struct ldr_batch_array *a, size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n) || n > SIZE_MAX / 2)
        return LDR_E_NOMEM;
    a->bytes = n ? n : 1;
    a->p = a->bytes >= MAP_FROM ? ldr_pages_map(a->bytes) : ldr_calloc(NULL, 1, a->bytes);
    return a->p ? 0 : LDR_E_NOMEM;
}

void ldr_batch_array_free(struct ldr_batch_array *a)
{
    if (a->bytes >= MAP_FROM)
        ldr_pages_unmap(a->p, a->bytes);
    else
        ldr_release(NULL, a->p);
    *a = (struct ldr_batch_array){0};
}

int ldr_batch_create(size_t nrows, size_t ncols, struct ldr_batch **out)
{
    struct ldr_batch *b = ldr_calloc(NULL, 1, sizeof *b);
    if (!b)
        return LDR_E_NOMEM;
    b->refs = 1;
    b->nrows = nrows;
    b->ncols = ncols;
    b->cols = ldr_calloc(NULL, ncols, sizeof *b->cols);
    if (!b->cols) {
        ldr_release(NULL, b);
        return LDR_E_NOMEM;
    }
    *out = b;
    return 0;
}

void ldr_batch_destroy(struct ldr_batch *b)
{
    if (!b || atomic_fetch_sub(&b->refs, 1) > 1)
        return;
    for (size_t i = 0; i < b->ncols; i++) {
        struct ldr_batch_col *c = &b->cols[i];
        if (b->built)
            ldr_column_builder_close(&b->built[i]);
        ldr_batch_array_free(&c->validity);
        ldr_batch_array_free(&c->values);
        ldr_batch_array_free(&c->offsets);
        ldr_batch_array_free(&c->child_values);
        ldr_batch_array_free(&c->child_offsets);
        ldr_batch_array_free(&c->status);
        ldr_batch_array_free(&c->event);
        ldr_batch_array_free(&c->created);
    }
    ldr_release(NULL, b->built);
    ldr_release(NULL, b->cols);
    ldr_release(NULL, b);
}

size_t ldr_batch_rows(const struct ldr_batch *b)
{
    return b->nrows;
}

const struct ldr_column_data *ldr_batch_column(const struct ldr_batch *b, size_t col)
{
    return col < b->ncols ? &b->cols[col].data : NULL;
}

const uint8_t *ldr_batch_status(const struct ldr_batch *b, size_t col)
{
    return col < b->ncols ? b->cols[col].status.p : NULL;
}

const int64_t *ldr_batch_event_us(const struct ldr_batch *b, size_t col)
{
    return col < b->ncols ? b->cols[col].event.p : NULL;
}

const int64_t *ldr_batch_created_us(const struct ldr_batch *b, size_t col)
{
    return col < b->ncols ? b->cols[col].created.p : NULL;
}
