/* Sorted as-of reads against the model: ties, stamped repetitions, known_at that differs between probes of
 * one entity, ttl edges, many probes on one entity, absent entities, arcs; and the order of probes itself. */
#include "shard/rocks_bulk.h"
#include "tests/unit/shard/model.h"

#define PROBES_MAX 4000

static void load(struct kit *k, struct ldr_fact *f, size_t n)
{
    struct ldr_write_result res;
    struct ldr_fact_chunk c = {f, n};
    assert_int_equal(ldr_bulk_load(k->s, KIT_VIEW, &c, 1, &res, &k->err), 0);
}

struct answers {
    struct kit *k;
    const struct ldr_probe *probes, *last;
    struct model_fact got[PROBES_MAX]; /* by tag; entity -1: none */
    size_t n, stop_after;
};
static int take(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f)
{
    struct answers *a = ctx;
    assert_true(!a->last || p > a->last); /* in probe order, each at most once */
    a->last = p;
    assert_int_equal(f->view, KIT_VIEW);
    assert_true(f->hash == p->hash && ldr_slice_eq(f->key, p->key));
    assert_true(f->vhash == ldr_row_vhash(a->k->schema, f->row));
    a->got[p->tag] = (struct model_fact){0, f->event_us, f->created_us, f->stamped, kit_a(a->k, f->row)};
    return ++a->n == a->stop_after ? 77 : 0;
}

static struct answers *ask(struct kit *k, const struct ldr_snap *snap, int64_t ttl, const struct ldr_probe *p,
                           size_t n)
{
    struct answers *a = calloc(1, sizeof *a);
    a->k = k;
    for (size_t i = 0; i < PROBES_MAX; i++)
        a->got[i].entity = -1;
    int rc = ldr_shard_asof_sorted(k->s, snap, KIT_VIEW, ttl, p, n, take, a, &k->err);
    if (rc)
        print_error("asof_sorted: %s\n", k->err.message);
    assert_int_equal(rc, 0);
    return a;
}

static void hold_answers(const struct model *m, const struct answers *a, int64_t ttl,
                         const struct ldr_probe *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int e = model_entity(m, p[i].key);
        const struct model_fact *want = e < 0 ? NULL : model_asof(m, e, p[i].t_us, ttl, p[i].known_at_us);
        const struct model_fact *got = &a->got[p[i].tag];
        assert_int_equal(got->entity, want ? 0 : -1);
        if (want) {
            assert_int_equal(got->event, want->event);
            assert_int_equal(got->created, want->created);
            assert_int_equal(got->a, want->a);
        }
    }
}

static struct ldr_probe probe(const struct ldr_slice key, int64_t t, int64_t known_at, uint64_t tag)
{
    return (struct ldr_probe){ldr_key_hash(key), key, t, known_at, tag};
}

/* kind 0: no cut-off, 1: one for all, 2: known = t, 3: anything */
static int64_t random_known(struct model *m, int kind, int64_t t)
{
    if (kind == 0)
        return LDR_KNOWN_AT_ANY;
    return kind == 1 ? 5 : kind == 2 ? t : (int64_t)model_rnd(m, 12) - 1;
}

