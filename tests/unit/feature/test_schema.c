#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "feature/feature.h"

static struct ldr_arena arena;

static int build(uint32_t n, const char *const *names, const uint8_t *types, const bool *dropped,
                 struct ldr_schema **s)
{
    static const uint8_t key_types[] = {LDR_STRING, LDR_INT64};
    return ldr_schema_build(&arena, 42, n, names, types, dropped, 2, key_types, 5, 6, s);
}

static int setup(void **state)
{
    (void)state;
    ldr_arena_init(&arena, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ldr_arena_close(&arena);
    return 0;
}

static void offsets(void **state)
{
    static const char *const names[] = {"e", "d", "c", "b", "a"};
    static const uint8_t types[] = {LDR_BOOL, LDR_STRING, LDR_INT64, LDR_LIST | LDR_BOOL, LDR_INT32};
    static const uint32_t want[] = {0, 1, 5, 13, 17};
    static const int32_t prev[] = {-1, -1, 1, 1, 3};
    struct ldr_schema *s;
    (void)state;
    assert_int_equal(build(5, names, types, NULL, &s), 0);
    for (uint32_t i = 0; i < 5; i++) {
        assert_int_equal(s->cols[i].fixed_off, want[i]);
        assert_int_equal(s->cols[i].prev_var, prev[i]);
        assert_int_equal(s->cols[i].prev_end_off, prev[i] < 0 ? LDR_NO_OFFSET : want[prev[i]]);
        assert_int_equal(ldr_schema_fixed_bytes(s, i), want[i]);
        assert_int_equal(s->by_name[i], 4 - i);
        assert_int_equal(ldr_schema_slot(s, ldr_slice_str(names[i])), i);
    }
    assert_int_equal(s->fixed_bytes, 21);
    assert_int_equal(ldr_schema_fixed_bytes(s, 5), 21);
    assert_int_equal(s->nvar, 2);
    assert_int_equal(s->var_slots[0], 1);
    assert_int_equal(s->var_slots[1], 3);
    assert_int_equal(s->view_id, 42);
    assert_int_equal(s->nkeys, 2);
    assert_int_equal(s->key_types[1], LDR_INT64);
    assert_int_equal(s->ttl_us, 5);
    assert_int_equal(s->retention_us, 6);
}

static void names_are_copied(void **state)
{
    char name[] = "price";
    const char *names[] = {name};
    static const uint8_t types[] = {LDR_INT32};
    struct ldr_schema *s;
    (void)state;
    assert_int_equal(build(1, names, types, NULL, &s), 0);
    name[0] = 'x';
    assert_int_equal(ldr_schema_slot(s, ldr_slice_str("price")), 0);
    assert_int_equal(ldr_schema_slot(s, ldr_slice_str("xrice")), -1);
    assert_int_equal(ldr_schema_slot(s, ldr_slice_str("pric")), -1);
    assert_int_equal(ldr_schema_slot(s, ldr_slice_str("prices")), -1);
    assert_int_equal(ldr_schema_slot(s, ldr_slice_str("")), -1);
}

/* A feature that was dropped and came back has a new slot; the old one keeps its place in the order. */
static void dropped_columns_keep_slot_and_order(void **state)
{
    static const char *const names[] = {"x", "a", "x", "b", "x"};
    static const uint8_t types[] = {LDR_INT32, LDR_INT32, LDR_STRING, LDR_INT32, LDR_BOOL};
    static const bool back[] = {true, false, true, true, false}, gone[] = {true, false, true, true, true};
    static const uint32_t order[] = {1, 3, 0, 2, 4};
    struct ldr_schema *s;
    (void)state;
    assert_int_equal(build(5, names, types, back, &s), 0);
    for (uint32_t i = 0; i < 5; i++)
        assert_int_equal(s->by_name[i], order[i]);
    assert_int_equal(ldr_schema_slot(s, ldr_slice_str("x")), 4);
    assert_int_equal(ldr_schema_slot(s, ldr_slice_str("b")), -1);
    assert_int_equal(build(5, names, types, gone, &s), 0);
    assert_int_equal(ldr_schema_slot(s, ldr_slice_str("x")), -1);
    assert_int_equal(build(5, names, types, NULL, &s), LDR_E_INVALID); /* three live ones of a name */
}

static void bad_input_is_refused(void **state)
{
    char over[LDR_NAME_MAX + 2];
    const char *good[] = {"a"}, *empty[] = {""}, *long_name[] = {over};
    const uint8_t type[] = {LDR_INT32}, bad[] = {9}, list_key[] = {LDR_LIST | LDR_STRING},
                  f[] = {LDR_FLOAT64};
    struct ldr_schema *s;
    (void)state;
    memset(over, 'a', sizeof over);
    over[LDR_NAME_MAX + 1] = 0;
    assert_int_equal(build(1, good, bad, NULL, &s), LDR_E_INVALID);
    assert_int_equal(build(1, empty, type, NULL, &s), LDR_E_INVALID);
    assert_int_equal(build(1, long_name, type, NULL, &s), LDR_E_INVALID);
    over[LDR_NAME_MAX] = 0;
    assert_int_equal(build(1, long_name, type, NULL, &s), 0);
    assert_int_equal(build(LDR_FEATURES_MAX + 1, good, type, NULL, &s), LDR_E_INVALID);
    assert_int_equal(ldr_schema_build(&arena, 1, 1, good, type, NULL, 1, list_key, 0, 0, &s), LDR_E_INVALID);
    assert_int_equal(ldr_schema_build(&arena, 1, 1, good, type, NULL, 1, f, 0, 0, &s), LDR_E_INVALID);
    assert_int_equal(ldr_schema_build(&arena, 1, 1, good, type, NULL, 17, type, 0, 0, &s), LDR_E_INVALID);
    assert_int_equal(ldr_schema_build(&arena, 1, 1, good, type, NULL, 1, type, -1, 0, &s), LDR_E_INVALID);
    assert_int_equal(ldr_schema_build(&arena, 1, 1, good, type, NULL, 1, type, 0, -1, &s), LDR_E_INVALID);
}

static void as_many_columns_as_there_may_be(void **state)
{
    static char text[LDR_FEATURES_MAX][8];
    static const char *names[LDR_FEATURES_MAX];
    static uint8_t types[LDR_FEATURES_MAX];
    struct ldr_schema *s;
    (void)state;
    for (uint32_t i = 0; i < LDR_FEATURES_MAX; i++) {
        snprintf(text[i], sizeof text[i], "f%u", i * 2654435761u % LDR_FEATURES_MAX);
        names[i] = text[i];
        types[i] = LDR_TIMESTAMP;
    }
    assert_int_equal(build(LDR_FEATURES_MAX, names, types, NULL, &s), 0);
    assert_true(s->fixed_bytes <= UINT16_MAX); /* it has to fit the head of a row */
    for (uint32_t i = 0; i < LDR_FEATURES_MAX; i++) {
        assert_int_equal(ldr_schema_slot(s, ldr_slice_str(names[i])), i);
        if (i)
            assert_true(strcmp(names[s->by_name[i - 1]], names[s->by_name[i]]) < 0);
    }
}

static void no_columns(void **state)
{
    struct ldr_schema *s;
    (void)state;
    assert_int_equal(build(0, NULL, NULL, NULL, &s), 0);
    assert_int_equal(s->fixed_bytes, 0);
    assert_int_equal(ldr_schema_fixed_bytes(s, 0), 0);
    assert_int_equal(ldr_schema_slot(s, ldr_slice_str("a")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets),
        cmocka_unit_test(names_are_copied),
        cmocka_unit_test(dropped_columns_keep_slot_and_order),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(as_many_columns_as_there_may_be),
        cmocka_unit_test(no_columns),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
