/* Point reads: answered at once, from memory or with one look at the disk. */
#include "node/node_impl.h"

#define FLAG_ASOF   1
#define FLAG_STRICT 2

static int look_up(struct ldr_node *n, const struct ldr_lookup_req *m, struct ldr_arena *a,
                   struct ldr_buf *rows, struct ldr_lookup_rep *out, struct ldr_err *err)
{
    struct ldr_asof at = {.t_us = m->t_us, .known_at_us = m->known_at_us};
    uint64_t points = 0;
    for (uint32_t i = 0; i < m->n_groups; i++)
        points += m->groups[i].n_points;
    out->answers = ldr_arena_calloc(a, points, sizeof *out->answers);
    if (!out->answers)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    for (uint32_t i = 0; i < m->n_groups; i++) {
        const struct ldr_msg_group *g = &m->groups[i];
        struct ldr_rep *r = NULL;
        int rc = ldr_serve_find(n, g->shard, g->epoch, m->defs, LDR_NEED_READ, &r, err);
        if (rc == 0 && (m->flags & FLAG_STRICT))
            rc = ldr_rep_reached(r, m->token, err);
        for (uint32_t k = 0; rc == 0 && k < g->n_points; k++) {
            uint64_t h = ldr_key_hash(g->points[k].key);
            if (h < r->about.lo || h > r->about.hi)
                rc = ldr_fail(err, LDR_E_INVALID, "shard %u: a key is not of this shard", g->shard);
        }
        if (rc == 0)
            rc = n->o.vault.lookup(n->o.vault.ctx, g->shard, g->points, g->n_points,
                                   m->flags & FLAG_ASOF ? &at : NULL, &rows[i], out->answers + out->n_answers,
                                   err);
        if (rc)
            return r ? ldr_rep_damaged(r, rc, err) : rc;
        out->n_answers += g->n_points;
    }
    n->count.lookups++;
    n->count.points += points;
    return 0;
}

void ldr_serve_lookup(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_arena a;
    struct ldr_lookup_req m;
    struct ldr_lookup_rep out = {.defs = n->o.vault.defs_version(n->o.vault.ctx)};
    struct ldr_err err = {0};
    ldr_arena_init(&a, n->o.heap, 0);
    int rc = ldr_lookup_req_decode(payload, &a, &m);
    struct ldr_buf *rows = rc ? NULL : ldr_arena_calloc(&a, m.n_groups, sizeof *rows); /* of each group */
    if (rc)
        ldr_fail(&err, rc, "the request cannot be read");
    else if (!rows)
        rc = ldr_fail(&err, LDR_E_NOMEM, "out of memory");
    if (rc == 0) {
        for (uint32_t i = 0; i < m.n_groups; i++)
            ldr_buf_init(&rows[i], n->o.heap, LDR_FRAME_MAX);
        rc = look_up(n, &m, &a, rows, &out, &err);
        if (rc == 0)
            ldr_serve_out(n, reply, ldr_lookup_rep_encode(&out, ldr_serve_buf(n)));
        for (uint32_t i = 0; i < m.n_groups; i++)
            ldr_buf_close(&rows[i]);
    }
    if (rc)
        ldr_serve_fail(n, reply, rc, &err);
    ldr_arena_close(&a);
}

void ldr_serve_stamp(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_arena a;
    struct ldr_stamp_req m;
    struct ldr_stamp_rep out;
    struct ldr_err err = {0};
    int64_t now = ldr_node_now(n);
    ldr_arena_init(&a, n->o.heap, 0);
    int rc = ldr_stamp_req_decode(payload, &a, &m);
    if (rc)
        ldr_fail(&err, rc, "the request cannot be read");
    else if (ldr_node_skewed(n))
        rc = ldr_fail(&err, LDR_E_BUSY, "the clock of this node differs from most others'");
    else if ((rc = ldr_hlc_merge(&n->hlc, m.at_least_us, now, (int64_t)n->o.skew_bound_us)) != 0)
        ldr_fail(&err, rc, "the time asked for is too far ahead of this node's clock");
    else if ((rc = ldr_hlc_next(&n->hlc, now, &out.stamp_us)) != 0)
        ldr_fail(&err, rc, "the bound of the clock is being moved");
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
    struct ldr_hello_rep out = {.proto = 1,
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
