/* A check must see what is wrong, say so, and mend what can be mended. The wrongs are put in behind the
 * shard's back. */
#include "shard/pick.h"
#include "shard/shard_impl.h"
#include "tests/unit/shard/kit.h"

static int setup(void **state)
{
    struct kit *k = malloc(sizeof *k);
    assert_non_null(k);
    kit_init(k);
    kit_open(k);
    for (int i = 0; i < 20; i++) {
        char name[8];
        snprintf(name, sizeof name, "e%d", i);
        kit_put(k, name, 10, 100, i);
        kit_put(k, name, 20, 100, i + 100);
    }
    *state = k;
    return 0;
}
static int teardown(void **state)
{
    kit_close(*state);
    free(*state);
    return 0;
}

static void put_raw(struct kit *k, enum ldr_cf cf, struct ldr_slice key, struct ldr_slice value)
{
    char *text = NULL;
    rocksdb_put_cf(k->s->db, k->s->wo, k->s->cf[cf], (const char *)key.p, key.n, (const char *)value.p,
                   value.n, &text);
    assert_null(text);
}
static void delete_raw(struct kit *k, enum ldr_cf cf, struct ldr_slice key)
{
    char *text = NULL;
    rocksdb_delete_cf(k->s->db, k->s->wo, k->s->cf[cf], (const char *)key.p, key.n, &text);
    assert_null(text);
}
static struct ldr_slice latest_key(struct kit *k, const struct ldr_fact *f, uint8_t *out)
{
    (void)k;
    return ldr_slice(out, ldr_lk_write(out, f->view, f->hash, f->key));
}
static struct ldr_slice latest_value(struct kit *k, const struct ldr_fact *f)
{
    uint8_t *v = ldr_arena_alloc(&k->arena, LDR_LV_HEAD + f->row.n);
    ldr_put_le64(v, (uint64_t)f->event_us);
    ldr_put_le64(v + 8, (uint64_t)f->created_us);
    v[16] = f->stamped;
    memcpy(v + LDR_LV_HEAD, f->row.p, f->row.n);
    return ldr_slice(v, LDR_LV_HEAD + f->row.n);
}

struct heard {
    int n;
    char first[256];
};
static void hear(void *ctx, const char *text)
{
    struct heard *h = ctx;
    if (h->n++ == 0)
        snprintf(h->first, sizeof h->first, "%s", text);
}
static struct ldr_check_report run(struct kit *k, bool repair, struct heard *h)
{
    struct ldr_check_report rep;
    memset(h, 0, sizeof *h);
    assert_int_equal(ldr_shard_check(k->s, repair, &rep, hear, h, &k->err), 0);
    return rep;
}

static void a_sound_store_is_counted(void **state)
{
    struct kit *k = *state;
    struct ldr_check_report rep = kit_check(k);
    assert_int_equal(rep.facts, 40);
    assert_int_equal(rep.entities, 20);
    assert_int_equal(rep.latest, 20);
}

static void wrong_missing_and_leftover_latest_rows_are_mended(void **state)
{
    struct kit *k = *state;
    struct heard h;
    uint8_t key[LDR_HK_MAX];
    struct ldr_fact wrong = kit_fact(k, "e3", 10, 100, false, 3), lone = kit_fact(k, "lone", 1, 1, false, 1),
                    gone = kit_fact(k, "e7", 20, 100, false, 107),
                    bad = kit_fact(k, "e9", 20, 100, false, 109);
    put_raw(k, LDR_CF_LATEST, latest_key(k, &wrong, key), latest_value(k, &wrong));
    put_raw(k, LDR_CF_LATEST, latest_key(k, &lone, key), latest_value(k, &lone));
    delete_raw(k, LDR_CF_LATEST, latest_key(k, &gone, key));
    struct ldr_slice broken = latest_value(k, &bad);
    ((uint8_t *)(uintptr_t)broken.p)[broken.n - 1] ^= 1;
    put_raw(k, LDR_CF_LATEST, latest_key(k, &bad, key), broken);
    struct ldr_check_report rep = run(k, false, &h);
    assert_int_equal(rep.latest_wrong, 4);
    assert_int_equal(rep.bad_rows, 1);
    assert_int_equal(rep.repaired, 0);
    assert_int_equal(h.n, 4);
    kit_reopen(k); /* an empty table: reads go to RocksDB */
    struct ldr_buf b;
    struct ldr_answer a;
    struct ldr_point p = {KIT_VIEW, bad.hash, bad.key};
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_shard_latest(k->s, &p, &b, &a, &k->err),
                     LDR_E_CORRUPT); /* an error, not a wrong row */
    ldr_buf_close(&b);
    assert_int_equal(run(k, true, &h).repaired, 4);
    kit_check(k);
    assert_int_equal(kit_latest(k, "e3"), 103);
    assert_int_equal(kit_latest(k, "e7"), 107);
    assert_int_equal(kit_latest(k, "e9"), 109);
    assert_int_equal(kit_latest(k, "lone"), KIT_NONE);
}

