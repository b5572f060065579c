/* Commands that change which shards there are and who has them: moves, splits, merges. Splits and merges are
 * wishes first, which the leader begins when nothing is in the way (leader_gate.c). */
#include "coordinator/state_change.h"

static struct ldr_map_shard *shard_of(struct ldr_map_change *x, uint32_t id)
{
    return (struct ldr_map_shard *)(uintptr_t)ldr_map_shard(&x->m, id);
}

static struct ldr_map_shard *placed_shard(struct ldr_map_change *x, uint32_t id)
{
    struct ldr_map_shard *s = shard_of(x, id);
    if (!s)
        ldr_fail(x->err, LDR_E_NOT_FOUND, "there is no shard %u", id);
    else if (!s->nreplicas)
        ldr_fail(x->err, LDR_E_REFUSED, "shard %u is not placed yet: it waits for nodes to join", id);
    else
        return s;
    return NULL;
}

/* A shard that may start to move, split or merge. */
static struct ldr_map_shard *idle_shard(struct ldr_map_change *x, uint32_t id)
{
    struct ldr_map_shard *s = placed_shard(x, id);
    const struct ldr_map_move *v = s ? ldr_map_move_of(&x->m, id) : NULL;
    if (v)
        ldr_fail(x->err, LDR_E_REFUSED, "shard %u is busy with move %llu", id, (unsigned long long)v->id);
    return v ? NULL : s;
}

/* id 0: a new one; else that of the wish it comes from. */
static int add_move(struct ldr_map_change *x, struct ldr_map_move v)
{
    struct ldr_map *m = &x->m;
    void *p = m->moves;
    if (ldr_map_change_grow(m->heap, &p, m->nmoves, sizeof v))
        return LDR_E_NOMEM;
    m->moves = p;
    v.id = v.id ? v.id : m->next_move++;
    v.step = LDR_MOVE_RUNNING;
    v.started_us = x->now_us;
    uint32_t at = m->nmoves++;
    for (; at && m->moves[at - 1].id > v.id; at--)
        m->moves[at] = m->moves[at - 1];
    m->moves[at] = v;
    x->value = v.id;
    x->changed = true;
    return 0;
}

int ldr_map_change_move_start(struct ldr_map_change *x)
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
static void settle(struct ldr_map_change *x, struct ldr_map_shard *s, uint8_t gone)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->nreplicas; i++)
        if (s->replicas[i].state != gone)
            s->replicas[n++] = (struct ldr_map_replica){s->replicas[i].node, LDR_REPLICA_ACTIVE};
    s->nreplicas = n;
    s->epoch = x->m.version;
}

static void drop_wish(struct ldr_map_change *x, const struct ldr_map_wish *w)
{
    uint32_t at = (uint32_t)(w - x->m.wishes);
    memmove(&x->m.wishes[at], &x->m.wishes[at + 1], (x->m.nwishes - at - 1) * sizeof *w);
    x->m.nwishes--;
    x->changed = true;
}

int ldr_map_change_move_end(struct ldr_map_change *x)
{
    const struct ldr_map_move *v = ldr_map_move(&x->m, x->c->move);
    const struct ldr_map_wish *w = ldr_map_wish(&x->m, x->c->move);
    bool abort_it = x->c->kind == LDR_CMD_MOVE_ABORT;
    if (w && abort_it) {
        drop_wish(x, w);
        return 0;
    }
    if (w)
        return ldr_fail(x->err, LDR_E_REFUSED, "move %llu has not begun", (unsigned long long)w->id);
    if (!v)
        return ldr_fail(x->err, LDR_E_NOT_FOUND, "there is no move %llu, or it is done",
                        (unsigned long long)x->c->move);
    if (!abort_it && x->c->step != LDR_MOVE_DONE)
        return ldr_fail(x->err, LDR_E_INVALID, "a move has no step %u", x->c->step);
    if (abort_it && v->kind != LDR_MOVE_REPLICA)
        return ldr_fail(x->err, LDR_E_REFUSED,
                        "a split or merge cannot be taken back; wait until it is done");
    if (!abort_it && v->kind == LDR_MOVE_REPLICA && ldr_map_node_fenced(ldr_map_node(&x->m, v->to)))
        return ldr_fail(x->err, LDR_E_REFUSED, "node %u was away for too long: it has nothing any more",
                        v->to);
    if (v->kind == LDR_MOVE_REPLICA)
        settle(x, shard_of(x, v->shard), abort_it ? LDR_REPLICA_PENDING : LDR_REPLICA_LEAVING);
    uint32_t at = (uint32_t)(v - x->m.moves);
    memmove(&x->m.moves[at], &x->m.moves[at + 1], (x->m.nmoves - at - 1) * sizeof *v);
    x->m.nmoves--;
    x->changed = true;
    return 0;
}

/* A shard that a wish may name. */
static struct ldr_map_shard *unwished_shard(struct ldr_map_change *x, uint32_t id)
{
    struct ldr_map_shard *s = placed_shard(x, id);
    const struct ldr_map_wish *w = s ? ldr_map_wish_of(&x->m, id) : NULL;
    if (w)
        ldr_fail(x->err, LDR_E_REFUSED, "shard %u waits for its %s already: move %llu", id,
                 w->kind == LDR_MOVE_SPLIT ? "split" : "merge", (unsigned long long)w->id);
    return w ? NULL : s;
}

