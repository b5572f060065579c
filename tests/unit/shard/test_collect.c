/* Collected tombstones: they hide what they hid before, whoever is told of them, and their bytes. */
#include "shard/rocks_tomb.h"
#include "tests/unit/shard/kit.h"

static int setup(void **state)
{
    struct kit *k = malloc(sizeof *k);
    assert_non_null(k);
    kit_init(k);
    kit_open(k);
    *state = k;
    return 0;
}
static int teardown(void **state)
{
    kit_close(*state);
    free(*state);
    return 0;
}

static void erase(struct kit *k, uint32_t view, const char *key, int64_t at)
{
    int rc = ldr_shard_erase(k->s, view, KIT_ENTITY, kit_key(k, key), at, NULL, &k->err);
    if (rc)
        print_error("erase: %s\n", k->err.message);
    assert_int_equal(rc, 0);
}

static uint64_t collect(struct kit *k, int64_t before, uint64_t through)
{
    uint64_t n = 77;
    int rc = ldr_shard_collect(k->s, before, through, &n, &k->err);
    if (rc)
        print_error("collect: %s\n", k->err.message);
    assert_int_equal(rc, 0);
    return n;
}

static void counts(struct kit *k, uint64_t kept, uint64_t collected)
{
    struct ldr_shard_stats st;
    assert_int_equal(ldr_shard_stats(k->s, &st), 0);
    assert_int_equal(st.tombs_kept, kept);
    assert_int_equal(st.tombs_collected, collected);
    assert_int_equal(kit_check(k).tombstones, kept + collected);
}

static void hashes(struct kit *k, uint64_t *out)
{
    assert_int_equal(ldr_shard_hashes(k->s, 0, UINT64_MAX, 4, KIT_NOW, out, &k->err), 0);
}

static void only_old_ones_that_all_have_passed(void **state)
{
    struct kit *k = *state;
    erase(k, KIT_VIEW, "a", 100); /* seq 1 */
    erase(k, 0, "b", 200);        /* seq 2 */
    erase(k, KIT_VIEW, "c", 50);  /* seq 3 */
    assert_int_equal(collect(k, 50, UINT64_MAX), 0);
    assert_int_equal(collect(k, 1000, 0), 0);
    counts(k, 3, 0);
    assert_int_equal(collect(k, 101, 1), 1);
    counts(k, 2, 1);
    assert_int_equal(collect(k, 101, 2), 0);
    assert_int_equal(collect(k, 101, 3), 1);
    assert_int_equal(collect(k, 201, 3), 1);
    counts(k, 0, 3);
    kit_reopen(k);
    counts(k, 0, 3);
}

static void late_facts_stay_refused(void **state)
{
    struct kit *k = *state;
    kit_put(k, "one", 10, 90, 1);
    kit_put(k, "one", 20, 150, 2);
    erase(k, KIT_VIEW, "one", 100);
    erase(k, 0, "all", 100);
    assert_int_equal(collect(k, 101, UINT64_MAX), 2);
    for (int i = 0; i < 3; i++) {
        struct ldr_fact late[3] = {kit_fact(k, "one", 10, 90, i & 1, 1), kit_fact(k, "all", 1, 100, false, 3),
                                   kit_fact(k, "all", 1, 100, true, 4)};
        struct ldr_write_result res = kit_write(k, late, 3);
        assert_int_equal(res.erased, 3);
        struct ldr_fact_chunk chunk = {late, 3};
        assert_int_equal(ldr_shard_load(k->s, KIT_VIEW, &chunk, 1, &res, &k->err), 0);
        assert_int_equal(res.erased, 3);
        if (i == 1)
            assert_int_equal(ldr_shard_compact(k->s, &k->err), 0);
        kit_reopen(k);
    }
    assert_int_equal(kit_latest(k, "one"), 2);
    assert_int_equal(kit_latest(k, "all"), KIT_NONE);
    kit_put(k, "all", 1, 101, 5); /* created later: new data */
    assert_int_equal(kit_latest(k, "all"), 5);
    kit_check(k);
}

static void erased_again_it_is_kept_again(void **state)
{
    struct kit *k = *state;
    erase(k, KIT_VIEW, "e", 100);
    assert_int_equal(collect(k, 101, UINT64_MAX), 1);
    erase(k, KIT_VIEW, "e", 90); /* hidden already */
    counts(k, 0, 1);
    kit_put(k, "e", 1, 110, 1);
    erase(k, KIT_VIEW, "e", 120);
    counts(k, 1, 0);
    assert_int_equal(kit_latest(k, "e"), KIT_NONE);
    kit_reopen(k);
    counts(k, 1, 0);
}

