/* ring/: which shard has an entity. Pure. The 64-bit space of ldr_key_hash is cut into arcs, one a shard. */
#ifndef LDR_RING_H
#define LDR_RING_H
#include "base/base.h"

/* Both ends belong to the arc. */
struct ldr_ring_arc {
    uint64_t lo, hi;
    uint32_t shard;
};

/* Arcs sorted by lo. A ring that init or decode gave back covers all 2^64 hashes exactly once and names no
 * shard twice. Never changed afterwards, so any number of threads may read one. */
struct ldr_ring {
    const struct ldr_heap *heap;
    struct ldr_ring_arc *arcs;
    uint32_t n; /* 1..LDR_SHARDS_MAX */
};

/* Arcs of equal length (to within one hash) for shards 0..nshards-1. LDR_E_INVALID when nshards is 0 or over
 * LDR_SHARDS_MAX; LDR_E_NOMEM. On failure *r needs no close. */
int ldr_ring_init_even(struct ldr_ring *r, const struct ldr_heap *heap, uint32_t nshards);
void ldr_ring_close(struct ldr_ring *r); /* a zeroed ring is fine */

/* Whether n arcs are a ring: 0, or LDR_E_INVALID with *why (static text; may be NULL). */
int ldr_ring_validate(const struct ldr_ring_arc *arcs, uint32_t n, const char **why);

/* The arc of a hash, and its shard. */
static inline const struct ldr_ring_arc *ldr_ring_arc(const struct ldr_ring *r, uint64_t hash)
{
    uint32_t lo = 0, hi = r->n;
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (r->arcs[mid].lo <= hash)
            lo = mid;
        else
            hi = mid;
    }
    return &r->arcs[lo];
}
static inline uint32_t ldr_ring_shard(const struct ldr_ring *r, uint64_t hash)
{
    return ldr_ring_arc(r, hash)->shard;
}

/* Bytes: u16 version = 1, u32 count, then count times u64 lo, u64 hi, u32 shard. Decoding takes its part of
 * the cursor and leaves what follows; LDR_E_CORRUPT, LDR_E_FORMAT (newer version) or LDR_E_NOMEM, and then *r
 * needs no close. */
int ldr_ring_encode(const struct ldr_ring *r, struct ldr_buf *out);
int ldr_ring_decode(struct ldr_ring *r, const struct ldr_heap *heap, struct ldr_cursor *c);

#include "ring/map.h"         /* the map of a cluster */
#include "ring/map_command.h" /* what can be asked of its coordinators */
#include "ring/place.h"       /* where replicas belong */
#endif
