/* Numbers as text against the C library, over random bit patterns, short decimals, powers of two and half-way
 * points. links: base Written text must read back to the same bits, be as short as the shortest that printf
 * can write, and be the nearest of that length; read text must round as strtod and strtof round it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

#define ROUNDS 300000

static uint64_t seed = UINT64_C(0xD1B54A32D192ED03);

static uint64_t next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * UINT64_C(0x2545F4914F6CDD1D);
}

static double from_bits(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof(v));
    return v;
}

static uint64_t bits_of(double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

static uint32_t bits_of_float(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return bits;
}

/* One of several kinds, so that the rare ones are met often. */
static double any_double(unsigned kind)
{
    switch (kind % 6) {
    case 0:
        return from_bits(next());
    case 1: /* about a power of two, where the interval is lopsided */
        return from_bits((next() & UINT64_C(0xFFF0000000000000)) + next() % 5 - 2);
    case 2: /* subnormal */
        return from_bits(next() & UINT64_C(0x800FFFFFFFFFFFFF) >> next() % 52);
    case 3: /* a short decimal */
        return (double)(int64_t)(next() % 2000000000) / pow(10, (double)(next() % 12));
    case 4:
        return (double)(int64_t)(next() >> next() % 64);
    default:
        return (double)(next() >> 11) * 0x1p-53;
    }
}

/* The significant digits of a text, without zeros at either end; returns how many. */
static size_t significant(const char *text, char *digits)
{
    size_t n = 0, used = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text >= '0' && *text <= '9' && (n || *text != '0')) {
            digits[n++] = *text;
            used = *text != '0' ? n : used;
        }
    }
    digits[used] = '\0';
    return used;
}

static void doubles_are_short_and_exact(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        double v = any_double(i), back;
        if (!isfinite(v)) {
            continue;
        }
        char out[LDR_NUM_TEXT], digits[LDR_NUM_TEXT], other[64], other_digits[64];
        size_t n = ldr_f64_format(v, out);
        if (strlen(out) != n || bits_of(strtod(out, NULL)) != bits_of(v)) {
            fail_msg("%a is written as %s", v, out);
        }
        if (ldr_f64_parse(ldr_slice(out, n), &back) || bits_of(back) != bits_of(v)) {
            fail_msg("%s reads back as %a", out, back);
        }
        int used = (int)significant(out, digits);
        if (used > 1) {
            snprintf(other, sizeof(other), "%.*e", used - 2, v);
            if (strtod(other, NULL) == v) {
                fail_msg("%s could be %s", out, other);
            }
        }
        snprintf(other, sizeof(other), "%.*e", used ? used - 1 : 0, v);
        significant(other, other_digits);
        /* When the nearest of that length does not read back, what we wrote is the one that does. */
        if (strtod(other, NULL) == v && strcmp(digits, other_digits) != 0) {
            fail_msg("%s, but %s is closer", out, other);
        }
    }
}

static void floats_are_short_and_exact(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t bits = (uint32_t)next();
        float v, back;
        memcpy(&v, &bits, sizeof(v));
        v = i % 3 == 0 ? (float)any_double(3) : i % 3 == 1 ? ldexpf(1, (int)(next() % 270) - 148) : v;
        if (!isfinite(v)) {
            continue;
        }
        char out[LDR_NUM_TEXT], digits[LDR_NUM_TEXT], other[64];
        size_t n = ldr_f32_format(v, out);
        if (bits_of_float(strtof(out, NULL)) != bits_of_float(v)) {
            fail_msg("%a is written as %s", (double)v, out);
        }
        if (ldr_f32_parse(ldr_slice(out, n), &back) || bits_of_float(back) != bits_of_float(v)) {
            fail_msg("%s reads back as %a", out, (double)back);
        }
        int used = (int)significant(out, digits);
        if (used > 1) {
            snprintf(other, sizeof(other), "%.*e", used - 2, (double)v);
            if (strtof(other, NULL) == v) {
                fail_msg("%s could be %s", out, other);
            }
        }
    }
}

static void check_text(const char *text)
{
    double want = strtod(text, NULL), got = 0;
    float want32 = strtof(text, NULL), got32 = 0;
    struct ldr_slice s = ldr_slice_str(text);
    int rc = ldr_f64_parse(s, &got), rc32 = ldr_f32_parse(s, &got32);
    if (isinf(want) ? rc != LDR_E_TOO_BIG : rc || bits_of(want) != bits_of(got)) {
        fail_msg("%s: %a, not %a (%d)", text, want, got, rc);
    }
    if (isinf(want32) ? rc32 != LDR_E_TOO_BIG : rc32 || bits_of_float(want32) != bits_of_float(got32)) {
        fail_msg("%s: %a, not %a (%d)", text, (double)want32, (double)got32, rc32);
    }
}

static void texts_round_as_the_c_library_rounds(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        char text[80];
        size_t n = 0, digits = 1 + next() % 30, point = next() % (digits + 1);
        if (next() % 2) {
            text[n++] = next() % 2 ? '-' : '+';
        }
        for (size_t k = 0; k <= digits; k++) {
            if (k == point) {
                text[n++] = '.';
            } else {
                text[n++] = (char)('0' + next() % 10);
            }
        }
        text[n] = '\0';
        if (next() % 2) {
            int range = i % 3 ? 30 : 350;
            snprintf(text + n, sizeof(text) - n, "e%d", (int)(next() % (2 * (uint64_t)range)) - range);
        }
        check_text(text);
    }
}

/* The decimal expansion of a point half-way between two neighbours, exactly and a little off it. */
static void half_way_points(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS / 6; i++) {
        double low = fabs(any_double(i));
        if (i % 2) { /* of a size at which few digits reach the point */
            low =
                from_bits((bits_of(low) & UINT64_C(0xFFFFFFFFFFFFF)) | (UINT64_C(1013) + next() % 110) << 52);
        }
        double high = nextafter(low, (double)INFINITY);
        if (!isfinite(high)) {
            continue;
        }
        char text[2000];
        long double half = (long double)low + ((long double)high - (long double)low) / 2;
        size_t n = (size_t)snprintf(text, sizeof(text), "%.1100Lf", half);
        if (i % 3 == 1) {
            text[n - 1] = '1';
        }
        check_text(text);
        snprintf(text, sizeof(text), "%.17Le", half);
        check_text(text);
        snprintf(text, sizeof(text), "%.18Le", half);
        check_text(text);
        snprintf(text, sizeof(text), "%.25Le", half);
        check_text(text);
        float low32 = (float)low, high32 = nextafterf(low32, INFINITY);
        snprintf(text, sizeof(text), "%.200e", ((double)low32 + (double)high32) / 2);
        check_text(text[0] == 'i' ? "1" : text);
    }
}

static void integers_round_trip(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ROUNDS; i++) {
        int64_t v = (int64_t)next() >> next() % 64, back = 0;
        char out[LDR_NUM_TEXT], want[LDR_NUM_TEXT];
        size_t n = ldr_i64_format(v, out);
        snprintf(want, sizeof(want), "%lld", (long long)v);
        assert_string_equal(out, want);
        assert_int_equal(ldr_i64_parse(ldr_slice(out, n), &back), 0);
        assert_true(back == v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_are_short_and_exact),
        cmocka_unit_test(floats_are_short_and_exact),
        cmocka_unit_test(texts_round_as_the_c_library_rounds),
        cmocka_unit_test(half_way_points),
        cmocka_unit_test(integers_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
