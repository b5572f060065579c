/* Reading numbers: the grammar, the ranges, roundings that are known to be hard. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
        int rc;
    } cases[] = {
        {"0", 0, 0},
        {"-0", 0, 0},
        {"+7", 7, 0},
        {"-12", -12, 0},
        {"000000000000000000000000000000012", 12, 0},
        {"9223372036854775807", INT64_MAX, 0},
        {"-9223372036854775808", INT64_MIN, 0},
        {"9223372036854775808", 0, LDR_E_TOO_BIG},
        {"-9223372036854775809", 0, LDR_E_TOO_BIG},
        {"18446744073709551616", 0, LDR_E_TOO_BIG},
        {"99999999999999999999999999999999999", 0, LDR_E_TOO_BIG},
        {"", 0, LDR_E_INVALID},
        {"-", 0, LDR_E_INVALID},
        {"+", 0, LDR_E_INVALID},
        {"--1", 0, LDR_E_INVALID},
        {" 1", 0, LDR_E_INVALID},
        {"1 ", 0, LDR_E_INVALID},
        {"1.0", 0, LDR_E_INVALID},
        {"1e3", 0, LDR_E_INVALID},
        {"0x10", 0, LDR_E_INVALID},
        {"12a", 0, LDR_E_INVALID},
        {"1_000", 0, LDR_E_INVALID},
        {"99999999999999999999999x", 0, LDR_E_INVALID},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t v = 77;
        assert_int_equal(ldr_i64_parse(ldr_slice_str(cases[i].text), &v), cases[i].rc);
        assert_true(v == (cases[i].rc ? 77 : cases[i].value));
    }
    int64_t v;
    assert_int_equal(ldr_i64_parse(ldr_slice("1\0", 2), &v), LDR_E_INVALID);
    assert_int_equal(ldr_i64_parse(ldr_slice(NULL, 0), &v), LDR_E_INVALID);
    assert_int_equal(ldr_i64_parse(ldr_slice("123", 2), &v), 0);
    assert_int_equal(v, 12);
}

static void grammar_of_floats(void **state)
{
    (void)state;
    static const char *const good[] = {"0",
                                       "-0",
                                       "1",
                                       "+1",
                                       ".5",
                                       "5.",
                                       "-.5e1",
                                       "1e5",
                                       "1E+05",
                                       "1e-5",
                                       "00.100",
                                       "1.5E2",
                                       "1e400000000000000000000000000",
                                       "1e-400000000000000000000000000000",
                                       "0e99999999999"};
    static const char *const bad[] = {
        "",       ".",        "-",       "+",          "e5",           ".e5", "1e",  "1e+",  "1.2.3",
        "1,5",    "0x10",     "0x1p3",   "inf",        "INF",          "nan", "NAN", "-NaN", "+NaN",
        "NaN(1)", "infinity", "Infinit", "Infinityy",  "--1",          " 1",  "1 ",  "1e5 ", "1e5.0",
        "1d5",    "1f",       "1_0",     "++Infinity", "\xEF\xBC\x91", "1-",  "-+1"};
    double v;
    float f;
    for (size_t i = 0; i < COUNT(good); i++) {
        int rc = ldr_f64_parse(ldr_slice_str(good[i]), &v), rc32 = ldr_f32_parse(ldr_slice_str(good[i]), &f);
        if (isinf(strtod(good[i], NULL))) {
            assert_int_equal(rc, LDR_E_TOO_BIG);
            assert_int_equal(rc32, LDR_E_TOO_BIG);
        } else {
            assert_int_equal(rc, 0);
            assert_int_equal(rc32, 0);
            assert_true(v == strtod(good[i], NULL));
            assert_true(signbit(v) == signbit(strtod(good[i], NULL)));
            assert_true(f == strtof(good[i], NULL));
        }
    }
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_int_equal(ldr_f64_parse(ldr_slice_str(bad[i]), &v), LDR_E_INVALID);
        assert_int_equal(ldr_f32_parse(ldr_slice_str(bad[i]), &f), LDR_E_INVALID);
    }
    assert_int_equal(ldr_f64_parse(ldr_slice("1\0", 2), &v), LDR_E_INVALID);
    assert_int_equal(ldr_f64_parse(ldr_slice(NULL, 0), &v), LDR_E_INVALID);
}

static void words(void **state)
{
    (void)state;
    double v;
    float f;
    uint64_t bits;
    uint32_t bits32;
    assert_int_equal(ldr_f64_parse(ldr_slice_str("NaN"), &v), 0);
    memcpy(&bits, &v, 8);
    assert_true(bits == UINT64_C(0x7FF8000000000000));
    assert_int_equal(ldr_f32_parse(ldr_slice_str("NaN"), &f), 0);
    memcpy(&bits32, &f, 4);
    assert_int_equal(bits32, 0x7FC00000);
    assert_int_equal(ldr_f64_parse(ldr_slice_str("Infinity"), &v), 0);
    assert_true(isinf(v) && v > 0);
    assert_int_equal(ldr_f64_parse(ldr_slice_str("+Infinity"), &v), 0);
    assert_true(isinf(v) && v > 0);
    assert_int_equal(ldr_f32_parse(ldr_slice_str("-Infinity"), &f), 0);
    assert_true(isinf(f) && f < 0);
}

static void overflow_is_too_big_and_underflow_is_zero(void **state)
{
    (void)state;
    double v = 5;
    float f = 5;
    assert_int_equal(ldr_f64_parse(ldr_slice_str("1.7976931348623157e308"), &v), 0);
    assert_true(v == DBL_MAX);
    assert_int_equal(ldr_f64_parse(ldr_slice_str("1.7976931348623158e308"), &v), 0);
    assert_true(v == DBL_MAX); /* below half-way to the next */
    assert_int_equal(ldr_f64_parse(ldr_slice_str("1.7976931348623159e308"), &v), LDR_E_TOO_BIG);
    assert_int_equal(ldr_f64_parse(ldr_slice_str("-1e309"), &v), LDR_E_TOO_BIG);
    assert_true(v == DBL_MAX); /* untouched */
    assert_int_equal(ldr_f64_parse(ldr_slice_str("-1e-400"), &v), 0);
    assert_true(v == 0 && signbit(v));
    assert_int_equal(ldr_f64_parse(ldr_slice_str("4.9e-324"), &v), 0);
    assert_true(v == 0x1p-1074);
    assert_int_equal(ldr_f64_parse(ldr_slice_str("2.4703282292062327e-324"), &v), 0);
    assert_true(v == 0);
    assert_int_equal(ldr_f64_parse(ldr_slice_str("2.4703282292062328e-324"), &v), 0);
    assert_true(v == 0x1p-1074);
    assert_int_equal(ldr_f32_parse(ldr_slice_str("3.4028235e38"), &f), 0);
    assert_true(f == FLT_MAX);
    assert_int_equal(ldr_f32_parse(ldr_slice_str("3.4028236e38"), &f), LDR_E_TOO_BIG);
    assert_int_equal(ldr_f32_parse(ldr_slice_str("1e-46"), &f), 0);
    assert_true(f == 0);
}

