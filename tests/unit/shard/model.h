/* A plain list of facts that follows docs/semantics.md and shares no code with the shard: what loads, scans
 * and sorted reads are held against. Small domains, so that ties, repetitions and edges are all met. */
#ifndef TESTS_SHARD_MODEL_H
#define TESTS_SHARD_MODEL_H
#include "tests/unit/shard/kit.h"

struct model_fact {
    int entity;
    int64_t event, created;
    bool stamped;
    int64_t a;
};
struct model {
    struct model_fact *f;
    size_t n, cap;
    int64_t *erased; /* by entity; INT64_MIN = never */
    int entities;
    struct ldr_slice *keys;
    uint64_t *hashes;
    uint64_t rng;
};

static inline uint32_t model_rnd(struct model *m, uint32_t n)
{
    m->rng = m->rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((m->rng >> 33) % n);
}

static inline void model_init(struct model *m, struct kit *k, int entities, uint64_t seed)
{
    memset(m, 0, sizeof *m);
    m->rng = seed;
    m->entities = entities;
    m->keys = calloc((size_t)entities, sizeof *m->keys);
    m->hashes = calloc((size_t)entities, sizeof *m->hashes);
    m->erased = calloc((size_t)entities, sizeof *m->erased);
    for (int i = 0; i < entities; i++) {
        char name[16] = "";
        if (i > 0) /* the first one is the empty string */
            snprintf(name, sizeof name, "e%d", i);
        m->keys[i] = kit_key(k, name);
        m->hashes[i] = ldr_key_hash(m->keys[i]);
        m->erased[i] = INT64_MIN;
    }
}

static inline void model_close(struct model *m)
{
    free(m->f);
    free(m->keys);
    free(m->hashes);
    free(m->erased);
}

/* Created times lie on both sides of event times. */
static inline struct model_fact model_random(struct model *m, uint32_t events, uint32_t createds,
                                             uint32_t values)
{
    return (struct model_fact){.entity = (int)model_rnd(m, (uint32_t)m->entities),
                               .event = model_rnd(m, events),
                               .created = model_rnd(m, createds),
                               .stamped = model_rnd(m, 2),
                               .a = model_rnd(m, values)};
}

static inline void model_add(struct model *m, const struct model_fact *f)
{
    if (f->created <= m->erased[f->entity])
        return;
    for (size_t i = 0; i < m->n; i++) {
        struct model_fact *o = &m->f[i];
        if (o->entity != f->entity || o->event != f->event || o->stamped != f->stamped || o->a != f->a)
            continue;
        if (f->stamped && f->created < o->created)
            o->created = f->created;
        if (f->stamped || o->created == f->created)
            return;
    }
    if (m->n == m->cap) {
        m->cap = m->cap ? 2 * m->cap : 64;
        m->f = realloc(m->f, m->cap * sizeof *m->f);
        assert_non_null(m->f);
    }
    m->f[m->n++] = *f;
}

static inline void model_erase(struct model *m, int entity, int64_t at)
{
    size_t n = 0;
    if (at > m->erased[entity])
        m->erased[entity] = at;
    for (size_t i = 0; i < m->n; i++)
        if (m->f[i].entity != entity || m->f[i].created > at)
            m->f[n++] = m->f[i];
    m->n = n;
}

static inline const struct model_fact *model_asof(const struct model *m, int entity, int64_t t, int64_t ttl,
                                                  int64_t known_at)
{
    const struct model_fact *best = NULL;
    for (size_t i = 0; i < m->n; i++) {
        const struct model_fact *f = &m->f[i];
        if (f->entity != entity || f->created > known_at || f->event > t || (ttl && f->event < t - ttl))
            continue;
        if (!best || f->event > best->event || (f->event == best->event && f->created > best->created) ||
            (f->event == best->event && f->created == best->created && f->a > best->a))
            best = f;
    }
    return best;
}

