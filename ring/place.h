/* Where replicas belong, and which moves lead there. Pure: equal maps and sizes, equal answers. */
#ifndef LDR_RING_PLACE_H
#define LDR_RING_PLACE_H
#include "ring/map.h"

/* Gives every shard of a map that has none yet its replicas: the nodes whose virtual points follow the
 * shard's on the ring, no node over its share (by weight), zones kept apart while there are unused ones. Sets
 * no epoch. LDR_E_REFUSED when fewer ACTIVE nodes than replicas; LDR_E_NOMEM. *m is then unchanged. */
int ldr_place_all(struct ldr_map *m);

struct ldr_place_move {
    uint32_t shard, from, to; /* from 0: one replica more */
};
struct ldr_place_wish {
    const uint64_t *sizes; /* of m->shards, in their order; NULL = all alike */
    bool balance;          /* else only what draining, too few replicas and zones ask for */
    uint32_t max_moves;    /* room in the answer */
};
/* The next moves, most urgent first: shards with too few replicas, then draining nodes, then zones, then
 * balance: nodes under 95 % of their share are filled from those most over theirs, and nodes over 110 %
 * relieved. A shard appears once, and not while it moves. Moving is never undone by the next plan: balance
 * moves only where the fuller node stays the fuller one. LDR_E_NOMEM. */
int ldr_place_plan(const struct ldr_map *m, const struct ldr_place_wish *wish, struct ldr_place_move *out,
                   uint32_t *n);
#endif
