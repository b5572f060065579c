/* Copies for others, and what operators ask for. */
#include "node/node_impl.h"

/* A job with a decoded request; NULL: answered. */
#define BEGIN(name, m)                                            \
    struct ldr_##name##_req m;                                    \
    struct ldr_err err = {0};                                     \
    struct ldr_rep *r = NULL;                                     \
    struct ldr_serving *j = ldr_serving_begin(n, payload, reply); \
    if (!j)                                                       \
        return;                                                   \
    int rc = ldr_##name##_req_decode(j->payload, &j->arena, &m);  \
    if (rc)                                                       \
        ldr_fail(&err, rc, "the request cannot be read");

static void copy_begun(struct ldr_serving *j, int code)
{
    (void)code;
    struct ldr_vault_copy_begin *v = &j->u.copy_begin;
    struct ldr_copy_begin_rep m = {.copy = v->copy,
                                   .incarnation = v->incarnation,
                                   .seq = v->seq,
                                   .files = (struct ldr_msg_file *)v->files,
                                   .n_files = v->nfiles};
    ldr_serving_out(j, ldr_copy_begin_rep_encode(&m, ldr_serve_buf(j->n)));
}

void ldr_serve_copy_begin(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    BEGIN(copy_begin, m)
    else rc = ldr_serve_find(n, m.shard, m.epoch, 0, LDR_NEED_COPY, &r, &err);
    /* its record must name it as it is now: the copy takes it along */
    if (rc == 0 && !r->recorded) {
        ldr_rep_save(r);
        rc = ldr_fail(&err, LDR_E_BUSY, "shard %u: its record is being kept", m.shard);
    }
    if (rc) {
        ldr_serving_fail(j, rc, &err);
        return;
    }
    ldr_serving_rep(j, r);
    j->finish = copy_begun;
    j->u.copy_begin.shard = m.shard;
    n->o.vault.copy_begin(n->o.vault.ctx, &j->u.copy_begin);
}

static void copy_was_read(struct ldr_serving *j, int code)
{
    (void)code;
    struct ldr_slice d = j->u.copy_read.data;
    struct ldr_copy_read_rep m = {.check = ldr_hash64(d.p, d.n), .data = d};
    ldr_serving_out(j, ldr_copy_read_rep_encode(&m, ldr_serve_buf(j->n)));
}

void ldr_serve_copy_read(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    BEGIN(copy_read, m)
    else if (m.length > LDR_NODE_PAGE_MAX) rc = ldr_fail(&err, LDR_E_TOO_BIG, "more than a page");
    (void)r;
    if (rc) {
        ldr_serving_fail(j, rc, &err);
        return;
    }
    j->finish = copy_was_read;
    j->u.copy_read.copy = m.copy;
    j->u.copy_read.file = m.file;
    j->u.copy_read.offset = m.offset;
    j->u.copy_read.length = m.length;
    n->o.vault.copy_read(n->o.vault.ctx, &j->u.copy_read);
}

static void copy_ended(struct ldr_serving *j, int code)
{
    (void)code;
    struct ldr_copy_end_rep m = {.ok = 1};
    ldr_serving_out(j, ldr_copy_end_rep_encode(&m, ldr_serve_buf(j->n)));
}

void ldr_serve_copy_end(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    BEGIN(copy_end, m)
    (void)r;
    if (rc) {
        ldr_serving_fail(j, rc, &err);
        return;
    }
    j->finish = copy_ended;
    j->u.copy_end.copy = m.copy;
    n->o.vault.copy_end(n->o.vault.ctx, &j->u.copy_end);
}

static void checked(struct ldr_serving *j, int code)
{
    (void)code;
    ldr_serving_out(j, ldr_check_rep_encode(&j->u.check.report, ldr_serve_buf(j->n)));
}

void ldr_serve_check(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    BEGIN(check, m)
    else rc = ldr_serve_find(n, m.shard, m.epoch, 0, LDR_NEED_PEER, &r, &err);
    if (rc) {
        ldr_serving_fail(j, rc, &err);
        return;
    }
    ldr_serving_rep(j, r);
    j->finish = checked;
    j->u.check.shard = m.shard;
    j->u.check.repair = m.repair != 0;
    n->o.vault.check(n->o.vault.ctx, &j->u.check);
}

static void compacted(struct ldr_serving *j, int code)
{
    (void)code;
    struct ldr_compact_rep m = {.ok = 1};
    ldr_serving_out(j, ldr_compact_rep_encode(&m, ldr_serve_buf(j->n)));
}

