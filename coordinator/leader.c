#include <stdlib.h>

#include "coordinator/leader_parts.h"

#define SECOND_US  1000000
#define PLAN_MOVES 256 /* looked at when some may have to wait */

int ldr_leader_create(const struct ldr_leader_opts *o, uint64_t mono_us, struct ldr_leader **out)
{
    struct ldr_leader *l = ldr_calloc(o->heap, 1, sizeof *l);
    if (!l)
        return LDR_E_NOMEM;
    l->o = *o;
    l->o.down_after_us = o->down_after_us ? o->down_after_us : 5 * SECOND_US;
    l->o.abort_after_us = o->abort_after_us ? o->abort_after_us : 60 * SECOND_US;
    l->o.moves_a_node = o->moves_a_node ? o->moves_a_node : 2;
    l->begin_us = mono_us;
    *out = l;
    return 0;
}

void ldr_leader_begin(struct ldr_leader *l, uint64_t mono_us)
{
    for (uint32_t i = 0; i < l->nnodes; i++)
        ldr_release(l->o.heap, l->nodes[i].reports);
    ldr_release(l->o.heap, l->nodes);
    l->nodes = NULL;
    l->nnodes = 0;
    l->looked = false;
    l->begin_us = mono_us;
}

void ldr_leader_destroy(struct ldr_leader *l)
{
    if (!l)
        return;
    ldr_leader_begin(l, 0);
    ldr_release(l->o.heap, l);
}

