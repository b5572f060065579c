/* Bulk loads against the model and against writing: any split, any order, repetitions, ties, stamps,
 * tombstones. What a crash leaves is in test_bulk_crash.c. */
#include "shard/rocks_bulk.h"
#include "tests/unit/shard/model.h"

#define CHUNKS 5

/* Loads n facts in chunks of random sizes, some empty. Always by tables, however few. */
static struct ldr_write_result load(struct kit *k, struct model *m, struct ldr_fact *f, size_t n)
{
    struct ldr_fact_chunk chunks[CHUNKS] = {0};
    struct ldr_write_result res;
    size_t at = 0;
    for (int i = 0; i < CHUNKS; i++) {
        chunks[i].facts = f + at;
        chunks[i].n = i + 1 == CHUNKS ? n - at : model_rnd(m, (uint32_t)(n - at) + 1);
        at += chunks[i].n;
    }
    int rc = ldr_bulk_load(k->s, KIT_VIEW, chunks, CHUNKS, &res, &k->err);
    if (rc)
        print_error("load: %s\n", k->err.message);
    assert_int_equal(rc, 0);
    assert_int_equal(res.facts + res.duplicates + res.erased, n);
    return res;
}

static struct ldr_write_result load_one(struct kit *k, struct model *m, struct ldr_fact f)
{
    return load(k, m, &f, 1);
}

static void any_split_gives_the_same_store(void **state)
{
    (void)state;
    uint64_t facts = 0;
    for (uint64_t seed = 1; seed <= 16; seed++) {
        struct kit k;
        struct model m;
        kit_init(&k);
        k.opts.no_sync = true;
        if (seed % 2)
            assert_int_equal(ldr_pool_create(2, &k.opts.pool), 0);
        kit_open(&k);
        model_init(&m, &k, 1 + (int)(seed % 7) * 3, seed);
        for (int round = 0; round < 5; round++) {
            struct ldr_fact f[120];
            size_t n = model_rnd(&m, 120);
            for (size_t i = 0; i < n; i++) {
                struct model_fact mf = model_random(&m, 4, 4, 3);
                model_add(&m, &mf);
                f[i] = model_real(&m, &k, &mf);
            }
            if (model_rnd(&m, 3) == 0)
                kit_write(&k, f, n);
            else
                load(&k, &m, f, n);
            facts += n;
            if (model_rnd(&m, 4) == 0) {
                int e = (int)model_rnd(&m, (uint32_t)m.entities);
                int64_t at = model_rnd(&m, 3);
                assert_int_equal(ldr_shard_erase(k.s, KIT_VIEW, KIT_ENTITY, m.keys[e], at, NULL, &k.err), 0);
                model_erase(&m, e, at);
            }
            if (model_rnd(&m, 4) == 0)
                kit_reopen(&k);
            if (model_rnd(&m, 4) == 0)
                assert_int_equal(ldr_shard_compact(k.s, &k.err), 0);
            model_hold(&m, &k);
        }
        model_close(&m);
        kit_close(&k);
        ldr_pool_destroy(k.opts.pool);
    }
    assert_true(facts > 2500);
}

/* Enough for several parts, tables and records of the log. */
static void many_facts(void **state)
{
    (void)state;
    enum { ENTITIES = 9000, PER = 7, N = ENTITIES * PER };
    struct kit k;
    struct model m;
    kit_init(&k);
    k.opts.no_sync = true;
    assert_int_equal(ldr_pool_create(2, &k.opts.pool), 0);
    kit_open(&k);
    model_init(&m, &k, ENTITIES, 3);
    struct ldr_fact *f = calloc(N, sizeof *f);
    for (uint32_t i = 0; i < N; i++) {
        uint32_t at = (uint32_t)((uint64_t)i * 32003 % N); /* a permutation */
        struct model_fact mf = {
            .entity = (int)(at % ENTITIES), .event = at / ENTITIES, .created = 50, .stamped = true, .a = at};
        f[i] = model_real(&m, &k, &mf);
    }
    struct ldr_write_result res = load(&k, &m, f, N);
    assert_int_equal(res.facts, N);
    assert_int_equal(res.ties, 0);
    assert_int_equal(res.seq, N);
    assert_int_equal(kit_check(&k).facts, N);
    kit_reopen(&k);
    res = load(&k, &m, f, N);
    assert_int_equal(res.facts, 0);
    assert_int_equal(res.duplicates, N);
    assert_int_equal(res.seq, N);
    for (uint32_t i = 0; i < N; i++)
        f[i].created_us = 60; /* read again later */
    res = load(&k, &m, f, N);
    assert_int_equal(res.duplicates, N);
    struct ldr_check_report rep = kit_check(&k);
    assert_int_equal(rep.facts, N);
    assert_int_equal(rep.entities, ENTITIES);
    assert_int_equal(rep.latest, ENTITIES);
    for (int e = 0; e < ENTITIES; e += 97) {
        char name[16];
        snprintf(name, sizeof name, "e%d", e);
        assert_int_equal(kit_latest(&k, e ? name : ""), e + (PER - 1) * ENTITIES);
    }
    free(f);
    model_close(&m);
    kit_close(&k);
    ldr_pool_destroy(k.opts.pool);
}