static void any_probes_agree_with_the_model(void **state)
{
    (void)state;
    struct ldr_probe *p = calloc(PROBES_MAX, sizeof *p);
    size_t cases = 0;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct kit k;
        struct model m;
        struct ldr_pool *pool = NULL;
        kit_init(&k);
        k.opts.no_sync = true;
        kit_open(&k);
        if (seed % 3 == 0)
            assert_int_equal(ldr_pool_create(2, &pool), 0);
        int entities = seed % 4 == 0 ? 1 : 3 + (int)seed * 20;
        model_init(&m, &k, entities, seed);
        struct ldr_slice absent[8];
        for (int i = 0; i < 8; i++) {
            char name[16];
            snprintf(name, sizeof name, "absent%d", i);
            absent[i] = kit_key(&k, name);
        }
        for (int round = 0; round < 2; round++) { /* memtable and tables */
            struct ldr_fact f[500];
            size_t n = 100 + model_rnd(&m, 400);
            for (size_t i = 0; i < n; i++) {
                struct model_fact mf = model_random(&m, 12, 10, 3);
                model_add(&m, &mf);
                f[i] = model_real(&m, &k, &mf);
            }
            if (round == 0)
                load(&k, f, n);
            else
                kit_write(&k, f, n);
        }
        for (int kind = 0; kind < 4; kind++)
            for (int round = 0; round < 6; round++) {
                static const int64_t ttls[] = {0, 1, 3, 100, LDR_TTL_MAX_US, 2};
                static const size_t counts[] = {1, 7, 40, 300, 1500, PROBES_MAX};
                size_t n = counts[(unsigned)(round + kind) % 6];
                int64_t ttl = ttls[round];
                for (size_t i = 0; i < n; i++) {
                    uint32_t e = model_rnd(&m, (uint32_t)entities + 2);
                    struct ldr_slice key = e < (uint32_t)entities ? m.keys[e] : absent[model_rnd(&m, 8)];
                    int64_t t = (int64_t)model_rnd(&m, 15) - 1;
                    if (model_rnd(&m, 50) == 0)
                        t = model_rnd(&m, 2) ? INT64_MAX : INT64_MIN;
                    p[i] = probe(key, t, random_known(&m, kind, t), i);
                }
                assert_int_equal(ldr_probe_sort(p, n, pool), 0);
                struct answers *a = ask(&k, NULL, ttl, p, n);
                hold_answers(&m, a, ttl, p, n);
                free(a);
                cases += n;
            }
        model_close(&m);
        kit_close(&k);
        ldr_pool_destroy(pool);
    }
    free(p);
    assert_true(cases > 40000);
}

static void both_ends_of_a_ttl_are_inside(void **state)
{
    (void)state;
    struct kit k;
    struct ldr_probe p[4];
    kit_init(&k);
    kit_open(&k);
    kit_put(&k, "e", 100, 1, 1);
    for (int i = 0; i < 4; i++) /* newest first: 111, 110, 100, 99 */
        p[i] = probe(kit_key(&k, "e"), (int64_t[]){111, 110, 100, 99}[i], LDR_KNOWN_AT_ANY, (uint64_t)i);
    struct answers *a = ask(&k, NULL, 10, p, 4);
    assert_int_equal(a->got[0].entity, -1);
    assert_int_equal(a->got[1].entity, 0);
    assert_int_equal(a->got[2].entity, 0);
    assert_int_equal(a->got[3].entity, -1);
    free(a);
    kit_close(&k);
}

static int take_half(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f)
{
    (void)f;
    ((uint64_t *)ctx)[p->tag]++;
    return 0;
}
/* Two shards with half of the ring each answer what one would. */
static void arcs_share_the_work(void **state)
{
    (void)state;
    enum { N = 200 };
    uint64_t answered[N] = {0};
    struct ldr_probe p[N];
    struct ldr_fact f[N];
    for (int half = 0; half < 2; half++) {
        struct kit k;
        struct model m;
        kit_init(&k);
        k.opts.arc_lo = half ? UINT64_C(1) << 63 : 0;
        k.opts.arc_hi = half ? UINT64_MAX : (UINT64_C(1) << 63) - 1;
        kit_open(&k);
        model_init(&m, &k, N, 1);
        size_t n = 0, np = 0;
        for (int e = 0; e < N; e++) {
            struct model_fact mf = {.entity = e, .event = 5, .created = 5, .a = e};
            f[n] = model_real(&m, &k, &mf);
            n += f[n].hash >= k.opts.arc_lo && f[n].hash <= k.opts.arc_hi;
            p[e] = probe(m.keys[e], 9, LDR_KNOWN_AT_ANY, (uint64_t)e);
        }
        load(&k, f, n);
        assert_int_equal(ldr_probe_sort(p, N, NULL), 0);
        while (np < N && p[np].hash < UINT64_C(1) << 63)
            np++;
        assert_int_equal(ldr_shard_asof_sorted(k.s, NULL, KIT_VIEW, 0, half ? p + np : p, half ? N - np : np,
                                               take_half, answered, &k.err),
                         0);
        assert_int_equal(ldr_shard_asof_sorted(k.s, NULL, KIT_VIEW, 0, p, N, take_half, answered + 0, &k.err),
                         LDR_E_INVALID); /* the other half is not for it */
        for (int e = 0; e < N;
             e++) /* that one has answered its half before it met a stranger, or nothing at all */
            answered[e] = answered[e] > 0;
        model_close(&m);
        kit_close(&k);
    }
    for (int e = 0; e < N; e++)
        assert_int_equal(answered[e], 1);
}