static uint32_t place_of(const struct ldr_leader *l, uint32_t node)
{
    uint32_t lo = 0, hi = l->nnodes;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (l->nodes[mid].node < node)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

const struct ldr_watched *ldr_leader_watched(const struct ldr_leader *l, uint32_t node)
{
    uint32_t i = place_of(l, node);
    return i < l->nnodes && l->nodes[i].node == node && l->nodes[i].heard ? &l->nodes[i] : NULL;
}

static int by_shard(const void *a, const void *b)
{
    const struct ldr_report *x = a, *y = b;
    return (x->shard > y->shard) - (x->shard < y->shard);
}

const struct ldr_report *ldr_leader_report(const struct ldr_leader *l, uint32_t node, uint32_t shard)
{
    const struct ldr_watched *w = ldr_leader_watched(l, node);
    struct ldr_report key = {.shard = shard};
    return w && w->nreports ? bsearch(&key, w->reports, w->nreports, sizeof key, by_shard) : NULL;
}

static struct ldr_report report_of(const struct ldr_msg_replica *r)
{
    struct ldr_report x = {.shard = r->shard,
                           .state = r->state,
                           .lo = r->lo,
                           .hi = r->hi,
                           .epoch = r->epoch,
                           .facts = r->facts,
                           .bytes = r->bytes,
                           .moved_bytes = r->moved_bytes,
                           .move_bytes_total = r->move_bytes_total,
                           .tombs_kept = r->tombs_kept,
                           .tombs_collected = r->tombs_collected};
    for (uint32_t i = 0; i < r->n_lags && i < LDR_REPLICAS_MAX; i++) {
        x.lags[x.nlags].node = r->lags[i].node;
        x.lags[x.nlags++].age_us = r->lags[i].age_us;
    }
    for (uint32_t i = 0; i < r->n_lags; i++)
        x.lag_facts = r->lags[i].facts > x.lag_facts ? r->lags[i].facts : x.lag_facts;
    return x;
}

/* The place of a node among the watched ones, made when it is new. NULL: no memory. */
static struct ldr_watched *watch(struct ldr_leader *l, uint32_t node)
{
    uint32_t at = place_of(l, node);
    if (at < l->nnodes && l->nodes[at].node == node)
        return &l->nodes[at];
    struct ldr_watched *p = ldr_resize(l->o.heap, l->nodes, (l->nnodes + 1) * sizeof *p);
    if (!p)
        return NULL;
    l->nodes = p;
    memmove(&p[at + 1], &p[at], (l->nnodes - at) * sizeof *p);
    p[at] = (struct ldr_watched){.node = node};
    l->nnodes++;
    return &p[at];
}

int ldr_leader_heartbeat(struct ldr_leader *l, const struct ldr_map *map, const struct ldr_heartbeat_req *h,
                         uint64_t mono_us)
{
    const struct ldr_map_node *n = ldr_map_node(map, h->node);
    if (!n || n->incarnation != h->incarnation)
        return LDR_E_NOT_FOUND;
    if (n->state == LDR_NODE_REMOVED)
        return LDR_E_REFUSED;
    if (h->n_replicas > LDR_MAP_SHARDS_MAX)
        return LDR_E_TOO_BIG;
    struct ldr_report *reports = ldr_calloc(l->o.heap, h->n_replicas, sizeof *reports);
    struct ldr_watched *w = reports ? watch(l, h->node) : NULL;
    if (!w) {
        ldr_release(l->o.heap, reports);
        return LDR_E_NOMEM;
    }
    for (uint32_t i = 0; i < h->n_replicas; i++)
        reports[i] = report_of(&h->replicas[i]);
    if (h->n_replicas)
        qsort(reports, h->n_replicas, sizeof *reports, by_shard);
    ldr_release(l->o.heap, w->reports);
    *w = (struct ldr_watched){.node = h->node,
                              .seen_us = mono_us,
                              .incarnation = h->incarnation,
                              .disk_used = h->disk_used,
                              .disk_free = h->disk_free,
                              .map_version = h->map_version,
                              .reports = reports,
                              .nreports = h->n_replicas,
                              .heard = true};
    size_t n_build = h->build.n < sizeof w->build ? h->build.n : sizeof w->build - 1;
    if (n_build && ldr_utf8_valid(ldr_slice(h->build.p, n_build)))
        memcpy(w->build, h->build.p, n_build);
    return 0;
}

/* ---- What is due ---- */

struct due {
    struct ldr_leader *l;
    const struct ldr_map *map;
    uint64_t mono_us;
    struct ldr_map_command *out;
    uint32_t n, max;
};

static void yield_command(struct due *d, struct ldr_map_command c)
{
    if (d->n < d->max)
        d->out[d->n++] = c;
}

static uint64_t silent_us(const struct due *d, uint32_t node)
{
    uint32_t at = place_of(d->l, node);
    bool known = at < d->l->nnodes && d->l->nodes[at].node == node;
    uint64_t since = known ? d->l->nodes[at].seen_us : d->l->begin_us;
    return d->mono_us > since ? d->mono_us - since : 0;
}

/* Silence counts from when a node came into the map, or from the beginning of leadership. */
static int look_for_new(struct due *d)
{
    struct ldr_leader *l = d->l;
    for (uint32_t i = 0; i < d->map->nnodes; i++) {
        uint32_t node = d->map->nodes[i].id, at = place_of(l, node);
        uint64_t incarnation = d->map->nodes[i].incarnation;
        if (at < l->nnodes && l->nodes[at].node == node) {
            struct ldr_watched *known = &l->nodes[at];
            if (known->incarnation && known->incarnation != incarnation)
                known->seen_us = d->mono_us; /* it was fenced, or came back: it gets its time to speak up */
            known->incarnation = incarnation;
            continue;
        }
        struct ldr_watched *w = watch(l, node);
        if (!w)
            return LDR_E_NOMEM;
        w->incarnation = incarnation;
        w->seen_us = l->looked ? d->mono_us : l->begin_us;
    }
    l->looked = true;
    return 0;
}

/* Whether the others have all that a silent node can have acknowledged: each of them has everything, and has
 * pulled from each other one since, to the end of its log. */
static bool others_have_it(const struct due *d, uint32_t node, uint64_t silent)
{
    for (uint32_t i = 0; i < d->map->nshards; i++) {
        const struct ldr_map_shard *s = &d->map->shards[i];
        uint32_t up = 0;
        for (uint32_t k = 0; k < s->nreplicas && ldr_map_replica(s, node); k++) {
            const struct ldr_report *r = ldr_leader_report(d->l, s->replicas[k].node, s->id);
            if (s->replicas[k].node == node || s->replicas[k].state == LDR_REPLICA_PENDING)
                continue;
            if (!r || r->epoch != s->epoch || r->state != s->replicas[k].state ||
                silent_us(d, s->replicas[k].node) > d->l->o.down_after_us)
                return false;
            uint32_t fresh = 0, peers = 0;
            for (uint32_t j = 0; j < s->nreplicas; j++)
                peers += s->replicas[j].node != node && s->replicas[j].node != s->replicas[k].node &&
                         s->replicas[j].state != LDR_REPLICA_PENDING;
            for (uint32_t j = 0; j < r->nlags; j++)
                fresh += r->lags[j].node != node && r->lags[j].age_us < silent / 2 &&
                         ldr_map_replica(s, r->lags[j].node) &&
                         ldr_map_replica(s, r->lags[j].node)->state != LDR_REPLICA_PENDING;
            if (fresh < peers)
                return false;
            up++;
        }
        if (ldr_map_replica(s, node) && up < d->map->write_quorum)
            return false;
    }
    return true;
}

/* Whether a move of a shard that the node has is ended by what was yielded. Who has caught up may lack what
 * the node and the one that goes had acknowledged together: it is looked at anew with the move behind it. */
static bool ends_beside(const struct due *d, uint32_t node)
{
    for (uint32_t i = 0; i < d->n; i++)
        if (d->out[i].kind == LDR_CMD_MOVE_ADVANCE &&
            ldr_map_replica(ldr_map_shard(d->map, ldr_map_move(d->map, d->out[i].move)->shard), node))
            return true;
    return false;
}

static void fence(struct due *d)
{
    uint64_t after = d->l->o.fence_after_us;
    for (uint32_t i = 0; after && i < d->map->nnodes; i++) {
        const struct ldr_map_node *n = &d->map->nodes[i];
        uint64_t silent = silent_us(d, n->id);
        if (n->state == LDR_NODE_DOWN && !ldr_map_node_fenced(n) && silent > after &&
            !ends_beside(d, n->id) && others_have_it(d, n->id, silent))
            yield_command(d, (struct ldr_map_command){
                                 .kind = LDR_CMD_NODE_FENCE, .node = n->id, .incarnation = n->incarnation});
    }
}

static void liveness(struct due *d)
{
    const struct ldr_leader_opts *o = &d->l->o;
    for (uint32_t i = 0; i < d->map->nnodes; i++) {
        const struct ldr_map_node *n = &d->map->nodes[i];
        uint64_t silent = silent_us(d, n->id);
        struct ldr_map_command c = {.kind = LDR_CMD_NODE_STATE, .node = n->id};
        if (n->state == LDR_NODE_REMOVED)
            continue;
        if (n->state != LDR_NODE_DOWN && silent > o->down_after_us)
            c.node_state = LDR_NODE_DOWN;
        else if (n->state == LDR_NODE_DOWN && ldr_leader_watched(d->l, n->id) && silent <= o->down_after_us)
            c.node_state = LDR_NODE_UP;
        else if (n->state == LDR_NODE_DOWN && !n->draining && o->replace_after_us &&
                 silent > o->replace_after_us)
            c.node_state = LDR_NODE_DRAINING;
        if (c.node_state)
            yield_command(d, c);
    }
}

/* Whether every replica that lives has done at home what the map asked for. Those that do not are waited for
 * by the next split or merge (leader_gate.c), not by this one: a node that is lost could not be replaced. */
static bool all_done(const struct due *d, uint32_t shard)
{
    const struct ldr_map_shard *s = ldr_map_shard(d->map, shard);
    uint32_t done = 0;
    for (uint32_t i = 0; i < s->nreplicas; i++) {
        const struct ldr_report *r = ldr_leader_report(d->l, s->replicas[i].node, shard);
        if (ldr_map_node(d->map, s->replicas[i].node)->state == LDR_NODE_DOWN)
            continue;
        if (!r || r->epoch != s->epoch || r->state == LDR_REPLICA_WORKING)
            return false;
        done++;
    }
    return done > 0;
}

static void advance(struct due *d)
{
    for (uint32_t i = 0; i < d->map->nmoves; i++) {
        const struct ldr_map_move *v = &d->map->moves[i];
        struct ldr_map_command c = {.move = v->id, .step = LDR_MOVE_DONE};
        if (v->kind == LDR_MOVE_REPLICA) {
            const struct ldr_report *r = ldr_leader_report(d->l, v->to, v->shard);
            uint64_t silent = silent_us(d, v->to); /* what it reported was true then */
            if (r && r->state == LDR_REPLICA_CAUGHT_UP &&
                r->epoch == ldr_map_shard(d->map, v->shard)->epoch && silent <= d->l->o.down_after_us)
                c.kind = LDR_CMD_MOVE_ADVANCE;
            else if (silent > d->l->o.abort_after_us)
                c.kind = LDR_CMD_MOVE_ABORT;
        } else if (all_done(d, v->shard) && (v->kind == LDR_MOVE_MERGE || all_done(d, v->other))) {
            c.kind = LDR_CMD_MOVE_ADVANCE;
        }
        if (c.kind)
            yield_command(d, c);
    }
}

/* Splits and merges that wait for nothing any more. */
static void fulfil(struct due *d)
{
    char why[LDR_LEADER_WHY];
    for (uint32_t i = 0; i < d->map->nwishes; i++)
        if (!ldr_leader_waits(d->l, d->map, &d->map->wishes[i], why))
            yield_command(d, (struct ldr_map_command){.kind = LDR_CMD_WISH_BEGIN,
                                                      .move = d->map->wishes[i].id,
                                                      .at = d->map->version});
}

/* Of each shard, by position: the largest report. NULL when nobody reported anything, or no memory (*rc). */
static uint64_t *sizes_of(const struct ldr_leader *l, const struct ldr_map *map, int *rc)
{
    uint64_t *sizes = ldr_calloc(l->o.heap, map->nshards, sizeof *sizes), any = 0;
    *rc = sizes ? 0 : LDR_E_NOMEM;
    for (uint32_t i = 0; sizes && i < map->nshards; i++) {
        const struct ldr_map_shard *s = &map->shards[i];
        for (uint32_t k = 0; k < s->nreplicas; k++) {
            const struct ldr_report *r = ldr_leader_report(l, s->replicas[k].node, s->id);
            if (r && r->bytes > sizes[i])
                sizes[i] = r->bytes < UINT32_MAX * (uint64_t)UINT16_MAX ? r->bytes
                                                                        : UINT32_MAX * (uint64_t)UINT16_MAX;
        }
        any |= sizes[i];
    }
    if (sizes && !any) {
        ldr_release(l->o.heap, sizes);
        return NULL;
    }
    return sizes;
}

static int plan(const struct ldr_leader *l, const struct ldr_map *map, bool balance,
                struct ldr_place_move *out, uint32_t max, uint32_t *n)
{
    int rc;
    *n = 0;
    if (!map->nshards || map->wait_nodes)
        return 0;
    uint64_t *sizes = sizes_of(l, map, &rc);
    if (rc)
        return rc;
    struct ldr_place_wish wish = {.sizes = sizes, .balance = balance, .max_moves = max};
    rc = ldr_place_plan(map, &wish, out, n);
    ldr_release(l->o.heap, sizes);
    return rc;
}

int ldr_leader_plan(struct ldr_leader *l, const struct ldr_map *map, struct ldr_place_move *out, uint32_t max,
                    uint32_t *n)
{
    return plan(l, map, true, out, max, n);
}

/* Moves under way, and yielded just now, that load a node. */
static uint32_t moves_on(const struct due *d, uint32_t node)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < d->map->nmoves; i++)
        n += d->map->moves[i].from == node || d->map->moves[i].to == node;
    for (uint32_t i = 0; i < d->n; i++)
        n += d->out[i].kind == LDR_CMD_MOVE_START && (d->out[i].from == node || d->out[i].to == node);
    return n;
}

