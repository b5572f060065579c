#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "feature/feature.h"

static struct ldr_arena arena;

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

static struct ldr_value parsed(unsigned type, const char *text)
{
    struct ldr_value v;
    const char *why = "";
    if (ldr_value_parse(type, ldr_slice_str(text), &arena, &v, &why))
        fail_msg("%s \"%s\": %s", ldr_type_name(type), text, why);
    assert_int_equal(v.type, type);
    assert_false(v.null);
    return v;
}

/* The reason has to hold `expected`. */
static void assert_refused(unsigned type, const char *text, const char *expected)
{
    struct ldr_value v;
    const char *why = "";
    if (ldr_value_parse(type, ldr_slice_str(text), &arena, &v, &why) != LDR_E_INVALID)
        fail_msg("%s \"%s\" is not refused", ldr_type_name(type), text);
    if (!strstr(why, expected))
        fail_msg("%s \"%s\": %s", ldr_type_name(type), text, why);
    assert_int_equal(ldr_value_parse(type, ldr_slice_str(text), &arena, &v, NULL), LDR_E_INVALID);
}

static void bools(void **state)
{
    static const char *const yes[] = {"true", "True", "TRUE", "1", "t"},
                             *no[] = {"false", "False", "FALSE", "0", "f"};
    static const char *const bad[] = {"",   "tRUE",  "yes",   "T",     "F",    "2",
                                      "10", " true", "true ", "truee", "fals", "on"};
    (void)state;
    for (int i = 0; i < 5; i++) {
        assert_true(parsed(LDR_BOOL, yes[i]).b);
        assert_false(parsed(LDR_BOOL, no[i]).b);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(LDR_BOOL, bad[i], "expected bool");
}

static void int32s(void **state)
{
    (void)state;
    assert_int_equal(parsed(LDR_INT32, "2147483647").i, INT32_MAX);
    assert_int_equal(parsed(LDR_INT32, "-2147483648").i, INT32_MIN);
    assert_refused(LDR_INT32, "2147483648", "out of range: expected int32 (-2147483648 to 2147483647)");
    assert_refused(LDR_INT32, "-2147483649", "out of range: expected int32");
    assert_refused(LDR_INT32, "99999999999999999999", "out of range: expected int32");
    assert_refused(LDR_INT32, "1.0", "expected int32");
    assert_refused(LDR_INT32, "", "expected int32");
}

/* Neither end survives a double. */
static void int64s(void **state)
{
    (void)state;
    assert_true(parsed(LDR_INT64, "9223372036854775807").i == INT64_MAX);
    assert_true(parsed(LDR_INT64, "-9223372036854775808").i == INT64_MIN);
    assert_true(parsed(LDR_INT64, "9007199254740993").i == INT64_C(9007199254740993));
    assert_refused(LDR_INT64, "9223372036854775808", "out of range: expected int64");
    assert_refused(LDR_INT64, "1e3", "expected int64");
    assert_refused(LDR_INT64, " 1", "expected int64");
    assert_refused(LDR_INT64, "0x10", "expected int64");
    assert_refused(LDR_INT64, "one", "expected int64");
}

static void floats(void **state)
{
    double minus_zero = parsed(LDR_FLOAT64, "-0.0").f64;
    (void)state;
    assert_true(minus_zero == 0.0 && __builtin_signbit(minus_zero));
    assert_true(parsed(LDR_FLOAT64, "1.5e3").f64 == 1500.0);
    assert_true(parsed(LDR_FLOAT64, "0.1").f64 == 0.1);
    assert_true(parsed(LDR_FLOAT32, "0.1").f32 == 0.1f);
    assert_true(parsed(LDR_FLOAT64, "-Infinity").f64 == -__builtin_inf());
    assert_true(parsed(LDR_FLOAT32, "Infinity").f32 == __builtin_inff());
    assert_true((uint64_t)parsed(LDR_FLOAT64, "NaN").i == UINT64_C(0x7ff8000000000000));
    assert_refused(LDR_FLOAT64, "1e999", "out of range: expected float64");
    assert_refused(LDR_FLOAT32, "1e39", "out of range: expected float32");
    assert_refused(LDR_FLOAT64, "abc", "expected float64");
    assert_refused(LDR_FLOAT64, "1,5", "expected float64");
    assert_refused(LDR_FLOAT32, "", "expected float32");
    assert_refused(LDR_FLOAT64, "0x1p3", "expected float64");
}

static void strings_borrow(void **state)
{
    static const char text[] = "caf\xc3\xa9";
    struct ldr_value v = parsed(LDR_STRING, text);
    (void)state;
    assert_ptr_equal(v.s.p, text);
    assert_int_equal(v.s.n, 5);
    assert_int_equal(parsed(LDR_STRING, "").s.n, 0);
    assert_refused(LDR_STRING, "\xc3", "expected string in UTF-8");
    assert_refused(LDR_STRING, "a\xff", "expected string in UTF-8");
}

static void bytes_are_base64(void **state)
{
    (void)state;
    assert_true(ldr_slice_eq(parsed(LDR_BYTES, "AP8=").s, ldr_slice("\x00\xff", 2)));
    assert_int_equal(parsed(LDR_BYTES, "").s.n, 0);
    assert_refused(LDR_BYTES, "AP8", "expected bytes (base64");
    assert_refused(LDR_BYTES, "A*==", "expected bytes (base64");
    assert_refused(LDR_BYTES, "=", "expected bytes (base64");
}

static void timestamps(void **state)
{
    (void)state;
    assert_true(parsed(LDR_TIMESTAMP, "1970-01-01T00:00:01Z").i == 1000000);
    assert_true(parsed(LDR_TIMESTAMP, "1970-01-01 01:00:00.5+01:00").i == 500000);
    assert_true(parsed(LDR_TIMESTAMP, "-5").i == -5);
    assert_true(parsed(LDR_TIMESTAMP, "9999-12-31T23:59:59.999999Z").i == LDR_TIME_MAX_US);
    assert_refused(LDR_TIMESTAMP, "", "expected timestamp");
    assert_refused(LDR_TIMESTAMP, "yesterday", "expected timestamp");
    assert_refused(LDR_TIMESTAMP, "2013-01-01T00:00:00.1234567Z", "6 fraction digits");
    assert_refused(LDR_TIMESTAMP, "2013-02-30", "day");
    assert_refused(LDR_TIMESTAMP, "253402300800000000", "9999");
}

static void over_the_limits(void **state)
{
    struct ldr_slice huge = {(const uint8_t *)"", (size_t)LDR_VALUE_MAX * 9};
    struct ldr_value v;
    const char *why;
    static const unsigned types[] = {LDR_STRING, LDR_BYTES, LDR_LIST | LDR_STRING};
    (void)state;
    for (int i = 0; i < 3; i++) {
        why = "";
        assert_int_equal(ldr_value_parse(types[i], huge, &arena, &v, &why), LDR_E_TOO_BIG);
        assert_non_null(strstr(why, "at most 16 MiB"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bools),      cmocka_unit_test(int32s),          cmocka_unit_test(int64s),
        cmocka_unit_test(floats),     cmocka_unit_test(strings_borrow),  cmocka_unit_test(bytes_are_base64),
        cmocka_unit_test(timestamps), cmocka_unit_test(over_the_limits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
