/* Counting copies of a write; pure. While a shard moves, two sets count, the one before and the one after: a
 * write needs the quorum of each, so whichever of them later decides alone has it. */
#ifndef LDR_NODE_QUORUM_H
#define LDR_NODE_QUORUM_H
#include "ring/ring.h"

static inline bool ldr_quorum_of(const struct ldr_map_shard *s, uint32_t mask, uint32_t w, bool old_set)
{
    uint32_t have = 0;
    for (uint32_t i = 0; i < s->nreplicas; i++) {
        bool in = old_set ? ldr_map_in_old(&s->replicas[i]) : ldr_map_in_new(&s->replicas[i]);
        have += in && (mask >> i & 1);
    }
    return have >= w;
}
/* mask: bit i = replicas[i] has it durably. */
static inline bool ldr_quorum_met(const struct ldr_map_shard *s, uint32_t mask, uint32_t w)
{
    if (LDR_BUG(write_quorum_of_one))
        return mask != 0;
    if (LDR_BUG(joint_quorum_ignored))
        return ldr_quorum_of(s, mask, w, false);
    return ldr_quorum_of(s, mask, w, true) && ldr_quorum_of(s, mask, w, false);
}
static inline uint32_t ldr_quorum_old(const struct ldr_map_shard *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->nreplicas; i++)
        n += ldr_map_in_old(&s->replicas[i]);
    return n;
}
#endif
