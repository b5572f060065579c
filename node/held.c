#include "node/held.h"

#define HELD_VERSION 1

void ldr_held_init(struct ldr_held *h, const struct ldr_heap *heap)
{
    *h = (struct ldr_held){.heap = heap};
}

void ldr_held_close(struct ldr_held *h)
{
    ldr_release(h->heap, h->shards);
    ldr_held_init(h, h->heap);
}

static uint32_t place(const struct ldr_held *h, uint32_t shard)
{
    uint32_t lo = 0, hi = h->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (h->shards[mid] < shard)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

bool ldr_held_has(const struct ldr_held *h, uint32_t shard)
{
    uint32_t i = place(h, shard);
    return i < h->n && h->shards[i] == shard;
}

int ldr_held_add(struct ldr_held *h, uint32_t shard)
{
    uint32_t i = place(h, shard);
    if (i < h->n && h->shards[i] == shard)
        return 0;
    if (h->n == LDR_HELD_MAX)
        return LDR_E_TOO_BIG;
    if (h->n == h->cap) {
        uint32_t cap = h->cap ? 2 * h->cap : 16;
        uint32_t *p = ldr_resize(h->heap, h->shards, cap * sizeof *p);
        if (!p)
            return LDR_E_NOMEM;
        h->shards = p;
        h->cap = cap;
    }
    memmove(h->shards + i + 1, h->shards + i, (h->n - i) * sizeof *h->shards);
    h->shards[i] = shard;
    h->n++;
    return 0;
}

void ldr_held_remove(struct ldr_held *h, uint32_t shard)
{
    uint32_t i = place(h, shard);
    if (i < h->n && h->shards[i] == shard) {
        memmove(h->shards + i, h->shards + i + 1, (h->n - i - 1) * sizeof *h->shards);
        h->n--;
    }
}

int ldr_held_encode(const struct ldr_held *h, struct ldr_buf *out)
{
    size_t from = out->n;
    ldr_buf_u8(out, HELD_VERSION);
    ldr_buf_u32(out, h->n);
    for (uint32_t i = 0; i < h->n; i++)
        ldr_buf_u32(out, h->shards[i]);
    if (out->err == 0)
        ldr_buf_u32(out, ldr_check32(out->p + from, out->n - from));
    return out->err;
}

int ldr_held_decode(struct ldr_held *h, struct ldr_slice bytes)
{
    if (bytes.n < 9 || ldr_check32(bytes.p, bytes.n - 4) != ldr_get_le32(bytes.p + bytes.n - 4))
        return LDR_E_CORRUPT;
    if (bytes.p[0] != HELD_VERSION)
        return bytes.p[0] > HELD_VERSION ? LDR_E_FORMAT : LDR_E_CORRUPT;
    struct ldr_cursor c = ldr_cursor(ldr_slice(bytes.p + 1, bytes.n - 5));
    uint32_t n = ldr_cursor_count(&c, 4), last = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t shard = ldr_cursor_u32(&c);
        if (c.err || (i && shard <= last))
            return LDR_E_CORRUPT;
        int rc = ldr_held_add(h, shard);
        if (rc)
            return rc;
        last = shard;
    }
    return ldr_cursor_end(&c);
}