/* Hashes are the same before and after; pages of ranges tell collected ones, and who is told removes and
 * refuses the same facts; the log does not tell them. */
static void others_are_told(void **state)
{
    struct kit *a = *state, b;
    uint64_t x[4], y[4];
    struct ldr_page page;
    struct ldr_buf next;
    struct ldr_log_reach reach;
    struct ldr_write_result res;
    bool done;
    kit_init(&b);
    kit_open(&b);
    kit_put(&b, "one", 10, 90, 1);
    kit_put(&b, "one", 10, 190, 2);
    kit_put(&b, "all", 10, 90, 3);
    kit_put(a, "one", 10, 190, 2);
    erase(a, KIT_VIEW, "one", 100);
    erase(a, 0, "all", 100);
    hashes(a, x);
    assert_int_equal(collect(a, 101, UINT64_MAX), 2);
    hashes(a, y);
    assert_memory_equal(x, y, sizeof x);
    ldr_page_init(&page);
    ldr_buf_init(&next, NULL, 0);
    assert_int_equal(ldr_shard_log_page(a->s, 0, 1 << 20, &page, &reach, &a->err), 0);
    assert_int_equal(page.ntombs, 0);
    assert_int_equal(page.nfacts, 1);
    assert_int_equal(reach.upto_seq, reach.head_seq);
    ldr_page_reset(&page);
    assert_int_equal(
        ldr_shard_range_page(a->s, 0, UINT64_MAX, ldr_slice("", 0), 1 << 20, &page, &next, &done, &a->err),
        0);
    assert_true(done);
    assert_int_equal(page.ntombs, 2);
    for (int i = 0; i < 2; i++) { /* twice is as good as once */
        int rc = ldr_shard_merge(b.s, page.facts, page.nfacts, page.tombs, page.ntombs, &res, &b.err);
        if (rc)
            print_error("merge: %s\n", b.err.message);
        assert_int_equal(rc, 0);
        assert_int_equal(res.erased, i ? 0 : 2);
    }
    hashes(&b, y);
    assert_memory_equal(x, y, sizeof x);
    counts(&b, 0, 2);
    assert_int_equal(kit_latest(&b, "one"), 2);
    assert_int_equal(kit_latest(&b, "all"), KIT_NONE);
    struct ldr_fact late = kit_fact(&b, "all", 1, 100, false, 3);
    assert_int_equal(kit_write(&b, &late, 1).erased, 1);
    ldr_buf_close(&next);
    ldr_page_close(&page);
    kit_close(&b);
}

/* A replica that still keeps an older tombstone of the same entity is told a later, collected one. */
static void a_later_collected_one_takes_the_place_of_a_kept_one(void **state)
{
    struct kit *k = *state;
    uint8_t print[LDR_TOMB_PRINT_N];
    struct ldr_slice key = kit_key(k, "e");
    struct ldr_tomb t = {KIT_VIEW, 0, ldr_slice(print, sizeof print), 100, true};
    struct ldr_write_result res;
    ldr_put_be64(print, ldr_key_hash(key));
    ldr_put_be64(print + 8, ldr_tomb_second(key));
    erase(k, KIT_VIEW, "e", 50);
    kit_put(k, "e", 1, 80, 1);
    assert_int_equal(ldr_shard_merge(k->s, NULL, 0, &t, 1, &res, &k->err), 0);
    assert_int_equal(res.erased, 1);
    assert_int_equal(kit_latest(k, "e"), KIT_NONE);
    counts(k, 0, 1);
    t.erase_us = 60; /* earlier: nothing changes */
    assert_int_equal(ldr_shard_merge(k->s, NULL, 0, &t, 1, &res, &k->err), 0);
    t.key.n = 15;
    assert_int_equal(ldr_shard_merge(k->s, NULL, 0, &t, 1, &res, &k->err), LDR_E_INVALID);
    kit_reopen(k);
    counts(k, 0, 1);
}

static void many_in_several_batches(void **state)
{
    struct kit *k = *state;
    struct ldr_tomb *t = calloc(2500, sizeof *t);
    struct ldr_write_result res;
    char text[16];
    assert_non_null(t);
    for (int i = 0; i < 2500; i++) {
        snprintf(text, sizeof text, "e%d", i);
        t[i] = (struct ldr_tomb){i % 2 ? KIT_VIEW : 0, KIT_ENTITY, kit_key(k, text), 10 + i % 100, false};
    }
    assert_int_equal(ldr_shard_merge(k->s, NULL, 0, t, 2500, &res, &k->err), 0);
    assert_int_equal(collect(k, 60, UINT64_MAX), 1250);
    assert_int_equal(collect(k, 200, UINT64_MAX), 1250);
    counts(k, 0, 2500);
    free(t);
}

