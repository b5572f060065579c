#include "ring/ring.h"

#define FORMAT_VERSION 1
#define ARC_BYTES      20

/* First hash of arc i of n: the least h with h * n / 2^64 = i. */
static uint64_t even_lo(uint32_t i, uint32_t n)
{
    unsigned __int128 space = (unsigned __int128)1 << 64;
    return (uint64_t)((space * i + n - 1) / n);
}

int ldr_ring_init_even(struct ldr_ring *r, const struct ldr_heap *heap, uint32_t nshards)
{
    *r = (struct ldr_ring){.heap = heap};
    if (!nshards || nshards > LDR_SHARDS_MAX)
        return LDR_E_INVALID;
    r->arcs = ldr_calloc(heap, nshards, sizeof *r->arcs);
    if (!r->arcs)
        return LDR_E_NOMEM;
    r->n = nshards;
    for (uint32_t i = 0; i < nshards; i++) {
        uint64_t hi = i + 1 == nshards ? UINT64_MAX : even_lo(i + 1, nshards) - 1;
        r->arcs[i] = (struct ldr_ring_arc){.lo = even_lo(i, nshards), .hi = hi, .shard = i};
    }
    return 0;
}

void ldr_ring_close(struct ldr_ring *r)
{
    ldr_release(r->heap, r->arcs);
    *r = (struct ldr_ring){0};
}

static int refuse(const char **why, const char *text)
{
    if (why)
        *why = text;
    return LDR_E_INVALID;
}

int ldr_ring_validate(const struct ldr_ring_arc *arcs, uint32_t n, const char **why)
{
    if (!n || n > LDR_SHARDS_MAX)
        return refuse(why, "expected 1 to 1024 arcs");
    if (arcs[0].lo != 0 || arcs[n - 1].hi != UINT64_MAX)
        return refuse(why, "arcs do not reach both ends of the hash space");
    for (uint32_t i = 0; i < n; i++) {
        if (arcs[i].lo > arcs[i].hi)
            return refuse(why, "arc ends before it starts");
        if (i && (arcs[i - 1].hi == UINT64_MAX || arcs[i].lo > arcs[i - 1].hi + 1))
            return refuse(why, arcs[i].lo > arcs[i - 1].hi ? "gap between arcs" : "arcs overlap");
        if (i && arcs[i].lo <= arcs[i - 1].hi)
            return refuse(why, "arcs overlap");
        for (uint32_t j = 0; j < i; j++)
            if (arcs[j].shard == arcs[i].shard)
                return refuse(why, "shard with two arcs");
    }
    return 0;
}

int ldr_ring_encode(const struct ldr_ring *r, struct ldr_buf *out)
{
    ldr_buf_u16(out, FORMAT_VERSION);
    ldr_buf_u32(out, r->n);
    for (uint32_t i = 0; i < r->n; i++) {
        ldr_buf_u64(out, r->arcs[i].lo);
        ldr_buf_u64(out, r->arcs[i].hi);
        ldr_buf_u32(out, r->arcs[i].shard);
    }
    return out->err;
}

int ldr_ring_decode(struct ldr_ring *r, const struct ldr_heap *heap, struct ldr_cursor *c)
{
    *r = (struct ldr_ring){.heap = heap};
    uint16_t version = ldr_cursor_u16(c);
    if (c->err || version == 0)
        return LDR_E_CORRUPT;
    if (version > FORMAT_VERSION)
        return LDR_E_FORMAT;
    uint32_t n = ldr_cursor_count(c, ARC_BYTES);
    if (c->err || !n || n > LDR_SHARDS_MAX)
        return LDR_E_CORRUPT;
    r->arcs = ldr_calloc(heap, n, sizeof *r->arcs);
    if (!r->arcs)
        return LDR_E_NOMEM;
    r->n = n;
    for (uint32_t i = 0; i < n; i++) {
        r->arcs[i].lo = ldr_cursor_u64(c);
        r->arcs[i].hi = ldr_cursor_u64(c);
        r->arcs[i].shard = ldr_cursor_u32(c);
    }
    if (c->err || ldr_ring_validate(r->arcs, n, NULL)) {
        ldr_ring_close(r);
        return LDR_E_CORRUPT;
    }
    return 0;
}
