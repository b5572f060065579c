#include "gateway/flat_read.h"

/* Whether n bytes lie at `at`; else all is bad from now on. */
static bool lies(struct ldr_gw_flat_in *in, size_t at, size_t n)
{
    if (at > in->n || n > in->n - at)
        in->bad = true;
    return !in->bad;
}

static uint64_t load(const struct ldr_gw_flat_in *in, size_t at, unsigned width)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < width; i++)
        v |= (uint64_t)in->p[at + i] << (8 * i);
    return v;
}

/* Where the reference at `at` points to; 0: nowhere. They point forwards only. */
static size_t follow(struct ldr_gw_flat_in *in, size_t at)
{
    if (!lies(in, at, 4))
        return 0;
    size_t to = at + load(in, at, 4);
    return to > at && lies(in, to, 4) ? to : (in->bad = true, 0);
}

static struct ldr_gw_table table_at(struct ldr_gw_flat_in *in, size_t at)
{
    struct ldr_gw_table t = {.in = in};
    if (at == 0 || !lies(in, at, 4))
        return t;
    /* the index lies before the table or behind it, as far as a signed number says */
    int64_t index = (int64_t)at - (int32_t)load(in, at, 4);
    if (index < 0 || !lies(in, (size_t)index, 4)) {
        in->bad = true;
        return t;
    }
    t.index = (size_t)index;
    t.index_size = (uint16_t)load(in, t.index, 2);
    t.size = (uint16_t)load(in, t.index + 2, 2);
    if (t.index_size < 4 || t.size < 4 || !lies(in, t.index, t.index_size) || !lies(in, at, t.size)) {
        in->bad = true;
        return t;
    }
    t.at = at;
    return t;
}

/* The place of a field of so many bytes; 0: it is left out. */
static size_t field_at(const struct ldr_gw_table *t, unsigned field, unsigned width)
{
    size_t slot = 4 + 2 * (size_t)field;
    if (!t->at || t->in->bad || slot + 2 > t->index_size)
        return 0;
    size_t from = load(t->in, t->index + slot, 2);
    if (from == 0)
        return 0;
    if (from < 4 || from + width > t->size) {
        t->in->bad = true;
        return 0;
    }
    return t->at + from;
}

struct ldr_gw_table ldr_gw_flat_root(struct ldr_gw_flat_in *in)
{
    return table_at(in, follow(in, 0));
}

struct ldr_gw_table ldr_gw_table_table(const struct ldr_gw_table *t, unsigned field)
{
    size_t at = field_at(t, field, 4);
    return table_at(t->in, at ? follow(t->in, at) : 0);
}

int64_t ldr_gw_table_number(const struct ldr_gw_table *t, unsigned field, unsigned width, int64_t left_out)
{
    size_t at = field_at(t, field, width);
    if (!at)
        return left_out;
    uint64_t v = load(t->in, at, width);
    return width == 1 ? (int8_t)v : width == 2 ? (int16_t)v : width == 4 ? (int32_t)v : (int64_t)v;
}

struct ldr_gw_vector ldr_gw_table_vector(const struct ldr_gw_table *t, unsigned field, size_t size)
{
    struct ldr_gw_vector v = {.in = t->in};
    size_t at = field_at(t, field, 4);
    at = at ? follow(t->in, at) : 0;
    if (!at)
        return v;
    size_t n = load(t->in, at, 4);
    if (lies(t->in, at + 4, n * size)) { /* n < 2^32, size is small */
        v.at = at + 4;
        v.n = n;
    }
    return v;
}

struct ldr_slice ldr_gw_table_text(const struct ldr_gw_table *t, unsigned field)
{
    struct ldr_gw_vector v = ldr_gw_table_vector(t, field, 1);
    return ldr_slice(v.n ? t->in->p + v.at : NULL, v.n);
}

struct ldr_gw_table ldr_gw_vector_table(const struct ldr_gw_vector *v, size_t i)
{
    return table_at(v->in, follow(v->in, v->at + 4 * i));
}

int64_t ldr_gw_vector_number(const struct ldr_gw_vector *v, size_t i, size_t size, size_t from)
{
    return v->in->bad ? 0 : (int64_t)load(v->in, v->at + i * size + from, 8);
}