static void damaged_history_is_reported_and_stays(void **state)
{
    struct kit *k = *state;
    struct heard h;
    uint8_t key[LDR_HK_MAX];
    struct ldr_fact f = kit_fact(k, "e5", 20, 100, false, 105);
    struct ldr_slice row = {ldr_arena_alloc(&k->arena, f.row.n), f.row.n};
    memcpy((uint8_t *)(uintptr_t)row.p, f.row.p, row.n);
    ((uint8_t *)(uintptr_t)row.p)[row.n - 1] ^= 1;
    put_raw(k, LDR_CF_HISTORY, ldr_slice(key, ldr_hk_write(key, &f)), row);
    for (int i = 0; i < 2; i++) {
        struct ldr_check_report rep = run(k, true, &h);
        assert_int_equal(rep.bad_rows, 1);
        assert_int_equal(rep.latest_wrong, 0); /* nobody knows: left alone */
        assert_int_equal(rep.repaired, 0);
        assert_int_equal(h.n, 1);
        assert_non_null(strstr(h.first, "history"));
    }
    assert_int_equal(kit_latest(k, "e5"), 105);
    struct ldr_buf b;
    struct ldr_answer a;
    struct ldr_point p = {KIT_VIEW, f.hash, f.key};
    struct ldr_asof q = {20, 0, LDR_KNOWN_AT_ANY};
    ldr_buf_init(&b, NULL, 0);
    kit_reopen(k);
    assert_int_equal(ldr_shard_asof(k->s, NULL, &p, &q, &b, &a, &k->err), LDR_E_CORRUPT);
    q.t_us = 19; /* the other fact is sound */
    assert_int_equal(ldr_shard_asof(k->s, NULL, &p, &q, &b, &a, &k->err), 0);
    assert_true(a.found);
    ldr_buf_close(&b);
}

/* One wrong history entry; how many bad rows does a check find? */
static uint64_t bad_entry(struct kit *k, struct ldr_slice key, struct ldr_slice value)
{
    struct heard h;
    put_raw(k, LDR_CF_HISTORY, key, value);
    uint64_t n = run(k, false, &h).bad_rows;
    delete_raw(k, LDR_CF_HISTORY, key);
    kit_check(k);
    return n;
}

static void malformed_entries_are_found(void **state)
{
    struct kit *k = *state;
    uint8_t key[LDR_HK_MAX];
    struct ldr_fact f = kit_fact(k, "zz", 5, 5, false, 1), x = f;
    size_t n = ldr_hk_write(key, &f);
    assert_int_equal(bad_entry(k, ldr_slice(key, 5), f.row), 1); /* too short */
    key[n - LDR_HK_TRAILER + 8] = 7;                             /* origin */
    assert_int_equal(bad_entry(k, ldr_slice(key, n), f.row), 1);
    x = f;
    x.vhash++;
    assert_int_equal(bad_entry(k, ldr_slice(key, ldr_hk_write(key, &x)), f.row), 1);
    x = f;
    x.hash++;
    assert_int_equal(bad_entry(k, ldr_slice(key, ldr_hk_write(key, &x)), f.row), 1);
    x = f;
    x.event_us = LDR_TIME_MAX_US + 1;
    assert_int_equal(bad_entry(k, ldr_slice(key, ldr_hk_write(key, &x)), f.row), 1);
    x = f;
    x.stamped = true;
    assert_int_equal(bad_entry(k, ldr_slice(key, ldr_hk_write(key, &x)), ldr_slice("123", 3)), 1);
    x = f;
    x.view = 99; /* never declared */
    assert_int_equal(bad_entry(k, ldr_slice(key, ldr_hk_write(key, &x)), f.row), 1);
    struct heard h; /* a fact that an erasure should have taken */
    assert_int_equal(ldr_shard_erase(k->s, KIT_VIEW, KIT_ENTITY, f.key, 5, NULL, &k->err), 0);
    put_raw(k, LDR_CF_HISTORY, ldr_slice(key, ldr_hk_write(key, &f)), f.row);
    assert_int_equal(run(k, false, &h).bad_rows, 1);
    delete_raw(k, LDR_CF_HISTORY, ldr_slice(key, ldr_hk_write(key, &f)));
    put_raw(k, LDR_CF_LOG, ldr_slice("12345678", 8), ldr_slice("x", 1));
    assert_int_equal(run(k, false, &h).bad_rows, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_sound_store_is_counted),
        T(wrong_missing_and_leftover_latest_rows_are_mended),
        T(damaged_history_is_reported_and_stays),
        T(malformed_entries_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
