/* Facts, erasures and times of acceptance for others. What comes is verified before it is stored. */
#include "client/share/share_serve.h"

static int bad(const struct ldr_request *q, uint32_t i, const char *what)
{
    return ldr_fail(q->err, LDR_E_INVALID, "fact %u of a write: %s", i, what);
}

static int take_fact(struct ldr_request *q, struct ldr_arena *parts, const struct ldr_view_entry *v,
                     uint32_t i, const struct ldr_msg_fact *m, struct ldr_fact *out)
{
    struct ldr_value values[LDR_KEY_PARTS_MAX];
    const char *why = "";
    ldr_arena_reset(parts);
    if (m->key.n > LDR_KEY_MAX ||
        ldr_key_decode(m->key, v->schema->key_types, v->schema->nkeys, parts, values))
        return bad(q, i, "not an entity key of its view");
    if (m->row.n > LDR_ROW_MAX || ldr_row_check(v->schema, m->row, &why))
        return bad(q, i, "not a row of its view");
    if (m->event_us < LDR_TIME_MIN_US || m->event_us > LDR_TIME_MAX_US || m->created_us < LDR_TIME_MIN_US ||
        m->created_us > LDR_TIME_MAX_US)
        return bad(q, i, "a time outside the years 0001 to 9999");
    *out = (struct ldr_fact){.view = m->view,
                             .hash = ldr_key_hash(m->key),
                             .key = m->key,
                             .event_us = m->event_us,
                             .created_us = m->created_us,
                             .stamped = m->flags & 1,
                             .vhash = ldr_row_vhash(v->schema, m->row),
                             .row = m->row};
    return 0;
}

/* One after the other of what stands together of one view. */
static int write_views(struct ldr_request *q, const struct ldr_write_req *m, struct ldr_fact *facts,
                       struct ldr_write_result *res)
{
    struct ldr_arena parts;
    const struct ldr_view_entry *v = NULL;
    int rc = 0;
    ldr_arena_init(&parts, NULL, 0);
    for (uint32_t i = 0; !rc && i < m->n_facts; i++) {
        if (i == 0 || m->facts[i].view != m->facts[i - 1].view)
            v = ldr_serve_view(q, m->facts[i].view);
        rc = v ? take_fact(q, &parts, v, i, &m->facts[i], &facts[i])
               : ldr_fail(q->err, LDR_E_NOT_FOUND, "the feature view was deleted");
    }
    ldr_arena_close(&parts);
    for (uint32_t from = 0, to; !rc && from < m->n_facts; from = to) {
        for (to = from; to < m->n_facts && facts[to].view == facts[from].view; to++)
            ;
        v = ldr_serve_view(q, facts[from].view);
        rc = ldr_store_write_facts(q->store, v, facts + from, to - from, res, q->err);
        if (rc && from)
            q->err->in_doubt = true;
    }
    return rc;
}

int ldr_serve_write(struct ldr_request *q)
{
    struct ldr_write_req m;
    struct ldr_write_result res = {0};
    int rc = ldr_write_req_decode(q->payload, &q->arena, &m);
    if (rc)
        return ldr_serve_unreadable(q, rc);
    rc = ldr_serve_admits(q, m.shard, m.epoch);
    if (rc)
        return rc;
    struct ldr_fact *facts = ldr_arena_calloc(&q->arena, m.n_facts + 1u, sizeof *facts);
    if (!facts)
        return LDR_E_NOMEM;
    rc = write_views(q, &m, facts, &res);
    struct ldr_write_rep rep = {
        .facts = res.facts, .duplicates = res.duplicates, .erased = res.erased, .ties = res.ties};
    return rc ? rc : ldr_write_rep_encode(&rep, q->answer);
}

static int erase_one(struct ldr_request *q, const struct ldr_msg_tomb *t, uint64_t *erased)
{
    uint64_t gone = 0;
    if (t->flags & 1)
        return ldr_fail(q->err, LDR_E_INVALID, "a collected erasure is for replicas of a cluster");
    if (t->key.n > LDR_KEY_MAX || t->erase_us < LDR_TIME_MIN_US || t->erase_us > LDR_TIME_MAX_US)
        return ldr_fail(q->err, LDR_E_INVALID, "an erasure with a key or time over its limits");
    if (t->view && !ldr_serve_view(q, t->view))
        return ldr_fail(q->err, LDR_E_NOT_FOUND, "the feature view was deleted");
    struct ldr_shard *home = ldr_store_shard_of(q->store, ldr_key_hash(t->key))->shard;
    int rc = ldr_shard_erase(home, t->view, t->entity_id, t->key, t->erase_us, &gone, q->err);
    *erased += gone;
    return rc;
}

int ldr_serve_erase(struct ldr_request *q)
{
    struct ldr_erase_req m;
    struct ldr_erase_rep rep = {0};
    int rc = ldr_erase_req_decode(q->payload, &q->arena, &m);
    if (rc)
        return ldr_serve_unreadable(q, rc);
    rc = ldr_serve_admits(q, m.shard, m.epoch);
    pthread_rwlock_rdlock(&q->store->gate);
    for (uint32_t i = 0; !rc && i < m.n_tombs; i++) {
        rc = erase_one(q, &m.tombs[i], &rep.erased);
        if (rc && i)
            q->err->in_doubt = true;
    }
    pthread_rwlock_unlock(&q->store->gate);
    return rc ? rc : ldr_erase_rep_encode(&rep, q->answer);
}

int ldr_serve_stamp(struct ldr_request *q)
{
    struct ldr_stamp_req m;
    struct ldr_stamp_rep rep;
    int rc = ldr_stamp_req_decode(q->payload, &q->arena, &m);
    if (rc)
        return ldr_serve_unreadable(q, rc);
    rc = ldr_store_stamp(q->store, &rep.stamp_us, q->err);
    return rc ? rc : ldr_stamp_rep_encode(&rep, q->answer);
}
