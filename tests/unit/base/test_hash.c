/* Hashes: fixed values, because they are stored on disk and place entities on the ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

static void values_never_change(void **state)
{
    (void)state;
    assert_true(ldr_hash64("", 0) == UINT64_C(0x2D06800538D394C2));
    assert_true(ldr_hash64(NULL, 0) == UINT64_C(0x2D06800538D394C2));
    assert_true(ldr_hash64("a", 1) == UINT64_C(0xE6C632B61E964E1F));
    assert_true(ldr_hash64("abc", 3) == UINT64_C(0x78AF5F94892F3950));
    assert_true(ldr_hash64_seed("abc", 3, 0) == ldr_hash64("abc", 3));
    assert_true(ldr_hash64_seed("abc", 3, 1) != ldr_hash64("abc", 3));
    assert_int_equal(ldr_check32("abc", 3), (uint32_t)UINT64_C(0x78AF5F94892F3950));
}

/* Whatever the processor can: seeded hashes have one build, and seed 0 is no seed. */
static void all_builds_agree(void **state)
{
    static uint8_t p[70000];
    (void)state;
    for (size_t i = 0; i < sizeof p; i++)
        p[i] = (uint8_t)(i * i >> 3);
    for (size_t n = 0; n <= sizeof p - 7; n = n < 1100 ? n + 1 : n * 9 / 8)
        for (size_t at = 0; at < 8; at += 7)
            assert_true(ldr_hash64(p + at, n) == ldr_hash64_seed(p + at, n, 0));
    assert_true(ldr_hash64(p, 10000) == UINT64_C(0xD9455584302F92AB));
}

static void every_bit_counts(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 600; n = n < 40 ? n + 1 : n * 3 / 2) {
        uint8_t p[600];
        memset(p, 7, n);
        uint64_t h = ldr_hash64(p, n);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            p[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_true(ldr_hash64(p, n) != h);
            p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        assert_true(ldr_hash64(p, n) == h);
        assert_true(ldr_hash64(p, n - 1) != h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_never_change),
        cmocka_unit_test(all_builds_agree),
        cmocka_unit_test(every_bit_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