static void wrong_calls_are_refused(void **state)
{
    (void)state;
    struct kit k;
    struct model m;
    struct answers *a = calloc(1, sizeof *a);
    kit_init(&k);
    kit_open(&k);
    model_init(&m, &k, 3, 1);
    a->k = &k;
    struct ldr_fact f[3];
    struct ldr_probe p[3], q[2];
    for (int e = 0; e < 3; e++) {
        struct model_fact mf = {.entity = e, .event = 1, .created = 1, .a = e};
        f[e] = model_real(&m, &k, &mf);
        p[e] = probe(m.keys[e], 5, LDR_KNOWN_AT_ANY, (uint64_t)e);
    }
    kit_write(&k, f, 3);
    assert_int_equal(ldr_probe_sort(p, 3, NULL), 0);
    q[0] = p[1];
    q[1] = p[0];
    assert_int_equal(ldr_shard_asof_sorted(k.s, NULL, KIT_VIEW, 0, q, 2, take, a, &k.err), LDR_E_INVALID);
    q[0] = q[1] = p[0];
    q[1].t_us++;
    a->last = NULL;
    assert_int_equal(ldr_shard_asof_sorted(k.s, NULL, KIT_VIEW, 0, q, 2, take, a, &k.err), LDR_E_INVALID);
    assert_int_equal(ldr_shard_asof_sorted(k.s, NULL, KIT_VIEW + 1, 0, p, 3, take, a, &k.err), LDR_E_INVALID);
    assert_int_equal(ldr_shard_asof_sorted(k.s, NULL, KIT_VIEW, 0, NULL, 0, take, a, &k.err), 0);
    a->last = NULL;
    a->n = 0;
    a->stop_after = 2;
    assert_int_equal(ldr_shard_asof_sorted(k.s, NULL, KIT_VIEW, 0, p, 3, take, a, &k.err), 77);
    assert_int_equal(a->n, 2);
    free(a);
    model_close(&m);
    kit_close(&k);
}

static void a_snapshot_stands_still(void **state)
{
    (void)state;
    struct kit k;
    struct ldr_snap *snap;
    kit_init(&k);
    kit_open(&k);
    kit_put(&k, "e", 10, 1, 1);
    assert_int_equal(ldr_snap_create(k.s, &snap, &k.err), 0);
    kit_put(&k, "e", 20, 1, 2);
    struct ldr_fact f = kit_fact(&k, "e", 30, 1, false, 3);
    load(&k, &f, 1);
    struct ldr_probe p = probe(kit_key(&k, "e"), 50, LDR_KNOWN_AT_ANY, 0);
    struct answers *a = ask(&k, snap, 0, &p, 1), *b = ask(&k, NULL, 0, &p, 1);
    assert_int_equal(a->got[0].a, 1);
    assert_int_equal(b->got[0].a, 3);
    free(a);
    free(b);
    ldr_snap_destroy(snap);
    kit_close(&k);
}

/* ---- the order ---- */

static int cmp_void(const void *a, const void *b)
{
    return ldr_probe_cmp(a, b);
}

