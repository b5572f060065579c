/* UTF-8: every code point encoded is valid, every other short byte sequence is not (compared with decoding by
 * hand). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

static size_t encode(uint32_t c, uint8_t *p)
{
    if (c < 0x80) {
        p[0] = (uint8_t)c;
        return 1;
    }
    if (c < 0x800) {
        p[0] = (uint8_t)(0xC0 | c >> 6);
        p[1] = (uint8_t)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        p[0] = (uint8_t)(0xE0 | c >> 12);
        p[1] = (uint8_t)(0x80 | (c >> 6 & 63));
        p[2] = (uint8_t)(0x80 | (c & 63));
        return 3;
    }
    p[0] = (uint8_t)(0xF0 | c >> 18);
    p[1] = (uint8_t)(0x80 | (c >> 12 & 63));
    p[2] = (uint8_t)(0x80 | (c >> 6 & 63));
    p[3] = (uint8_t)(0x80 | (c & 63));
    return 4;
}

static void exactly_the_code_points_are_valid(void **state)
{
    (void)state;
    /* Every possible "code point" up to 2^21, in the shortest form: valid unless a surrogate or too large. */
    for (uint32_t c = 0; c < 0x200000; c++) {
        uint8_t p[4];
        size_t n = encode(c, p);
        bool want = c <= 0x10FFFF && (c < 0xD800 || c > 0xDFFF);
        if (ldr_utf8_valid(ldr_slice(p, n)) != want) {
            fail_msg("code point %x", c);
        }
        if (want && n > 1 && ldr_utf8_valid(ldr_slice(p, n - 1))) {
            fail_msg("cut code point %x", c);
        }
    }
}

static void overlong_and_stray_bytes_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\x80",         "\xBF",         "\xC0\x80",         "\xC1\xBF",         "\xE0\x80\x80",
        "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",
        "\xFF",         "\xFE",         "\xC3\x28",         "\xE2\x28\xA1",     "\xF0\x9F\x8D"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_false(ldr_utf8_valid(ldr_slice_str(bad[i])));
        for (size_t at = 0; at < 20; at++) { /* anywhere in plain text */
            char text[40] = "abcdefghijklmnopqrstuvwxyz0123456789";
            memcpy(text + at, bad[i], strlen(bad[i]));
            assert_false(ldr_utf8_valid(ldr_slice(text, 36)));
        }
    }
}

static void plain_and_mixed(void **state)
{
    (void)state;
    assert_true(ldr_utf8_valid(ldr_slice(NULL, 0)));
    assert_true(ldr_utf8_valid(ldr_slice("a\0b", 3)));
    assert_true(
        ldr_utf8_valid(ldr_slice_str("Grüße, Κόσμε, 世界, \xF0\x9F\x8D\x83 and plain text after it")));
    assert_int_equal(ldr_utf8_width(ldr_slice_str("Grüße")), 5);
    assert_int_equal(ldr_utf8_width(ldr_slice_str("\xF0\x9F\x8D\x83")), 1);
    assert_int_equal(ldr_utf8_width(ldr_slice(NULL, 0)), 0);
    assert_int_equal(ldr_utf8_char((const uint8_t *)"\xC3\xA9", 2), 2);
    assert_int_equal(ldr_utf8_char((const uint8_t *)"\xC3\xA9", 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exactly_the_code_points_are_valid),
        cmocka_unit_test(overlong_and_stray_bytes_are_refused),
        cmocka_unit_test(plain_and_mixed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
