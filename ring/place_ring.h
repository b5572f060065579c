/* What placing works with: nodes that may take data, their zones, shares and loads, and virtual points. */
#ifndef LDR_RING_PLACE_RING_H
#define LDR_RING_PLACE_RING_H
#include "ring/place.h"

struct ldr_place_point {
    uint64_t at;
    uint32_t node; /* position in the map's nodes */
};
struct ldr_place_ring {
    const struct ldr_map *m;
    struct ldr_place_point *points; /* sorted; only of nodes that may take data */
    uint32_t npoints;
    uint32_t *zone; /* number of the zone of each node, by position */
    uint32_t nzones;
    uint64_t *load;  /* of each node, by position, in whatever unit sizes have */
    uint64_t weight; /* of all nodes that may take data */
    uint32_t ntakers;
};
/* LDR_E_NOMEM; then it needs no close. Loads are 0. */
int ldr_place_ring_init(struct ldr_place_ring *r, const struct ldr_map *m);
void ldr_place_ring_close(struct ldr_place_ring *r);
static inline bool ldr_place_takes(const struct ldr_map_node *n)
{
    return n->state == LDR_NODE_ACTIVE;
}
uint32_t ldr_place_pos(const struct ldr_map *m, uint32_t node); /* position of a node that exists */
uint64_t ldr_place_shard_point(const struct ldr_map_shard *s);
/* How far behind `at` the node's nearest virtual point is. */
uint64_t ldr_place_distance(const struct ldr_place_ring *r, uint64_t at, uint32_t pos);
/* load * weight_of_b against load_of_b * weight: which of two nodes is fuller, <0, 0, >0. */
int ldr_place_fuller(const struct ldr_place_ring *r, uint32_t a, uint64_t load_a, uint32_t b,
                     uint64_t load_b);
#endif
