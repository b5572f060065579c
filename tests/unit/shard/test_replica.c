/* What replication asks of a shard: pages of the change log and of ranges, hashes, merging, notes, copies. */
#include "tests/unit/shard/model.h"

static struct ldr_tomb tomb(struct ldr_slice key, int64_t at, bool view)
{
    return (struct ldr_tomb){
        .view = view ? KIT_VIEW : 0, .entity_id = view ? 0 : KIT_ENTITY, .key = key, .erase_us = at};
}

/* A second shard of the same arc in the same folder. */
static void second(struct kit *k, struct kit *a, const char *name)
{
    *k = *a;
    k->s = NULL;
    ldr_arena_init(&k->arena, NULL, 0); /* the schema stays the other's */
    snprintf(k->path, sizeof k->path, "%s/%s", a->dir, name);
    k->opts.dir = k->path;
    k->opts.clock.ctx = k;
    kit_open(k);
}

static void second_close(struct kit *k)
{
    ldr_shard_close(k->s);
    ldr_arena_close(&k->arena);
}

/* What follows after `cursor`, page by page, into b. Returns the new cursor. */
static uint64_t pull(struct kit *a, struct kit *b, uint64_t cursor, size_t bytes)
{
    struct ldr_page page;
    struct ldr_log_reach reach;
    struct ldr_write_result res;
    ldr_page_init(&page);
    do {
        ldr_page_reset(&page);
        int rc = ldr_shard_log_page(a->s, cursor, bytes, &page, &reach, &a->err);
        if (rc)
            print_error("log page: %s\n", a->err.message);
        assert_int_equal(rc, 0);
        assert_true(reach.upto_seq >= cursor);
        assert_true(reach.upto_seq > cursor || reach.head_seq == cursor);
        assert_false(reach.skipped);
        cursor = reach.upto_seq;
        rc = ldr_shard_merge(b->s, page.facts, page.nfacts, page.tombs, page.ntombs, &res, &b->err);
        if (rc)
            print_error("merge: %s\n", b->err.message);
        assert_int_equal(rc, 0);
    } while (cursor < reach.head_seq);
    ldr_page_close(&page);
    return cursor;
}

#define BUCKETS 16
static void hashes(struct kit *k, uint64_t out[BUCKETS])
{
    int rc = ldr_shard_hashes(k->s, k->opts.arc_lo, k->opts.arc_hi, BUCKETS, KIT_NOW, out, &k->err);
    if (rc)
        print_error("hashes: %s\n", k->err.message);
    assert_int_equal(rc, 0);
}
static bool same_hashes(struct kit *a, struct kit *b)
{
    uint64_t x[BUCKETS], y[BUCKETS];
    hashes(a, x);
    hashes(b, y);
    return memcmp(x, y, sizeof x) == 0;
}

/* With erasures a stamped fact keeps one stamp: which of several is known when the erasure comes does depend
 * on the order (shard/README.md). */
static void random_step(struct model *m, struct kit *k, bool erasures)
{
    struct ldr_write_result res;
    struct ldr_fact f[8];
    size_t n = 1 + model_rnd(m, 8);
    if (erasures && model_rnd(m, 6) == 0) {
        int e = (int)model_rnd(m, (uint32_t)m->entities);
        int64_t at = model_rnd(m, 30);
        struct ldr_tomb t = tomb(m->keys[e], at, model_rnd(m, 2));
        model_erase(m, e, at);
        assert_int_equal(ldr_shard_merge(k->s, NULL, 0, &t, 1, &res, &k->err), 0);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct model_fact mf = model_random(m, 20, 40, 3);
        if (erasures && mf.stamped)
            mf.created = (mf.event * 7 + mf.a * 3) % 40;
        model_add(m, &mf);
        f[i] = model_real(m, k, &mf);
    }
    kit_write(k, f, n);
}

static void pulls_make_replicas_equal(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct kit a, b;
        struct model m;
        kit_init(&a);
        kit_open(&a);
        second(&b, &a, "b");
        model_init(&m, &a, 12, seed);
        uint64_t cursor = 0;
        for (int i = 0; i < 60; i++) {
            random_step(&m, &a, seed % 2);
            if (model_rnd(&m, 10) == 0)
                cursor = pull(&a, &b, cursor, 200 + model_rnd(&m, 2000));
        }
        pull(&a, &b, cursor, 500);
        model_hold(&m, &a);
        model_hold(&m, &b);
        assert_true(same_hashes(&a, &b));
        second_close(&b);
        model_close(&m);
        kit_close(&a);
    }
}

/* Range pages carry everything, whatever the page size, the arc by parts. */
/* Replicas that pull each other's logs fall silent: what one has is not logged by it again, declared or
 * stamped, newest or not, one entity's or many's. */
