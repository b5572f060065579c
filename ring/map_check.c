/* What a valid map is. */
#include "ring/ring.h"

bool ldr_address_valid(struct ldr_slice s)
{
    size_t colon = s.n;
    uint32_t port = 0;
    if (s.n > LDR_ADDRESS_MAX)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == ',' || s.p[i] == '/' || s.p[i] == '@')
            return false;
        if (s.p[i] == ':')
            colon = i;
    }
    if (colon == 0 || colon + 1 >= s.n || s.n - colon > 6)
        return false;
    bool v6 = s.p[0] == '[';
    if (v6 ? s.p[colon - 1] != ']' || colon < 3 : memchr(s.p, ':', colon) != NULL)
        return false;
    for (size_t i = colon + 1; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        port = port * 10 + (uint32_t)(s.p[i] - '0');
    }
    return port >= 1 && port <= 65535;
}

static bool plain(struct ldr_slice s, size_t max)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool letter = (c | 32) >= 'a' && (c | 32) <= 'z';
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return false;
    }
    return s.n <= max;
}

bool ldr_zone_valid(struct ldr_slice s)
{
    return plain(s, LDR_ZONE_MAX);
}

static const char *check_nodes(const struct ldr_map *m)
{
    if (m->nnodes > LDR_MAP_NODES_MAX)
        return "too many nodes";
    for (uint32_t i = 0; i < m->nnodes; i++) {
        const struct ldr_map_node *n = &m->nodes[i];
        if (n->id == 0 || n->id >= m->next_node || (i && m->nodes[i - 1].id >= n->id))
            return "node ids are not rising and below next_node";
        if (n->state < LDR_NODE_ACTIVE || n->state > LDR_NODE_REMOVED)
            return "node with an unknown state";
        if (n->state != LDR_NODE_DOWN && n->draining != (n->state == LDR_NODE_DRAINING))
            return "node whose draining contradicts its state";
        if (!n->weight || n->weight > LDR_WEIGHT_MAX)
            return "node with a weight out of range";
        if (!n->incarnation)
            return "node without an incarnation";
        if (!ldr_address_valid(ldr_slice_str(n->address)) || !ldr_zone_valid(ldr_slice_str(n->zone)))
            return "node with a bad address or zone";
        for (uint32_t j = 0; j < i; j++)
            if (m->nodes[j].incarnation == n->incarnation)
                return "two nodes of one incarnation";
    }
    return NULL;
}

static const char *check_replicas(const struct ldr_map *m, const struct ldr_map_shard *s)
{
    uint32_t pending = 0, leaving = 0;
    if (s->nreplicas > LDR_REPLICAS_MAX)
        return "too many replicas";
    for (uint32_t i = 0; i < s->nreplicas; i++) {
        const struct ldr_map_replica *r = &s->replicas[i];
        const struct ldr_map_node *n = ldr_map_node(m, r->node);
        if (i && s->replicas[i - 1].node >= r->node)
            return "replicas are not sorted by distinct nodes";
        if (!n || n->state == LDR_NODE_REMOVED)
            return "replica on a node that is not there";
        if (r->state < LDR_REPLICA_ACTIVE || r->state > LDR_REPLICA_LEAVING)
            return "replica with an unknown state";
        pending += r->state == LDR_REPLICA_PENDING;
        leaving += r->state == LDR_REPLICA_LEAVING;
    }
    const struct ldr_map_move *v = pending || leaving ? ldr_map_move_of(m, s->id) : NULL;
    if ((pending || leaving) && (!v || v->kind != LDR_MOVE_REPLICA || pending != 1 || leaving > 1))
        return "replica that moves without a move";
    return NULL;
}

static const char *check_shards(const struct ldr_map *m)
{
    if (m->nshards > LDR_MAP_SHARDS_MAX)
        return "too many shards";
    if (!m->nshards != !m->cluster[0])
        return "a cluster has a name and shards, or neither";
    if (!m->nshards)
        return m->nmoves ? "moves without shards" : NULL;
    if (!m->replicas || m->replicas > LDR_REPLICAS_MAX - 1 || !m->write_quorum ||
        m->write_quorum > m->replicas)
        return "replicas or write quorum out of range";
    if (m->shards[0].lo != 0 || m->shards[m->nshards - 1].hi != UINT64_MAX)
        return "arcs do not reach both ends of the hash space";
    for (uint32_t i = 0; i < m->nshards; i++) {
        const struct ldr_map_shard *s = &m->shards[i], *before = i ? s - 1 : NULL;
        const struct ldr_map_shard *x = &m->shards[m->by_id[i]];
        if (s->lo > s->hi || (before && (before->hi == UINT64_MAX || s->lo != before->hi + 1)))
            return "arcs do not follow each other";
        if (x->id == 0 || x->id >= m->next_shard || (i && m->shards[m->by_id[i - 1]].id >= x->id))
            return "shard ids are not distinct and below next_shard";
        if (s->parent >= m->next_shard || s->parent == s->id)
            return "shard with an unknown parent";
        if (!s->epoch || s->epoch > m->version)
            return "epoch beyond the map's version";
        if (!s->nreplicas != !!m->wait_nodes)
            return "shards are placed all at once";
        const char *why = check_replicas(m, s);
        if (why)
            return why;
    }
    return NULL;
}

