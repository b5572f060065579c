/* Hits to columns, in Arrow's layout. Blocks of spine rows on the pool: the rows of one block stay in the
 * cache while all columns are taken from them. Values of variable length need two passes: lengths, then
 * bytes. */
#include "client/historical/historical_batch.h"

#define FETCH_BYTES ((size_t)256)
#define BLOCK_ROWS  ((size_t)1024) /* a multiple of 8, so that no two blocks share a byte of a bitmap */

struct col {
    struct ldr_batch_col *out;
    const struct ldr_join_hit **hits;
    const struct ldr_schema *schema;
    uint32_t slot;
    unsigned type, element; /* element: of a list, else the type */
    int64_t
        *items; /* by block: bytes of strings, or elements of lists; after the first pass, all before it */
    int64_t *bytes; /* the same for the bytes of strings in lists */
    size_t *nulls;  /* by block */
};
struct gather {
    struct col *cols;
    size_t nrows, nblocks, ncols;
};

static void set_bit(uint8_t *bits, size_t i)
{
    bits[i / 8] |= (uint8_t)(1u << (i % 8));
}

static bool is_list(const struct col *c)
{
    return ldr_type_is_list(c->type);
}

static bool element_var(const struct col *c)
{
    return !ldr_type_is_fixed(c->element);
}

static void put_fixed(const struct col *c, size_t row, const struct ldr_value *v)
{
    void *data = c->out->values.p;
    switch (c->type) {
    case LDR_BOOL:
        if (v->b)
            set_bit(data, row);
        break;
    case LDR_INT32:
        ((int32_t *)data)[row] = (int32_t)v->i;
        break;
    case LDR_FLOAT32:
        ((float *)data)[row] = v->f32;
        break;
    case LDR_FLOAT64:
        ((double *)data)[row] = v->f64;
        break;
    default:
        ((int64_t *)data)[row] = v->i;
    }
}

/* Bytes of the strings in a list, without their lengths. */
static int64_t list_bytes(const struct ldr_value *v)
{
    return (int64_t)v->s.n - 4 * (int64_t)v->count;
}

static void put_side(const struct col *c, size_t row, enum ldr_status status, const struct ldr_join_hit *h)
{
    struct ldr_batch_col *out = c->out;
    if (out->status.p)
        ((uint8_t *)out->status.p)[row] = (uint8_t)status;
    if (out->event.p) {
        bool there = status != LDR_NOT_FOUND;
        ((int64_t *)out->event.p)[row] = there ? h->event_us : INT64_MIN;
        ((int64_t *)out->created.p)[row] = there ? h->created_us : INT64_MIN;
    }
}

/* Where a value of fixed width lies in a hit, or NULL with its status: ldr_join_hit_cell without the detour
 * over a value. */
static inline const uint8_t *fixed_at(const struct col *c, const struct ldr_join_hit *h,
                                      enum ldr_status *status)
{
    *status = LDR_NOT_FOUND;
    if (!h)
        return NULL;
    uint32_t ncols = ldr_get_le16(h->row + 4);
    if (c->slot >= ncols)
        return NULL;
    const uint8_t *nulls = h->row + LDR_ROW_HEAD;
    *status = LDR_NULL_VALUE;
    if (nulls[c->slot / 8] >> (c->slot % 8) & 1)
        return NULL;
    *status = LDR_PRESENT;
    return nulls + (ncols + 7) / 8 + c->schema->cols[c->slot].fixed_off;
}

/* Numbers of 4 or 8 bytes: as they lie in the row, so they lie in the column. */
static inline size_t copy_numbers(const struct col *c, size_t from, size_t to, size_t width)
{
    uint8_t *data = c->out->values.p, *validity = c->out->validity.p;
    bool side = c->out->status.p || c->out->event.p;
    size_t nulls = 0;
    for (size_t i = from; i < to; i++) {
        enum ldr_status status;
        const uint8_t *p = fixed_at(c, c->hits[i], &status);
        if (p) {
            memcpy(data + i * width, p, width);
            set_bit(validity, i);
        } else {
            nulls++;
        }
        if (side)
            put_side(c, i, status, c->hits[i]);
    }
    return nulls;
}

/* First pass over one column of one block: everything but bytes of variable length. */
static void measure(const struct col *c, size_t block, size_t from, size_t to)
{
    unsigned width = ldr_type_width(c->type);
    bool fixed = ldr_type_is_fixed(c->type), list = is_list(c), side = c->out->status.p || c->out->event.p;
    int64_t *offsets = c->out->offsets.p, items = 0, bytes = 0;
    uint8_t *validity = c->out->validity.p;
    size_t nulls = 0;
    if (fixed && width > 1 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
        c->nulls[block] = width == 4 ? copy_numbers(c, from, to, 4) : copy_numbers(c, from, to, 8);
        return;
    }
    for (size_t i = from; i < to; i++) {
        struct ldr_value v;
        enum ldr_status status = ldr_join_hit_cell(c->schema, c->hits[i], c->slot, &v);
        if (side)
            put_side(c, i, status, c->hits[i]);
        if (v.null) {
            nulls++;
        } else {
            set_bit(validity, i);
            if (fixed) {
                put_fixed(c, i, &v);
            } else {
                items += list ? v.count : (int64_t)v.s.n;
                bytes += list && element_var(c) ? list_bytes(&v) : 0;
            }
        }
        if (!fixed)
            offsets[i + 1] = items;
    }
    c->nulls[block] = nulls;
    if (!fixed) {
        c->items[block] = items;
        c->bytes[block] = bytes;
    }
}