static void pulling_each_other_comes_to_rest(void **state)
{
    struct kit a, b;
    (void)state;
    kit_init(&a);
    kit_open(&a);
    second(&b, &a, "b");
    struct ldr_fact f[2];
    for (int i = 0; i < 200; i++) {
        char name[16];
        snprintf(name, sizeof name, "k%d", i % 7);
        f[0] = kit_fact(&a, name, 1000 - i, 5, false, i);
        f[1] = kit_fact(&a, name, i, 7, true, i);
        kit_write(i % 2 ? &a : &b, f, 2);
    }
    uint64_t of_a = 0, of_b = 0, last_a = UINT64_MAX, last_b = UINT64_MAX;
    for (int round = 0; round < 4; round++) {
        of_a = pull(&a, &b, of_a, 4096);
        of_b = pull(&b, &a, of_b, 4096);
        if (round == 2) { /* everything has gone round once, and once back */
            last_a = of_a;
            last_b = of_b;
        }
    }
    assert_int_equal(of_a, last_a);
    assert_int_equal(of_b, last_b);
    assert_true(same_hashes(&a, &b));
    second_close(&b);
    kit_close(&a);
}

static void ranges_carry_everything(void **state)
{
    (void)state;
    struct kit a, b;
    struct model m;
    kit_init(&a);
    kit_open(&a);
    second(&b, &a, "b");
    model_init(&m, &a, 12, 99);
    for (int i = 0; i < 150; i++)
        random_step(&m, &a, true);
    struct ldr_page page;
    struct ldr_buf resume, next;
    ldr_page_init(&page);
    ldr_buf_init(&resume, NULL, 0);
    ldr_buf_init(&next, NULL, 0);
    for (int part = 0; part < 4; part++) {
        uint64_t lo = (uint64_t)part << 62, hi = lo + (UINT64_MAX >> 2);
        bool done = false;
        int pages = 0;
        ldr_buf_reset(&resume);
        for (; !done; pages++) {
            struct ldr_write_result res;
            ldr_page_reset(&page);
            ldr_buf_reset(&next);
            assert_int_equal(ldr_shard_range_page(a.s, lo, hi, ldr_buf_slice(&resume),
                                                  150 + 400 * (size_t)part, &page, &next, &done, &a.err),
                             0);
            for (size_t i = 0; i < page.nfacts; i++)
                assert_true(page.facts[i].hash >= lo && page.facts[i].hash <= hi);
            assert_int_equal(
                ldr_shard_merge(b.s, page.facts, page.nfacts, page.tombs, page.ntombs, &res, &b.err), 0);
            ldr_buf_reset(&resume);
            ldr_buf_put(&resume, next.p, next.n);
            assert_true(pages < 10000);
        }
    }
    assert_true(same_hashes(&a, &b));
    model_hold(&m, &b);
    static const uint8_t bad[] = {1, 1, 0}, bad_version[] = {9, 0};
    bool done;
    assert_int_equal(ldr_shard_range_page(a.s, 0, UINT64_MAX, ldr_slice(bad, sizeof bad), 100, &page, &next,
                                          &done, &a.err),
                     LDR_E_INVALID);
    assert_int_equal(
        ldr_shard_range_page(a.s, 0, UINT64_MAX, ldr_slice(bad_version, 2), 100, &page, &next, &done, &a.err),
        LDR_E_INVALID);
    ldr_buf_close(&resume);
    ldr_buf_close(&next);
    ldr_page_close(&page);
    second_close(&b);
    model_close(&m);
    kit_close(&a);
}

/* The same operations in another order and other batches give the same hashes; one fact less does not. */
static void hashes_are_of_content(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct kit a, b;
        struct model m;
        enum { N = 80 };
        struct ldr_fact f[N];
        kit_init(&a);
        kit_open(&a);
        second(&b, &a, "b");
        model_init(&m, &a, 10, seed);
        for (int i = 0; i < N; i++) {
            struct model_fact mf = model_random(&m, 10, 20, 3);
            model_add(&m, &mf);
            f[i] = model_real(&m, &a, &mf);
        }
        for (int i = 0; i < N; i++)
            kit_write(&a, &f[i], 1);
        for (int i = N - 1; i > 0; i--) {
            size_t j = model_rnd(&m, (uint32_t)i + 1);
            struct ldr_fact t = f[i];
            f[i] = f[j];
            f[j] = t;
        }
        struct ldr_write_result res = {0};
        for (int i = 0; i < N; i++) {
            res = kit_write(&b, &f[i], 1);
        }
        assert_true(same_hashes(&a, &b));
        struct ldr_tomb t = tomb(m.keys[3], 5, true), wider = tomb(m.keys[3], 5, false);
        assert_int_equal(ldr_shard_merge(a.s, NULL, 0, &t, 1, &res, &a.err), 0);
        assert_false(same_hashes(&a, &b)); /* the tombstone counts even where it erased nothing */
        assert_int_equal(ldr_shard_merge(b.s, NULL, 0, &wider, 1, &res, &b.err), 0);
        assert_false(same_hashes(&a, &b));
        assert_int_equal(ldr_shard_merge(b.s, NULL, 0, &t, 1, &res, &b.err), 0);
        assert_int_equal(ldr_shard_merge(a.s, NULL, 0, &wider, 1, &res, &a.err), 0);
        assert_true(same_hashes(&a, &b));
        second_close(&b);
        model_close(&m);
        kit_close(&a);
    }
}

