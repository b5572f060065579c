/* Pulling: "your log after my cursor", from every other replica, all the time. What a crash, a partition or a
 * slow disk kept away arrives by itself; the cursor tells how far behind this replica is.
 *
 *   IDLE --ask--> ASKING --nothing new--------------------------> IDLE
 *                   |  facts, tombs        durable: cursor moves
 *                   +-----> WRITING ------------------------------> IDLE (or asks on)
 *                   |  the log does not reach back
 *                   +-----> COMPARING (scrub.c) ------------------> IDLE */
#include "node/node_impl.h"

static void ask(struct ldr_rep_peer *p);

/* Not when the peer left the map or the replica closed while something was under way. And not before this
 * replica has the arc of the map: the log of a peer that has split already tells of one half only, and a
 * cursor that moved along it would skip the other half when it is handed down to the child. */
static bool wanted(const struct ldr_rep_peer *p)
{
    const struct ldr_rep *r = p->rep;
    const struct ldr_map_shard *s = ldr_rep_shard(r);
    return ldr_node_runs(r->n) && !r->gone && s && ldr_rep_whole(r, s) && ldr_map_replica(s, p->node);
}

static void moved(struct ldr_rep_peer *p, bool more)
{
    struct ldr_rep *r = p->rep;
    r->unsaved |= p->pull.at.incarnation != p->pull.kept.incarnation || p->pull.at.seq != p->pull.kept.seq;
    ldr_rep_catch_up(r);
    if (more)
        ask(p);
}

static void take(struct ldr_rep_peer *p)
{
    struct ldr_rep *r = p->rep;
    r->n->count.pulls += !ldr_pull_more(&p->answer);
    r->n->count.pulled_facts += p->answer.n_facts + p->answer.n_tombs;
    ldr_pull_taken(&p->pull, &p->answer, p->asked_us, r->catch_epoch);
    moved(p, ldr_pull_more(&p->answer));
}

static void written(struct ldr_vault_op *op, int code)
{
    struct ldr_rep_peer *p = op->owner;
    struct ldr_rep *r = p->rep;
    p->step = LDR_PULL_IDLE;
    if (code) {
        r->n->count.pulls_failed++;
        ldr_logf(r->n->o.log, LDR_LOG_WARN, "shard %u: writing what node %u had: %s", r->shard, p->node,
                 op->err.message);
        code = ldr_rep_damaged(r, code, &op->err);
        if (code == LDR_E_IO || code == LDR_E_READ_ONLY)
            ldr_rep_reopen(r);
    } else if (wanted(p)) {
        take(p);
    }
    ldr_rep_unref(r);
}

static void compared(void *ctx, int code, const struct ldr_scrub_result *res)
{
    struct ldr_rep_peer *p = ctx;
    struct ldr_rep *r = p->rep;
    p->step = LDR_PULL_IDLE;
    if (code == 0 && wanted(p)) {
        p->must_compare = false;
        ldr_pull_compared(&p->pull, res->pos);
        moved(p, true);
    }
    ldr_rep_unref(r);
}

static void compare(struct ldr_rep_peer *p)
{
    ldr_rep_ref(p->rep);
    p->step = LDR_PULL_COMPARING;
    if (ldr_rep_scrub(p->rep, p->node, compared, p) != 0) {
        p->step = LDR_PULL_IDLE; /* another comparison runs; the next tick tries again */
        ldr_rep_unref(p->rep);
    }
}

/* Too busy to answer, but it says which map it acts on: none under which a later epoch could count. */
static void met_busy(struct ldr_rep_peer *p, struct ldr_slice payload)
{
    struct ldr_msg_error m;
    if (ldr_msg_error_decode(payload, NULL, &m) == 0 && m.code == LDR_E_BUSY && m.map_version != 0 &&
        m.map_version <= p->rep->n->map.version)
        p->pull.met_us = p->asked_us;
}

