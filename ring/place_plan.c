/* Which moves lead from a map to a better one. Works on a copy, where each planned move is done at once. */
#include "ring/place_ring.h"

struct plan {
    struct ldr_map m; /* the copy */
    struct ldr_place_ring ring;
    const struct ldr_place_wish *wish;
    struct ldr_place_move *out;
    uint32_t n;
    uint8_t *busy;  /* of each shard: it moves already, or is in the plan */
    uint64_t total; /* sizes of all replicas */
};

static uint64_t size_of(const struct plan *p, uint32_t shard)
{
    return p->wish->sizes ? p->wish->sizes[shard] + 1 : 1;
}

static uint64_t share_of(const struct plan *p, uint32_t pos)
{
    return p->ring.weight ? (uint64_t)((unsigned __int128)p->total * p->m.nodes[pos].weight / p->ring.weight)
                          : 0;
}

static bool full(const struct plan *p)
{
    return p->n == p->wish->max_moves;
}

/* Does what is under way as if it were done, and counts loads. */
static void settle(struct plan *p)
{
    for (uint32_t i = 0; i < p->m.nshards; i++) {
        struct ldr_map_shard *s = &p->m.shards[i];
        uint32_t n = 0;
        p->busy[i] = ldr_map_move_of(&p->m, s->id) != NULL;
        for (uint32_t j = 0; j < s->nreplicas; j++)
            if (ldr_map_in_new(&s->replicas[j]))
                s->replicas[n++] = (struct ldr_map_replica){s->replicas[j].node, LDR_REPLICA_ACTIVE};
        s->nreplicas = n;
        for (uint32_t j = 0; j < n; j++) {
            p->ring.load[ldr_place_pos(&p->m, s->replicas[j].node)] += size_of(p, i);
            p->total += size_of(p, i);
        }
    }
}

static void take(struct plan *p, uint32_t shard, uint32_t from, uint32_t to)
{
    struct ldr_map_shard *s = &p->m.shards[shard];
    uint32_t n = 0;
    for (uint32_t j = 0; j < s->nreplicas; j++)
        if (s->replicas[j].node != from)
            s->replicas[n++] = s->replicas[j];
    s->replicas[n++] = (struct ldr_map_replica){to, LDR_REPLICA_ACTIVE}; /* the copy needs no order */
    s->nreplicas = n;
    if (from)
        p->ring.load[ldr_place_pos(&p->m, from)] -= size_of(p, shard);
    else
        p->total += size_of(p, shard);
    p->ring.load[ldr_place_pos(&p->m, to)] += size_of(p, shard);
    p->busy[shard] = 1;
    p->out[p->n++] = (struct ldr_place_move){s->id, from, to};
}

/* Replicas of a shard in a zone, without the one on `but`. */
static uint32_t in_zone(const struct plan *p, const struct ldr_map_shard *s, uint32_t zone, uint32_t but)
{
    uint32_t n = 0;
    for (uint32_t j = 0; j < s->nreplicas; j++)
        n += s->replicas[j].node != but && p->ring.zone[ldr_place_pos(&p->m, s->replicas[j].node)] == zone;
    return n;
}

/* The best node for a replica that leaves `from` (or is new): least used zone, then emptiest, then nearest on
 * the ring. */
static uint32_t best_taker(const struct plan *p, uint32_t shard, uint32_t from)
{
    const struct ldr_map_shard *s = &p->m.shards[shard];
    uint64_t at = ldr_place_shard_point(s);
    uint32_t best = UINT32_MAX, best_uses = 0;
    for (uint32_t i = 0; i < p->m.nnodes; i++) {
        const struct ldr_map_node *n = &p->m.nodes[i];
        if (!ldr_place_takes(n) || ldr_map_replica(s, n->id))
            continue;
        uint32_t uses = in_zone(p, s, p->ring.zone[i], from);
        int c = best == UINT32_MAX ? -1 : (uses > best_uses) - (uses < best_uses);
        if (!c)
            c = ldr_place_fuller(&p->ring, i, p->ring.load[i], best, p->ring.load[best]);
        if (!c)
            c = ldr_place_distance(&p->ring, at, i) < ldr_place_distance(&p->ring, at, best) ? -1 : 1;
        if (c < 0) {
            best = i;
            best_uses = uses;
        }
    }
    return best;
}

static void repair(struct plan *p)
{
    for (uint32_t i = 0; i < p->m.nshards && !full(p); i++) {
        struct ldr_map_shard *s = &p->m.shards[i];
        if (p->busy[i] || !s->nreplicas || s->nreplicas >= p->m.replicas)
            continue;
        uint32_t to = best_taker(p, i, 0);
        if (to != UINT32_MAX)
            take(p, i, 0, p->m.nodes[to].id);
    }
}

static void drain(struct plan *p)
{
    for (uint32_t i = 0; i < p->m.nshards; i++) {
        struct ldr_map_shard *s = &p->m.shards[i];
        for (uint32_t j = 0; j < s->nreplicas && !p->busy[i] && !full(p); j++) {
            uint32_t node = s->replicas[j].node, to;
            if (ldr_map_node(&p->m, node)->draining && (to = best_taker(p, i, node)) != UINT32_MAX)
                take(p, i, node, p->m.nodes[to].id);
        }
    }
}

/* Shards with two replicas in one zone while another zone has none. */
static void spread(struct plan *p)
{
    for (uint32_t i = 0; i < p->m.nshards && !full(p); i++) {
        struct ldr_map_shard *s = &p->m.shards[i];
        for (uint32_t j = 0; j < s->nreplicas && !p->busy[i]; j++) {
            uint32_t node = s->replicas[j].node, to = best_taker(p, i, node);
            uint32_t zone = p->ring.zone[ldr_place_pos(&p->m, node)];
            if (to != UINT32_MAX && in_zone(p, s, zone, node) > in_zone(p, s, p->ring.zone[to], node))
                take(p, i, node, p->m.nodes[to].id);
        }
    }
}