/* Elements of one list from element number `at`; bytes of strings from *byte. */
static void put_list(const struct col *c, int64_t at, int64_t *byte, const struct ldr_value *v)
{
    struct ldr_batch_col *out = c->out;
    if (!element_var(c) && c->element != LDR_BOOL) {
        unsigned width = ldr_type_width(c->element);
        memcpy((uint8_t *)out->child_values.p + (size_t)at * width, v->s.p, v->s.n);
        return;
    }
    struct ldr_list_iter it;
    struct ldr_value e;
    ldr_list_iter_init(&it, v);
    for (; ldr_list_iter_next(&it, &e); at++) {
        if (c->element == LDR_BOOL) { /* blocks may share a byte here */
            uint8_t *bits = out->child_values.p;
            if (e.b)
                __atomic_fetch_or(&bits[at / 8], (uint8_t)(1u << (at % 8)), __ATOMIC_RELAXED);
            continue;
        }
        if (e.s.n)
            memcpy((uint8_t *)out->child_values.p + *byte, e.s.p, e.s.n);
        *byte += (int64_t)e.s.n;
        ((int64_t *)out->child_offsets.p)[at + 1] = *byte;
    }
}

/* Second pass: offsets become those of the whole column, bytes are copied. */
static void copy(const struct col *c, size_t block, size_t from, size_t to)
{
    int64_t *offsets = c->out->offsets.p, base = c->items[block], byte = c->bytes[block], start = base;
    bool list = is_list(c);
    for (size_t i = from; i < to; i++) {
        struct ldr_value v = {0};
        ldr_join_hit_cell(c->schema, c->hits[i], c->slot, &v);
        offsets[i + 1] += base;
        if (!v.null && list)
            put_list(c, start, &byte, &v);
        else if (!v.null && v.s.n)
            memcpy((uint8_t *)c->out->values.p + start, v.s.p, v.s.n);
        start = offsets[i + 1];
    }
}

static void block_bounds(const struct gather *g, size_t block, size_t *from, size_t *to)
{
    *from = block * BLOCK_ROWS;
    *to = *from + BLOCK_ROWS < g->nrows ? *from + BLOCK_ROWS : g->nrows;
}

/* Rows lie anywhere in memory, in the order of keys: asked for together they come many at a time. */
static void fetch(const struct gather *g, size_t from, size_t to)
{
    const struct ldr_join_hit **done = NULL;
    for (size_t k = 0; k < g->ncols; k++) {
        const struct ldr_join_hit **hits = g->cols[k].hits;
        if (hits == done)
            continue;
        done = hits;
        for (size_t i = from; i < to; i++)
            for (size_t at = 0; hits[i] && at < FETCH_BYTES; at += 64)
                __builtin_prefetch((const char *)hits[i] + at);
    }
}

static int measure_block(void *ctx, size_t block, unsigned worker)
{
    const struct gather *g = ctx;
    size_t from, to;
    (void)worker;
    block_bounds(g, block, &from, &to);
    fetch(g, from, to);
    for (size_t i = 0; i < g->ncols; i++)
        measure(&g->cols[i], block, from, to);
    return 0;
}

static int copy_block(void *ctx, size_t block, unsigned worker)
{
    const struct gather *g = ctx;
    size_t from, to;
    (void)worker;
    block_bounds(g, block, &from, &to);
    for (size_t i = 0; i < g->ncols; i++)
        if (!ldr_type_is_fixed(g->cols[i].type))
            copy(&g->cols[i], block, from, to);
    return 0;
}

/* ---- Memory ---- */