static bool may_move(const struct due *d, uint32_t from, uint32_t to)
{
    uint32_t most = d->l->o.moves_a_node;
    return moves_on(d, to) < most && (!from || moves_on(d, from) < most);
}

/* The replicas of two shards that are to be merged come together: those of the one that goes are moved to the
 * nodes of the other, one at a time. */
static void bring_together(struct due *d, const struct ldr_map_wish *w)
{
    const struct ldr_map_shard *a = ldr_map_shard(d->map, w->shard), *b = ldr_map_shard(d->map, w->other);
    uint32_t to = 0, from = 0;
    if (ldr_map_move_of(d->map, a->id) || ldr_map_move_of(d->map, b->id) || b->nreplicas > a->nreplicas)
        return; /* one that has too few gets more as any shard does */
    for (uint32_t i = 0; i < a->nreplicas; i++) {
        uint32_t node = a->replicas[i].node;
        if (!ldr_map_replica(b, node) && ldr_map_node(d->map, node)->state == LDR_NODE_ACTIVE)
            to = node;
    }
    for (uint32_t i = 0; i < b->nreplicas && b->nreplicas == a->nreplicas; i++) {
        uint32_t node = b->replicas[i].node;
        if (!ldr_map_replica(a, node) && (!from || ldr_map_node(d->map, node)->state != LDR_NODE_ACTIVE))
            from = node;
    }
    if (to && may_move(d, from, to))
        yield_command(
            d, (struct ldr_map_command){.kind = LDR_CMD_MOVE_START, .shard = b->id, .from = from, .to = to});
}