/* The shard that `from` had best give to `to`: fits into what `to` may still take, keeps `from` the fuller
 * one, harms no zones; among those the one whose point `to` follows most closely. */
static uint32_t best_shard(const struct plan *p, uint32_t from, uint32_t to, uint64_t limit)
{
    uint32_t from_id = p->m.nodes[from].id, best = UINT32_MAX;
    uint64_t best_distance = 0;
    for (uint32_t i = 0; i < p->m.nshards; i++) {
        const struct ldr_map_shard *s = &p->m.shards[i];
        uint64_t z = size_of(p, i);
        if (p->busy[i] || !ldr_map_replica(s, from_id) || ldr_map_replica(s, p->m.nodes[to].id))
            continue;
        if (p->ring.load[to] + z > limit ||
            ldr_place_fuller(&p->ring, from, p->ring.load[from] - z, to, p->ring.load[to] + z) < 0)
            continue;
        if (in_zone(p, s, p->ring.zone[to], from_id) > in_zone(p, s, p->ring.zone[from], from_id))
            continue;
        uint64_t d = ldr_place_distance(&p->ring, ldr_place_shard_point(s), to);
        if (best == UINT32_MAX || d < best_distance) {
            best = i;
            best_distance = d;
        }
    }
    return best;
}

/* One move onto `to` from whoever is fullest and has something fitting; false when nobody has. */
static bool fill(struct plan *p, uint32_t to, uint8_t *tried)
{
    uint64_t share = share_of(p, to), limit = share + share / 20;
    for (;;) {
        uint32_t from = UINT32_MAX;
        for (uint32_t i = 0; i < p->m.nnodes; i++)
            if (i != to && p->ring.load[i] && !tried[i] &&
                (from == UINT32_MAX ||
                 ldr_place_fuller(&p->ring, i, p->ring.load[i], from, p->ring.load[from]) > 0))
                from = i;
        if (from == UINT32_MAX)
            return false;
        uint32_t shard = best_shard(p, from, to, limit);
        if (shard != UINT32_MAX) {
            take(p, shard, p->m.nodes[from].id, p->m.nodes[to].id);
            return true;
        }
        tried[from] = 1;
    }
}

/* The node furthest below 95 % (or else above 110 %) of its share that nobody gave up on. */
static uint32_t outlier(const struct plan *p, bool below, const uint8_t *given_up)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t i = 0; i < p->m.nnodes; i++) {
        uint64_t share = share_of(p, i), load = p->ring.load[i];
        if (!ldr_place_takes(&p->m.nodes[i]) || given_up[i])
            continue;
        if (below ? load >= share - share / 20 : load <= share + share / 10)
            continue;
        int c = best == UINT32_MAX ? 1 : ldr_place_fuller(&p->ring, i, load, best, p->ring.load[best]);
        if (best == UINT32_MAX || (below ? c < 0 : c > 0))
            best = i;
    }
    return best;
}

/* One move off `from` to the emptiest node that can take something. */
static bool relieve(struct plan *p, uint32_t from, uint8_t *tried)
{
    for (;;) {
        uint32_t to = UINT32_MAX;
        for (uint32_t i = 0; i < p->m.nnodes; i++)
            if (i != from && !tried[i] && ldr_place_takes(&p->m.nodes[i]) &&
                (to == UINT32_MAX ||
                 ldr_place_fuller(&p->ring, i, p->ring.load[i], to, p->ring.load[to]) < 0))
                to = i;
        if (to == UINT32_MAX)
            return false;
        uint32_t shard = best_shard(p, from, to, share_of(p, to) + share_of(p, to) / 20);
        if (shard != UINT32_MAX) {
            take(p, shard, p->m.nodes[from].id, p->m.nodes[to].id);
            return true;
        }
        tried[to] = 1;
    }
}

static int balance(struct plan *p)
{
    uint8_t *given_up = ldr_calloc(p->m.heap, 2 * (size_t)p->m.nnodes, 1);
    if (!given_up)
        return LDR_E_NOMEM;
    uint8_t *tried = given_up + p->m.nnodes;
    for (int below = 1; below >= 0; below--) {
        uint32_t node;
        memset(given_up, 0, p->m.nnodes);
        while (!full(p) && (node = outlier(p, below, given_up)) != UINT32_MAX) {
            memset(tried, 0, p->m.nnodes);
            given_up[node] = below ? !fill(p, node, tried) : !relieve(p, node, tried);
        }
    }
    ldr_release(p->m.heap, given_up);
    return 0;
}

int ldr_place_plan(const struct ldr_map *m, const struct ldr_place_wish *wish, struct ldr_place_move *out,
                   uint32_t *n)
{
    struct plan p = {.wish = wish, .out = out};
    *n = 0;
    int rc = ldr_map_copy(&p.m, m->heap, m);
    if (rc)
        return rc;
    rc = ldr_place_ring_init(&p.ring, &p.m);
    if (rc)
        goto close_map;
    p.busy = ldr_calloc(m->heap, m->nshards, 1);
    if (!p.busy) {
        rc = LDR_E_NOMEM;
        goto close_ring;
    }
    settle(&p);
    repair(&p);
    drain(&p);
    spread(&p);
    if (wish->balance)
        rc = balance(&p);
    if (!rc)
        *n = p.n;
    ldr_release(m->heap, p.busy);
close_ring:
    ldr_place_ring_close(&p.ring);
close_map:
    ldr_map_close(&p.m);
    return rc;
}