/* Two shards have equal hashes exactly when the models of what they were told are equal. */
static void hashes_tell_any_difference(void **state)
{
    (void)state;
    struct kit a, b;
    struct model m;
    kit_init(&a);
    kit_open(&a);
    second(&b, &a, "b");
    model_init(&m, &a, 3, 7);
    struct model ma = m, mb = m; /* share keys; lists of their own */
    int equal = 0, differ = 0;
    for (int i = 0; i < 400; i++) {
        struct model_fact x = model_random(&m, 2, 3, 2), y = model_rnd(&m, 3) ? x : model_random(&m, 2, 3, 2);
        model_add(&ma, &x);
        model_add(&mb, &y);
        struct ldr_fact fx = model_real(&m, &a, &x), fy = model_real(&m, &b, &y);
        kit_write(&a, &fx, 1);
        kit_write(&b, &fy, 1);
        bool same = ma.n == mb.n;
        qsort(ma.f, ma.n, sizeof *ma.f, model_cmp);
        qsort(mb.f, mb.n, sizeof *mb.f, model_cmp);
        for (size_t j = 0; same && j < ma.n; j++)
            same = model_cmp(&ma.f[j], &mb.f[j]) == 0;
        assert_int_equal(same, same_hashes(&a, &b));
        equal += same;
        differ += !same;
    }
    assert_true(equal > 0 && differ > 10);
    free(ma.f);
    free(mb.f);
    second_close(&b);
    model_close(&m);
    kit_close(&a);
}

/* One replica has compacted at some moment, the other has not: no difference. */
static void hashes_overlook_retention(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct kit a, b;
        struct model m;
        kit_init(&a);
        a.schema = kit_schema(&a, KIT_VIEW, seed % 2 ? 20 : 0, 40);
        kit_open(&a);
        second(&b, &a, "b");
        model_init(&m, &a, 4, seed);
        for (int i = 0; i < 200; i++) {
            struct model_fact mf = model_random(&m, 100, 100, 4);
            mf.event += KIT_NOW - 120;
            mf.created += KIT_NOW - 120;
            struct ldr_fact f = model_real(&m, &a, &mf);
            kit_write(&a, &f, 1);
            kit_write(&b, &f, 1);
        }
        a.now_us = b.now_us = KIT_NOW - 30;
        assert_int_equal(ldr_shard_compact(a.s, &a.err), 0);
        struct ldr_shard_stats sa, sb;
        ldr_shard_stats(a.s, &sa);
        ldr_shard_stats(b.s, &sb);
        assert_true(sa.history_facts < sb.history_facts); /* it did remove some */
        assert_true(same_hashes(&a, &b));
        b.now_us = KIT_NOW;
        assert_int_equal(ldr_shard_compact(b.s, &b.err), 0);
        assert_true(same_hashes(&a, &b));
        kit_put(&a, "e1", KIT_NOW + 5, KIT_NOW + 5, 1); /* what counts is still seen */
        assert_false(same_hashes(&a, &b));
        second_close(&b);
        model_close(&m);
        kit_close(&a);
    }
}

static void log_reach_after_trim(void **state)
{
    (void)state;
    struct kit k;
    struct ldr_page page;
    struct ldr_log_reach reach;
    kit_init(&k);
    kit_open(&k);
    ldr_page_init(&page);
    assert_int_equal(ldr_shard_log_page(k.s, 0, 1000, &page, &reach, &k.err), 0);
    assert_int_equal(reach.first_seq, 0);
    assert_int_equal(reach.head_seq, 0);
    for (int i = 0; i < 5; i++)
        kit_put(&k, "a", i, i, i);
    assert_int_equal(ldr_shard_log_trim(k.s, 3, &k.err), 0);
    assert_int_equal(ldr_shard_log_page(k.s, 0, 1000, &page, &reach, &k.err), 0);
    assert_int_equal(reach.first_seq, 3);
    assert_int_equal(reach.head_seq, 5);
    assert_int_equal(page.nfacts, 2);
    assert_int_equal(ldr_shard_log_trim(k.s, 5, &k.err), 0);
    ldr_page_reset(&page);
    assert_int_equal(ldr_shard_log_page(k.s, 2, 1000, &page, &reach, &k.err), 0);
    assert_int_equal(reach.first_seq, 5); /* nothing left, and yet it is known where it began */
    assert_int_equal(page.nfacts, 0);
    ldr_page_close(&page);
    kit_close(&k);
}

