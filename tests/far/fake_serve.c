/* Requests to the fake cluster, answered from the shards of the store behind it. Pages are short, so that
 * they matter. */
#include <stdlib.h>

#include "far/fake_internal.h"

#define PAGE_PROBES 50u
#define PAGE_FACTS  37u

struct serving {
    struct fake *f;
    struct ldr_arena a;
    struct ldr_catalog *c;
    struct ldr_buf *answer;
    struct ldr_err *err;
};

static struct ldr_slice keep(struct serving *s, struct ldr_slice x)
{
    struct ldr_slice out;
    LDR_ASSERT(ldr_arena_slice(&s->a, x, &out) == 0);
    return out;
}

static int lookup(struct serving *s, struct ldr_slice payload)
{
    struct ldr_lookup_req q;
    struct ldr_lookup_rep rep = {.defs = s->c->version};
    int rc = ldr_lookup_req_decode(payload, &s->a, &q);
    uint32_t n = 0;
    for (uint32_t g = 0; !rc && g < q.n_groups; g++) {
        rc = fake_epoch(s->f, q.groups[g].shard, q.groups[g].epoch);
        n += q.groups[g].n_points;
    }
    rep.answers = ldr_arena_calloc(&s->a, n + 1, sizeof *rep.answers);
    struct ldr_buf scratch;
    ldr_buf_init(&scratch, NULL, 0);
    for (uint32_t g = 0; !rc && g < q.n_groups; g++)
        for (uint32_t i = 0; !rc && i < q.groups[g].n_points; i++) {
            const struct ldr_msg_point *m = &q.groups[g].points[i];
            struct ldr_point p = {m->view, ldr_key_hash(m->key), m->key};
            struct ldr_asof asof = {q.t_us, 0, q.known_at_us};
            struct ldr_answer a = {0};
            struct ldr_store_shard *home = ldr_store_shard_of(s->f->base, p.hash);
            ldr_buf_reset(&scratch);
            rc = q.flags & 1 ? ldr_shard_asof(home->shard, NULL, &p, &asof, &scratch, &a, s->err)
                             : ldr_shard_latest(home->shard, &p, &scratch, &a, s->err);
            struct ldr_msg_answer *out = &rep.answers[rep.n_answers++];
            if (!rc && a.found)
                *out = (struct ldr_msg_answer){.flags = (uint8_t)(1 | (a.stamped ? 2 : 0)),
                                               .event_us = a.event_us,
                                               .created_us = a.created_us,
                                               .row = keep(s, a.row)};
        }
    ldr_buf_close(&scratch);
    return rc ? rc : ldr_lookup_rep_encode(&rep, s->answer);
}

struct hits {
    struct serving *s;
    struct ldr_msg_hit *list;
    uint32_t n;
};
static int take_hit(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f)
{
    struct hits *h = ctx;
    h->list[h->n++] = (struct ldr_msg_hit){.probe = (uint32_t)p->tag,
                                           .flags = f->stamped,
                                           .event_us = f->event_us,
                                           .created_us = f->created_us,
                                           .row = keep(h->s, f->row)};
    return 0;
}

static int asof(struct serving *s, struct ldr_slice payload)
{
    struct ldr_asof_req q;
    int rc = ldr_asof_req_decode(payload, &s->a, &q);
    if (!rc)
        rc = fake_epoch(s->f, q.shard, q.epoch);
    if (rc)
        return rc;
    uint32_t n = q.n_probes < PAGE_PROBES ? q.n_probes : PAGE_PROBES;
    struct ldr_probe *probes = ldr_arena_calloc(&s->a, n + 1, sizeof *probes);
    struct hits h = {s, ldr_arena_calloc(&s->a, n + 1, sizeof *h.list), 0};
    for (uint32_t i = 0; i < n; i++)
        probes[i] = (struct ldr_probe){.hash = ldr_key_hash(q.probes[i].key),
                                       .key = q.probes[i].key,
                                       .t_us = q.probes[i].t_us,
                                       .known_at_us = q.probes[i].known_at_us,
                                       .tag = i};
    for (uint32_t at = 0, to; !rc && at < n; at = to) {
        struct ldr_store_shard *home = ldr_store_shard_of(s->f->base, probes[at].hash);
        for (to = at; to < n && probes[to].hash <= home->hi; to++)
            ;
        rc = ldr_shard_asof_sorted(home->shard, NULL, q.view, q.ttl_us, probes + at, to - at, take_hit, &h,
                                   s->err);
    }
    struct ldr_asof_rep rep = {.answered = n, .hits = h.list, .n_hits = h.n};
    return rc ? rc : ldr_asof_rep_encode(&rep, s->answer);
}

