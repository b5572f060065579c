/* Point reads: answered at once, from memory or with one look at the disk. */
#include "node/node_impl.h"

#define FLAG_ASOF   1
#define FLAG_STRICT 2
#define FLAG_ANY    4

#define READING_KEPT ((size_t)1 << 20) /* a buffer that grew larger is given back */

/* May this node answer for all that is asked? */
static int may_read(struct ldr_node *n, const struct ldr_lookup_req *m, struct ldr_rep **reps,
                    struct ldr_err *err)
{
    enum ldr_need need = (m->flags & (FLAG_ANY | FLAG_STRICT)) == FLAG_ANY ? LDR_NEED_ANY : LDR_NEED_READ;
    uint64_t mono = ldr_node_mono(n);
    for (uint32_t i = 0; i < m->n_groups; i++) {
        const struct ldr_msg_group *g = &m->groups[i];
        int rc = ldr_serve_find_at(n, g->shard, g->epoch, m->defs, need, mono, &reps[i], err);
        if (rc == 0 && (m->flags & FLAG_STRICT))
            rc = ldr_rep_reached(reps[i], m->token, err);
        for (uint32_t k = 0; rc == 0 && k < g->n_points; k++) {
            uint64_t h = ldr_key_hash(g->points[k].key);
            if (h < reps[i]->about.lo || h > reps[i]->about.hi)
                rc = ldr_fail(err, LDR_E_INVALID, "shard %u: a key is not of this shard", g->shard);
        }
        if (rc)
            return rc;
    }
    return 0;
}

/* Rows go to the end of `rows`, each behind room for the head of its answer. */
static int look_up(struct ldr_node *n, const struct ldr_lookup_req *m, struct ldr_buf *rows,
                   struct ldr_lookup_rep *out, struct ldr_err *err)
{
    struct ldr_arena *a = &n->reading.arena;
    struct ldr_asof at = {.t_us = m->t_us, .known_at_us = m->known_at_us};
    uint64_t points = 0;
    for (uint32_t i = 0; i < m->n_groups; i++)
        points += m->groups[i].n_points;
    struct ldr_rep **reps = ldr_arena_alloc(a, m->n_groups * sizeof *reps);
    out->answers = ldr_arena_alloc(a, points * sizeof *out->answers);
    if (!reps || !out->answers)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int rc = may_read(n, m, reps, err);
    if (rc)
        return rc;
    struct ldr_vault_lookup q = {.groups = m->groups,
                                 .n_groups = m->n_groups,
                                 .at = m->flags & FLAG_ASOF ? &at : NULL,
                                 .rows = rows,
                                 .gap = LDR_ANSWER_HEAD,
                                 .out = out->answers};
    rc = n->o.vault.lookup(n->o.vault.ctx, &q, err);
    if (rc)
        return ldr_rep_damaged(reps[q.failed], rc, err);
    out->n_answers = (uint32_t)points;
    n->count.lookups++;
    n->count.points += points;
    return 0;
}

/* When the rows lie as an answer has them, and they do where all were in memory, only the heads are missing:
 * nothing is copied again. False: the answer has to be encoded. */
static bool finish_in_place(const struct ldr_lookup_rep *m, struct ldr_buf *rows, size_t from)
{
    size_t at = from + LDR_LOOKUP_REP_HEAD;
    for (uint32_t i = 0; i < m->n_answers; i++) {
        const struct ldr_msg_answer *a = &m->answers[i];
        if (!(a->flags & 1) || a->row.p != rows->p + at + LDR_ANSWER_HEAD)
            return false;
        at += LDR_ANSWER_HEAD + a->row.n;
    }
    if (at != rows->n)
        return false;
    uint8_t *p = rows->p + from;
    ldr_lookup_rep_head(p, m);
    p += LDR_LOOKUP_REP_HEAD;
    for (uint32_t i = 0; i < m->n_answers; i++) {
        ldr_msg_answer_head(p, &m->answers[i]);
        p += LDR_ANSWER_HEAD + m->answers[i].row.n;
    }
    return true;
}

