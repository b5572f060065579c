/* When a replica misses nothing any more (pull_state.h says why that is so): one that is added, one whose
 * data was lost, one that was just made. */
#include "node/node_impl.h"

static void compared(void *ctx, int code, const struct ldr_scrub_result *res)
{
    struct ldr_rep_peer *p = ctx;
    struct ldr_rep *r = p->rep;
    p->step = LDR_PULL_IDLE;
    if (code == 0 && !r->gone && r->state == LDR_REP_OPEN) {
        ldr_pull_compared(&p->pull, res->pos);
        r->unsaved = true;
        ldr_rep_catch_up(r);
    }
    ldr_rep_unref(r);
}

static bool misses(const struct ldr_rep *r, const struct ldr_map_shard *s, const struct ldr_map_replica *me)
{
    return me->state == LDR_REPLICA_PENDING && !LDR_BUG(stale_readiness) ? r->ready_epoch != s->epoch
                                                                         : r->ready_epoch == 0;
}

void ldr_rep_catch_up(struct ldr_rep *r)
{
    const struct ldr_map_shard *s = ldr_rep_shard(r);
    const struct ldr_map_replica *me = s ? ldr_map_replica(s, r->n->id) : NULL;
    if (!me || !ldr_rep_whole(r, s) || r->saving || !misses(r, s, me) || r->catch_epoch != s->epoch)
        return;
    if (me->state != LDR_REPLICA_PENDING && ldr_rep_is_new(r)) {
        ldr_rep_make_ready(r, s->epoch);
        return;
    }
    const struct ldr_pull_state *old[LDR_REPLICAS_MAX];
    struct ldr_rep_peer *next = NULL;
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->nreplicas; i++) {
        const struct ldr_map_replica *m = &s->replicas[i];
        struct ldr_rep_peer *p = m->node == r->n->id || !ldr_map_in_old(m) ? NULL : ldr_rep_peer(r, m->node);
        if (m->node != r->n->id && ldr_map_in_old(m) && !p)
            return;
        if (!p)
            continue;
        old[n++] = &p->pull;
        /* drained: to be compared once; first with whom it was not tried for longest, since one may be dead
         */
        if ((p->pull.drained || p->pull.seen) && !p->pull.scrubbed && p->step == LDR_PULL_IDLE &&
            (!next || p->compared_us < next->compared_us))
            next = p;
    }
    if (next && !r->scrub) {
        next->step = LDR_PULL_COMPARING;
        next->compared_us = ldr_node_mono(r->n);
        ldr_rep_ref(r);
        if (ldr_rep_scrub(r, next->node, compared, next) != 0) {
            next->step = LDR_PULL_IDLE;
            ldr_rep_unref(r);
        }
    }
    if (ldr_pull_caught_up(old, n, ldr_quorum_old(s), r->n->map.write_quorum))
        ldr_rep_make_ready(r, s->epoch);
}
