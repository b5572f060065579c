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

/* Bits of one bitmap in ascending order: a byte is written when it is full, not once a row. */
struct bits {
    uint8_t *out;
    unsigned now;
};

static inline void bits_put(struct bits *b, size_t i, bool set)
{
    b->now |= (unsigned)set << (i % 8);
    if (i % 8 == 7) {
        b->out[i / 8] = (uint8_t)b->now;
        b->now = 0;
    }
}

static inline void bits_end(const struct bits *b, size_t to)
{
    if (to % 8)
        b->out[to / 8] = (uint8_t)b->now;
}

/* Numbers of 4 or 8 bytes: as they lie in the row, so they lie in the column. */
static inline size_t copy_numbers(const struct col *c, size_t from, size_t to, size_t width, bool side)
{
    uint8_t *data = c->out->values.p;
    struct bits valid = {.out = c->out->validity.p};
    size_t nulls = 0;
    for (size_t i = from; i < to; i++) {
        enum ldr_status status;
        const uint8_t *p = fixed_at(c, c->hits[i], &status);
        if (p && width == 4) {
            uint32_t v = ldr_get_le32(p);
            memcpy(data + i * width, &v, sizeof v);
        } else if (p) {
            uint64_t v = ldr_get_le64(p);
            memcpy(data + i * width, &v, sizeof v);
        }
        nulls += !p;
        bits_put(&valid, i, p);
        if (side)
            put_side(c, i, status, c->hits[i]);
    }
    bits_end(&valid, to);
    return nulls;
}

static inline size_t copy_bools(const struct col *c, size_t from, size_t to)
{
    struct bits valid = {.out = c->out->validity.p}, data = {.out = c->out->values.p};
    bool side = c->out->status.p || c->out->event.p;
    size_t nulls = 0;
    for (size_t i = from; i < to; i++) {
        enum ldr_status status;
        const uint8_t *p = fixed_at(c, c->hits[i], &status);
        nulls += !p;
        bits_put(&valid, i, p);
        bits_put(&data, i, p && *p);
        if (side)
            put_side(c, i, status, c->hits[i]);
    }
    bits_end(&valid, to);
    bits_end(&data, to);
    return nulls;
}

/* Bytes of a string in a hit, from where its end stands (fixed_at). */
static inline struct ldr_slice string_at(const struct col *c, const struct ldr_join_hit *h, const uint8_t *p)
{
    const struct ldr_column *column = &c->schema->cols[c->slot];
    const uint8_t *fixed = p - column->fixed_off;
    uint32_t start = column->prev_end_off == LDR_NO_OFFSET ? 0 : ldr_get_le32(fixed + column->prev_end_off);
    return ldr_slice(fixed + ldr_get_le16(h->row + 6) + start, ldr_get_le32(p) - start);
}

/* First pass over strings: the ends, counted from the block's first byte. */
static inline size_t measure_strings(const struct col *c, size_t from, size_t to, int64_t *bytes)
{
    int64_t *offsets = c->out->offsets.p, end = 0;
    struct bits valid = {.out = c->out->validity.p};
    bool side = c->out->status.p || c->out->event.p;
    size_t nulls = 0;
    for (size_t i = from; i < to; i++) {
        enum ldr_status status;
        const uint8_t *p = fixed_at(c, c->hits[i], &status);
        nulls += !p;
        bits_put(&valid, i, p);
        end += p ? (int64_t)string_at(c, c->hits[i], p).n : 0;
        offsets[i + 1] = end;
        if (side)
            put_side(c, i, status, c->hits[i]);
    }
    bits_end(&valid, to);
    *bytes = end;
    return nulls;
}

/* Second pass over strings: offsets become those of the whole column, bytes are copied. */
static inline void copy_strings(const struct col *c, size_t from, size_t to, int64_t base)
{
    int64_t *offsets = c->out->offsets.p, at = base;
    uint8_t *data = c->out->values.p;
    for (size_t i = from; i < to; i++) {
        enum ldr_status status;
        const uint8_t *p = fixed_at(c, c->hits[i], &status);
        struct ldr_slice s = p ? string_at(c, c->hits[i], p) : ldr_slice(NULL, 0);
        if (s.n)
            memcpy(data + at, s.p, s.n);
        at += (int64_t)s.n;
        offsets[i + 1] = at;
    }
}