/* resume: u64 hash, u64 facts of that hash that were delivered. */
struct page {
    struct serving *s;
    struct ldr_msg_fact *list;
    uint32_t n;
    uint64_t hash, of_hash, skip;
};
static int take_fact(void *ctx, const struct ldr_fact *f)
{
    struct page *p = ctx;
    if (f->hash == p->hash && p->skip) {
        p->skip--;
        return 0;
    }
    if (p->n == PAGE_FACTS)
        return 1;
    p->of_hash = f->hash == p->hash ? p->of_hash + 1 : 1;
    p->hash = f->hash;
    p->skip = 0;
    p->list[p->n++] = (struct ldr_msg_fact){.view = f->view,
                                            .key = keep(p->s, f->key),
                                            .event_us = f->event_us,
                                            .created_us = f->created_us,
                                            .flags = f->stamped,
                                            .row = keep(p->s, f->row)};
    return 0;
}

static int scan(struct serving *s, struct ldr_slice payload)
{
    struct ldr_scan_req q;
    int rc = ldr_scan_req_decode(payload, &s->a, &q);
    if (!rc)
        rc = fake_epoch(s->f, q.shard, q.epoch);
    if (rc)
        return rc;
    struct page p = {.s = s, .list = ldr_arena_calloc(&s->a, PAGE_FACTS, sizeof *p.list)};
    if (q.resume.n == 16) {
        p.hash = ldr_get_le64(q.resume.p);
        p.of_hash = p.skip = ldr_get_le64(q.resume.p + 8);
        q.hash_lo = p.hash > q.hash_lo ? p.hash : q.hash_lo;
    }
    for (uint32_t i = 0; rc == 0 && i < s->f->base->nshards; i++) {
        const struct ldr_store_shard *home = &s->f->base->shards[i];
        struct ldr_scan_opts o = {.view = q.view,
                                  .key = q.flags & 2 ? &q.key : NULL,
                                  .from_us = q.from_us,
                                  .to_us = q.to_us,
                                  .ascending = q.flags & 1,
                                  .hash_lo = q.hash_lo > home->lo ? q.hash_lo : home->lo,
                                  .hash_hi = q.hash_hi < home->hi ? q.hash_hi : home->hi};
        if (o.hash_lo <= o.hash_hi && (!o.key || ldr_store_shard_of(s->f->base, ldr_key_hash(q.key)) == home))
            rc = ldr_shard_scan(home->shard, NULL, &o, take_fact, &p, s->err);
    }
    uint8_t resume[16];
    ldr_put_le64(resume, p.hash);
    ldr_put_le64(resume + 8, p.of_hash);
    struct ldr_scan_rep rep = {
        .done = rc == 0, .resume = ldr_slice(resume, 16), .facts = p.list, .n_facts = p.n};
    return rc < 0 ? rc : ldr_scan_rep_encode(&rep, s->answer);
}

static const struct ldr_view_entry *view_of(const struct ldr_catalog *c, uint32_t id)
{
    for (uint32_t i = 0; i < c->nviews; i++)
        if (c->views[i].schema->view_id == id)
            return &c->views[i];
    return NULL;
}