static inline struct ldr_fact model_real(const struct model *m, struct kit *k, const struct model_fact *f)
{
    struct ldr_fact r = {.view = KIT_VIEW,
                         .hash = m->hashes[f->entity],
                         .key = m->keys[f->entity],
                         .event_us = f->event,
                         .created_us = f->created,
                         .stamped = f->stamped,
                         .row = kit_row(k, k->schema, f->a, "x")};
    r.vhash = ldr_row_vhash(k->schema, r.row);
    return r;
}

static inline int model_entity(const struct model *m, struct ldr_slice key)
{
    for (int i = 0; i < m->entities; i++)
        if (ldr_slice_eq(m->keys[i], key))
            return i;
    return -1;
}

/* ---- the whole of history and latest against the model ---- */

struct model_seen {
    const struct model *m;
    struct kit *k;
    struct model_fact *list;
    size_t n, cap;
};
static inline int model_see(void *ctx, const struct ldr_fact *f)
{
    struct model_seen *s = ctx;
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 64;
        s->list = realloc(s->list, s->cap * sizeof *s->list);
        assert_non_null(s->list);
    }
    assert_int_equal(f->view, KIT_VIEW);
    assert_true(f->hash == ldr_key_hash(f->key));
    assert_true(f->vhash == ldr_row_vhash(s->k->schema, f->row));
    s->list[s->n++] = (struct model_fact){.entity = model_entity(s->m, f->key),
                                          .event = f->event_us,
                                          .created = f->created_us,
                                          .stamped = f->stamped,
                                          .a = kit_a(s->k, f->row)};
    return 0;
}
/* Any total order on facts. */
static inline int model_cmp(const void *a, const void *b)
{
    const struct model_fact *x = a, *y = b;
    if (x->entity != y->entity)
        return x->entity < y->entity ? -1 : 1;
    if (x->event != y->event)
        return x->event < y->event ? -1 : 1;
    if (x->created != y->created)
        return x->created < y->created ? -1 : 1;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    return (int)x->stamped - (int)y->stamped;
}
static inline void model_same(const struct model_fact *x, const struct model_fact *y)
{
    assert_int_equal(x->entity, y->entity);
    assert_int_equal(x->event, y->event);
    assert_int_equal(x->created, y->created);
    assert_int_equal(x->stamped, y->stamped);
    assert_int_equal(x->a, y->a);
}
static inline void model_hold(struct model *m, struct kit *k)
{
    struct model_seen seen = {.m = m, .k = k};
    struct ldr_scan_opts o = {
        .view = KIT_VIEW, .from_us = INT64_MIN, .to_us = INT64_MAX, .hash_hi = UINT64_MAX};
    int rc = ldr_shard_scan(k->s, NULL, &o, model_see, &seen, &k->err);
    if (rc)
        print_error("scan: %s\n", k->err.message);
    assert_int_equal(rc, 0);
    assert_int_equal(seen.n, m->n);
    if (m->n) {
        qsort(seen.list, seen.n, sizeof *seen.list, model_cmp);
        qsort(m->f, m->n, sizeof *m->f, model_cmp);
    }
    for (size_t i = 0; i < m->n; i++)
        model_same(&seen.list[i], &m->f[i]);
    free(seen.list);
    for (int e = 0; e < m->entities; e++) {
        const struct model_fact *best = model_asof(m, e, INT64_MAX, 0, INT64_MAX);
        struct ldr_point p = {KIT_VIEW, m->hashes[e], m->keys[e]};
        struct ldr_answer ans;
        struct ldr_buf b;
        ldr_buf_init(&b, NULL, 0);
        assert_int_equal(ldr_shard_latest(k->s, &p, &b, &ans, &k->err), 0);
        assert_int_equal(ans.found, best != NULL);
        if (best) {
            assert_int_equal(ans.event_us, best->event);
            assert_int_equal(ans.created_us, best->created);
            assert_int_equal(kit_a(k, ans.row), best->a);
        }
        ldr_buf_close(&b);
    }
    kit_check(k);
}
#endif
