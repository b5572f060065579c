/* From what is to what the map says. Looks at everything anew each time and starts what is missing, so a
 * crash, a failure or a map that skips steps needs no case of its own. */
#include "node/node_impl.h"

const struct ldr_map_shard *ldr_rep_shard(const struct ldr_rep *r)
{
    return ldr_map_shard(&r->n->map, r->shard);
}

static bool mine(const struct ldr_node *n, const struct ldr_map_shard *s)
{
    return n->id != 0 && ldr_map_replica(s, n->id) != NULL;
}

/* What it has beyond its arc is cut off, topmost shard first: a child of today's map, with all that lies in
 * it. */
static const struct ldr_map_shard *child_of(const struct ldr_rep *r, const struct ldr_map_shard *s)
{
    uint64_t hi = s ? s->hi : r->about.hi;
    if (r->about.hi > hi)
        return ldr_map_shard_of(&r->n->map, r->about.hi);
    return NULL;
}

/* One step of r's growth to the arc of s: lo..hi is as far as it goes, and the result the replica that is
 * merged into it: one that the map does not know any more and that lies next to it. NULL: there is none, up
 * to the next one that is here. */
static struct ldr_rep *next_to_merge(struct ldr_node *n, const struct ldr_rep *r,
                                     const struct ldr_map_shard *s, uint64_t *lo, uint64_t *hi)
{
    *lo = s->lo;
    *hi = s->hi;
    for (struct ldr_rep *o = n->reps; o; o = o->next) {
        if (o == r || !o->about.incarnation || ldr_map_shard(&n->map, o->shard) || o->about.lo < s->lo ||
            o->about.hi > s->hi)
            continue;
        bool above = o->about.lo > r->about.hi, below = o->about.hi < r->about.lo;
        if ((above && o->about.lo == r->about.hi + 1) || (below && o->about.hi + 1 == r->about.lo)) {
            *lo = above ? r->about.lo : o->about.lo;
            *hi = above ? o->about.hi : r->about.hi;
            return o;
        }
        if (above && o->about.lo <= *hi)
            *hi = o->about.lo - 1;
        else if (below && o->about.hi >= *lo)
            *lo = o->about.hi + 1;
    }
    return NULL;
}

static void settle_narrow(struct ldr_rep *r, const struct ldr_map_shard *s)
{
    uint64_t lo, hi;
    struct ldr_rep *o = next_to_merge(r->n, r, s, &lo, &hi);
    if (o && o->state != LDR_REP_OPEN)
        return; /* it will be: without it, half the data would be missing */
    /* What the other half lacks this one will lack. That must be on record before: after a crash the arc does
     * not tell any more. */
    bool lacks = !o || (!o->ready_epoch && !ldr_rep_is_new(o));
    if (lacks && (r->ready_epoch || !r->recorded)) {
        if (!r->saving)
            ldr_rep_make_ready(r, 0);
        return;
    }
    ldr_rep_merge(r, o, lo, hi);
}

/* Could not be opened so far, so which arc it has is not known, and it is the one that s (or, NULL: a shard
 * that took over its neighbour) waits for: its ancestor by the map, or one that the map does not know. */
static bool unknown(const struct ldr_rep *r, const struct ldr_map_shard *s)
{
    const struct ldr_map *m = &r->n->map;
    if (r->state != LDR_REP_FAILED || r->about.incarnation)
        return false;
    for (uint32_t i = 0; s && s->parent && i < m->nshards; i++) {
        if (s->parent == r->shard)
            return true;
        s = ldr_map_shard(m, s->parent);
    }
    return !ldr_map_shard(m, r->shard);
}

static bool still_opening(const struct ldr_node *n)
{
    for (const struct ldr_rep *r = n->reps; r; r = r->next)
        if (r->state == LDR_REP_OPENING || r->state == LDR_REP_CLOSING || unknown(r, NULL))
            return true;
    return false;
}