/* First pass over a column of lists. */
static void measure_lists(const struct col *c, size_t block, size_t from, size_t to)
{
    int64_t *offsets = c->out->offsets.p, items = 0, bytes = 0;
    bool side = c->out->status.p || c->out->event.p;
    for (size_t i = from; i < to; i++) {
        struct ldr_value v = {0};
        enum ldr_status status = ldr_join_hit_cell(c->schema, c->hits[i], c->slot, &v);
        if (side)
            put_side(c, i, status, c->hits[i]);
        if (v.null) {
            c->nulls[block]++;
        } else {
            set_bit(c->out->validity.p, i);
            items += v.count;
            bytes += element_var(c) ? list_bytes(&v) : 0;
        }
        offsets[i + 1] = items;
    }
    c->items[block] = items;
    c->bytes[block] = bytes;
}

/* First pass over one column of one block: everything but bytes of variable length. */
static void measure(const struct col *c, size_t block, size_t from, size_t to)
{
    bool side = c->out->status.p || c->out->event.p;
    size_t *nulls = &c->nulls[block];
    if (is_list(c))
        measure_lists(c, block, from, to);
    else if (!ldr_type_is_fixed(c->type))
        *nulls = measure_strings(c, from, to, &c->items[block]);
    else if (c->type == LDR_BOOL)
        *nulls = copy_bools(c, from, to);
    else if (ldr_type_width(c->type) == 4)
        *nulls = side ? copy_numbers(c, from, to, 4, true) : copy_numbers(c, from, to, 4, false);
    else
        *nulls = side ? copy_numbers(c, from, to, 8, true) : copy_numbers(c, from, to, 8, false);
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

/* Second pass over lists. */
static void copy_lists(const struct col *c, size_t block, size_t from, size_t to)
{
    int64_t *offsets = c->out->offsets.p, base = c->items[block], byte = c->bytes[block], start = base;
    for (size_t i = from; i < to; i++) {
        struct ldr_value v = {0};
        ldr_join_hit_cell(c->schema, c->hits[i], c->slot, &v);
        offsets[i + 1] += base;
        if (!v.null)
            put_list(c, start, &byte, &v);
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
    for (size_t i = 0; i < g->ncols; i++) {
        const struct col *c = &g->cols[i];
        if (is_list(c))
            copy_lists(c, block, from, to);
        else if (!ldr_type_is_fixed(c->type))
            copy_strings(c, from, to, c->items[block]);
    }
    return 0;
}

/* ---- Memory ---- */

/* What a column's arrays take of a room, before its values are known. */
static size_t col_need(const struct col *c, size_t nrows, const struct ldr_historical_opts *opts)
{
    size_t bits = ldr_batch_room_need((nrows + 7) / 8, 1), n = bits;
    if (!ldr_type_is_fixed(c->type))
        n += ldr_batch_room_need(nrows + 1, sizeof(int64_t));
    else
        n += c->type == LDR_BOOL ? bits : ldr_batch_room_need(nrows, ldr_type_width(c->type));
    n += opts->with_status ? ldr_batch_room_need(nrows, 1) : 0;
    return n + (opts->with_times ? 2 * ldr_batch_room_need(nrows, sizeof(int64_t)) : 0);
}

static int col_alloc(struct ldr_batch *b, struct col *c, size_t nrows, size_t nblocks,
                     const struct ldr_historical_opts *opts)
{
    struct ldr_batch_col *out = c->out;
    int rc = ldr_batch_array_get(b, &out->validity, (nrows + 7) / 8, 1);
    if (rc == 0 && ldr_type_is_fixed(c->type)) {
        bool bits = c->type == LDR_BOOL;
        rc = ldr_batch_array_get(b, &out->values, bits ? (nrows + 7) / 8 : nrows,
                                 bits ? 1 : ldr_type_width(c->type));
    } else if (rc == 0) {
        rc = ldr_batch_array_get(b, &out->offsets, nrows + 1, sizeof(int64_t));
    }
    if (rc == 0 && opts->with_status)
        rc = ldr_batch_array_get(b, &out->status, nrows, 1);
    if (rc == 0 && opts->with_times)
        rc = ldr_batch_array_get(b, &out->event, nrows, sizeof(int64_t));
    if (rc == 0 && opts->with_times)
        rc = ldr_batch_array_get(b, &out->created, nrows, sizeof(int64_t));
    c->items = ldr_calloc(NULL, nblocks + 1, sizeof *c->items);
    c->bytes = ldr_calloc(NULL, nblocks + 1, sizeof *c->bytes);
    c->nulls = ldr_calloc(NULL, nblocks + 1, sizeof *c->nulls);
    return rc == 0 && c->items && c->bytes && c->nulls ? 0 : LDR_E_NOMEM;
}

/* Totals of blocks become the sums before them; the sum of all stands behind the last. */
static void add_up(int64_t *totals, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t own = totals[i];
        totals[i] = sum;
        sum += own;
    }
    totals[n] = sum;
}

/* The same once the lengths are known. */
static size_t var_need(const struct col *c, size_t nblocks)
{
    size_t items = (size_t)c->items[nblocks], bytes = (size_t)c->bytes[nblocks];
    if (!is_list(c))
        return ldr_batch_room_need(items, 1);
    if (c->element == LDR_BOOL)
        return ldr_batch_room_need((items + 7) / 8, 1);
    if (!element_var(c))
        return ldr_batch_room_need(items, ldr_type_width(c->element));
    return ldr_batch_room_need(bytes, 1) + ldr_batch_room_need(items + 1, sizeof(int64_t));
}

static int var_alloc(struct ldr_batch *b, struct col *c, size_t nblocks)
{
    struct ldr_batch_col *out = c->out;
    size_t items = (size_t)c->items[nblocks], bytes = (size_t)c->bytes[nblocks];
    if (!is_list(c))
        return ldr_batch_array_get(b, &out->values, items, 1);
    out->child.n = items;
    if (c->element == LDR_BOOL)
        return ldr_batch_array_get(b, &out->child_values, (items + 7) / 8, 1);
    if (!element_var(c))
        return ldr_batch_array_get(b, &out->child_values, items, ldr_type_width(c->element));
    int rc = ldr_batch_array_get(b, &out->child_values, bytes, 1);
    return rc ? rc : ldr_batch_array_get(b, &out->child_offsets, items + 1, sizeof(int64_t));
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

static int cols_alloc(const struct ldr_join *j, struct gather *g, const struct ldr_historical_opts *opts,
                      struct ldr_batch *b)
{
    size_t need = 0;
    for (size_t i = 0; i < g->ncols; i++) {
        const struct ldr_query_col *qc = &j->plan->cols[i];
        struct col *c = &g->cols[i];
        c->out = &b->cols[i];
        c->hits = j->views[qc->view].hits;
        c->schema = j->views[qc->view].plan->schema;
        c->slot = qc->slot;
        c->type = qc->type;
        c->element = ldr_type_element(qc->type);
        need += col_need(c, g->nrows, opts);
    }
    int rc = ldr_batch_room(b, need);
    for (size_t i = 0; rc == 0 && i < g->ncols; i++)
        rc = col_alloc(b, &g->cols[i], g->nrows, g->nblocks, opts);
    return rc;
}

static int vars_alloc(struct gather *g, struct ldr_batch *b)
{
    size_t need = 0;
    for (size_t i = 0; i < g->ncols; i++) {
        struct col *c = &g->cols[i];
        add_up(c->items, g->nblocks);
        add_up(c->bytes, g->nblocks);
        need += ldr_type_is_fixed(c->type) ? 0 : var_need(c, g->nblocks);
    }
    int rc = ldr_batch_room(b, need);
    for (size_t i = 0; rc == 0 && i < g->ncols; i++)
        if (!ldr_type_is_fixed(g->cols[i].type))
            rc = var_alloc(b, &g->cols[i], g->nblocks);
    return rc;
}

static int gather_cols(const struct ldr_join *j, struct gather *g, const struct ldr_historical_opts *opts,
                       struct ldr_batch *b)
{
    int rc = cols_alloc(j, g, opts, b);
    if (rc == 0)
        rc = ldr_pool_each(j->store->pool, g->nblocks, measure_block, g);
    if (rc == 0)
        rc = vars_alloc(g, b);
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