static int add_wish(struct ldr_map_change *x, struct ldr_map_wish w)
{
    struct ldr_map *m = &x->m;
    void *p = m->wishes;
    if (m->nwishes == LDR_MAP_SHARDS_MAX)
        return ldr_fail(x->err, LDR_E_TOO_BIG, "as many splits and merges wait as there may be");
    if (ldr_map_change_grow(m->heap, &p, m->nwishes, sizeof w))
        return LDR_E_NOMEM;
    m->wishes = p;
    w.id = m->next_move++;
    w.asked_us = x->now_us;
    m->wishes[m->nwishes++] = w;
    x->value = w.id;
    x->changed = true;
    return 0;
}

int ldr_map_change_split(struct ldr_map_change *x)
{
    struct ldr_map *m = &x->m;
    const struct ldr_map_shard *s = unwished_shard(x, x->c->shard);
    if (!s)
        return x->err->code;
    uint64_t at = x->c->at ? x->c->at : s->lo + (s->hi - s->lo) / 2 + 1;
    uint32_t splits = 0;
    for (uint32_t i = 0; i < m->nwishes; i++)
        splits += m->wishes[i].kind == LDR_MOVE_SPLIT;
    if (at <= s->lo || at > s->hi)
        return ldr_fail(x->err, LDR_E_INVALID,
                        "shard %u cannot be cut at %016llx: its arc is %016llx to %016llx", s->id,
                        (unsigned long long)at, (unsigned long long)s->lo, (unsigned long long)s->hi);
    if (m->nshards + splits >= LDR_MAP_SHARDS_MAX)
        return ldr_fail(x->err, LDR_E_TOO_BIG, "the cluster has %d shards, its maximum", LDR_MAP_SHARDS_MAX);
    uint32_t child = m->next_shard++;
    int rc = add_wish(
        x, (struct ldr_map_wish){.kind = LDR_MOVE_SPLIT, .shard = x->c->shard, .other = child, .at = at});
    x->value = child;
    return rc;
}

int ldr_map_change_merge(struct ldr_map_change *x)
{
    const struct ldr_map_shard *a = unwished_shard(x, x->c->shard),
                               *b = a ? unwished_shard(x, x->c->other) : NULL;
    if (!b)
        return x->err->code;
    if (a + 1 != b && b + 1 != a)
        return ldr_fail(x->err, LDR_E_REFUSED, "shards %u and %u are not neighbours", a->id, b->id);
    return add_wish(x, (struct ldr_map_wish){.kind = LDR_MOVE_MERGE, .shard = a->id, .other = b->id});
}

static int begin_split(struct ldr_map_change *x, struct ldr_map_wish w)
{
    struct ldr_map *m = &x->m;
    struct ldr_map_shard *s = shard_of(x, w.shard);
    uint32_t i = (uint32_t)(s - m->shards);
    void *p = m->shards;
    if (ldr_map_change_grow(m->heap, &p, m->nshards, sizeof *s))
        return LDR_E_NOMEM;
    m->shards = p;
    s = &m->shards[i];
    memmove(s + 2, s + 1, (m->nshards - i - 1) * sizeof *s);
    m->nshards++;
    s[1] = s[0];
    s[1].id = w.other;
    s[1].parent = s->id;
    s[1].lo = w.at;
    s->hi = w.at - 1;
    s[0].epoch = s[1].epoch = m->version;
    return ldr_map_index(m);
}

static int begin_merge(struct ldr_map_change *x, struct ldr_map_wish w)
{
    struct ldr_map *m = &x->m;
    struct ldr_map_shard *a = shard_of(x, w.shard), *b = shard_of(x, w.other);
    uint32_t at = (uint32_t)(b - m->shards);
    a->lo = a < b ? a->lo : b->lo;
    a->hi = a < b ? b->hi : a->hi;
    a->epoch = m->version;
    memmove(&m->shards[at], &m->shards[at + 1], (m->nshards - at - 1) * sizeof *b);
    m->nshards--;
    return ldr_map_index(m);
}

/* What the leader saw must still be so. */
int ldr_map_change_wish_begin(struct ldr_map_change *x)
{
    const struct ldr_map_wish *found = ldr_map_wish(&x->m, x->c->move);
    if (!found)
        return ldr_fail(x->err, LDR_E_NOT_FOUND, "nothing with number %llu waits",
                        (unsigned long long)x->c->move);
    struct ldr_map_wish w = *found;
    const struct ldr_map_shard *a = idle_shard(x, w.shard), *b = a;
    if (a && w.kind == LDR_MOVE_MERGE)
        b = idle_shard(x, w.other);
    if (!b)
        return x->err->code;
    if (a->epoch > x->c->at || b->epoch > x->c->at)
        return ldr_fail(x->err, LDR_E_REFUSED, "the shards of move %llu have changed since it was found due",
                        (unsigned long long)w.id);
    if (!ldr_map_together(a, b))
        return ldr_fail(x->err, LDR_E_REFUSED, "shards %u and %u are not on the same nodes", a->id, b->id);
    drop_wish(x, found);
    int rc = w.kind == LDR_MOVE_SPLIT ? begin_split(x, w) : begin_merge(x, w);
    return rc ? rc
              : add_move(
                    x, (struct ldr_map_move){.id = w.id, .kind = w.kind, .shard = w.shard, .other = w.other});
}
