#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "feature/feature.h"

static void check_counts_exactly(void **state)
{
    static const uint8_t ints[8] = {0}, texts[] = {1, 0, 0, 0, 'a', 0, 0, 0, 0},
                         bad_text[] = {1, 0, 0, 0, 0xff};
    (void)state;
    assert_int_equal(ldr_list_check(LDR_LIST | LDR_INT32, 2, ldr_slice(ints, 8)), 0);
    assert_int_equal(ldr_list_check(LDR_LIST | LDR_INT32, 1, ldr_slice(ints, 8)), LDR_E_CORRUPT);
    assert_int_equal(ldr_list_check(LDR_LIST | LDR_INT32, 3, ldr_slice(ints, 8)), LDR_E_CORRUPT);
    assert_int_equal(ldr_list_check(LDR_LIST | LDR_INT32, 0, ldr_slice(NULL, 0)), 0);
    assert_int_equal(ldr_list_check(LDR_LIST | LDR_STRING, 2, ldr_slice(texts, 9)), 0);
    assert_int_equal(ldr_list_check(LDR_LIST | LDR_STRING, 1, ldr_slice(texts, 9)), LDR_E_CORRUPT);
    assert_int_equal(ldr_list_check(LDR_LIST | LDR_STRING, 3, ldr_slice(texts, 9)), LDR_E_CORRUPT);
    assert_int_equal(ldr_list_check(LDR_LIST | LDR_STRING, 2, ldr_slice(texts, 8)), LDR_E_CORRUPT);
    assert_int_equal(ldr_list_check(LDR_LIST | LDR_STRING, 1, ldr_slice(bad_text, 5)), LDR_E_CORRUPT);
    assert_int_equal(ldr_list_check(LDR_LIST | LDR_BYTES, 1, ldr_slice(bad_text, 5)), 0);
    assert_int_equal(ldr_list_check(LDR_INT32, 2, ldr_slice(ints, 8)), LDR_E_CORRUPT);
    assert_int_equal(ldr_list_check(LDR_LIST, 0, ldr_slice(ints, 0)), LDR_E_CORRUPT);
}

static void check_reads_elements(void **state)
{
    static const uint8_t bools[] = {0, 1, 2};
    uint8_t time[8];
    (void)state;
    assert_int_equal(ldr_list_check(LDR_LIST | LDR_BOOL, 2, ldr_slice(bools, 2)), 0);
    assert_int_equal(ldr_list_check(LDR_LIST | LDR_BOOL, 3, ldr_slice(bools, 3)), LDR_E_CORRUPT);
    ldr_put_le64(time, (uint64_t)LDR_TIME_MAX_US);
    assert_int_equal(ldr_list_check(LDR_LIST | LDR_TIMESTAMP, 1, ldr_slice(time, 8)), 0);
    ldr_put_le64(time, (uint64_t)LDR_TIME_MAX_US + 1);
    assert_int_equal(ldr_list_check(LDR_LIST | LDR_TIMESTAMP, 1, ldr_slice(time, 8)), LDR_E_CORRUPT);
}

static void iterator_stops_at_the_end_of_the_bytes(void **state)
{
    static const uint8_t bytes[] = {1, 0, 0, 0, 'a', 9, 0, 0, 0, 'b'};
    struct ldr_value list = {.type = LDR_LIST | LDR_STRING, .count = UINT32_MAX, .s = {bytes, sizeof bytes}},
                     e;
    struct ldr_list_iter it;
    (void)state;
    ldr_list_iter_init(&it, &list);
    assert_true(ldr_list_iter_next(&it, &e));
    assert_true(ldr_slice_eq(e.s, ldr_slice_str("a")));
    assert_false(ldr_list_iter_next(&it, &e));
    assert_false(ldr_list_iter_next(&it, &e));
}

static void builder_packs(void **state)
{
    struct ldr_list_builder b;
    struct ldr_arena a;
    struct ldr_value v, e = {.type = LDR_FLOAT64}, got;
    struct ldr_list_iter it;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    ldr_list_builder_init(&b, LDR_LIST | LDR_FLOAT64, NULL);
    for (int i = 0; i < 3; i++) {
        e.f64 = i == 1 ? -__builtin_nan("5") : i;
        assert_int_equal(ldr_list_builder_add(&b, &e), 0);
    }
    assert_int_equal(ldr_list_builder_value(&b, &a, &v), 0);
    ldr_list_builder_close(&b);
    assert_int_equal(v.type, LDR_LIST | LDR_FLOAT64);
    assert_int_equal(v.count, 3);
    assert_int_equal(v.s.n, 24);
    assert_true(ldr_get_le64(v.s.p + 8) == UINT64_C(0x7ff8000000000000));
    ldr_list_iter_init(&it, &v);
    assert_true(ldr_list_iter_next(&it, &got) && got.f64 == 0.0);
    assert_true(ldr_list_iter_next(&it, &got) && got.f64 != got.f64);
    assert_true(ldr_list_iter_next(&it, &got) && got.f64 == 2.0);
    assert_false(ldr_list_iter_next(&it, &got));
    ldr_arena_close(&a);
}

static void builder_makes_empty_lists(void **state)
{
    struct ldr_list_builder b;
    struct ldr_arena a;
    struct ldr_value v;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    ldr_list_builder_init(&b, LDR_LIST | LDR_STRING, NULL);
    assert_int_equal(ldr_list_builder_value(&b, &a, &v), 0);
    assert_false(v.null);
    assert_int_equal(v.count, 0);
    assert_int_equal(v.s.n, 0);
    ldr_list_builder_close(&b);
    ldr_arena_close(&a);
}

static void builder_keeps_limits(void **state)
{
    struct ldr_list_builder b;
    struct ldr_value e = {.type = LDR_BOOL, .b = true},
                     bad = {.type = LDR_STRING, .s = {(const uint8_t *)"\xff", 1}};
    struct ldr_value big = {.type = LDR_BYTES};
    (void)state;
    ldr_list_builder_init(&b, LDR_LIST | LDR_BOOL, NULL);
    for (uint32_t i = 0; i < LDR_LIST_MAX; i++)
        assert_int_equal(ldr_list_builder_add(&b, &e), 0);
    assert_int_equal(ldr_list_builder_add(&b, &e), LDR_E_TOO_BIG);
    assert_int_equal(b.count, LDR_LIST_MAX);
    ldr_list_builder_close(&b);
    ldr_list_builder_init(&b, LDR_LIST | LDR_STRING, NULL);
    assert_int_equal(ldr_list_builder_add(&b, &bad), LDR_E_INVALID);
    assert_int_equal(b.count, 0);
    ldr_list_builder_close(&b);
    ldr_list_builder_init(&b, LDR_LIST | LDR_BYTES, NULL);
    uint8_t *half = calloc(1, LDR_VALUE_MAX / 2);
    assert_non_null(half);
    big.s = ldr_slice(half, LDR_VALUE_MAX / 2);
    assert_int_equal(ldr_list_builder_add(&b, &big), 0);
    assert_int_equal(ldr_list_builder_add(&b, &big), LDR_E_TOO_BIG);
    assert_int_equal(b.count, 1);
    free(half);
    ldr_list_builder_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_counts_exactly),
        cmocka_unit_test(check_reads_elements),
        cmocka_unit_test(iterator_stops_at_the_end_of_the_bytes),
        cmocka_unit_test(builder_packs),
        cmocka_unit_test(builder_makes_empty_lists),
        cmocka_unit_test(builder_keeps_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