static void an_earlier_stamp_replaces_a_later_one(void **state)
{
    (void)state;
    struct kit k;
    struct model m;
    kit_init(&k);
    kit_open(&k);
    model_init(&m, &k, 1, 1);
    struct model_fact a = {.event = 5, .created = 30, .stamped = true, .a = 1};
    struct model_fact b = {.event = 5, .created = 20, .stamped = false, .a = 2};
    load_one(&k, &m, model_real(&m, &k, &a));
    load_one(&k, &m, model_real(&m, &k, &b));
    assert_int_equal(kit_latest(&k, ""), 1); /* created 30 beats 20 */
    a.created = 10;
    struct ldr_write_result res = load_one(&k, &m, model_real(&m, &k, &a));
    assert_int_equal(res.facts, 1);
    assert_int_equal(kit_latest(&k, ""), 2); /* 10 does not */
    assert_int_equal(kit_asof(&k, "", 5, 0, 19), 1);
    kit_check(&k);
    kit_reopen(&k);
    assert_int_equal(kit_latest(&k, ""), 2);
    assert_int_equal(ldr_shard_compact(k.s, &k.err), 0);
    assert_int_equal(kit_asof(&k, "", 5, 0, 9), KIT_NONE);
    assert_int_equal(kit_asof(&k, "", 5, 0, 10), 1);
    a.created = 25; /* and a later stamp changes nothing */
    res = load_one(&k, &m, model_real(&m, &k, &a));
    assert_int_equal(res.duplicates, 1);
    assert_int_equal(kit_latest(&k, ""), 2);
    kit_check(&k);
    model_close(&m);
    kit_close(&k);
}

static void ties_are_counted(void **state)
{
    (void)state;
    struct kit k;
    struct model m;
    struct ldr_fact f[4];
    kit_init(&k);
    kit_open(&k);
    model_init(&m, &k, 1, 1);
    for (int i = 0; i < 4; i++) {
        struct model_fact mf = {.event = 1, .created = i == 3 ? 8 : 7, .stamped = i == 2, .a = i};
        f[i] = model_real(&m, &k, &mf);
    }
    assert_int_equal(load(&k, &m, f, 4).ties, 2); /* three at created 7 */
    assert_int_equal(kit_latest(&k, ""), 3);
    struct model_fact more = {.event = 1, .created = 8, .a = 9};
    assert_int_equal(load_one(&k, &m, model_real(&m, &k, &more)).ties, 1); /* with a stored one */
    assert_int_equal(load_one(&k, &m, model_real(&m, &k, &more)).ties, 0); /* a repetition is none */
    assert_int_equal(kit_latest(&k, ""), 9);
    more = (struct model_fact){.event = 1, .created = 8, .stamped = true, .a = 9};
    assert_int_equal(load_one(&k, &m, model_real(&m, &k, &more)).ties, 0); /* same values, no tie */
    kit_check(&k);
    model_close(&m);
    kit_close(&k);
}