static int col_alloc(struct col *c, size_t nrows, size_t nblocks, const struct ldr_historical_opts *opts)
{
    struct ldr_batch_col *out = c->out;
    int rc = ldr_batch_array_get(&out->validity, (nrows + 7) / 8, 1);
    if (rc == 0 && ldr_type_is_fixed(c->type)) {
        bool bits = c->type == LDR_BOOL;
        rc = ldr_batch_array_get(&out->values, bits ? (nrows + 7) / 8 : nrows,
                                 bits ? 1 : ldr_type_width(c->type));
    } else if (rc == 0) {
        rc = ldr_batch_array_get(&out->offsets, nrows + 1, sizeof(int64_t));
    }
    if (rc == 0 && opts->with_status)
        rc = ldr_batch_array_get(&out->status, nrows, 1);
    if (rc == 0 && opts->with_times)
        rc = ldr_batch_array_get(&out->event, nrows, sizeof(int64_t));
    if (rc == 0 && opts->with_times)
        rc = ldr_batch_array_get(&out->created, nrows, sizeof(int64_t));
    c->items = ldr_calloc(NULL, nblocks + 1, sizeof *c->items);
    c->bytes = ldr_calloc(NULL, nblocks + 1, sizeof *c->bytes);
    c->nulls = ldr_calloc(NULL, nblocks + 1, sizeof *c->nulls);
    return rc == 0 && c->items && c->bytes && c->nulls ? 0 : LDR_E_NOMEM;
}

/* Totals of blocks become the sums before them; returns the sum of all. */
static int64_t add_up(int64_t *totals, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t own = totals[i];
        totals[i] = sum;
        sum += own;
    }
    return sum;
}

static int var_alloc(struct col *c, size_t nblocks)
{
    struct ldr_batch_col *out = c->out;
    int64_t items = add_up(c->items, nblocks), bytes = add_up(c->bytes, nblocks);
    if (!is_list(c))
        return ldr_batch_array_get(&out->values, (size_t)items, 1);
    out->child.n = (size_t)items;
    if (c->element == LDR_BOOL)
        return ldr_batch_array_get(&out->child_values, ((size_t)items + 7) / 8, 1);
    if (!element_var(c))
        return ldr_batch_array_get(&out->child_values, (size_t)items, ldr_type_width(c->element));
    int rc = ldr_batch_array_get(&out->child_values, (size_t)bytes, 1);
    return rc ? rc : ldr_batch_array_get(&out->child_offsets, (size_t)items + 1, sizeof(int64_t));
}

static void col_finish(const struct gather *g, struct col *c)
{
    struct ldr_batch_col *out = c->out;
    size_t nulls = 0;
    for (size_t i = 0; i < g->nblocks; i++)
        nulls += c->nulls[i];
    if (nulls == 0)
        ldr_batch_array_free(&out->validity);
    out->data =
        (struct ldr_column_data){.type = (uint8_t)c->type, .n = g->nrows, .validity = out->validity.p};
    out->data.offsets = out->offsets.p;
    if (is_list(c)) {
        out->child.type = (uint8_t)c->element;
        out->child.data = out->child_values.p;
        out->child.offsets = out->child_offsets.p;
        out->data.child = &out->child;
    } else {
        out->data.data = out->values.p;
    }
}

static int gather_cols(const struct ldr_join *j, struct gather *g, const struct ldr_historical_opts *opts,
                       struct ldr_batch *b)
{
    for (size_t i = 0; i < g->ncols; i++) {
        const struct ldr_query_col *qc = &j->plan->cols[i];
        struct col *c = &g->cols[i];
        c->out = &b->cols[i];
        c->hits = j->views[qc->view].hits;
        c->schema = j->views[qc->view].plan->schema;
        c->slot = qc->slot;
        c->type = qc->type;
        c->element = ldr_type_element(qc->type);
        if (col_alloc(c, g->nrows, g->nblocks, opts))
            return LDR_E_NOMEM;
    }
    int rc = ldr_pool_each(j->store->pool, g->nblocks, measure_block, g);
    for (size_t i = 0; rc == 0 && i < g->ncols; i++)
        if (!ldr_type_is_fixed(g->cols[i].type))
            rc = var_alloc(&g->cols[i], g->nblocks);
    if (rc == 0)
        rc = ldr_pool_each(j->store->pool, g->nblocks, copy_block, g);
    for (size_t i = 0; rc == 0 && i < g->ncols; i++)
        col_finish(g, &g->cols[i]);
    return rc;
}

int ldr_batch_gather(const struct ldr_join *j, const struct ldr_historical_opts *opts, struct ldr_batch **out)
{
    struct gather g = {
        .nrows = j->nrows, .nblocks = (j->nrows + BLOCK_ROWS - 1) / BLOCK_ROWS, .ncols = j->plan->ncols};
    struct ldr_batch *b = NULL;
    g.cols = ldr_calloc(NULL, g.ncols, sizeof *g.cols);
    int rc = g.cols ? ldr_batch_create(g.nrows, g.ncols, &b) : LDR_E_NOMEM;
    if (rc == 0)
        rc = gather_cols(j, &g, opts, b);
    for (size_t i = 0; g.cols && i < g.ncols; i++) {
        ldr_release(NULL, g.cols[i].items);
        ldr_release(NULL, g.cols[i].bytes);
        ldr_release(NULL, g.cols[i].nulls);
    }
    ldr_release(NULL, g.cols);
    if (rc) {
        ldr_batch_destroy(b);
        return rc;
    }
    *out = b;
    return 0;
}
