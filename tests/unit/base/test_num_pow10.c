/* The table of powers of ten, each entry against big-integer arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/num_pow10.h"

#define LIMBS 48 /* of 32 bits: 1536, for 10^342 (1137 bits) times 2^128 */

struct big {
    uint32_t w[LIMBS];
};

static void multiply(struct big *b, uint32_t by)
{
    uint64_t carry = 0;
    for (int i = 0; i < LIMBS; i++) {
        carry += (uint64_t)b->w[i] * by;
        b->w[i] = (uint32_t)carry;
        carry >>= 32;
    }
    assert_int_equal(carry, 0);
}

static struct big power_of_ten(int e)
{
    struct big b = {{1}};
    for (int i = 0; i < e; i++) {
        multiply(&b, 10);
    }
    return b;
}

static int bit_length(const struct big *b)
{
    for (int i = LIMBS - 1; i >= 0; i--) {
        if (b->w[i]) {
            return 32 * i + 32 - __builtin_clz(b->w[i]);
        }
    }
    return 0;
}

static struct big shift_left(const struct big *b, int n)
{
    struct big r = {{0}};
    for (int i = 0; i < 32 * LIMBS - n; i++) {
        if (b->w[i / 32] >> (i % 32) & 1) {
            r.w[(i + n) / 32] |= 1u << ((i + n) % 32);
        }
    }
    return r;
}

static int compare(const struct big *a, const struct big *b)
{
    for (int i = LIMBS - 1; i >= 0; i--) {
        if (a->w[i] != b->w[i]) {
            return a->w[i] < b->w[i] ? -1 : 1;
        }
    }
    return 0;
}

static struct big from_entry(struct ldr_pow10 p)
{
    return (struct big){{(uint32_t)p.lo, (uint32_t)(p.lo >> 32), (uint32_t)p.hi, (uint32_t)(p.hi >> 32)}};
}

/* a * b where b has four limbs */
static struct big product(const struct big *a, const struct big *b)
{
    struct big sum = {{0}};
    for (int k = 3; k >= 0; k--) {
        struct big part = *a;
        multiply(&part, b->w[k]);
        sum = shift_left(&sum, 32);
        uint64_t carry = 0;
        for (int i = 0; i < LIMBS; i++) {
            carry += (uint64_t)sum.w[i] + part.w[i];
            sum.w[i] = (uint32_t)carry;
            carry >>= 32;
        }
    }
    return sum;
}

static struct big minus_one(struct big b)
{
    for (int i = 0; i < LIMBS && b.w[i]-- == 0; i++) {
    }
    return b;
}

static struct big plus_one(struct big b)
{
    for (int i = 0; i < LIMBS && ++b.w[i] == 0; i++) {
    }
    return b;
}

/* Rounded down: g * 2^n <= 10^e < (g + 1) * 2^n, or exact. */
static void powers_from_one_up(void **state)
{
    (void)state;
    for (int e = 0; e <= LDR_POW10_MAX; e++) {
        struct big ten = power_of_ten(e), g = from_entry(LDR_POW10[e - LDR_POW10_MIN]), above = plus_one(g);
        int n = bit_length(&ten) - 128;
        assert_int_equal(bit_length(&g), 128);
        assert_int_equal(ldr_log2_pow10(e), bit_length(&ten) - 1);
        if (n <= 0) {
            ten = shift_left(&ten, -n);
            assert_int_equal(compare(&g, &ten), 0);
            continue;
        }
        struct big low = shift_left(&g, n), high = shift_left(&above, n);
        assert_true(compare(&low, &ten) <= 0 && compare(&ten, &high) < 0);
        assert_true(e <= 55 ? compare(&low, &ten) == 0 : compare(&low, &ten) < 0);
    }
}

/* Rounded up: (g - 1) * 10^-e < 2^s < g * 10^-e */
static void powers_below_one(void **state)
{
    (void)state;
    for (int e = LDR_POW10_MIN; e < 0; e++) {
        struct big ten = power_of_ten(-e), g = from_entry(LDR_POW10[e - LDR_POW10_MIN]), below = minus_one(g);
        assert_int_equal(bit_length(&g), 128);
        int log2 = -bit_length(&ten); /* 10^-e is no power of two */
        assert_int_equal(ldr_log2_pow10(e), log2);
        struct big one = {{1}}, s = shift_left(&one, 127 - log2);
        struct big low = product(&ten, &below), high = product(&ten, &g);
        assert_true(compare(&low, &s) < 0 && compare(&s, &high) < 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(powers_from_one_up),
        cmocka_unit_test(powers_below_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
