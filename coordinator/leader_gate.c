/* When a split or merge may begin. A node follows the map from one arc to the next by what it finds on its
 * disk; one that was away while an arc was cut and a part of it merged elsewhere would take what belongs to
 * others for its own. So each step waits until no disk has anything left of the steps before: every node has
 * a map that knows of them, and nobody has a replica there but those of the map, with the arcs of the map.
 * docs/adr/0025 has the argument. */
#include <stdio.h>

#include "coordinator/leader_parts.h"

struct gate {
    const struct ldr_leader *l;
    const struct ldr_map *map;
    const struct ldr_map_shard *shards[2];
    uint32_t n;
    uint64_t lo, hi, epoch; /* of all of them */
    char *why;
};

__attribute__((format(printf, 2, 3))) static bool waits(struct gate *g, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(g->why, LDR_LEADER_WHY, format, args);
    va_end(args);
    return true;
}

/* Of the map: moves, nodes, for a merge the places of replicas. */
static bool map_waits(struct gate *g)
{
    for (uint32_t i = 0; i < g->n; i++) {
        const struct ldr_map_shard *s = g->shards[i];
        const struct ldr_map_move *v = ldr_map_move_of(g->map, s->id);
        if (v)
            return waits(g, "shard %u is busy with move %llu", s->id, (unsigned long long)v->id);
        for (uint32_t k = 0; k < s->nreplicas && !LDR_BUG(takeover_not_awaited); k++)
            if (ldr_map_node(g->map, s->replicas[k].node)->state == LDR_NODE_DOWN)
                return waits(g, "node %u, which has shard %u, is down", s->replicas[k].node, s->id);
    }
    if (g->n == 2 && !ldr_map_together(g->shards[0], g->shards[1]))
        return waits(g, "the replicas of shard %u are not on the nodes of shard %u yet", g->shards[1]->id,
                     g->shards[0]->id);
    return false;
}

static const struct ldr_map_shard *concerned(const struct gate *g, uint32_t shard)
{
    for (uint32_t i = 0; i < g->n; i++)
        if (g->shards[i]->id == shard)
            return g->shards[i];
    return NULL;
}

static bool report_waits(struct gate *g, uint32_t node, const struct ldr_report *r)
{
    const struct ldr_map_shard *s = concerned(g, r->shard);
    if (r->hi < g->lo || r->lo > g->hi)
        return s ? waits(g, "node %u has shard %u with another arc", node, r->shard) : false;
    if (!s)
        return waits(g, "node %u still has shard %u there: it has not taken over what came before", node,
                     r->shard);
    if (!ldr_map_replica(s, node))
        return waits(g, "node %u has not yet removed its replica of shard %u", node, r->shard);
    if (r->lo != s->lo || r->hi != s->hi || r->epoch != s->epoch)
        return waits(g, "node %u has not yet taken over the arc of shard %u", node, r->shard);
    if (r->state != LDR_REPLICA_ACTIVE)
        return waits(g, "node %u is still filling shard %u", node, r->shard);
    return false;
}

static bool node_waits(struct gate *g, const struct ldr_map_node *n)
{
    const struct ldr_watched *w = ldr_leader_watched(g->l, n->id);
    const char *advice = n->state == LDR_NODE_DOWN ? "; if it is gone for good, drain and remove it" : "";
    if (!w)
        return waits(g, "node %u was not heard: it may have missed what came before%s", n->id, advice);
    if (w->map_version < g->epoch)
        return waits(g, "node %u does not know the map that the shards are of%s", n->id, advice);
    for (uint32_t i = 0; i < w->nreports; i++)
        if (report_waits(g, n->id, &w->reports[i]))
            return true;
    for (uint32_t i = 0; i < g->n; i++)
        if (ldr_map_replica(g->shards[i], n->id) && !ldr_leader_report(g->l, n->id, g->shards[i]->id))
            return waits(g, "node %u has not reported shard %u", n->id, g->shards[i]->id);
    return false;
}

bool ldr_leader_waits(const struct ldr_leader *l, const struct ldr_map *map, const struct ldr_map_wish *w,
                      char why[LDR_LEADER_WHY])
{
    struct gate g = {.l = l, .map = map, .n = 1, .shards = {ldr_map_shard(map, w->shard)}, .why = why};
    if (w->kind == LDR_MOVE_MERGE)
        g.shards[g.n++] = ldr_map_shard(map, w->other);
    why[0] = 0;
    g.lo = UINT64_MAX;
    for (uint32_t i = 0; i < g.n; i++) {
        const struct ldr_map_shard *s = g.shards[i];
        g.lo = s->lo < g.lo ? s->lo : g.lo;
        g.hi = s->hi > g.hi ? s->hi : g.hi;
        g.epoch = s->epoch > g.epoch ? s->epoch : g.epoch;
    }
    if (map_waits(&g))
        return true;
    for (uint32_t i = 0; i < map->nnodes && !LDR_BUG(takeover_not_awaited); i++)
        if (map->nodes[i].state != LDR_NODE_REMOVED && node_waits(&g, &map->nodes[i]))
            return true;
    return false;
}