static void floats_round_once(void **state)
{
    (void)state;
    /* 1 + 2^-24 + 2^-60: by way of a double it would be a tie, and round down to even. */
    float f;
    assert_int_equal(ldr_f32_parse(ldr_slice_str("1.000000059604644775390625"), &f), 0);
    assert_true(f == 1.0f);
    assert_int_equal(ldr_f32_parse(ldr_slice_str("1.00000005960464477539149235"), &f), 0);
    assert_true(f == 0x1.000002p0f);
}

static void long_texts(void **state)
{
    (void)state;
    double v;
    static char text[5000];
    /* The exact half-way point between two doubles, then one digit far behind that decides. */
    snprintf(text, sizeof(text), "1.00000000000000011102230246251565404236316680908203125");
    assert_int_equal(ldr_f64_parse(ldr_slice_str(text), &v), 0);
    assert_true(v == 1);
    size_t n = strlen(text);
    memset(text + n, '0', 4000);
    text[n + 4000] = '\0';
    assert_int_equal(ldr_f64_parse(ldr_slice_str(text), &v), 0);
    assert_true(v == 1);
    text[n + 4000] = '1';
    assert_int_equal(ldr_f64_parse(ldr_slice(text, n + 4001), &v), 0);
    assert_true(v == 1 + DBL_EPSILON);
    /* Leading and trailing zeros by the thousand, made up for by the exponent. */
    memset(text, '0', sizeof(text));
    memcpy(text + 2000, "125", 3);
    memcpy(text + 4003, "e-2001", 7); /* 125 and 2000 zeros */
    assert_int_equal(ldr_f64_parse(ldr_slice_str(text), &v), 0);
    assert_true(v == 12.5);
    memset(text, '0', sizeof(text));
    text[1] = '.';
    memcpy(text + 2000, "125", 3);
    memcpy(text + 4003, "e+2000", 7); /* the 5 is the 2001st digit after the point */
    assert_int_equal(ldr_f64_parse(ldr_slice_str(text), &v), 0);
    assert_true(v == 12.5);
}

static void the_locale_does_not_matter(void **state)
{
    (void)state;
    /* Where the locale is installed it has a decimal comma; the slow path must not see it. */
    char *before = setlocale(LC_ALL, NULL), saved[128];
    snprintf(saved, sizeof(saved), "%s", before ? before : "C");
    if (!setlocale(LC_ALL, "de_DE.UTF-8") && !setlocale(LC_ALL, "fr_FR.UTF-8")) {
        skip();
    }
    double v;
    char out[LDR_NUM_TEXT];
    assert_int_equal(
        ldr_f64_parse(ldr_slice_str("1.0000000000000001110223024625156540423631668090820312500001"), &v), 0);
    assert_true(v == 1 + DBL_EPSILON);
    ldr_f64_format(0.5, out);
    assert_string_equal(out, "0.5");
    setlocale(LC_ALL, saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(grammar_of_floats),
        cmocka_unit_test(words),
        cmocka_unit_test(overflow_is_too_big_and_underflow_is_zero),
        cmocka_unit_test(floats_round_once),
        cmocka_unit_test(long_texts),
        cmocka_unit_test(the_locale_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
