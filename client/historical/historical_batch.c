/* A batch: its memory and how callers look into it. */
#include "client/historical/historical_batch.h"

#define LINE_BYTES ((size_t)64)

size_t ldr_batch_room_need(size_t count, size_t size)
{
    size_t n;
    if (__builtin_mul_overflow(count, size, &n) || n >= LDR_PAGES_FROM)
        return 0;
    return (n + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
}

int ldr_batch_room(struct ldr_batch *b, size_t bytes)
{
    LDR_ASSERT(b->nrooms < LDR_BATCH_ROOMS);
    struct ldr_batch_room *r = &b->rooms[b->nrooms++];
    r->bytes = bytes + LINE_BYTES; /* the heap aligns to less than a line */
    r->p = ldr_large_get(r->bytes);
    r->used = (size_t)(-(uintptr_t)r->p % LINE_BYTES);
    return r->p ? 0 : LDR_E_NOMEM;
}

int ldr_batch_array_get(struct ldr_batch *b, struct ldr_batch_array *a, size_t count, size_t size)
{
    size_t n, need = ldr_batch_room_need(count, size);
    if (__builtin_mul_overflow(count, size, &n) || n > SIZE_MAX / 2)
        return LDR_E_NOMEM;
    struct ldr_batch_room *r = need && b->nrooms ? &b->rooms[b->nrooms - 1] : NULL;
    if (r && need <= r->bytes - r->used) {
        *a = (struct ldr_batch_array){.p = r->p + r->used};
        r->used += need;
        return 0;
    }
    a->bytes = n ? n : 1;
    a->p = ldr_large_get(a->bytes);
    return a->p ? 0 : LDR_E_NOMEM;
}

void ldr_batch_array_free(struct ldr_batch_array *a)
{
    if (a->bytes)
        ldr_large_release(a->p, a->bytes);
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
    for (unsigned i = 0; i < b->nrooms; i++)
        ldr_large_release(b->rooms[i].p, b->rooms[i].bytes);
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