static const char *check_replica_move(const struct ldr_map *m, const struct ldr_map_move *v)
{
    const struct ldr_map_shard *s = ldr_map_shard(m, v->shard);
    const struct ldr_map_replica *to = ldr_map_replica(s, v->to);
    const struct ldr_map_replica *from = v->from ? ldr_map_replica(s, v->from) : NULL;
    if (v->other || !to || to->state != LDR_REPLICA_PENDING)
        return "move to a replica that is not pending";
    if (v->from && (!from || from->state != LDR_REPLICA_LEAVING))
        return "move from a replica that does not leave";
    for (uint32_t i = 0; i < s->nreplicas && !v->from; i++)
        if (s->replicas[i].state == LDR_REPLICA_LEAVING)
            return "a replica leaves without a move";
    return NULL;
}

static const char *check_moves(const struct ldr_map *m)
{
    if (m->nmoves > LDR_MAP_SHARDS_MAX)
        return "too many moves";
    for (uint32_t i = 0; i < m->nmoves; i++) {
        const struct ldr_map_move *v = &m->moves[i];
        if (!v->id || v->id >= m->next_move || (i && v[-1].id >= v->id))
            return "move ids are not rising and below next_move";
        if (v->step != LDR_MOVE_RUNNING || !ldr_map_shard(m, v->shard))
            return "move of a shard that is not there, or at an unknown step";
        if (ldr_map_move_of(m, v->shard) != v || (v->other && ldr_map_move_of(m, v->other) != v))
            return "two moves touch one shard";
        if (v->kind == LDR_MOVE_REPLICA) {
            const char *why = check_replica_move(m, v);
            if (why)
                return why;
            continue;
        }
        if (v->kind != LDR_MOVE_SPLIT && v->kind != LDR_MOVE_MERGE)
            return "move of an unknown kind";
        const struct ldr_map_shard *other = ldr_map_shard(m, v->other);
        if (v->from || v->to || !v->other || v->other >= m->next_shard || v->other == v->shard ||
            !other != (v->kind == LDR_MOVE_MERGE))
            return "split or merge with a wrong other shard";
    }
    return NULL;
}

static const char *check_wishes(const struct ldr_map *m)
{
    if (m->nwishes > LDR_MAP_SHARDS_MAX)
        return "too many wishes";
    for (uint32_t i = 0; i < m->nwishes; i++) {
        const struct ldr_map_wish *w = &m->wishes[i];
        const struct ldr_map_shard *s = ldr_map_shard(m, w->shard), *other = ldr_map_shard(m, w->other);
        if (!w->id || w->id >= m->next_move || (i && w[-1].id >= w->id) || ldr_map_move(m, w->id))
            return "wish ids are not rising, below next_move and unlike those of moves";
        if (ldr_map_wish_of(m, w->shard) != w || ldr_map_wish_of(m, w->other) != w)
            return "two wishes name one shard";
        if (w->kind != LDR_MOVE_SPLIT && w->kind != LDR_MOVE_MERGE)
            return "wish of an unknown kind";
        if (!s || !w->other || w->other >= m->next_shard || w->other == w->shard)
            return "wish with a wrong shard";
        if (w->kind == LDR_MOVE_SPLIT ? other || w->at <= s->lo || w->at > s->hi
                                      : !other || w->at || (other + 1 != s && s + 1 != other))
            return "wish for what cannot be";
    }
    return NULL;
}

int ldr_map_validate(const struct ldr_map *m, const char **why)
{
    const char *text = NULL;
    if (!m->next_node || !m->next_shard || !m->next_move)
        text = "ids start at 1";
    if (!text && (!plain(ldr_slice_str(m->cluster), LDR_NAME_MAX)))
        text = "bad name of a cluster";
    if (!text)
        text = check_nodes(m);
    if (!text)
        text = check_shards(m);
    if (!text)
        text = check_moves(m);
    if (!text && m->nshards)
        text = check_wishes(m);
    else if (!text && m->nwishes)
        text = "wishes without shards";
    if (why)
        *why = text;
    return text ? LDR_E_INVALID : 0;
}