static void write_calls_have_own_outcomes(void **state)
{
    (void)state;
    struct kit k;
    kit_init(&k);
    kit_open(&k);
    struct ldr_fact a = kit_fact(&k, "a", 1, 1, false, 1), b = kit_fact(&k, "b", 1, 1, false, 2),
                    bad = kit_fact(&k, "c", 1, 1, false, 3);
    bad.hash ^= 1;
    struct ldr_write_call calls[4] = {{.facts = &a, .n = 1}, {.facts = &bad, .n = 1}, {.facts = &b, .n = 1}};
    ldr_shard_write_calls(k.s, calls, 4);
    assert_int_equal(calls[0].rc, 0);
    assert_int_equal(calls[0].res.facts, 1);
    assert_int_equal(calls[1].rc, LDR_E_INVALID);
    assert_int_equal(calls[2].rc, 0);
    assert_int_equal(calls[2].res.seq, 2);
    assert_int_equal(calls[3].rc, 0);
    ldr_shard_write_calls(k.s, calls, 1);
    assert_int_equal(calls[0].res.duplicates, 1);
    kit_reopen(&k);
    assert_int_equal(kit_latest(&k, "a"), 1);
    assert_int_equal(kit_latest(&k, "b"), 2);
    assert_int_equal(kit_latest(&k, "c"), KIT_NONE);
    kit_close(&k);
}

static void merge_takes_tombs_of_unknown_views(void **state)
{
    (void)state;
    struct kit k;
    struct ldr_write_result res;
    kit_init(&k);
    kit_open(&k);
    struct ldr_slice key = kit_key(&k, "a");
    struct ldr_fact f[2] = {kit_fact(&k, "a", 1, 10, false, 1), kit_fact(&k, "a", 2, 30, false, 2)};
    struct ldr_tomb t[3] = {
        {99, 0, key, 20, false}, {KIT_VIEW, 0, key, 20, false}, {0, KIT_ENTITY, key, 5, false}};
    kit_put(&k, "a", 0, 4, 7);
    assert_int_equal(ldr_shard_merge(k.s, f, 2, t, 3, &res, &k.err), 0);
    assert_int_equal(res.erased, 2);
    assert_int_equal(res.facts, 1);
    kit_reopen(&k);
    assert_int_equal(kit_latest(&k, "a"), 2);
    assert_int_equal(ldr_shard_merge(k.s, f, 1, NULL, 0, &res, &k.err), 0);
    assert_int_equal(res.erased, 1);
    assert_int_equal(kit_check(&k).tombstones, 3);
    kit_close(&k);
}

static void notes_stay(void **state)
{
    (void)state;
    struct kit k;
    struct ldr_buf b;
    kit_init(&k);
    kit_open(&k);
    ldr_buf_init(&b, NULL, 0);
    struct ldr_note n[2] = {{"cursor/1", ldr_slice_str("abc")}, {"state", ldr_slice_str("x")}};
    assert_int_equal(ldr_shard_note_get(k.s, "state", &b, &k.err), LDR_E_NOT_FOUND);
    assert_int_equal(ldr_shard_note_put(k.s, n, 2, &k.err), 0);
    kit_reopen(&k);
    assert_int_equal(ldr_shard_note_get(k.s, "cursor/1", &b, &k.err), 0);
    assert_string_equal(ldr_buf_cstr(&b), "abc");
    n[0].value.n = 0;
    assert_int_equal(ldr_shard_note_put(k.s, n, 1, &k.err), 0);
    assert_int_equal(ldr_shard_note_get(k.s, "cursor/1", &b, &k.err), LDR_E_NOT_FOUND);
    n[0].key = "";
    assert_int_equal(ldr_shard_note_put(k.s, n, 1, &k.err), LDR_E_INVALID);
    ldr_buf_close(&b);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pulls_make_replicas_equal),
        cmocka_unit_test(pulling_each_other_comes_to_rest),
        cmocka_unit_test(ranges_carry_everything),
        cmocka_unit_test(hashes_are_of_content),
        cmocka_unit_test(hashes_tell_any_difference),
        cmocka_unit_test(hashes_overlook_retention),
        cmocka_unit_test(log_reach_after_trim),
        cmocka_unit_test(write_calls_have_own_outcomes),
        cmocka_unit_test(merge_takes_tombs_of_unknown_views),
        cmocka_unit_test(notes_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