static void answered(struct ldr_call *c, int code, struct ldr_slice payload)
{
    struct ldr_rep_peer *p = c->owner;
    struct ldr_rep *r = p->rep;
    struct ldr_node *n = r->n;
    p->step = LDR_PULL_IDLE;
    ldr_arena_reset(&p->arena);
    struct ldr_slice mine;
    if (!wanted(p)) {
        ldr_rep_unref(r);
        return;
    }
    if (code == 0)
        code = ldr_arena_slice(&p->arena, payload, &mine);
    if (code == 0)
        code = ldr_pull_rep_decode(mine, &p->arena, &p->answer);
    if (code) {
        n->count.pulls_failed++;
        if (code == LDR_E_BUSY)
            met_busy(p, payload);
        if (code == LDR_E_STALE)
            ldr_node_ask(n, n->map.version + 1, 0);
        ldr_rep_unref(r);
        return;
    }
    const struct ldr_pull_rep *m = &p->answer;
    ldr_node_clock_told(n, p->node, m->now_us, m->hlc_us, p->asked_us);
    /* a clock that is far ahead says nothing about which writes were before */
    if (ldr_hlc_merge(&n->hlc, m->hlc_us, ldr_node_now(n), (int64_t)n->o.skew_bound_us) != 0)
        p->answer.hlc_us = INT64_MIN;
    if (ldr_pull_judge(&p->pull, m) == LDR_PULL_SCRUB) {
        p->must_compare = true;
    } else if (m->n_facts || m->n_tombs) {
        p->step = LDR_PULL_WRITING;
        p->write = (struct ldr_vault_write){.op = {.done = written, .owner = p},
                                            .shard = r->shard,
                                            .facts = m->facts,
                                            .tombs = m->tombs,
                                            .nfacts = m->n_facts,
                                            .ntombs = m->n_tombs};
        if (LDR_BUG(cursor_before_durable)) {
            ldr_pull_taken(&p->pull, m, p->asked_us, r->catch_epoch);
            ldr_rep_save(r);
        }
        ldr_rep_ref(r);
        n->o.vault.write(n->o.vault.ctx, &p->write);
    } else {
        take(p);
    }
    if (p->must_compare && p->step == LDR_PULL_IDLE)
        compare(p);
    ldr_rep_unref(r);
}

static void ask(struct ldr_rep_peer *p)
{
    struct ldr_rep *r = p->rep;
    struct ldr_node *n = r->n;
    const struct ldr_map_shard *s = ldr_rep_shard(r);
    if (p->step != LDR_PULL_IDLE || !s)
        return;
    struct ldr_pull_req m = {.shard = r->shard,
                             .epoch = s->epoch,
                             .from_node = n->id,
                             .incarnation = p->pull.at.incarnation,
                             .after_seq = p->pull.at.seq,
                             .kept_seq =
                                 p->pull.kept.incarnation == p->pull.at.incarnation ? p->pull.kept.seq : 0,
                             .max_bytes = LDR_NODE_PULL_BYTES};
    struct ldr_buf b;
    ldr_buf_init(&b, n->o.heap, 0);
    if (ldr_pull_req_encode(&m, &b) == 0) {
        p->step = LDR_PULL_ASKING;
        p->asked_us = ldr_node_mono(n);
        p->call = (struct ldr_call){.done = answered, .owner = p};
        ldr_rep_ref(r);
        ldr_node_call(n, p->node, LDR_MSG_PULL, ldr_buf_slice(&b), LDR_NODE_CALL_MS, &p->call);
    }
    ldr_buf_close(&b);
}

void ldr_rep_pull(struct ldr_rep *r)
{
    if (LDR_BUG(pull_skipped))
        return;
    for (uint32_t i = 0; i < r->npeers; i++) {
        struct ldr_rep_peer *p = r->peers[i];
        if (p->step != LDR_PULL_IDLE || !wanted(p))
            continue;
        if (p->must_compare)
            compare(p);
        else
            ask(p);
    }
}
