/* Writing numbers: the layout of Python's repr, and the known hard cases of shortest digits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/base.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void check_i64(int64_t v)
{
    char out[LDR_NUM_TEXT], want[LDR_NUM_TEXT];
    snprintf(want, sizeof(want), "%" PRId64, v);
    assert_int_equal(ldr_i64_format(v, out), strlen(want));
    assert_string_equal(out, want);
    snprintf(want, sizeof(want), "%" PRIu64, (uint64_t)v);
    assert_int_equal(ldr_u64_format((uint64_t)v, out), strlen(want));
    assert_string_equal(out, want);
}

static void integers(void **state)
{
    (void)state;
    uint64_t power = 1;
    for (int i = 0; i < 20; i++, power *= 10) {
        check_i64((int64_t)(power - 1));
        check_i64((int64_t)power);
        check_i64(-(int64_t)power);
        check_i64((int64_t)(power * 7 / 3));
    }
    check_i64(INT64_MAX);
    check_i64(INT64_MIN);
    for (int64_t v = -1100; v < 1100; v++) {
        check_i64(v);
    }
}

static void doubles(void **state)
{
    (void)state;
    static const struct {
        double v;
        const char *text;
    } cases[] = {
        {0.0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {-1.5, "-1.5"},
        {0.1, "0.1"},
        {0.3, "0.3"},
        {0.1 + 0.2, "0.30000000000000004"},
        {100, "100.0"},
        {123456, "123456.0"},
        {1e15, "1000000000000000.0"},
        {9007199254740991.0, "9007199254740991.0"},
        {9007199254740993.0, "9007199254740992.0"},
        {9999999999999998.0, "9999999999999998.0"},
        {1e16, "1e+16"},
        {1.5e16, "1.5e+16"},
        {123456789012345680.0, "1.2345678901234568e+17"},
        {0.0001, "0.0001"},
        {0.00012345, "0.00012345"},
        {0.00001, "1e-05"},
        {0.000015, "1.5e-05"},
        {0.001, "0.001"},
        {1e22, "1e+22"},
        {1e23, "1e+23"},
        {9.5367431640625e-07, "9.5367431640625e-07"},
        {5e-324, "5e-324"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {-DBL_MAX, "-1.7976931348623157e+308"},
        {DBL_EPSILON, "2.220446049250313e-16"},
        {9.109383701528e-31, "9.109383701528e-31"},
        {1e100, "1e+100"},
        {1e-100, "1e-100"},
        {2.98023223876953125e-8, "2.9802322387695312e-08"},
        {(double)INFINITY, "Infinity"},
        {-(double)INFINITY, "-Infinity"},
        {(double)NAN, "NaN"},
        {-(double)NAN, "NaN"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[LDR_NUM_TEXT];
        assert_int_equal(ldr_f64_format(cases[i].v, out), strlen(cases[i].text));
        assert_string_equal(out, cases[i].text);
    }
}

static void floats(void **state)
{
    (void)state;
    static const struct {
        float v;
        const char *text;
    } cases[] = {
        {0.0f, "0.0"},
        {-0.0f, "-0.0"},
        {0.1f, "0.1"},
        {3.4028235e38f, "3.4028235e+38"},
        {1.17549435e-38f, "1.1754944e-38"},
        {1e-45f, "1e-45"},
        {16777216.0f, "16777216.0"},
        {33554432.0f, "33554432.0"},
        {8589934592.0f, "8589935000.0"},
        {1e10f, "10000000000.0"},
        {1e16f, "1e+16"},
        {0.3f, "0.3"},
        {29.92f, "29.92"},
        {(float)INFINITY, "Infinity"},
        {-(float)INFINITY, "-Infinity"},
        {(float)NAN, "NaN"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[LDR_NUM_TEXT];
        assert_int_equal(ldr_f32_format(cases[i].v, out), strlen(cases[i].text));
        assert_string_equal(out, cases[i].text);
    }
}

static void one_nan_only(void **state)
{
    (void)state;
    uint64_t odd = UINT64_C(0xFFF0000000000001), bits;
    uint32_t odd32 = 0xFF800001u, bits32;
    double v;
    float f;
    memcpy(&v, &odd, 8);
    memcpy(&f, &odd32, 4);
    v = ldr_f64_canonical(v);
    f = ldr_f32_canonical(f);
    memcpy(&bits, &v, 8);
    memcpy(&bits32, &f, 4);
    assert_true(bits == UINT64_C(0x7FF8000000000000));
    assert_int_equal(bits32, 0x7FC00000);
    assert_true(signbit(ldr_f64_canonical(-0.0)) && ldr_f64_canonical(-1.5) == -1.5);
    assert_true(signbit(ldr_f32_canonical(-0.0f)) && ldr_f32_canonical(2.5f) == 2.5f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(doubles),
        cmocka_unit_test(floats),
        cmocka_unit_test(one_nan_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
