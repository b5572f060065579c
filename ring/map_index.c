#include "ring/ring.h"

static void sift(const struct ldr_map_shard *shards, uint32_t *heap, uint32_t at, uint32_t n)
{
    for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && shards[heap[child + 1]].id > shards[heap[child]].id)
            child++;
        if (shards[heap[at]].id >= shards[heap[child]].id)
            return;
        uint32_t t = heap[at];
        heap[at] = heap[child];
        heap[child] = t;
    }
}

int ldr_map_index(struct ldr_map *m)
{
    uint32_t n = m->nshards;
    uint32_t *by_id = ldr_alloc(m->heap, (size_t)n * sizeof *by_id);
    if (!by_id)
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < n; i++)
        by_id[i] = i;
    for (uint32_t i = n / 2; i-- > 0;)
        sift(m->shards, by_id, i, n);
    for (uint32_t i = n; i-- > 1;) {
        uint32_t t = by_id[0];
        by_id[0] = by_id[i];
        by_id[i] = t;
        sift(m->shards, by_id, 0, i);
    }
    ldr_release(m->heap, m->by_id);
    m->by_id = by_id;
    return 0;
}