static int write_facts(struct serving *s, struct ldr_slice payload)
{
    struct ldr_write_req q;
    int rc = ldr_write_req_decode(payload, &s->a, &q);
    if (!rc)
        rc = fake_epoch(s->f, q.shard, q.epoch);
    struct ldr_fact *facts = rc ? NULL : ldr_arena_calloc(&s->a, q.n_facts + 1, sizeof *facts);
    struct ldr_write_result res = {0};
    const struct ldr_view_entry *v = NULL;
    for (uint32_t i = 0; !rc && i < q.n_facts; i++) {
        const struct ldr_msg_fact *m = &q.facts[i];
        v = view_of(s->c, m->view);
        if (!v)
            return ldr_fail(s->err, LDR_E_NOT_FOUND, "no such view");
        facts[i] = (struct ldr_fact){.view = m->view,
                                     .hash = ldr_key_hash(m->key),
                                     .key = m->key,
                                     .event_us = m->event_us,
                                     .created_us = m->created_us,
                                     .stamped = m->flags & 1,
                                     .vhash = ldr_row_vhash(v->schema, m->row),
                                     .row = m->row};
    }
    if (!rc && q.n_facts)
        rc = ldr_store_write_facts(s->f->base, v, facts, q.n_facts, &res, s->err);
    struct ldr_write_rep rep = {
        .facts = res.facts, .duplicates = res.duplicates, .erased = res.erased, .ties = res.ties};
    return rc ? rc : ldr_write_rep_encode(&rep, s->answer);
}

static int erase(struct serving *s, struct ldr_slice payload)
{
    struct ldr_erase_req q;
    struct ldr_erase_rep rep = {0};
    int rc = ldr_erase_req_decode(payload, &s->a, &q);
    if (!rc)
        rc = fake_epoch(s->f, q.shard, q.epoch);
    for (uint32_t i = 0; !rc && i < q.n_tombs; i++) {
        const struct ldr_msg_tomb *t = &q.tombs[i];
        uint64_t gone = 0;
        rc = ldr_shard_erase(ldr_store_shard_of(s->f->base, ldr_key_hash(t->key))->shard, t->view,
                             t->entity_id, t->key, t->erase_us, &gone, s->err);
        rep.erased += gone;
    }
    return rc ? rc : ldr_erase_rep_encode(&rep, s->answer);
}

static int stamp(struct serving *s)
{
    struct ldr_stamp_rep rep;
    int rc = ldr_store_stamp(s->f->base, &rep.stamp_us, s->err);
    return rc ? rc : ldr_stamp_rep_encode(&rep, s->answer);
}

static void no_problem(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

/* Only of the first of the map's shards; the others say nothing, so that counts come out as of one. */
static int check(struct serving *s, struct ldr_slice payload)
{
    struct ldr_check_req q;
    struct ldr_check_rep rep = {0};
    int rc = ldr_check_req_decode(payload, &s->a, &q);
    for (uint32_t i = 0; !rc && q.shard == 1 && i < s->f->base->nshards; i++) {
        struct ldr_check_report r = {0};
        rc = ldr_shard_check(s->f->base->shards[i].shard, q.repair, &r, no_problem, NULL, s->err);
        rep.facts += r.facts;
        rep.bad_rows += r.bad_rows;
        rep.latest_wrong += r.latest_wrong;
    }
    return rc ? rc : ldr_check_rep_encode(&rep, s->answer);
}

int fake_serve(struct fake *f, enum ldr_msg_type type, struct ldr_slice payload, struct ldr_buf *answer,
               struct ldr_err *err)
{
    struct serving s = {.f = f, .c = ldr_store_catalog(f->base), .answer = answer, .err = err};
    ldr_arena_init(&s.a, NULL, 0);
    struct ldr_compact_rep compact = {.ok = 1};
    struct ldr_replicas_rep replicas = {.node = 1};
    int rc = type == LDR_MSG_LOOKUP     ? lookup(&s, payload)
             : type == LDR_MSG_ASOF     ? asof(&s, payload)
             : type == LDR_MSG_SCAN     ? scan(&s, payload)
             : type == LDR_MSG_WRITE    ? write_facts(&s, payload)
             : type == LDR_MSG_ERASE    ? erase(&s, payload)
             : type == LDR_MSG_STAMP    ? stamp(&s)
             : type == LDR_MSG_CHECK    ? check(&s, payload)
             : type == LDR_MSG_COMPACT  ? ldr_compact_rep_encode(&compact, answer)
             : type == LDR_MSG_REPLICAS ? ldr_replicas_rep_encode(&replicas, answer)
                                        : LDR_E_UNSUPPORTED;
    if (rc && !err->code)
        ldr_fail(err, rc, "%s", ldr_code_text(rc));
    ldr_arena_close(&s.a);
    ldr_catalog_release(s.c);
    return rc;
}
