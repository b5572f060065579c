/* What other replicas ask: the log, hashes, ranges. */
#include "node/node_impl.h"

/* ---- PULL ---- */
static void log_came(struct ldr_serving *j, int code)
{
    (void)code;
    struct ldr_rep *r = j->rep;
    struct ldr_vault_log *v = &j->u.log;
    const struct ldr_map_shard *s = ldr_rep_shard(r);
    const struct ldr_map_replica *me = s ? ldr_map_replica(s, j->n->id) : NULL;
    bool pending = me && me->state == LDR_REPLICA_PENDING;
    struct ldr_pull_rep m = {.incarnation = r->about.incarnation,
                             .epoch = j->epoch,
                             .ready = r->ready_epoch && (!pending || r->ready_epoch == j->epoch),
                             .must_scrub =
                                 (v->after_seq < v->first_seq && !LDR_BUG(log_trimmed_early)) || v->skipped,
                             .upto_seq = v->upto_seq,
                             .head_seq = v->head_seq,
                             .hlc_us = j->hlc,
                             .now_us = ldr_node_wall(j->n)};
    if (!m.must_scrub) {
        m.facts = (struct ldr_msg_fact *)v->facts;
        m.n_facts = v->nfacts;
        m.tombs = (struct ldr_msg_tomb *)v->tombs;
        m.n_tombs = v->ntombs;
    }
    ldr_serving_out(j, ldr_pull_rep_encode(&m, ldr_serve_buf(j->n)));
}

void ldr_serve_pull(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_pull_req m;
    struct ldr_err err = {0};
    struct ldr_rep *r;
    struct ldr_serving *j = ldr_serving_begin(n, payload, reply);
    if (!j)
        return;
    int rc = ldr_pull_req_decode(j->payload, &j->arena, &m);
    if (rc)
        ldr_fail(&err, rc, "the request cannot be read");
    else
        rc = ldr_serve_find(n, m.shard, m.epoch, 0, LDR_NEED_PEER, &r, &err);
    if (rc) {
        ldr_serving_fail(j, rc, &err);
        return;
    }
    ldr_serving_rep(j, r);
    bool known = m.incarnation == r->about.incarnation;
    struct ldr_rep_peer *p = ldr_rep_peer(r, m.from_node);
    if (p && known && m.kept_seq >= p->told_seq) {
        p->told = true;
        p->told_seq = m.kept_seq;
    }
    /* before the log is looked at: all that is durable by now is in it, and no write of an older epoch
     * follows */
    j->epoch = ldr_rep_settled(r, m.epoch);
    j->hlc = ldr_hlc_told(&n->hlc, ldr_node_now(n));
    j->finish = log_came;
    j->u.log.shard = m.shard;
    j->u.log.after_seq = known ? m.after_seq : 0;
    j->u.log.max_bytes = m.max_bytes < LDR_NODE_PAGE_MAX ? m.max_bytes : LDR_NODE_PAGE_MAX;
    n->o.vault.log(n->o.vault.ctx, &j->u.log);
}

/* ---- HASHES ---- */
static void hashes_came(struct ldr_serving *j, int code)
{
    (void)code;
    struct ldr_vault_hashes *v = &j->u.hashes;
    struct ldr_hashes_rep m = {.seq = j->x, .incarnation = j->rep->about.incarnation};
    m.hashes = ldr_arena_calloc(&j->arena, v->buckets, sizeof *m.hashes);
    if (!m.hashes) {
        ldr_serving_fail(j, LDR_E_NOMEM, NULL);
        return;
    }
    m.n_hashes = v->buckets;
    for (uint32_t i = 0; i < v->buckets; i++)
        m.hashes[i].value = v->hashes[i];
    ldr_serving_out(j, ldr_hashes_rep_encode(&m, ldr_serve_buf(j->n)));
}

void ldr_serve_hashes(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_hashes_req m;
    struct ldr_err err = {0};
    struct ldr_rep *r;
    struct ldr_vault_stats st = {0};
    struct ldr_serving *j = ldr_serving_begin(n, payload, reply);
    if (!j)
        return;
    int rc = ldr_hashes_req_decode(j->payload, &j->arena, &m);
    if (rc)
        ldr_fail(&err, rc, "the request cannot be read");
    else
        rc = ldr_serve_find(n, m.shard, m.epoch, 0, LDR_NEED_PEER, &r, &err);
    if (rc == 0 && (m.hash_lo < r->about.lo || m.hash_hi > r->about.hi || m.hash_lo > m.hash_hi ||
                    m.buckets == 0 || m.buckets > 65536))
        rc = ldr_fail(&err, LDR_E_INVALID, "shard %u: not a range of this shard", m.shard);
    if (rc == 0)
        rc = n->o.vault.stats(n->o.vault.ctx, m.shard, &st);
    if (rc) {
        ldr_serving_fail(j, rc, &err);
        return;
    }
    ldr_serving_rep(j, r);
    j->x = st.head_seq; /* at or before what the hashes stand for */
    j->finish = hashes_came;
    j->u.hashes.shard = m.shard;
    j->u.hashes.lo = m.hash_lo;
    j->u.hashes.hi = m.hash_hi;
    j->u.hashes.buckets = m.buckets;
    j->u.hashes.now_us = m.now_us;
    n->o.vault.hashes(n->o.vault.ctx, &j->u.hashes);
}

/* ---- RANGE ---- */
static void range_came(struct ldr_serving *j, int code)
{
    (void)code;
    struct ldr_vault_range *v = &j->u.range;
    struct ldr_range_rep m = {.done = v->done,
                              .resume = v->next,
                              .facts = (struct ldr_msg_fact *)v->facts,
                              .n_facts = v->nfacts,
                              .tombs = (struct ldr_msg_tomb *)v->tombs,
                              .n_tombs = v->ntombs};
    ldr_serving_out(j, ldr_range_rep_encode(&m, ldr_serve_buf(j->n)));
}

void ldr_serve_range(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_range_req m;
    struct ldr_err err = {0};
    struct ldr_rep *r;
    struct ldr_serving *j = ldr_serving_begin(n, payload, reply);
    if (!j)
        return;
    int rc = ldr_range_req_decode(j->payload, &j->arena, &m);
    if (rc)
        ldr_fail(&err, rc, "the request cannot be read");
    else
        rc = ldr_serve_find(n, m.shard, m.epoch, 0, LDR_NEED_PEER, &r, &err);
    if (rc) {
        ldr_serving_fail(j, rc, &err);
        return;
    }
    ldr_serving_rep(j, r);
    j->finish = range_came;
    j->u.range.shard = m.shard;
    j->u.range.lo = m.hash_lo > r->about.lo ? m.hash_lo : r->about.lo;
    j->u.range.hi = m.hash_hi < r->about.hi ? m.hash_hi : r->about.hi;
    j->u.range.resume = m.resume;
    j->u.range.max_bytes = m.max_bytes < LDR_NODE_PAGE_MAX ? m.max_bytes : LDR_NODE_PAGE_MAX;
    n->o.vault.range(n->o.vault.ctx, &j->u.range);
}
