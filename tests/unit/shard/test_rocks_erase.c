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

static uint64_t erase(struct kit *k, uint32_t view, const char *key, int64_t at)
{
    uint64_t n = 77;
    assert_int_equal(ldr_shard_erase(k->s, view, KIT_ENTITY, kit_key(k, key), at, &n, &k->err), 0);
    return n;
}

static void an_erasure_takes_what_was_known_by_then(void **state)
{
    struct kit *k = *state;
    kit_put(k, "e", 10, 100, 1);
    kit_put(k, "e", 20, 200, 2);
    kit_put(k, "e", 30, 150, 3);
    kit_put(k, "other", 30, 150, 4);
    assert_int_equal(erase(k, KIT_VIEW, "e", 150), 2);
    assert_int_equal(kit_latest(k, "e"), 2); /* newest of the survivors */
    assert_int_equal(kit_asof(k, "e", 15, 0, LDR_KNOWN_AT_ANY), KIT_NONE);
    assert_int_equal(kit_latest(k, "other"), 4);
    assert_int_equal(erase(k, KIT_VIEW, "e", 140), 0); /* earlier than what stands */
    assert_int_equal(erase(k, KIT_VIEW, "e", 200), 1);
    assert_int_equal(kit_latest(k, "e"), KIT_NONE);
    struct ldr_check_report rep = kit_check(k);
    assert_int_equal(rep.tombstones, 1);
    assert_int_equal(rep.facts, 1);
}

static void late_arrivals_are_refused_for_ever(void **state)
{
    struct kit *k = *state;
    struct ldr_fact old = kit_fact(k, "e", 10, 100, false, 1), fresh = kit_fact(k, "e", 5, 101, true, 2);
    assert_int_equal(erase(k, KIT_VIEW, "e", 100), 0); /* nothing there yet */
    for (int i = 0; i < 3; i++) {
        struct ldr_write_result res = kit_write(k, &old, 1);
        assert_int_equal(res.erased, 1);
        assert_int_equal(res.facts, 0);
        assert_int_equal(kit_latest(k, "e"), KIT_NONE);
        if (i == 1)
            assert_int_equal(ldr_shard_compact(k->s, &k->err), 0);
        kit_reopen(k);
    }
    assert_int_equal(kit_write(k, &fresh, 1).facts, 1); /* created later: new data */
    assert_int_equal(kit_latest(k, "e"), 2);
    assert_int_equal(kit_check(k).tombstones, 1);
}

static void all_views_of_the_entity_and_later_ones(void **state)
{
    struct kit *k = *state;
    struct ldr_fact f = kit_fact(k, "e", 1, 50, false, 1);
    struct ldr_schema *two = kit_schema(k, KIT_VIEW + 1, 0, 0), *stranger = kit_schema(k, KIT_VIEW + 2, 0, 0);
    assert_int_equal(ldr_shard_set_view(k->s, two, KIT_ENTITY), 0);
    assert_int_equal(ldr_shard_set_view(k->s, stranger, KIT_ENTITY + 1), 0);
    for (uint32_t v = 0; v < 3; v++) {
        f.view = KIT_VIEW + v;
        kit_write(k, &f, 1);
    }
    assert_int_equal(erase(k, 0, "e", 60), 2); /* the third is another entity's */
    assert_int_equal(kit_latest(k, "e"), KIT_NONE);
    struct ldr_schema *later = kit_schema(k, KIT_VIEW + 3, 0, 0);
    assert_int_equal(ldr_shard_set_view(k->s, later, KIT_ENTITY), 0);
    f.view = KIT_VIEW + 3;
    assert_int_equal(kit_write(k, &f, 1).erased, 1);
    f.view = KIT_VIEW + 2;
    assert_int_equal(kit_write(k, &f, 1).duplicates, 1);
    /* After a restart a view that was not declared again may have data: an erasure must not pass it by. */
    ldr_shard_close(k->s);
    assert_int_equal(ldr_shard_open(&k->opts, &k->s, &k->err), 0);
    assert_int_equal(ldr_shard_set_view(k->s, k->schema, KIT_ENTITY), 0);
    assert_int_equal(ldr_shard_erase(k->s, 0, KIT_ENTITY, f.key, 70, NULL, &k->err), LDR_E_INVALID);
    assert_int_equal(ldr_shard_set_view(k->s, two, KIT_ENTITY), 0);
    assert_int_equal(ldr_shard_set_view(k->s, later, KIT_ENTITY), 0);
    assert_int_equal(ldr_shard_erase(k->s, 0, KIT_ENTITY, f.key, 70, NULL, &k->err), 0);
}

