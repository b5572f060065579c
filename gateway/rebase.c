#include "gateway/rebase.h"

void ldr_gw_rebased_init(struct ldr_gw_rebased *r)
{
    *r = (struct ldr_gw_rebased){0};
    ldr_buf_init(&r->offsets, NULL, 0);
    ldr_buf_init(&r->child_offsets, NULL, 0);
    ldr_buf_init(&r->child_validity, NULL, 0);
    ldr_buf_init(&r->child_bits, NULL, 0);
}

void ldr_gw_rebased_close(struct ldr_gw_rebased *r)
{
    ldr_buf_close(&r->offsets);
    ldr_buf_close(&r->child_offsets);
    ldr_buf_close(&r->child_validity);
    ldr_buf_close(&r->child_bits);
}

static void move_offsets(const int64_t **offsets, size_t n, struct ldr_buf *own)
{
    int64_t base = (*offsets)[0];
    ldr_buf_reset(own);
    if (base == 0)
        return;
    for (size_t i = 0; i <= n; i++)
        ldr_buf_u64(own, (uint64_t)((*offsets)[i] - base));
    *offsets = (const int64_t *)(const void *)own->p;
}

/* Bits from..from + n. */
static const uint8_t *move_bits(const uint8_t *bits, size_t from, size_t n, struct ldr_buf *own)
{
    ldr_buf_reset(own);
    if (!bits || from % 8 == 0)
        return bits ? bits + from / 8 : NULL;
    for (size_t i = 0; i < n; i++) {
        if (i % 8 == 0)
            ldr_buf_u8(own, 0);
        if (!own->err && bits[(from + i) / 8] >> ((from + i) % 8) & 1)
            own->p[i / 8] |= (uint8_t)(1u << (i % 8));
    }
    return own->p;
}

static bool is_text(unsigned type)
{
    return type == LDR_STRING || type == LDR_BYTES;
}

/* Elements from..from + n of lists. */
static void move_child(struct ldr_gw_rebased *r, size_t from, size_t n)
{
    struct ldr_column_data *c = &r->child;
    const uint8_t *p = c->data;
    c->n = n;
    c->validity = move_bits(c->validity, from, n, &r->child_validity);
    if (is_text(c->type)) {
        c->offsets += from;
        c->data = p ? p + c->offsets[0] : NULL;
        move_offsets(&c->offsets, n, &r->child_offsets);
    } else if (c->type == LDR_BOOL) {
        c->data = move_bits(p, from, n, &r->child_bits);
    } else if (p) {
        c->data = p + from * (c->type == LDR_INT32 || c->type == LDR_FLOAT32 ? 4 : 8);
    }
}

int ldr_gw_rebase(struct ldr_gw_rebased *r, const struct ldr_column_data *c)
{
    r->data = *c;
    if (c->type & LDR_LIST) {
        size_t from = (size_t)c->offsets[0], n = (size_t)c->offsets[c->n] - from;
        r->child = *c->child;
        r->data.child = &r->child;
        move_child(r, from, n);
        move_offsets(&r->data.offsets, c->n, &r->offsets);
    } else if (is_text(c->type)) {
        r->data.data = c->data ? (const uint8_t *)c->data + c->offsets[0] : NULL;
        move_offsets(&r->data.offsets, c->n, &r->offsets);
    }
    return r->offsets.err          ? r->offsets.err
           : r->child_offsets.err  ? r->child_offsets.err
           : r->child_validity.err ? r->child_validity.err
                                   : r->child_bits.err;
}
