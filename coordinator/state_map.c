/* Commands that change the map. Each works on a copy, which takes the map's place when all went well. */
#include "coordinator/state_parts.h"

struct change {
    struct ldr_map m; /* the copy; its version is already the next one */
    const struct ldr_map_command *c;
    int64_t now_us;
    uint64_t value;
    bool changed;
    struct ldr_err *err;
};

/* Room for one more element. */
static int grow(const struct ldr_heap *heap, void **p, uint32_t n, size_t size)
{
    void *q = ldr_resize(heap, *p, ((size_t)n + 1) * size);
    if (!q)
        return LDR_E_NOMEM;
    *p = q;
    memset((uint8_t *)q + n * size, 0, size);
    return 0;
}

static void set_text(char *to, struct ldr_slice from)
{
    if (from.n)
        memcpy(to, from.p, from.n);
    to[from.n] = 0;
}

static bool is_text(const char *a, struct ldr_slice b)
{
    return ldr_slice_eq(ldr_slice_str(a), b);
}

static struct ldr_map_node *node_of(struct change *x, uint32_t id)
{
    return (struct ldr_map_node *)(uintptr_t)ldr_map_node(&x->m, id);
}

static struct ldr_map_shard *shard_of(struct change *x, uint32_t id)
{
    return (struct ldr_map_shard *)(uintptr_t)ldr_map_shard(&x->m, id);
}

/* Gives shards their replicas once enough nodes are there. */
static int place_when_ready(struct change *x)
{
    uint32_t ready = 0;
    for (uint32_t i = 0; i < x->m.nnodes; i++)
        ready += x->m.nodes[i].state == LDR_NODE_ACTIVE;
    if (!x->m.nshards || !x->m.wait_nodes || ready < x->m.wait_nodes)
        return 0;
    int rc = ldr_place_all(&x->m);
    if (rc)
        return rc;
    x->m.wait_nodes = 0;
    for (uint32_t i = 0; i < x->m.nshards; i++)
        x->m.shards[i].epoch = x->m.version;
    return 0;
}

static uint64_t even_lo(uint32_t i, uint32_t n)
{
    unsigned __int128 space = (unsigned __int128)1 << 64;
    return (uint64_t)((space * i + n - 1) / n);
}

static int init(struct change *x)
{
    const struct ldr_map_command *c = x->c;
    struct ldr_map *m = &x->m;
    if (m->cluster[0]) {
        if (is_text(m->cluster, c->cluster) && m->replicas == c->replicas &&
            m->write_quorum == c->write_quorum)
            return 0;
        return ldr_fail(x->err, LDR_E_EXISTS,
                        "there is a cluster already: '%s' with %u replicas and a write quorum of %u",
                        m->cluster, m->replicas, m->write_quorum);
    }
    m->shards = ldr_calloc(m->heap, c->shards, sizeof *m->shards);
    if (!m->shards)
        return LDR_E_NOMEM;
    m->nshards = c->shards;
    for (uint32_t i = 0; i < c->shards; i++)
        m->shards[i] =
            (struct ldr_map_shard){.id = m->next_shard++,
                                   .lo = even_lo(i, c->shards),
                                   .hi = i + 1 == c->shards ? UINT64_MAX : even_lo(i + 1, c->shards) - 1,
                                   .epoch = m->version};
    set_text(m->cluster, c->cluster);
    m->replicas = c->replicas;
    m->write_quorum = c->write_quorum;
    m->wait_nodes = c->wait_nodes;
    x->changed = true;
    int rc = ldr_map_index(m);
    return rc ? rc : place_when_ready(x);
}

/* The disk that was at this address is gone, as far as anybody can tell. */
static void succeed_at_address(struct change *x, uint64_t incarnation)
{
    for (uint32_t i = 0; i < x->m.nnodes; i++) {
        struct ldr_map_node *n = &x->m.nodes[i];
        if (n->incarnation != incarnation && n->state != LDR_NODE_REMOVED && n->state != LDR_NODE_DOWN &&
            is_text(n->address, x->c->address))
            n->state = LDR_NODE_DOWN;
    }
}

