/* Scans against the model: both directions, one entity and all, event times and hashes in ranges, event times
 * with many facts, entities too large to be held in memory. */
#include "shard/rocks_bulk.h"
#include "tests/unit/shard/model.h"

static int cmp_in_entity(const struct model_fact *x, const struct model_fact *y)
{
    if (x->event != y->event)
        return x->event < y->event ? -1 : 1;
    if (x->created != y->created)
        return x->created < y->created ? -1 : 1;
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    return (int)y->stamped - (int)x->stamped;
}

static const struct model *sorting;
static bool ascending;
/* The order of a scan: (hash, key), then event, created, values. */
static int cmp_scan(const void *a, const void *b)
{
    const struct model_fact *x = a, *y = b;
    uint64_t hx = sorting->hashes[x->entity], hy = sorting->hashes[y->entity];
    if (x->entity != y->entity)
        return hx < hy ? -1 : 1;
    return ascending ? cmp_in_entity(x, y) : cmp_in_entity(y, x);
}

static void hold_scan(struct kit *k, struct model *m, const struct ldr_scan_opts *o, int entity)
{
    struct model_seen seen = {.m = m, .k = k};
    struct model_fact *want = calloc(m->n + 1, sizeof *want);
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++) {
        const struct model_fact *f = &m->f[i];
        uint64_t h = m->hashes[f->entity];
        if ((entity < 0 || f->entity == entity) && f->event >= o->from_us && f->event <= o->to_us &&
            h >= o->hash_lo && h <= o->hash_hi)
            want[n++] = *f;
    }
    sorting = m;
    ascending = o->ascending;
    qsort(want, n, sizeof *want, cmp_scan);
    int rc = ldr_shard_scan(k->s, NULL, o, model_see, &seen, &k->err);
    if (rc)
        print_error("scan: %s\n", k->err.message);
    assert_int_equal(rc, 0);
    assert_int_equal(seen.n, n);
    for (size_t i = 0; i < n; i++)
        model_same(&seen.list[i], &want[i]);
    free(seen.list);
    free(want);
}

struct entities {
    struct model *m;
    size_t n;
    uint64_t hash;
};
static int see_entity(void *ctx, uint64_t hash, struct ldr_slice key)
{
    struct entities *e = ctx;
    assert_true(hash == ldr_key_hash(key));
    assert_true(e->n == 0 || hash > e->hash);
    assert_true(model_entity(e->m, key) >= 0);
    e->hash = hash;
    e->n++;
    return 0;
}

static void any_range_agrees_with_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct kit k;
        struct model m;
        kit_init(&k);
        k.opts.no_sync = true;
        kit_open(&k);
        model_init(&m, &k, 1 + (int)seed * 4, seed);
        for (int round = 0; round < 2; round++) {
            struct ldr_fact f[400];
            struct ldr_write_result res;
            struct ldr_fact_chunk c = {f, 400};
            for (int i = 0; i < 400; i++) {
                struct model_fact mf = model_random(&m, 8, 8, 3);
                model_add(&m, &mf);
                f[i] = model_real(&m, &k, &mf);
            }
            if (round == 0)
                assert_int_equal(ldr_bulk_load(k.s, KIT_VIEW, &c, 1, &res, &k.err), 0);
            else
                kit_write(&k, f, 400);
        }
        for (int i = 0; i < 60; i++) {
            struct ldr_scan_opts o = {.view = KIT_VIEW,
                                      .from_us = (int64_t)model_rnd(&m, 10) - 1,
                                      .ascending = i % 2,
                                      .hash_hi = UINT64_MAX};
            o.to_us = o.from_us + (int64_t)model_rnd(&m, 9) - 1;
            if (i % 5 == 0) {
                o.from_us = INT64_MIN;
                o.to_us = INT64_MAX;
            }
            if (i % 3 == 1) {
                o.hash_lo = (uint64_t)model_rnd(&m, 1u << 31) << 33;
                o.hash_hi = o.hash_lo + ((uint64_t)model_rnd(&m, 1u << 31) << 31);
                if (o.hash_hi < o.hash_lo)
                    o.hash_hi = UINT64_MAX;
            }
            int entity = i % 4 == 3 ? (int)model_rnd(&m, (uint32_t)m.entities) : -1;
            o.key = entity < 0 ? NULL : &m.keys[entity];
            hold_scan(&k, &m, &o, entity);
        }
        struct entities e = {.m = &m};
        assert_int_equal(ldr_shard_entities(k.s, NULL, KIT_VIEW, see_entity, &e, &k.err), 0);
        assert_int_equal(e.n, m.entities);
        model_close(&m);
        kit_close(&k);
    }
}