/* Whether a move that a plan holds is to wait: its shard is to be split or merged, and it is for balance; or
 * another place is wanted for it. */
static bool held_back(const struct due *d, const struct ldr_place_move *v)
{
    const struct ldr_map_wish *w = ldr_map_wish_of(d->map, v->shard);
    if (!w)
        return false;
    if (w->kind == LDR_MOVE_MERGE && v->shard == w->other)
        return true;
    return v->from && ldr_map_node(d->map, v->from)->state == LDR_NODE_ACTIVE;
}

static int start_moves(struct due *d)
{
    for (uint32_t i = 0; i < d->map->nwishes; i++)
        if (d->map->wishes[i].kind == LDR_MOVE_MERGE)
            bring_together(d, &d->map->wishes[i]);

    struct ldr_place_move *moves = ldr_calloc(d->l->o.heap, PLAN_MOVES, sizeof *moves);
    uint32_t n;
    if (!moves)
        return LDR_E_NOMEM;
    int rc = plan(d->l, d->map, d->map->rebalance, moves, PLAN_MOVES, &n);
    for (uint32_t i = 0; !rc && i < n; i++) {
        const struct ldr_place_move *v = &moves[i];
        if (!held_back(d, v) && may_move(d, v->from, v->to))
            yield_command(d,
                          (struct ldr_map_command){
                              .kind = LDR_CMD_MOVE_START, .shard = v->shard, .from = v->from, .to = v->to});
    }
    if (!rc && !n && d->map->rebalance && !d->map->nmoves)
        yield_command(d, (struct ldr_map_command){.kind = LDR_CMD_REBALANCE, .on = false});
    ldr_release(d->l->o.heap, moves);
    return rc;
}

int ldr_leader_next(struct ldr_leader *l, const struct ldr_map *map, uint64_t mono_us,
                    struct ldr_map_command *out, uint32_t max, uint32_t *n)
{
    struct due d = {l, map, mono_us, out, 0, max};
    *n = 0;
    int rc = look_for_new(&d);
    if (rc)
        return rc;
    liveness(&d);
    advance(&d);
    fence(&d);
    fulfil(&d);
    rc = d.n ? 0 : start_moves(&d); /* plans are made on a map that stands */
    *n = rc ? 0 : d.n;
    return rc;
}
