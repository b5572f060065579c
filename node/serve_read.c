/* Point reads: answered within the turn of the loop in which they came, from memory or with one look at the
 * disk. */
#include "node/node_impl.h"

#define FLAG_ASOF   1
#define FLAG_STRICT 2
#define FLAG_ANY    4

#define GATHER_BYTES 256               /* of the request: one to a dozen points */
#define READING_KEPT ((size_t)1 << 20) /* a buffer that grew larger is given back */

/* May this node answer for all that is asked? */
static int may_read(struct ldr_node *n, const struct ldr_lookup_req *m, const uint64_t *hashes, uint64_t mono,
                    struct ldr_err *err)
{
    enum ldr_need need = (m->flags & (FLAG_ANY | FLAG_STRICT)) == FLAG_ANY ? LDR_NEED_ANY : LDR_NEED_READ;
    for (uint32_t i = 0; i < m->n_groups; i++) {
        const struct ldr_msg_group *g = &m->groups[i];
        struct ldr_rep *r;
        int rc = ldr_serve_find_at(n, g->shard, g->epoch, m->defs, need, mono, &r, err);
        if (rc == 0 && (m->flags & FLAG_STRICT))
            rc = ldr_rep_reached(r, m->token, err);
        for (uint32_t k = 0; rc == 0 && k < g->n_points; k++)
            if (hashes[k] < r->about.lo || hashes[k] > r->about.hi)
                rc = ldr_fail(err, LDR_E_INVALID, "shard %u: a key is not of this shard", g->shard);
        if (rc)
            return rc;
        hashes += g->n_points;
    }
    return 0;
}

static uint64_t points_of(const struct ldr_lookup_req *m)
{
    uint64_t points = 0;
    for (uint32_t i = 0; i < m->n_groups; i++)
        points += m->groups[i].n_points;
    return points;
}

/* NULL: no memory. */
static uint64_t *hash_keys(struct ldr_arena *a, const struct ldr_lookup_req *m)
{
    uint64_t *hashes = ldr_arena_alloc(a, points_of(m) * sizeof *hashes), *to = hashes;
    for (uint32_t i = 0; hashes && i < m->n_groups; i++)
        for (uint32_t k = 0; k < m->groups[i].n_points; k++)
            *to++ = ldr_key_hash(m->groups[i].points[k].key);
    return hashes;
}

/* Rows go to the end of `rows`, each behind room for the head of its answer. */
static int look_up(struct ldr_node *n, const struct ldr_lookup_req *m, const uint64_t *hashes,
                   struct ldr_buf *rows, struct ldr_lookup_rep *out, struct ldr_err *err)
{
    struct ldr_asof at = {.t_us = m->t_us, .known_at_us = m->known_at_us};
    uint64_t points = points_of(m);
    out->answers = ldr_arena_alloc(&n->reading.arena, points * sizeof *out->answers);
    if (!out->answers)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    struct ldr_vault_lookup q = {.groups = m->groups,
                                 .n_groups = m->n_groups,
                                 .hashes = hashes,
                                 .at = m->flags & FLAG_ASOF ? &at : NULL,
                                 .rows = rows,
                                 .gap = LDR_ANSWER_HEAD,
                                 .out = out->answers};
    int rc = n->o.vault.lookup(n->o.vault.ctx, &q, err);
    if (rc) {
        struct ldr_rep *r = q.n_groups ? ldr_rep_find(n, q.groups[q.failed].shard) : NULL;
        return r ? ldr_rep_damaged(r, rc, err) : rc;
    }
    out->n_answers = (uint32_t)points;
    n->count.lookups++;
    n->count.points += points;
    return 0;
}

/* When the rows lie as an answer has them, and they do where all were in memory, only the heads are missing:
 * nothing is copied again. False: the answer has to be encoded. */