/* Hashes from one value to all, keys that share a hash, times from one value to all. */
static void probes_are_sorted(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 25, 1000, 5000, 60000, 150000};
    static const struct ldr_slice keys[] = {{(const uint8_t *)"a", 1}, {(const uint8_t *)"ab", 2}, {NULL, 0}};
    struct ldr_pool *pool;
    struct model m = {.rng = 5};
    assert_int_equal(ldr_pool_create(2, &pool), 0);
    for (size_t c = 0; c < sizeof sizes / sizeof *sizes; c++)
        for (int shape = 0; shape < 6; shape++) {
            size_t n = sizes[c];
            struct ldr_probe *p = calloc(n + 1, sizeof *p), *want = calloc(n + 1, sizeof *want);
            uint64_t *seen = calloc(n + 1, sizeof *seen);
            for (size_t i = 0; i < n; i++) {
                uint64_t r =
                    (uint64_t)model_rnd(&m, 1u << 31) << 33 ^ (uint64_t)model_rnd(&m, 1u << 31) << 10 ^ i;
                p[i].hash = shape == 0   ? r
                            : shape == 1 ? 42
                            : shape == 2 ? r % 5
                            : shape == 3 ? UINT64_MAX - r % 3
                                         : r % (n / 30 + 1) * UINT64_C(0x9E3779B97F4A7C15);
                p[i].key = keys[shape == 4 ? i % 3 : 0];
                p[i].t_us = shape == 5 ? 7 : (int64_t)(r * 31);
                p[i].tag = i;
            }
            memcpy(want, p, n * sizeof *p);
            qsort(want, n, sizeof *want, cmp_void);
            assert_int_equal(ldr_probe_sort(p, n, shape % 2 ? pool : NULL), 0);
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(ldr_probe_cmp(&p[i], &want[i]), 0);
                seen[p[i].tag]++;
            }
            for (size_t i = 0; i < n; i++)
                assert_int_equal(seen[i], 1);
            free(p);
            free(want);
            free(seen);
        }
    ldr_pool_destroy(pool);
}

/* Blocks that many reads bring in stay in the cache from the fifth pass on, not before; answers are the same.
 */
static void blocks_stay_once_they_were_read_often(void **state)
{
    enum { FACTS = 100000 };
    struct kit k;
    (void)state;
    kit_init(&k);
    k.opts.cache_bytes = 64 << 20;
    kit_reopen(&k);
    struct ldr_fact *f = calloc(FACTS, sizeof *f);
    struct ldr_probe *p = calloc(PROBES_MAX, sizeof *p);
    for (unsigned i = 0; i < FACTS; i++) {
        char name[16];
        snprintf(name, sizeof name, "e%u", i);
        f[i] = kit_fact(&k, name, 100, 100, false, i);
        if (i % (FACTS / PROBES_MAX) == 0)
            p[i / (FACTS / PROBES_MAX)] = probe(f[i].key, 100, LDR_KNOWN_AT_ANY, i / (FACTS / PROBES_MAX));
    }
    load(&k, f, FACTS);
    assert_int_equal(ldr_probe_sort(p, PROBES_MAX, NULL), 0);
    size_t before = 0, once = 0, often = 0;
    for (int pass = 0; pass < 8; pass++) {
        struct answers *a = ask(&k, NULL, 0, p, PROBES_MAX);
        assert_int_equal(a->n, PROBES_MAX);
        for (size_t i = 0; i < PROBES_MAX; i++)
            assert_int_equal(a->got[i].a, i * (FACTS / PROBES_MAX));
        free(a);
        size_t now = rocksdb_cache_get_usage(k.s->cache);
        before = pass == 0 ? now : before; /* index and filters are there after the first */
        once = pass == 2 ? now : once;
        often = now;
    }
    assert_in_range(once, 0, before + (256 << 10));
    assert_true(often > before + (2 << 20));
    free(p);
    free(f);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_stay_once_they_were_read_often),
        cmocka_unit_test(probes_are_sorted),
        cmocka_unit_test(any_probes_agree_with_the_model),
        cmocka_unit_test(arcs_share_the_work),
        cmocka_unit_test(both_ends_of_a_ttl_are_inside),
        cmocka_unit_test(wrong_calls_are_refused),
        cmocka_unit_test(a_snapshot_stands_still),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
