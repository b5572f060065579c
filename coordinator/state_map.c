/* Commands that change the map: nodes and the rest; state_move.c has moves, splits and merges. Each works on
 * a copy, which takes the map's place when all went well. */
#include "coordinator/state_change.h"

/* Room for one more element. */
int ldr_map_change_grow(const struct ldr_heap *heap, void **p, uint32_t n, size_t size)
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

static struct ldr_map_node *node_of(struct ldr_map_change *x, uint32_t id)
{
    return (struct ldr_map_node *)(uintptr_t)ldr_map_node(&x->m, id);
}

/* Gives shards their replicas once enough nodes are there. */
static int place_when_ready(struct ldr_map_change *x)
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

static int init(struct ldr_map_change *x)
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
static void succeed_at_address(struct ldr_map_change *x, uint64_t incarnation)
{
    for (uint32_t i = 0; i < x->m.nnodes; i++) {
        struct ldr_map_node *n = &x->m.nodes[i];
        if (n->incarnation != incarnation && n->state != LDR_NODE_REMOVED && n->state != LDR_NODE_DOWN &&
            is_text(n->address, x->c->address))
            n->state = LDR_NODE_DOWN;
    }
}

static int node_join(struct ldr_map_change *x)
{
    const struct ldr_map_command *c = x->c;
    struct ldr_map *m = &x->m;
    struct ldr_map_node *n = NULL;
    if (c->cluster.n && m->cluster[0] && !is_text(m->cluster, c->cluster))
        return ldr_fail(x->err, LDR_E_REFUSED, "the node belongs to cluster '%.*s', this is '%s'",
                        (int)c->cluster.n, (const char *)c->cluster.p, m->cluster);
    int rc = ldr_map_change_come_back(x);
    if (rc)
        return rc;
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
        if (ldr_map_change_grow(m->heap, &p, m->nnodes, sizeof *n))
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

static struct ldr_map_node *known_node(struct ldr_map_change *x)
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

static int node_state(struct ldr_map_change *x)
{
    struct ldr_map_node *n = known_node(x);
    uint32_t has = 0;
    if (!n)
        return x->c->node_state == LDR_NODE_REMOVED && node_of(x, x->c->node) ? 0 : x->err->code;
    struct ldr_map_node old = *n;
    switch (x->c->node_state) {
    case LDR_NODE_ACTIVE:
        n->state = ldr_map_node_fenced(n) ? LDR_NODE_DOWN : LDR_NODE_ACTIVE;
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
        if (n->state == LDR_NODE_DOWN && !ldr_map_node_fenced(n))
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

static int node_weight(struct ldr_map_change *x)
{
    struct ldr_map_node *n = known_node(x);
    if (!n)
        return x->err->code;
    x->changed = n->weight != x->c->weight;
    n->weight = x->c->weight;
    return 0;
}

static int dispatch(struct ldr_map_change *x)
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
        return ldr_map_change_move_start(x);
    case LDR_CMD_MOVE_ADVANCE:
    case LDR_CMD_MOVE_ABORT:
        return ldr_map_change_move_end(x);
    case LDR_CMD_SPLIT:
        return ldr_map_change_split(x);
    case LDR_CMD_MERGE:
        return ldr_map_change_merge(x);
    case LDR_CMD_WISH_BEGIN:
        return ldr_map_change_wish_begin(x);
    case LDR_CMD_NODE_FENCE:
        return ldr_map_change_fence(x);
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
    struct ldr_map_change x = {.c = c, .now_us = now_us, .err = err};
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
