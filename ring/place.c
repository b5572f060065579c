/* The first placement: consistent hashing with bounded loads. */
#include "ring/place_ring.h"

struct choice {
    struct ldr_place_ring ring;
    uint64_t share_all; /* replicas to place in all */
    uint32_t *chosen;   /* positions of the nodes of the shard at hand */
    uint32_t n;
};

static bool is_chosen(const struct choice *c, uint32_t pos)
{
    for (uint32_t i = 0; i < c->n; i++)
        if (c->chosen[i] == pos)
            return true;
    return false;
}

static uint32_t zone_uses(const struct choice *c, uint32_t zone)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n; i++)
        n += c->ring.zone[c->chosen[i]] == zone;
    return n;
}

/* How often the least used zone that still has a node to offer is used. */
static uint32_t least_zone_uses(const struct choice *c)
{
    uint32_t least = UINT32_MAX;
    for (uint32_t i = 0; i < c->ring.m->nnodes; i++) {
        if (!ldr_place_takes(&c->ring.m->nodes[i]) || is_chosen(c, i))
            continue;
        uint32_t uses = zone_uses(c, c->ring.zone[i]);
        least = uses < least ? uses : least;
    }
    return least;
}

static bool has_room(const struct choice *c, uint32_t pos)
{
    /* share rounded up: the sum of all is never less than what is to be placed */
    uint64_t share = (c->share_all * c->ring.m->nodes[pos].weight + c->ring.weight - 1) / c->ring.weight;
    return c->ring.load[pos] < share;
}

/* The next node along the ring that has room and comes from a least used zone; when none has room, the
 * emptiest one. */
static uint32_t choose(const struct choice *c, uint64_t at)
{
    const struct ldr_place_ring *r = &c->ring;
    uint32_t lo = 0, hi = r->npoints, uses = least_zone_uses(c), emptiest = UINT32_MAX;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (r->points[mid].at < at)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (uint32_t i = 0; i < r->npoints; i++) {
        uint32_t pos = r->points[(lo + i) % r->npoints].node;
        if (is_chosen(c, pos) || zone_uses(c, r->zone[pos]) != uses)
            continue;
        if (has_room(c, pos))
            return pos;
        if (emptiest == UINT32_MAX || ldr_place_fuller(r, emptiest, r->load[emptiest], pos, r->load[pos]) > 0)
            emptiest = pos;
    }
    return emptiest;
}

static void place_shard(struct choice *c, struct ldr_map_shard *s, uint32_t want)
{
    uint64_t at = ldr_place_shard_point(s);
    for (c->n = 0; c->n < want; c->n++) {
        uint32_t pos = choose(c, at);
        LDR_ASSERT(pos != UINT32_MAX);
        c->ring.load[pos]++;
        c->chosen[c->n] = pos;
    }
    for (uint32_t i = 0; i < want; i++) {
        uint32_t node = c->ring.m->nodes[c->chosen[i]].id, j = i;
        for (; j && s->replicas[j - 1].node > node; j--)
            s->replicas[j] = s->replicas[j - 1];
        s->replicas[j] = (struct ldr_map_replica){node, LDR_REPLICA_ACTIVE};
    }
    s->nreplicas = want;
}

int ldr_place_all(struct ldr_map *m)
{
    uint32_t chosen[LDR_REPLICAS_MAX];
    struct choice c = {.chosen = chosen, .share_all = (uint64_t)m->nshards * m->replicas};
    int rc = ldr_place_ring_init(&c.ring, m);
    if (rc)
        return rc;
    if (c.ring.ntakers < m->replicas || m->replicas > LDR_REPLICAS_MAX)
        rc = LDR_E_REFUSED;
    for (uint32_t i = 0; !rc && i < m->nshards; i++)
        if (!m->shards[i].nreplicas)
            place_shard(&c, &m->shards[i], m->replicas);
    ldr_place_ring_close(&c.ring);
    return rc;
}