static void bad_facts_change_nothing(void **state)
{
    (void)state;
    struct kit k;
    struct model m;
    struct ldr_write_result res;
    kit_init(&k);
    kit_open(&k);
    model_init(&m, &k, 2, 1);
    struct ldr_fact f[3];
    for (int i = 0; i < 3; i++) {
        struct model_fact mf = {.entity = i % 2, .event = i, .created = 1, .a = i};
        f[i] = model_real(&m, &k, &mf);
    }
    struct ldr_fact_chunk c = {f, 3};
    struct ldr_fact good = f[1];
    f[1].view = KIT_VIEW + 1;
    assert_int_equal(ldr_bulk_load(k.s, KIT_VIEW, &c, 1, &res, &k.err), LDR_E_INVALID);
    assert_int_equal(ldr_shard_load(k.s, KIT_VIEW, &c, 1, &res, &k.err), LDR_E_INVALID);
    assert_int_equal(ldr_bulk_load(k.s, KIT_VIEW + 1, &c, 1, &res, &k.err), LDR_E_INVALID); /* not declared */
    f[1] = good;
    f[1].hash++;
    assert_int_equal(ldr_bulk_load(k.s, KIT_VIEW, &c, 1, &res, &k.err), LDR_E_INVALID);
    f[1] = good;
    f[1].event_us = LDR_TIME_MAX_US + 1;
    assert_int_equal(ldr_bulk_load(k.s, KIT_VIEW, &c, 1, &res, &k.err), LDR_E_INVALID);
    assert_false(k.err.in_doubt);
    f[1] = good;
    f[1].key.n = LDR_KEY_MAX + 1;
    assert_int_equal(ldr_bulk_load(k.s, KIT_VIEW, &c, 1, &res, &k.err), LDR_E_TOO_BIG);
    f[1] = good;
    assert_int_equal(kit_check(&k).facts, 0);
    c.n = 0;
    assert_int_equal(ldr_bulk_load(k.s, KIT_VIEW, &c, 1, &res, &k.err), 0);
    assert_int_equal(ldr_bulk_load(k.s, KIT_VIEW, NULL, 0, &res, &k.err), 0);
    assert_int_equal(ldr_shard_load(k.s, KIT_VIEW, NULL, 0, &res, &k.err), 0);
    c.n = 3;
    assert_int_equal(ldr_shard_load(k.s, KIT_VIEW, &c, 1, &res, &k.err), 0);
    assert_int_equal(res.facts, 3);
    assert_int_equal(kit_check(&k).facts, 3);
    model_close(&m);
    kit_close(&k);
}

static void arcs_are_kept(void **state)
{
    (void)state;
    struct kit k;
    struct model m;
    struct ldr_write_result res;
    kit_init(&k);
    model_init(&m, &k, 64, 1);
    k.opts.arc_lo = UINT64_C(1) << 62;
    k.opts.arc_hi = (UINT64_C(3) << 62) - 1;
    kit_open(&k);
    struct ldr_fact in[64], out[64];
    size_t nin = 0, nout = 0;
    for (int e = 0; e < 64; e++) {
        struct model_fact mf = {.entity = e, .event = 1, .created = 1, .a = e};
        struct ldr_fact f = model_real(&m, &k, &mf);
        if (f.hash >= k.opts.arc_lo && f.hash <= k.opts.arc_hi) {
            model_add(&m, &mf);
            in[nin++] = f;
        } else {
            out[nout++] = f;
        }
    }
    assert_true(nin > 10 && nout > 10);
    for (size_t i = 0; i < nout; i++) {
        struct ldr_fact_chunk c = {&out[i], 1};
        assert_int_equal(ldr_bulk_load(k.s, KIT_VIEW, &c, 1, &res, &k.err), LDR_E_INVALID);
    }
    assert_int_equal(load(&k, &m, in, nin).facts, nin);
    assert_int_equal(kit_check(&k).facts, nin);
    model_close(&m);
    kit_close(&k);
}

struct logged {
    struct model *m;
    uint64_t facts, seq;
    int entries;
};
static int take_entry(void *ctx, const struct ldr_log_entry *e)
{
    struct logged *l = ctx;
    assert_int_equal(e->kind, LDR_LOG_FACTS);
    assert_int_equal(e->view, KIT_VIEW);
    assert_int_equal(e->entity_id, KIT_ENTITY);
    int entity = model_entity(l->m, e->key);
    assert_true(entity >= 0);
    assert_int_equal(e->from_us, entity);
    assert_int_equal(e->to_us, entity + 2);
    assert_int_equal(e->count, 3);
    l->facts += e->count;
    assert_true(e->seq > l->seq);
    l->seq = e->seq;
    l->entries++;
    return 0;
}
static void the_log_names_what_was_touched(void **state)
{
    (void)state;
    struct kit k;
    struct model m;
    struct ldr_fact f[60];
    kit_init(&k);
    kit_open(&k);
    model_init(&m, &k, 20, 1);
    for (int i = 0; i < 60; i++) {
        struct model_fact mf = {.entity = i % 20, .event = i % 20 + i / 20, .created = 1, .a = i};
        f[i] = model_real(&m, &k, &mf);
    }
    struct ldr_write_result res = load(&k, &m, f, 60);
    struct logged l = {.m = &m};
    assert_int_equal(ldr_shard_log_read(k.s, 0, take_entry, &l, &k.err), 0);
    assert_int_equal(l.entries, 20);
    assert_int_equal(l.facts, 60);
    assert_int_equal(l.seq, res.seq);
    load(&k, &m, f, 60); /* nothing new, nothing logged */
    l = (struct logged){.m = &m};
    assert_int_equal(ldr_shard_log_read(k.s, 0, take_entry, &l, &k.err), 0);
    assert_int_equal(l.entries, 20);
    model_close(&m);
    kit_close(&k);
}