static int note(void *ctx, const struct ldr_log_entry *e)
{
    struct ldr_log_entry *last = ctx;
    *last = *e;
    return 0;
}

static void erasures_and_drops_are_in_the_change_log(void **state)
{
    struct kit *k = *state;
    struct ldr_log_entry e;
    kit_put(k, "e", 10, 100, 1);
    erase(k, 0, "e", 150);
    assert_int_equal(ldr_shard_log_read(k->s, 1, note, &e, &k->err), 0);
    assert_int_equal(e.kind, LDR_LOG_TOMBSTONE);
    assert_int_equal(e.view, 0);
    assert_int_equal(e.entity_id, KIT_ENTITY);
    assert_int_equal(e.to_us, 150);
    assert_int_equal(ldr_shard_drop_view(k->s, KIT_VIEW, &k->err), 0);
    assert_int_equal(ldr_shard_log_read(k->s, 2, note, &e, &k->err), 0);
    assert_int_equal(e.kind, LDR_LOG_DROP_VIEW);
    assert_int_equal(e.view, KIT_VIEW);
}

static void a_dropped_view_is_empty_and_unknown(void **state)
{
    struct kit *k = *state;
    struct ldr_write_result res;
    struct ldr_fact f = kit_fact(k, "e", 1, 50, false, 1), g = f;
    g.view = KIT_VIEW + 1;
    assert_int_equal(ldr_shard_set_view(k->s, kit_schema(k, KIT_VIEW + 1, 0, 0), KIT_ENTITY), 0);
    kit_write(k, &f, 1);
    kit_write(k, &g, 1);
    assert_int_equal(kit_latest(k, "e"), 1); /* it is in the table now */
    erase(k, KIT_VIEW, "gone", 60);
    assert_int_equal(ldr_shard_drop_view(k->s, KIT_VIEW, &k->err), 0);
    assert_int_equal(ldr_shard_drop_view(k->s, KIT_VIEW, &k->err), 0); /* again: nothing to do */
    assert_int_equal(ldr_shard_write(k->s, &f, 1, &res, &k->err), LDR_E_INVALID);
    kit_reopen(k); /* declares it anew */
    assert_int_equal(kit_latest(k, "e"), KIT_NONE);
    assert_int_equal(ldr_shard_set_view(k->s, kit_schema(k, KIT_VIEW + 1, 0, 0), KIT_ENTITY), 0);
    struct ldr_check_report rep = kit_check(k);
    assert_int_equal(rep.facts, 1);
    assert_int_equal(rep.latest, 1);
    assert_int_equal(rep.tombstones, 1); /* tombstones outlive the view */
}

static void bad_arguments(void **state)
{
    struct kit *k = *state;
    struct ldr_slice big = {ldr_arena_alloc(&k->arena, LDR_KEY_MAX + 1), LDR_KEY_MAX + 1};
    memset((void *)(uintptr_t)big.p, 1, big.n);
    assert_int_equal(ldr_shard_erase(k->s, KIT_VIEW, 0, big, 5, NULL, &k->err), LDR_E_TOO_BIG);
    assert_int_equal(ldr_shard_erase(k->s, 99, 0, kit_key(k, "e"), 5, NULL, &k->err), LDR_E_INVALID);
    assert_int_equal(ldr_shard_erase(k->s, KIT_VIEW, 0, kit_key(k, "e"), INT64_MAX, NULL, &k->err),
                     LDR_E_INVALID);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(an_erasure_takes_what_was_known_by_then), T(late_arrivals_are_refused_for_ever),
        T(all_views_of_the_entity_and_later_ones),  T(erasures_and_drops_are_in_the_change_log),
        T(a_dropped_view_is_empty_and_unknown),     T(bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
