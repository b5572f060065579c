#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "feature/feature.h"

static struct ldr_value text(const char *s)
{
    return (struct ldr_value){.type = LDR_STRING, .s = ldr_slice_str(s)};
}

static void assert_ascending(const struct ldr_value *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            int c = ldr_value_cmp(&v[i], &v[j]);
            assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
        }
}

static void floats(void **state)
{
    const double d[] = {-__builtin_inf(), -1.5, -5e-324, -0.0, 0.0, 5e-324, 1.5, __builtin_inf(),
                        __builtin_nan("")};
    struct ldr_value v[10], f[10];
    (void)state;
    v[0] = ldr_value_null(LDR_FLOAT64);
    f[0] = ldr_value_null(LDR_FLOAT32);
    for (int i = 0; i < 9; i++) {
        v[i + 1] = (struct ldr_value){.type = LDR_FLOAT64, .f64 = d[i]};
        f[i + 1] = (struct ldr_value){.type = LDR_FLOAT32, .f32 = (float)d[i]};
    }
    f[3].f32 = -1e-45f;
    f[6].f32 = 1e-45f;
    assert_ascending(v, 10);
    assert_ascending(f, 10);
}

static void all_nans_are_one(void **state)
{
    struct ldr_value a = {.type = LDR_FLOAT64, .f64 = __builtin_nan("")}, b = a;
    (void)state;
    b.f64 = -__builtin_nan("17");
    assert_int_equal(ldr_value_cmp(&a, &b), 0);
}

static void integers_and_bools(void **state)
{
    struct ldr_value v[] = {ldr_value_null(LDR_INT64),
                            {.type = LDR_INT64, .i = INT64_MIN},
                            {.type = LDR_INT64, .i = -1},
                            {.type = LDR_INT64, .i = 0},
                            {.type = LDR_INT64, .i = INT64_MAX}};
    struct ldr_value b[] = {
        ldr_value_null(LDR_BOOL), {.type = LDR_BOOL, .b = false}, {.type = LDR_BOOL, .b = true}};
    (void)state;
    assert_ascending(v, 5);
    assert_ascending(b, 3);
}

static void strings(void **state)
{
    struct ldr_value v[] = {
        ldr_value_null(LDR_STRING), text(""), text("A"), text("a"), text("aa"), text("b"), text("\xc3\xa9")};
    (void)state;
    assert_ascending(v, 7);
}

static void lists(void **state)
{
    static const uint8_t bytes[] = {1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0};
    static const uint8_t minus[] = {255, 255, 255, 255};
    struct ldr_value v[] = {ldr_value_null(LDR_LIST | LDR_INT32),
                            {.type = LDR_LIST | LDR_INT32, .count = 0},
                            {.type = LDR_LIST | LDR_INT32, .count = 1, .s = {minus, 4}},
                            {.type = LDR_LIST | LDR_INT32, .count = 1, .s = {bytes, 4}},
                            {.type = LDR_LIST | LDR_INT32, .count = 3, .s = {bytes, 12}},
                            {.type = LDR_LIST | LDR_INT32, .count = 2, .s = {bytes + 4, 8}}};
    (void)state;
    assert_ascending(v, 6);
}

static void assert_refused(struct ldr_value v, int code)
{
    const char *why = NULL;
    assert_int_equal(ldr_value_check(&v, &why), code);
    assert_non_null(why);
    assert_int_equal(ldr_value_check(&v, NULL), code);
}

static void check_refuses(void **state)
{
    struct ldr_slice huge = {(const uint8_t *)"", (size_t)LDR_VALUE_MAX + 1};
    (void)state;
    assert_refused((struct ldr_value){.type = 9}, LDR_E_INVALID);
    assert_refused((struct ldr_value){.type = LDR_LIST}, LDR_E_INVALID);
    assert_refused((struct ldr_value){.type = LDR_INT32, .i = INT64_C(2147483648)}, LDR_E_INVALID);
    assert_refused((struct ldr_value){.type = LDR_INT32, .i = INT64_C(-2147483649)}, LDR_E_INVALID);
    assert_refused((struct ldr_value){.type = LDR_TIMESTAMP, .i = LDR_TIME_MIN_US - 1}, LDR_E_INVALID);
    assert_refused((struct ldr_value){.type = LDR_TIMESTAMP, .i = LDR_TIME_MAX_US + 1}, LDR_E_INVALID);
    assert_refused(text("\xff"), LDR_E_INVALID);
    assert_refused(text("\xed\xa0\x80"), LDR_E_INVALID); /* a surrogate */
    assert_refused((struct ldr_value){.type = LDR_BYTES, .s = huge}, LDR_E_TOO_BIG);
    assert_refused((struct ldr_value){.type = LDR_LIST | LDR_BOOL, .count = LDR_LIST_MAX + 1}, LDR_E_TOO_BIG);
    assert_refused((struct ldr_value){.type = LDR_LIST | LDR_INT32, .count = 1}, LDR_E_INVALID);
}

static void check_admits(void **state)
{
    const struct ldr_value good[] = {
        ldr_value_null(LDR_STRING),
        ldr_value_null(LDR_LIST | LDR_STRING),
        {.type = LDR_INT32, .i = INT32_MIN},
        {.type = LDR_INT32, .i = INT32_MAX},
        {.type = LDR_INT64, .i = INT64_MIN},
        {.type = LDR_TIMESTAMP, .i = LDR_TIME_MIN_US},
        {.type = LDR_TIMESTAMP, .i = LDR_TIME_MAX_US},
        {.type = LDR_FLOAT64, .f64 = __builtin_nan("")},
        {.type = LDR_STRING},
        {.type = LDR_BYTES, .s = {(const uint8_t *)"\xff", 1}},
        {.type = LDR_LIST | LDR_TIMESTAMP},
    };
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(ldr_value_check(&good[i], NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(floats),
        cmocka_unit_test(all_nans_are_one),
        cmocka_unit_test(integers_and_bools),
        cmocka_unit_test(strings),
        cmocka_unit_test(lists),
        cmocka_unit_test(check_refuses),
        cmocka_unit_test(check_admits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