static int node_join(struct change *x)
{
    const struct ldr_map_command *c = x->c;
    struct ldr_map *m = &x->m;
    struct ldr_map_node *n = NULL;
    if (c->cluster.n && m->cluster[0] && !is_text(m->cluster, c->cluster))
        return ldr_fail(x->err, LDR_E_REFUSED, "the node belongs to cluster '%.*s', this is '%s'",
                        (int)c->cluster.n, (const char *)c->cluster.p, m->cluster);
    for (uint32_t i = 0; i < m->nnodes && !n; i++)
        if (m->nodes[i].incarnation == c->incarnation)
            n = &m->nodes[i];
    if (n && n->state == LDR_NODE_REMOVED)
        return ldr_fail(x->err, LDR_E_REFUSED,
                        "node %u was removed; wipe its folder to let the machine join as a new node", n->id);
    if (!n) {
        if (m->nnodes == LDR_MAP_NODES_MAX)
            return ldr_fail(x->err, LDR_E_TOO_BIG, "the cluster has had %d nodes, its maximum",
                            LDR_MAP_NODES_MAX);
        void *p = m->nodes;
        if (grow(m->heap, &p, m->nnodes, sizeof *n))
            return LDR_E_NOMEM;
        m->nodes = p;
        n = &m->nodes[m->nnodes++];
        *n = (struct ldr_map_node){
            .id = m->next_node++, .state = LDR_NODE_ACTIVE, .weight = 100, .incarnation = c->incarnation};
        x->changed = true;
    }
    x->value = n->id;
    x->changed |= n->state == LDR_NODE_DOWN || !is_text(n->address, c->address) ||
                  !is_text(n->zone, c->zone) || (c->weight && c->weight != n->weight);
    if (n->state == LDR_NODE_DOWN)
        n->state = n->draining ? LDR_NODE_DRAINING : LDR_NODE_ACTIVE;
    set_text(n->address, c->address);
    set_text(n->zone, c->zone);
    n->weight = c->weight ? c->weight : n->weight;
    succeed_at_address(x, c->incarnation);
    return place_when_ready(x);
}

static struct ldr_map_node *known_node(struct change *x)
{
    struct ldr_map_node *n = node_of(x, x->c->node);
    if (!n)
        ldr_fail(x->err, LDR_E_NOT_FOUND, "there is no node %u", x->c->node);
    else if (n->state == LDR_NODE_REMOVED)
        ldr_fail(x->err, LDR_E_REFUSED, "node %u was removed", x->c->node);
    else
        return n;
    return NULL;
}

static int node_state(struct change *x)
{
    struct ldr_map_node *n = known_node(x);
    uint32_t has = 0;
    if (!n)
        return x->c->node_state == LDR_NODE_REMOVED && node_of(x, x->c->node) ? 0 : x->err->code;
    struct ldr_map_node old = *n;
    switch (x->c->node_state) {
    case LDR_NODE_ACTIVE:
        n->state = LDR_NODE_ACTIVE;
        n->draining = false;
        break;
    case LDR_NODE_DRAINING:
        n->draining = true;
        if (n->state != LDR_NODE_DOWN)
            n->state = LDR_NODE_DRAINING;
        break;
    case LDR_NODE_DOWN:
        n->state = LDR_NODE_DOWN;
        break;
    case LDR_NODE_UP:
        if (n->state == LDR_NODE_DOWN)
            n->state = n->draining ? LDR_NODE_DRAINING : LDR_NODE_ACTIVE;
        break;
    default: /* REMOVED */
        for (uint32_t i = 0; i < x->m.nshards; i++)
            has += ldr_map_replica(&x->m.shards[i], n->id) != NULL;
        if (has)
            return ldr_fail(x->err, LDR_E_REFUSED, "node %u has replicas of %u shards; drain it first", n->id,
                            has);
        n->state = LDR_NODE_REMOVED;
        n->draining = false;
    }
    x->changed = n->state != old.state || n->draining != old.draining;
    return x->changed ? place_when_ready(x) : 0;
}

static int node_weight(struct change *x)
{
    struct ldr_map_node *n = known_node(x);
    if (!n)
        return x->err->code;
    x->changed = n->weight != x->c->weight;
    n->weight = x->c->weight;
    return 0;
}

/* A shard that may start to move, split or merge. */
static struct ldr_map_shard *idle_shard(struct change *x, uint32_t id)
{
    struct ldr_map_shard *s = shard_of(x, id);
    const struct ldr_map_move *v = s ? ldr_map_move_of(&x->m, id) : NULL;
    if (!s)
        ldr_fail(x->err, LDR_E_NOT_FOUND, "there is no shard %u", id);
    else if (v)
        ldr_fail(x->err, LDR_E_REFUSED, "shard %u is busy with move %llu", id, (unsigned long long)v->id);
    else if (!s->nreplicas)
        ldr_fail(x->err, LDR_E_REFUSED, "shard %u is not placed yet: it waits for nodes to join", id);
    else
        return s;
    return NULL;
}

static int add_move(struct change *x, struct ldr_map_move v)
{
    struct ldr_map *m = &x->m;
    void *p = m->moves;
    if (grow(m->heap, &p, m->nmoves, sizeof v))
        return LDR_E_NOMEM;
    m->moves = p;
    v.id = m->next_move++;
    v.step = LDR_MOVE_RUNNING;
    v.started_us = x->now_us;
    m->moves[m->nmoves++] = v;
    x->value = v.id;
    x->changed = true;
    return 0;
}

