/* Cursor: what was written reads back, and truncation at any byte is an error, never a read beyond the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

static void reads_what_was_written(void **state)
{
    (void)state;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_u8(&b, 0xFE);
    ldr_buf_u16(&b, 0xFEDC);
    ldr_buf_u32(&b, 0xFEDCBA98);
    ldr_buf_u64(&b, UINT64_C(0xFEDCBA9876543210));
    ldr_buf_bytes(&b, ldr_slice("hello", 5));
    ldr_buf_u32(&b, 2);
    ldr_buf_put(&b, "abcdef", 6);
    for (size_t n = 0; n <= b.n; n++) {
        uint8_t *exact = ldr_alloc(NULL, n); /* so that a sanitizer sees a read beyond it */
        if (n) {
            memcpy(exact, b.p, n);
        }
        struct ldr_cursor c = ldr_cursor(ldr_slice(exact, n));
        uint8_t a = ldr_cursor_u8(&c);
        uint16_t w = ldr_cursor_u16(&c);
        uint32_t d = ldr_cursor_u32(&c);
        uint64_t q = ldr_cursor_u64(&c);
        struct ldr_slice s = ldr_cursor_bytes(&c, 5);
        uint32_t count = ldr_cursor_count(&c, 3);
        struct ldr_slice rest = ldr_cursor_take(&c, 6);
        assert_int_equal(ldr_cursor_end(&c), n == b.n ? 0 : LDR_E_CORRUPT);
        if (n == b.n) {
            assert_int_equal(a, 0xFE);
            assert_int_equal(w, 0xFEDC);
            assert_int_equal(d, 0xFEDCBA98);
            assert_true(q == UINT64_C(0xFEDCBA9876543210));
            assert_true(ldr_slice_eq(s, ldr_slice_str("hello")));
            assert_int_equal(count, 2);
            assert_true(ldr_slice_eq(rest, ldr_slice_str("abcdef")));
        } else {
            assert_int_equal(rest.n, 0);
        }
        ldr_release(NULL, exact);
    }
    ldr_buf_close(&b);
}

static void failure_gives_zeros_from_then_on(void **state)
{
    (void)state;
    struct ldr_cursor c = ldr_cursor(ldr_slice("\xFF\xFF\xFF\xFF\xFF", 5));
    assert_true(ldr_cursor_u64(&c) == 0);
    assert_int_equal(c.err, LDR_E_CORRUPT);
    assert_int_equal(ldr_cursor_u8(&c), 0); /* though a byte is there */
    assert_int_equal(ldr_cursor_take(&c, 1).n, 0);
    assert_int_equal(ldr_cursor_end(&c), LDR_E_CORRUPT);
}

static void lengths_are_checked(void **state)
{
    (void)state;
    struct ldr_cursor c = ldr_cursor(ldr_slice("\x05\0\0\0hello", 9));
    assert_int_equal(ldr_cursor_bytes(&c, 4).n, 0); /* over the maximum */
    assert_int_equal(c.err, LDR_E_CORRUPT);
    c = ldr_cursor(ldr_slice("\xFF\xFF\xFF\xFFhello", 9));
    assert_int_equal(ldr_cursor_bytes(&c, SIZE_MAX).n, 0);
    assert_int_equal(c.err, LDR_E_CORRUPT);
    c = ldr_cursor(ldr_slice("\x03\0\0\0hello", 9));
    assert_int_equal(ldr_cursor_count(&c, 2), 0); /* three of two bytes do not fit in five */
    assert_int_equal(c.err, LDR_E_CORRUPT);
    c = ldr_cursor(ldr_slice("\0\0\0\0", 4));
    assert_int_equal(ldr_cursor_bytes(&c, 4).n, 0);
    assert_int_equal(ldr_cursor_end(&c), 0);
    c = ldr_cursor(ldr_slice(NULL, 0));
    assert_int_equal(ldr_cursor_take(&c, 0).n, 0);
    assert_int_equal(ldr_cursor_end(&c), 0);
    c = ldr_cursor(ldr_slice("x", 1));
    assert_int_equal(ldr_cursor_end(&c), LDR_E_CORRUPT); /* bytes remain */
}

static void fixed_orders(void **state)
{
    (void)state;
    uint8_t p[8];
    ldr_put_be32(p, 0x01020304);
    assert_memory_equal(p, "\x01\x02\x03\x04", 4);
    assert_int_equal(ldr_get_be32(p), 0x01020304);
    assert_int_equal(ldr_get_le32(p), 0x04030201);
    ldr_put_be64(p, UINT64_C(0x0102030405060708));
    assert_memory_equal(p, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
    assert_true(ldr_get_be64(p) == UINT64_C(0x0102030405060708));
    assert_int_equal(ldr_get_le16(p), 0x0201);
    ldr_put_le64(p, ldr_get_be64(p));
    assert_memory_equal(p, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_was_written),
        cmocka_unit_test(failure_gives_zeros_from_then_on),
        cmocka_unit_test(lengths_are_checked),
        cmocka_unit_test(fixed_orders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