struct big {
    struct kit *k;
    int64_t next, step;
    size_t n;
};
static int see_big(void *ctx, const struct ldr_fact *f)
{
    struct big *b = ctx;
    assert_int_equal(kit_a(b->k, f->row), b->next);
    b->next += b->step;
    b->n++;
    return 0;
}
/* 12 MB of one entity, some facts of one event time, neighbours on both sides. */
static void large_entities_are_read_backwards(void **state)
{
    (void)state;
    enum { N = 120, BYTES = 100000 };
    struct kit k;
    kit_init(&k);
    k.opts.no_sync = true;
    kit_open(&k);
    char *text = malloc(BYTES + 1);
    memset(text, 'q', BYTES);
    text[BYTES] = '\0';
    static const char *const names[] = {"one", "two", "three"};
    for (int e = 0; e < 3; e++)
        for (int i = 0; i < N; i++) {
            struct ldr_fact f = kit_fact(&k, names[e], i / 3, i % 3, i % 2, i);
            f.row = kit_row(&k, k.schema, i, text);
            f.vhash = ldr_row_vhash(k.schema, f.row);
            kit_write(&k, &f, 1);
        }
    for (int asc = 0; asc < 2; asc++)
        for (int e = -1; e < 3; e++) {
            struct ldr_slice key = kit_key(&k, names[e < 0 ? 0 : e]);
            struct ldr_scan_opts o = {.view = KIT_VIEW,
                                      .key = &key,
                                      .from_us = 2,
                                      .to_us = N / 3 - 2,
                                      .ascending = asc,
                                      .hash_hi = UINT64_MAX};
            struct big b = {.k = &k, .next = asc ? 6 : N - 4, .step = asc ? 1 : -1};
            if (e >= 0) {
                assert_int_equal(ldr_shard_scan(k.s, NULL, &o, see_big, &b, &k.err), 0);
                assert_int_equal(b.n, N - 9);
                continue;
            }
            struct model m;
            struct model_seen seen = {.m = &m, .k = &k};
            model_init(&m, &k, 1, 1);
            o.key = NULL;
            assert_int_equal(ldr_shard_scan(k.s, NULL, &o, model_see, &seen, &k.err), 0);
            assert_int_equal(seen.n, 3 * (N - 9));
            for (size_t i = 0; i < seen.n; i++)
                assert_int_equal(seen.list[i].a, asc ? 6 + i % (N - 9) : N - 4 - i % (N - 9));
            free(seen.list);
            model_close(&m);
        }
    free(text);
    kit_close(&k);
}

struct stop {
    int after, with;
};
static int stop_fact(void *ctx, const struct ldr_fact *f)
{
    struct stop *s = ctx;
    (void)f;
    return --s->after == 0 ? s->with : 0;
}
static int stop_entity(void *ctx, uint64_t hash, struct ldr_slice key)
{
    struct stop *s = ctx;
    (void)hash;
    (void)key;
    return --s->after == 0 ? s->with : 0;
}
static void the_caller_can_stop(void **state)
{
    (void)state;
    static const int codes[] = {1, 5, -1, LDR_E_CORRUPT};
    struct kit k;
    kit_init(&k);
    kit_open(&k);
    for (int e = 0; e < 5; e++)
        for (int i = 0; i < 4; i++) {
            char name[8];
            snprintf(name, sizeof name, "e%d", e);
            kit_put(&k, name, i, 1, i);
        }
    struct ldr_scan_opts o = {
        .view = KIT_VIEW, .from_us = INT64_MIN, .to_us = INT64_MAX, .hash_hi = UINT64_MAX};
    for (size_t c = 0; c < 4; c++)
        for (int asc = 0; asc < 2; asc++) {
            struct stop s = {7, codes[c]};
            o.ascending = asc;
            assert_int_equal(ldr_shard_scan(k.s, NULL, &o, stop_fact, &s, &k.err), codes[c]);
            assert_int_equal(s.after, 0);
            s = (struct stop){3, codes[c]};
            assert_int_equal(ldr_shard_entities(k.s, NULL, KIT_VIEW, stop_entity, &s, &k.err), codes[c]);
            assert_int_equal(s.after, 0);
        }
    struct stop s = {1, 1};
    o.view = KIT_VIEW + 1;
    assert_int_equal(ldr_shard_scan(k.s, NULL, &o, stop_fact, &s, &k.err), LDR_E_INVALID);
    assert_int_equal(ldr_shard_entities(k.s, NULL, KIT_VIEW + 1, stop_entity, &s, &k.err), LDR_E_INVALID);
    struct ldr_slice absent = kit_key(&k, "nobody");
    o.view = KIT_VIEW;
    o.key = &absent;
    assert_int_equal(ldr_shard_scan(k.s, NULL, &o, stop_fact, &s, &k.err), 0);
    assert_int_equal(s.after, 1);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_range_agrees_with_the_model),
        cmocka_unit_test(large_entities_are_read_backwards),
        cmocka_unit_test(the_caller_can_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