void ldr_serve_compact(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    BEGIN(compact, m)
    else rc = ldr_serve_find(n, m.shard, m.epoch, 0, LDR_NEED_PEER, &r, &err);
    if (rc) {
        ldr_serving_fail(j, rc, &err);
        return;
    }
    ldr_serving_rep(j, r);
    j->finish = compacted;
    j->u.compact.shard = m.shard;
    n->o.vault.compact(n->o.vault.ctx, &j->u.compact);
}

/* ---- SCRUB: with each of the others in turn ---- */
struct scrub_all {
    struct ldr_serving *j;
    struct ldr_map_shard shard;
    uint32_t at;
    struct ldr_scrub_rep rep;
};

static void scrub_next(struct scrub_all *x);

/* Failures that may be those of another node, which is dead or not ready: the others are asked all the same.
 */
static bool of_the_other(int code)
{
    return code == LDR_E_UNAVAILABLE || code == LDR_E_TIMEOUT || code == LDR_E_CLOSED || code == LDR_E_BUSY ||
           code == LDR_E_STALE;
}

static void scrubbed(void *ctx, int code, const struct ldr_scrub_result *res)
{
    struct scrub_all *x = ctx;
    struct ldr_err err;
    uint32_t node = x->shard.replicas[x->at].node;
    const struct ldr_map_shard *now = ldr_rep_shard(x->j->rep);
    bool same = now && now->epoch == x->shard.epoch && ldr_node_runs(x->j->n);
    if (code && !(same && of_the_other(code))) {
        ldr_serving_fail(
            x->j, code,
            (ldr_fail(&err, code, "comparing with node %u: %s", node, ldr_code_text(code)), &err));
        return;
    }
    if (code)
        x->rep.missed[x->rep.n_missed++] =
            (struct ldr_msg_missed){.node = node, .why = ldr_slice_str(ldr_code_text(code))};
    x->rep.differing_buckets += res->differing;
    x->rep.fetched += res->fetched;
    x->at++;
    scrub_next(x);
}

static void scrub_next(struct scrub_all *x)
{
    struct ldr_serving *j = x->j;
    while (x->at < x->shard.nreplicas && x->shard.replicas[x->at].node == j->n->id)
        x->at++;
    if (x->at == x->shard.nreplicas) {
        ldr_serving_out(j, ldr_scrub_rep_encode(&x->rep, ldr_serve_buf(j->n)));
        return;
    }
    int rc = ldr_rep_scrub(j->rep, x->shard.replicas[x->at].node, scrubbed, x);
    if (rc)
        ldr_serving_fail(j, rc, NULL);
}

void ldr_serve_scrub(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    BEGIN(scrub, m)
    else rc = ldr_serve_find(n, m.shard, m.epoch, 0, LDR_NEED_PEER, &r, &err);
    struct scrub_all *x = rc ? NULL : ldr_arena_calloc(&j->arena, 1, sizeof *x);
    if (x)
        x->rep.missed = ldr_arena_calloc(&j->arena, LDR_REPLICAS_MAX, sizeof *x->rep.missed);
    if (rc == 0 && (!x || !x->rep.missed))
        rc = LDR_E_NOMEM;
    if (rc) {
        ldr_serving_fail(j, rc, &err);
        return;
    }
    ldr_serving_rep(j, r);
    x->j = j;
    x->shard = *ldr_rep_shard(r);
    scrub_next(x);
}

void ldr_serve_replicas(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_arena a;
    struct ldr_replicas_req q;
    struct ldr_err err = {0};
    struct ldr_replicas_rep m = {.node = n->id, .hlc_us = ldr_hlc_peek(&n->hlc, ldr_node_now(n))};
    uint32_t count = 0;
    ldr_arena_init(&a, n->o.heap, 0);
    int rc = ldr_replicas_req_decode(payload, &a, &q);
    for (const struct ldr_rep *r = n->reps; r; r = r->next)
        count++;
    m.replicas = rc ? NULL : ldr_arena_calloc(&a, count, sizeof *m.replicas);
    if (rc || !m.replicas) {
        ldr_serve_fail(n, reply, ldr_fail(&err, rc ? rc : LDR_E_NOMEM, "the request cannot be read"), &err);
    } else {
        for (const struct ldr_rep *r = n->reps; r; r = r->next)
            ldr_msg_replica_of(r, &a, &m.replicas[m.n_replicas++]);
        ldr_serve_out(n, reply, ldr_replicas_rep_encode(&m, ldr_serve_buf(n)));
    }
    ldr_arena_close(&a);
}
