/* Many rows at a time: as-of questions and history. A page is the answer to one request. */
#include "node/node_impl.h"

#define ASOF_STRICT    2
#define ASOF_ANY       4
#define SCAN_ASCENDING 1
#define SCAN_KEY       2
#define SCAN_STRICT    4
#define SCAN_ANY       8

struct wish {
    uint32_t shard;
    uint64_t epoch, defs;
    bool strict, any;
    int64_t token;
};

/* The replica that a page comes from. */
static int find(struct ldr_node *n, struct wish w, struct ldr_rep **r, struct ldr_err *err)
{
    enum ldr_need need = w.any && !w.strict ? LDR_NEED_ANY : LDR_NEED_READ;
    int rc = ldr_serve_find(n, w.shard, w.epoch, w.defs, need, r, err);
    return rc == 0 && w.strict ? ldr_rep_reached(*r, w.token, err) : rc;
}

static void asof_came(struct ldr_serving *j, int code)
{
    (void)code;
    struct ldr_asof_rep m = {.answered = j->u.asof.answered,
                             .hits = (struct ldr_msg_hit *)j->u.asof.hits,
                             .n_hits = j->u.asof.nhits};
    j->n->count.asofs++;
    ldr_serving_out(j, ldr_asof_rep_encode(&m, ldr_serve_buf(j->n)));
}

void ldr_serve_asof(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_asof_req m;
    struct ldr_err err = {0};
    struct ldr_rep *r;
    struct ldr_serving *j = ldr_serving_begin(n, payload, reply);
    if (!j)
        return;
    int rc = ldr_asof_req_decode(j->payload, &j->arena, &m);
    if (rc)
        ldr_fail(&err, rc, "the request cannot be read");
    else
        rc = find(n,
                  (struct wish){m.shard, m.epoch, m.defs, m.flags & ASOF_STRICT, m.flags & ASOF_ANY, m.token},
                  &r, &err);
    if (rc == 0 && m.ttl_us < 0)
        rc = ldr_fail(&err, LDR_E_INVALID, "a negative ttl");
    if (rc) {
        ldr_serving_fail(j, rc, &err);
        return;
    }
    ldr_serving_rep(j, r);
    j->finish = asof_came;
    j->u.asof.shard = m.shard;
    j->u.asof.view = m.view;
    j->u.asof.ttl_us = m.ttl_us;
    j->u.asof.probes = m.probes;
    j->u.asof.nprobes = m.n_probes;
    j->u.asof.max_bytes = LDR_NODE_PAGE_MAX;
    n->o.vault.asof(n->o.vault.ctx, &j->u.asof);
}

static void scan_came(struct ldr_serving *j, int code)
{
    (void)code;
    struct ldr_scan_rep m = {.done = j->u.scan.done,
                             .resume = j->u.scan.next,
                             .facts = (struct ldr_msg_fact *)j->u.scan.facts,
                             .n_facts = j->u.scan.nfacts};
    j->n->count.scans++;
    ldr_serving_out(j, ldr_scan_rep_encode(&m, ldr_serve_buf(j->n)));
}

void ldr_serve_scan(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply)
{
    struct ldr_scan_req m;
    struct ldr_err err = {0};
    struct ldr_rep *r;
    struct ldr_serving *j = ldr_serving_begin(n, payload, reply);
    if (!j)
        return;
    int rc = ldr_scan_req_decode(j->payload, &j->arena, &m);
    if (rc)
        ldr_fail(&err, rc, "the request cannot be read");
    else
        rc = find(n,
                  (struct wish){m.shard, m.epoch, m.defs, m.flags & SCAN_STRICT, m.flags & SCAN_ANY, m.token},
                  &r, &err);
    if (rc) {
        ldr_serving_fail(j, rc, &err);
        return;
    }
    ldr_serving_rep(j, r);
    j->finish = scan_came;
    struct ldr_vault_scan *v = &j->u.scan;
    v->shard = m.shard;
    v->view = m.view;
    v->ascending = m.flags & SCAN_ASCENDING;
    if (m.flags & SCAN_KEY) {
        struct ldr_slice *key = ldr_arena_alloc(&j->arena, sizeof *key);
        if (!key) {
            ldr_serving_fail(j, LDR_E_NOMEM, NULL);
            return;
        }
        *key = m.key;
        v->key = key;
    }
    v->from_us = m.from_us;
    v->to_us = m.to_us;
    v->hash_lo = m.hash_lo > r->about.lo ? m.hash_lo : r->about.lo;
    v->hash_hi = m.hash_hi < r->about.hi ? m.hash_hi : r->about.hi;
    v->resume = m.resume;
    v->max_bytes = m.max_bytes && m.max_bytes < LDR_NODE_PAGE_MAX ? m.max_bytes : LDR_NODE_PAGE_MAX;
    n->o.vault.scan(n->o.vault.ctx, v);
}