static int move_start(struct change *x)
{
    const struct ldr_map_command *c = x->c;
    struct ldr_map_shard *s = idle_shard(x, c->shard);
    if (!s)
        return x->err->code;
    const struct ldr_map_node *to = ldr_map_node(&x->m, c->to);
    if (!to)
        return ldr_fail(x->err, LDR_E_NOT_FOUND, "there is no node %u", c->to);
    if (to->state != LDR_NODE_ACTIVE)
        return ldr_fail(x->err, LDR_E_REFUSED, "node %u takes no data: it is %s", c->to,
                        to->state == LDR_NODE_DRAINING ? "draining"
                        : to->state == LDR_NODE_DOWN   ? "down"
                                                       : "removed");
    if (ldr_map_replica(s, c->to))
        return ldr_fail(x->err, LDR_E_REFUSED, "node %u has a replica of shard %u already", c->to, s->id);
    if (c->from && !ldr_map_replica(s, c->from))
        return ldr_fail(x->err, LDR_E_REFUSED, "node %u has no replica of shard %u", c->from, s->id);
    if (!c->from && s->nreplicas >= x->m.replicas)
        return ldr_fail(x->err, LDR_E_REFUSED, "shard %u has %u replicas already", s->id, s->nreplicas);
    if (s->nreplicas == LDR_REPLICAS_MAX)
        return ldr_fail(x->err, LDR_E_REFUSED, "shard %u has as many replicas as there may be", s->id);
    for (uint32_t i = 0; i < s->nreplicas; i++)
        if (s->replicas[i].node == c->from)
            s->replicas[i].state = LDR_REPLICA_LEAVING;
    uint32_t at = s->nreplicas++;
    for (; at && s->replicas[at - 1].node > c->to; at--)
        s->replicas[at] = s->replicas[at - 1];
    s->replicas[at] = (struct ldr_map_replica){c->to, LDR_REPLICA_PENDING};
    s->epoch = x->m.version;
    return add_move(
        x, (struct ldr_map_move){.kind = LDR_MOVE_REPLICA, .shard = c->shard, .from = c->from, .to = c->to});
}

/* Ends a replica's move: drops replicas of state `gone`, the others are ACTIVE. */
static void settle(struct change *x, struct ldr_map_shard *s, uint8_t gone)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->nreplicas; i++)
        if (s->replicas[i].state != gone)
            s->replicas[n++] = (struct ldr_map_replica){s->replicas[i].node, LDR_REPLICA_ACTIVE};
    s->nreplicas = n;
    s->epoch = x->m.version;
}

static int move_end(struct change *x)
{
    const struct ldr_map_move *v = ldr_map_move(&x->m, x->c->move);
    bool abort_it = x->c->kind == LDR_CMD_MOVE_ABORT;
    if (!v)
        return ldr_fail(x->err, LDR_E_NOT_FOUND, "there is no move %llu, or it is done",
                        (unsigned long long)x->c->move);
    if (!abort_it && x->c->step != LDR_MOVE_DONE)
        return ldr_fail(x->err, LDR_E_INVALID, "a move has no step %u", x->c->step);
    if (abort_it && v->kind != LDR_MOVE_REPLICA)
        return ldr_fail(x->err, LDR_E_REFUSED,
                        "a split or merge cannot be taken back; wait until it is done");
    if (v->kind == LDR_MOVE_REPLICA)
        settle(x, shard_of(x, v->shard), abort_it ? LDR_REPLICA_PENDING : LDR_REPLICA_LEAVING);
    uint32_t at = (uint32_t)(v - x->m.moves);
    memmove(&x->m.moves[at], &x->m.moves[at + 1], (x->m.nmoves - at - 1) * sizeof *v);
    x->m.nmoves--;
    x->changed = true;
    return 0;
}

/* Splits and merges want all replicas at hand, so that they end. */
static int all_up(struct change *x, const struct ldr_map_shard *s)
{
    for (uint32_t i = 0; i < s->nreplicas; i++)
        if (ldr_map_node(&x->m, s->replicas[i].node)->state == LDR_NODE_DOWN)
            return ldr_fail(x->err, LDR_E_REFUSED, "node %u, which has shard %u, is down",
                            s->replicas[i].node, s->id);
    return 0;
}