static int take_whole(void *ctx, const struct ldr_log_entry *e)
{
    struct logged *l = ctx;
    assert_int_equal(e->key.n, 0);
    assert_int_equal(e->from_us, 0);
    assert_int_equal(e->to_us, 9);
    l->facts += e->count;
    l->entries++;
    return 0;
}
/* Too many entities to name: an entry with an empty key stands for those of a part. */
static void the_log_of_a_very_wide_load_is_short(void **state)
{
    (void)state;
    enum { N = 140000 };
    struct kit k;
    struct model m;
    kit_init(&k);
    k.opts.no_sync = true;
    kit_open(&k);
    model_init(&m, &k, N, 1);
    struct ldr_fact *f = calloc(N, sizeof *f);
    struct ldr_slice row = kit_row(&k, k.schema, 4, "x");
    for (int e = 0; e < N; e++) {
        f[e] = (struct ldr_fact){.view = KIT_VIEW, .hash = m.hashes[e], .key = m.keys[e], .event_us = e % 10};
        f[e].row = row;
        f[e].vhash = ldr_row_vhash(k.schema, row);
    }
    assert_int_equal(load(&k, &m, f, N).seq, N);
    struct logged l = {.m = &m};
    assert_int_equal(ldr_shard_log_read(k.s, 0, take_whole, &l, &k.err), 0);
    assert_int_equal(l.entries, 2);
    assert_int_equal(l.facts, N);
    assert_int_equal(kit_check(&k).latest, N);
    free(f);
    model_close(&m);
    kit_close(&k);
}

/* What was read into memory before a load is not served after it. */
static void readers_see_the_load(void **state)
{
    (void)state;
    struct kit k;
    struct model m;
    struct ldr_snap *before;
    kit_init(&k);
    kit_open(&k);
    model_init(&m, &k, 2, 1);
    struct model_fact a = {.entity = 1, .event = 5, .created = 1, .a = 1};
    load_one(&k, &m, model_real(&m, &k, &a));
    assert_int_equal(kit_latest(&k, "e1"), 1);
    assert_int_equal(kit_latest(&k, ""), KIT_NONE);
    assert_int_equal(ldr_snap_create(k.s, &before, &k.err), 0);
    struct ldr_fact f[2];
    struct model_fact b = {.entity = 1, .event = 6, .created = 1, .a = 2};
    struct model_fact c = {.entity = 0, .event = 6, .created = 1, .a = 3};
    f[0] = model_real(&m, &k, &b);
    f[1] = model_real(&m, &k, &c);
    load(&k, &m, f, 2);
    assert_int_equal(kit_latest(&k, "e1"), 2);
    assert_int_equal(kit_latest(&k, ""), 3);
    struct model_seen seen = {.m = &m, .k = &k};
    struct ldr_scan_opts o = {
        .view = KIT_VIEW, .from_us = INT64_MIN, .to_us = INT64_MAX, .hash_hi = UINT64_MAX};
    assert_int_equal(ldr_shard_scan(k.s, before, &o, model_see, &seen, &k.err), 0);
    assert_int_equal(seen.n, 1); /* the snapshot does not */
    ldr_snap_destroy(before);
    free(seen.list);
    model_close(&m);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_split_gives_the_same_store),
        cmocka_unit_test(many_facts),
        cmocka_unit_test(an_earlier_stamp_replaces_a_later_one),
        cmocka_unit_test(ties_are_counted),
        cmocka_unit_test(bad_facts_change_nothing),
        cmocka_unit_test(arcs_are_kept),
        cmocka_unit_test(the_log_names_what_was_touched),
        cmocka_unit_test(the_log_of_a_very_wide_load_is_short),
        cmocka_unit_test(readers_see_the_load),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