/* ---- bytes ---- */

static char *get(struct kit *k, const void *key, size_t n, size_t *vn)
{
    char *text = NULL;
    char *v = rocksdb_get_cf(k->s->db, k->s->ro_point, k->s->cf[LDR_CF_TOMB], key, n, vn, &text);
    assert_null(text);
    return v;
}

static void bytes_on_disk(void **state)
{
    struct kit *k = *state;
    struct ldr_slice key = kit_key(k, "e");
    uint8_t disk[LDR_TOMB_KEY_MAX];
    size_t n = ldr_tomb_key(disk, 0, KIT_VIEW, ldr_key_hash(key), key), vn;
    static const uint8_t kept[16] = {0x2c, 1, 0, 0, 0, 0, 0, 0, 2}, collected[8] = {0x2c, 1};
    /* 0 | view 7 | hash of the key | its bytes; then 2 | view 7 | hash | second hash */
    static const uint8_t head[13] = {2, 0, 0, 0, 7};
    kit_put(k, "x", 1, 1, 1);
    erase(k, KIT_VIEW, "e", 300);
    char *v = get(k, disk, n, &vn);
    assert_non_null(v);
    assert_int_equal(vn, sizeof kept);
    assert_memory_equal(v, kept, sizeof kept);
    rocksdb_free(v);
    assert_int_equal(collect(k, 301, 2), 1);
    assert_null(get(k, disk, n, &vn));
    struct ldr_tomb_id who = ldr_tomb_id(LDR_TOMB_VIEW, KIT_VIEW, ldr_key_hash(key), key);
    assert_int_equal(ldr_grave_key(disk, &who), 21);
    assert_memory_equal(disk, head, 5);
    assert_int_equal(ldr_get_be64(disk + 5), ldr_key_hash(key));
    assert_int_equal(ldr_get_be64(disk + 13), ldr_tomb_second(key));
    v = get(k, disk, 21, &vn);
    assert_non_null(v);
    assert_int_equal(vn, sizeof collected);
    assert_memory_equal(v, collected, sizeof collected);
    rocksdb_free(v);
    assert_true(ldr_tomb_second(ldr_slice_str("larder")) == UINT64_C(0xc6453604b59dca9a));
}

/* A shard of format 1: no seq with its tombstones, and it stays readable by older programs until something
 * newer is written. */
static void format_1_is_read_and_left_alone(void **state)
{
    struct kit *k = *state;
    struct ldr_slice key = kit_key(k, "e");
    uint8_t disk[LDR_TOMB_KEY_MAX], when[8] = {100}, record[32];
    char *text = NULL;
    size_t n = ldr_tomb_key(disk, 0, KIT_VIEW, ldr_key_hash(key), key), rn;
    kit_put(k, "x", 1, 1, 1);
    rocksdb_put_cf(k->s->db, k->s->wo, k->s->cf[LDR_CF_TOMB], (const char *)disk, n, (const char *)when, 8,
                   &text);
    assert_null(text);
    char *r = rocksdb_get_cf(k->s->db, k->s->ro_point, k->s->cf[LDR_CF_META], "shard", 5, &rn, &text);
    assert_int_equal(rn, sizeof record);
    memcpy(record, r, rn);
    rocksdb_free(r);
    assert_int_equal(record[0], 2);
    record[0] = 1;
    rocksdb_put_cf(k->s->db, k->s->wo, k->s->cf[LDR_CF_META], "shard", 5, (const char *)record, rn, &text);
    assert_null(text);
    kit_reopen(k);
    struct ldr_fact late = kit_fact(k, "e", 1, 100, false, 3);
    assert_int_equal(kit_write(k, &late, 1).erased, 1);
    assert_int_equal(k->s->format, 1);
    counts(k, 1, 0);
    assert_int_equal(collect(k, 101, 0), 0); /* named somewhere in the log up to where it stood at open: 1 */
    assert_int_equal(k->s->format, 1);
    assert_int_equal(collect(k, 101, 1), 1);
    assert_int_equal(k->s->format, 2);
    kit_reopen(k);
    assert_int_equal(k->s->format, 2);
    assert_int_equal(kit_write(k, &late, 1).erased, 1);
    counts(k, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_old_ones_that_all_have_passed, setup, teardown),
        cmocka_unit_test_setup_teardown(late_facts_stay_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(erased_again_it_is_kept_again, setup, teardown),
        cmocka_unit_test_setup_teardown(others_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_later_collected_one_takes_the_place_of_a_kept_one, setup, teardown),
        cmocka_unit_test_setup_teardown(many_in_several_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_on_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(format_1_is_read_and_left_alone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