static int split(struct change *x)
{
    struct ldr_map *m = &x->m;
    struct ldr_map_shard *s = idle_shard(x, x->c->shard);
    int rc = s ? all_up(x, s) : x->err->code;
    if (rc)
        return rc;
    uint64_t at = x->c->at ? x->c->at : s->lo + (s->hi - s->lo) / 2 + 1;
    if (at <= s->lo || at > s->hi)
        return ldr_fail(x->err, LDR_E_INVALID,
                        "shard %u cannot be cut at %016llx: its arc is %016llx to %016llx", s->id,
                        (unsigned long long)at, (unsigned long long)s->lo, (unsigned long long)s->hi);
    if (m->nshards == LDR_MAP_SHARDS_MAX)
        return ldr_fail(x->err, LDR_E_TOO_BIG, "the cluster has %d shards, its maximum", LDR_MAP_SHARDS_MAX);
    uint32_t i = (uint32_t)(s - m->shards);
    void *p = m->shards;
    if (grow(m->heap, &p, m->nshards, sizeof *s))
        return LDR_E_NOMEM;
    m->shards = p;
    s = &m->shards[i];
    memmove(s + 2, s + 1, (m->nshards - i - 1) * sizeof *s);
    m->nshards++;
    s[1] = s[0];
    s[1].id = m->next_shard++;
    s[1].parent = s->id;
    s[1].lo = at;
    s->hi = at - 1;
    s[0].epoch = s[1].epoch = m->version;
    uint32_t child = s[1].id, parent = s->id;
    rc = ldr_map_index(m);
    if (!rc)
        rc = add_move(x, (struct ldr_map_move){.kind = LDR_MOVE_SPLIT, .shard = parent, .other = child});
    x->value = child;
    return rc;
}

static int merge(struct change *x)
{
    struct ldr_map *m = &x->m;
    struct ldr_map_shard *a = idle_shard(x, x->c->shard), *b = a ? idle_shard(x, x->c->other) : NULL;
    int rc = b ? all_up(x, a) : x->err->code;
    if (rc)
        return rc;
    if (a + 1 != b && b + 1 != a)
        return ldr_fail(x->err, LDR_E_REFUSED, "shards %u and %u are not neighbours", a->id, b->id);
    if (a->nreplicas != b->nreplicas)
        return ldr_fail(x->err, LDR_E_REFUSED, "shards %u and %u are not on the same nodes", a->id, b->id);
    for (uint32_t i = 0; i < a->nreplicas; i++)
        if (a->replicas[i].node != b->replicas[i].node)
            return ldr_fail(x->err, LDR_E_REFUSED, "shards %u and %u are not on the same nodes", a->id,
                            b->id);
    uint32_t at = (uint32_t)(b - m->shards), keep = a->id, gone = b->id;
    a->lo = a < b ? a->lo : b->lo;
    a->hi = a < b ? b->hi : a->hi;
    a->epoch = m->version;
    memmove(&m->shards[at], &m->shards[at + 1], (m->nshards - at - 1) * sizeof *b);
    m->nshards--;
    rc = ldr_map_index(m);
    return rc ? rc : add_move(x, (struct ldr_map_move){.kind = LDR_MOVE_MERGE, .shard = keep, .other = gone});
}

static int dispatch(struct change *x)
{
    switch (x->c->kind) {
    case LDR_CMD_INIT:
        return init(x);
    case LDR_CMD_NODE_JOIN:
        return node_join(x);
    case LDR_CMD_NODE_STATE:
        return node_state(x);
    case LDR_CMD_NODE_WEIGHT:
        return node_weight(x);
    case LDR_CMD_MOVE_START:
        return move_start(x);
    case LDR_CMD_MOVE_ADVANCE:
    case LDR_CMD_MOVE_ABORT:
        return move_end(x);
    case LDR_CMD_SPLIT:
        return split(x);
    case LDR_CMD_MERGE:
        return merge(x);
    case LDR_CMD_REBALANCE:
        x->changed = x->m.rebalance != x->c->on;
        x->m.rebalance = x->c->on;
        return 0;
    case LDR_CMD_REGISTRY:
    case LDR_CMD_COORDINATOR:
        break;
    }
    LDR_ASSERT(!"a kind that decoding lets through");
    return LDR_E_INVALID;
}

int ldr_state_map_step(struct ldr_map *map, const struct ldr_map_command *c, int64_t now_us, uint64_t *value,
                       struct ldr_err *err)
{
    struct change x = {.c = c, .now_us = now_us, .err = err};
    int rc = ldr_map_copy(&x.m, map->heap, map);
    if (rc)
        return rc;
    x.m.version++;
    rc = dispatch(&x);
    if (!rc && x.changed) {
        const char *why = NULL;
        LDR_ASSERT(ldr_map_validate(&x.m, &why) == 0);
        ldr_map_close(map);
        *map = x.m;
    } else {
        ldr_map_close(&x.m);
    }
    *value = x.value;
    return rc;
}
