#include "gateway/flat.h"

static size_t here(const struct ldr_gw_flat *f)
{
    return f->out->n - f->base;
}

static void zeros(struct ldr_gw_flat *f, size_t n)
{
    uint8_t *p = n ? ldr_buf_reserve(f->out, n) : NULL;
    if (p) {
        memset(p, 0, n);
        f->out->n += n;
    }
}

/* Zeros until a place `behind` from here is a multiple of `to`. */
static void align(struct ldr_gw_flat *f, size_t to, size_t behind)
{
    zeros(f, (to - (here(f) + behind) % to) % to);
}

void ldr_gw_flat_set(struct ldr_gw_flat *f, size_t at, uint64_t v, unsigned width)
{
    if (f->out->err)
        return;
    LDR_ASSERT(at + width <= here(f));
    uint8_t *p = f->out->p + f->base + at;
    for (unsigned i = 0; i < width; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void point(struct ldr_gw_flat *f, size_t from)
{
    ldr_gw_flat_set(f, from, here(f) - from, 4);
}

void ldr_gw_flat_begin(struct ldr_gw_flat *f, struct ldr_buf *out)
{
    *f = (struct ldr_gw_flat){.out = out, .base = out->n};
    zeros(f, 4);
}

void ldr_gw_flat_table(struct ldr_gw_flat *f, size_t from, const uint8_t *widths, size_t n, size_t *at)
{
    size_t head = 4 + 2 * n, size = 4;
    align(f, 8, head + 4); /* so that what follows the table's first four bytes lies at a multiple of 8 */
    size_t index = here(f);
    zeros(f, head);
    point(f, from);
    for (unsigned width = 8; width; width /= 2) /* the widest first: none needs a gap */
        for (size_t i = 0; i < n; i++)
            if (widths[i] == width) {
                ldr_gw_flat_set(f, index + 4 + 2 * i, size, 2);
                at[i] = index + head + size;
                size += width;
            }
    ldr_gw_flat_set(f, index, head, 2);
    ldr_gw_flat_set(f, index + 2, size, 2);
    zeros(f, size);
    ldr_gw_flat_set(f, index + head, head, 4); /* how far before the table its index lies */
}

void ldr_gw_flat_string(struct ldr_gw_flat *f, size_t from, const char *text)
{
    size_t n = strlen(text);
    align(f, 4, 0);
    point(f, from);
    ldr_buf_u32(f->out, (uint32_t)n);
    ldr_buf_put(f->out, text, n + 1);
}

size_t ldr_gw_flat_vector(struct ldr_gw_flat *f, size_t from, size_t count, size_t size)
{
    align(f, size == 4 ? 4 : 8, 4);
    point(f, from);
    ldr_buf_u32(f->out, (uint32_t)count);
    size_t first = here(f);
    zeros(f, count * size);
    return first;
}

size_t ldr_gw_flat_end(struct ldr_gw_flat *f)
{
    align(f, 8, 0);
    return here(f);
}