/* Not in the map any more: waits to be merged, when it is to be, else goes. */
static void settle_unknown(struct ldr_rep *r)
{
    struct ldr_node *n = r->n;
    const struct ldr_map_shard *s = ldr_map_shard_of(&n->map, r->about.lo);
    if (s && mine(n, s) && s->lo <= r->about.lo && r->about.hi <= s->hi) {
        struct ldr_rep *into = ldr_rep_find(n, s->id);
        /* until the one that takes it over has its new arc, this one is needed */
        if (into && (into->state != LDR_REP_OPEN || into->about.lo != s->lo || into->about.hi != s->hi))
            return;
    }
    ldr_node_unhold(n, r->shard);
    ldr_rep_drop(r);
}

static void settle_open(struct ldr_rep *r)
{
    struct ldr_node *n = r->n;
    const struct ldr_map_shard *s = ldr_rep_shard(r), *child = child_of(r, s);
    if (!s) {
        if (n->map.nshards && !still_opening(n))
            settle_unknown(r);
        return;
    }
    if (r->about.lo == s->lo && r->about.hi > s->hi && child && child->lo > r->about.lo) {
        /* the child gets the parent's record: what it says must be on disk before */
        if (r->saving)
            return;
        if (ldr_rep_is_new(r))
            ldr_rep_make_ready(r, s->epoch);
        else if (ldr_node_hold(n, child->id))
            ldr_rep_split(r, child);
        return;
    }
    if (!mine(n, s)) {
        ldr_node_unhold(n, r->shard);
        ldr_rep_drop(r);
        return;
    }
    if (r->about.lo > s->lo || r->about.hi < s->hi) {
        if (!still_opening(n))
            settle_narrow(r, s);
        return;
    }
    if (ldr_rep_sync_peers(r, s) == 0)
        ldr_rep_catch_up(r);
}

/* A shard of this node that it has not: made, copied, or soon cut off from one that it has. */
static void settle_missing(struct ldr_node *n, const struct ldr_map_shard *s)
{
    for (const struct ldr_rep *q = n->reps; q; q = q->next)
        if (unknown(q, s))
            return;
    for (const struct ldr_rep *q = n->reps; q; q = q->next)
        if (q->state != LDR_REP_COPYING && q->state != LDR_REP_CREATING && q->about.incarnation &&
            q->about.lo <= s->lo && s->hi <= q->about.hi && q->shard != s->id)
            return;
    bool pending = ldr_map_replica(s, n->id)->state == LDR_REPLICA_PENDING;
    if (pending && (ldr_node_mono(n) < n->copy_after_us || !ldr_node_hold(n, s->id)))
        return;
    struct ldr_rep *r = ldr_rep_add(n, s->id, pending ? LDR_REP_COPYING : LDR_REP_CREATING);
    if (!r)
        return;
    if (pending)
        ldr_rep_copy(r, s);
    else
        ldr_rep_create(r, s->lo, s->hi);
}

void ldr_node_reconcile(struct ldr_node *n)
{
    if (n->phase != LDR_NODE_RUNNING || n->map.version == 0)
        return;
    if (n->fenced) {
        ldr_node_fence(n);
        return;
    }
    /* One step may change the list: begin again after each that did. */
    for (struct ldr_rep *r = n->reps, *next; r; r = next) {
        next = r->next;
        if (r->state == LDR_REP_OPEN)
            settle_open(r);
        else if (r->state == LDR_REP_FAILED && r->lost && ldr_node_hold(n, r->shard))
            ldr_rep_drop(r); /* on record as lost: it is filled from the others */
        else if (r->state == LDR_REP_COPYING) {
            const struct ldr_map_shard *s = ldr_rep_shard(r);
            if (!s || !mine(n, s))
                ldr_rep_copy_stop(r);
        }
    }
    if (still_opening(n))
        return; /* one of them may be the parent of what seems to be missing */
    for (uint32_t i = 0; i < n->map.nshards; i++) {
        const struct ldr_map_shard *s = &n->map.shards[i];
        if (mine(n, s) && !ldr_rep_find(n, s->id))
            settle_missing(n, s);
    }
}