void ldr_serve_lookup(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_lookup_req m;
    struct ldr_lookup_rep out = {.defs = n->o.vault.defs_version(n->o.vault.ctx)};
    struct ldr_err err;
    struct ldr_buf *rows = reply->room ? reply->room(reply) : NULL;
    if (!rows) {
        rows = &n->reading.rows;
        ldr_buf_reset(rows);
    }
    size_t from = rows->n;
    ldr_err_clear(&err);
    int rc = ldr_lookup_req_decode(payload, &n->reading.arena, &m);
    if (rc)
        ldr_fail(&err, rc, "the request cannot be read");
    else if (!ldr_buf_reserve(rows, LDR_LOOKUP_REP_HEAD))
        rc = ldr_fail(&err, LDR_E_NOMEM, "out of memory");
    if (rc == 0) {
        rows->n += LDR_LOOKUP_REP_HEAD;
        rc = look_up(n, &m, rows, &out, &err);
    }
    if (rc)
        ldr_serve_fail(n, reply, rc, &err);
    else if (finish_in_place(&out, rows, from))
        reply->send(reply, 0, ldr_slice(rows->p + from, rows->n - from));
    else
        ldr_serve_out(n, reply, ldr_lookup_rep_encode(&out, ldr_serve_buf(n)));
    ldr_arena_reset(&n->reading.arena);
    if (n->reading.rows.cap > READING_KEPT)
        ldr_buf_close(&n->reading.rows);
}

static int give_stamp(struct ldr_node *n, int64_t at_least_us, int64_t *stamp_us, struct ldr_err *err)
{
    int64_t now = ldr_node_now(n), bound = (int64_t)n->o.skew_bound_us;
    int rc = ldr_node_clock_check(n, err);
    if (rc)
        return rc;
    if ((rc = ldr_hlc_merge(&n->hlc, at_least_us, now, bound)) != 0)
        return ldr_fail(err, rc, "the time asked for is too far ahead of this node's clock");
    if ((rc = ldr_hlc_next(&n->hlc, now, stamp_us)) != 0)
        return ldr_fail(err, rc, "the bound of the clock is being moved");
    if (*stamp_us - now > bound && !n->o.serve_at_once) /* its wall clock once was ahead */
        return ldr_fail(err, LDR_E_BUSY, "the times of this node are ahead of its clock");
    return 0;
}

void ldr_serve_stamp(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_arena a;
    struct ldr_stamp_req m;
    struct ldr_stamp_rep out;
    struct ldr_err err = {0};
    ldr_arena_init(&a, n->o.heap, 0);
    int rc = ldr_stamp_req_decode(payload, &a, &m);
    if (rc)
        ldr_fail(&err, rc, "the request cannot be read");
    else
        rc = give_stamp(n, m.at_least_us, &out.stamp_us, &err);
    ldr_node_hlc_keep(n);
    if (rc)
        ldr_serve_fail(n, reply, rc, &err);
    else
        ldr_serve_out(n, reply, ldr_stamp_rep_encode(&out, ldr_serve_buf(n)));
    ldr_arena_close(&a);
}

void ldr_serve_hello(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_arena a;
    struct ldr_hello_req m;
    struct ldr_err err = {0};
    ldr_arena_init(&a, n->o.heap, 0);
    int rc = ldr_hello_req_decode(payload, &a, &m);
    if (rc)
        ldr_fail(&err, rc, "the request cannot be read");
    else if (m.cluster.n && *n->who.cluster && !ldr_slice_eq(m.cluster, ldr_slice_str(n->who.cluster)))
        rc = ldr_fail(&err, LDR_E_CONFLICT, "this node is of cluster '%s'", n->who.cluster);
    struct ldr_hello_rep out = {.proto = LDR_PROTO,
                                .node = n->id,
                                .incarnation = n->who.incarnation,
                                .map_version = n->map.version,
                                .defs = n->o.vault.defs_version(n->o.vault.ctx)};
    if (rc)
        ldr_serve_fail(n, reply, rc, &err);
    else
        ldr_serve_out(n, reply, ldr_hello_rep_encode(&out, ldr_serve_buf(n)));
    ldr_arena_close(&a);
}