static bool finish_in_place(const struct ldr_lookup_rep *m, struct ldr_buf *rows, size_t from)
{
    if (!ldr_msg_in_place())
        return false;
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

static void answer(struct ldr_node *n, const struct ldr_gathered *g)
{
    struct ldr_reply *reply = g->reply;
    struct ldr_lookup_rep out = {.defs = n->o.vault.defs_version(n->o.vault.ctx)};
    struct ldr_err err;
    struct ldr_buf *rows = reply->room ? reply->room(reply) : NULL;
    int rc;
    if (!rows) {
        rows = &n->reading.rows;
        ldr_buf_reset(rows);
    }
    size_t from = rows->n;
    ldr_err_clear(&err);
    if (!ldr_buf_reserve(rows, LDR_LOOKUP_REP_HEAD)) {
        rc = ldr_fail(&err, LDR_E_NOMEM, "out of memory");
    } else {
        rows->n += LDR_LOOKUP_REP_HEAD;
        rc = look_up(n, &g->m, g->hashes, rows, &out, &err);
    }
    if (rc)
        ldr_serve_fail(n, reply, rc, &err);
    else if (finish_in_place(&out, rows, from))
        reply->send(reply, 0, ldr_slice(rows->p + from, rows->n - from));
    else
        ldr_serve_out(n, reply, ldr_lookup_rep_encode(&out, ldr_serve_buf(n)));
}

static void reading_done(struct ldr_node *n)
{
    ldr_arena_reset(&n->reading.arena);
    if (n->reading.rows.cap > READING_KEPT)
        ldr_buf_close(&n->reading.rows);
}

static void ahead(struct ldr_node *n, const struct ldr_gathered *g, bool rows)
{
    if (n->o.vault.ahead)
        n->o.vault.ahead(n->o.vault.ctx, g->m.groups, g->m.n_groups, g->hashes, rows);
}

static bool may_answer(struct ldr_node *n, const struct ldr_gathered *g)
{
    struct ldr_err err;
    uint64_t mono = g->reply->arrived_us ? g->reply->arrived_us : ldr_node_mono(n);
    int rc = n->phase == LDR_NODE_RUNNING ? may_read(n, &g->m, g->hashes, mono, &err)
                                          : ldr_fail(&err, LDR_E_CLOSED, "the node is stopping");
    if (rc)
        ldr_serve_fail(n, g->reply, rc, &err);
    return rc == 0;
}

/* A row that nobody has asked for lately is two fetches from memory, one after the other. What has come
 * together waits for them together, and meanwhile all are looked at for whether they may be answered. */
void ldr_serve_gathered(struct ldr_node *n)
{
    struct ldr_gathered *all = n->reading.gathered;
    uint32_t count = n->reading.n;
    if (count == 0)
        return;
    for (uint32_t i = 0; i < count; i++)
        ahead(n, &all[i], true);
    for (uint32_t i = 0; i < count; i++)
        if (!may_answer(n, &all[i]))
            all[i].reply = NULL;
    for (uint32_t i = 0; i < count; i++)
        if (all[i].reply)
            answer(n, &all[i]);
    n->reading.n = 0;
    reading_done(n);
}

void ldr_serve_lookup(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_arena *a = &n->reading.arena;
    struct ldr_gathered *g = &n->reading.gathered[n->reading.n];
    struct ldr_err err;
    bool waits = n->o.gathers && payload.n <= GATHER_BYTES;
    int rc = waits ? ldr_arena_slice(a, payload, &payload) : 0;
    if (rc == 0)
        rc = ldr_lookup_req_decode(payload, a, &g->m);
    g->reply = reply;
    if (rc) {
        ldr_fail(&err, rc, "the request cannot be read");
    } else {
        g->hashes = hash_keys(a, &g->m);
        rc = g->hashes ? 0 : ldr_fail(&err, LDR_E_NOMEM, "out of memory");
    }
    if (rc) {
        ldr_serve_fail(n, reply, rc, &err);
    } else if (waits) {
        ahead(n, g, false);
        if (++n->reading.n == LDR_NODE_GATHER)
            ldr_serve_gathered(n);
    } else if (may_answer(n, g)) {
        answer(n, g);
    }
    if (n->reading.n == 0)
        reading_done(n);
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
