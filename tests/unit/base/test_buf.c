/* Buffer: appends, the maximum, errors that stay, and every allocation failing in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

static void appends_in_order(void **state)
{
    (void)state;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_string_equal(ldr_buf_cstr(&b), "");
    assert_int_equal(ldr_buf_puts(&b, "ab"), 0);
    ldr_buf_putc(&b, 'c');
    ldr_buf_printf(&b, "%d", 7);
    ldr_buf_put(&b, NULL, 0);
    assert_string_equal(ldr_buf_cstr(&b), "abc7");
    assert_int_equal(b.n, 4);
    ldr_buf_reset(&b);
    ldr_buf_u8(&b, 1);
    ldr_buf_u16(&b, 0x0302);
    ldr_buf_u32(&b, 0x07060504);
    ldr_buf_u64(&b, UINT64_C(0x0F0E0D0C0B0A0908));
    ldr_buf_bytes(&b, ldr_slice("xy", 2));
    static const uint8_t want[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 2, 0, 0, 0, 'x', 'y'};
    assert_true(ldr_slice_eq(ldr_buf_slice(&b), ldr_slice(want, sizeof(want))));
    ldr_buf_close(&b);
}

static void printf_of_any_length(void **state)
{
    (void)state;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    size_t total = 0;
    for (int i = 0; i < 300; i++) {
        assert_int_equal(ldr_buf_printf(&b, "%*d", i, i), 0);
        total += (size_t)(i < 1 ? 1 : i);
        assert_int_equal(b.n, total);
    }
    assert_int_equal(strlen(ldr_buf_cstr(&b)), total);
    ldr_buf_close(&b);
}

static void the_maximum_is_exact_and_sticks(void **state)
{
    (void)state;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 10);
    assert_int_equal(ldr_buf_puts(&b, "12345"), 0);
    assert_int_equal(ldr_buf_puts(&b, "67890"), 0);
    assert_string_equal(ldr_buf_cstr(&b), "1234567890"); /* the NUL needs no room within the maximum */
    assert_int_equal(ldr_buf_putc(&b, 'x'), LDR_E_TOO_BIG);
    assert_int_equal(ldr_buf_put(&b, NULL, 0), LDR_E_TOO_BIG);
    assert_int_equal(b.n, 10);
    assert_null(ldr_buf_reserve(&b, 0));
    assert_string_equal(ldr_buf_cstr(&b), "");
    ldr_buf_reset(&b);
    assert_int_equal(ldr_buf_printf(&b, "%s", "1234567890"), 0);
    assert_int_equal(ldr_buf_printf(&b, "%s", ""), 0);
    assert_int_equal(b.n, 10);
    assert_int_equal(ldr_buf_printf(&b, "%s", "x"), LDR_E_TOO_BIG);
    ldr_buf_reset(&b);
    assert_int_equal(ldr_buf_printf(&b, "%s", "12345678901"), LDR_E_TOO_BIG);
    assert_int_equal(b.n, 0);
    ldr_buf_close(&b);
}

static void length_prefixed_bytes_are_all_or_nothing(void **state)
{
    (void)state;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 10);
    assert_int_equal(ldr_buf_bytes(&b, ldr_slice("1234567", 7)), LDR_E_TOO_BIG);
    assert_int_equal(b.n, 0);
    ldr_buf_close(&b);
}

static void reserve_counts_nothing(void **state)
{
    (void)state;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    uint8_t *p = ldr_buf_reserve(&b, 1000);
    assert_non_null(p);
    assert_int_equal(b.n, 0);
    memset(p, 'a', 1000);
    b.n += 1000;
    assert_ptr_equal(ldr_buf_reserve(&b, 0), b.p + 1000);
    assert_null(ldr_buf_reserve(&b, SIZE_MAX));
    assert_int_equal(b.err, LDR_E_TOO_BIG);
    ldr_buf_close(&b);
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        int err = LDR_E_NOMEM;
        long n = 1;
        for (; err; n++) {
            struct ldr_heap_countdown h;
            struct ldr_buf b;
            ldr_heap_countdown_init(&h, n, sticky);
            ldr_buf_init(&b, &h.heap, 0);
            size_t before = 0;
            for (int i = 0; i < 500; i++) {
                before = b.err ? before : b.n;
                ldr_buf_printf(&b, "%d,", i);
                ldr_buf_u64(&b, (uint64_t)i);
            }
            (void)ldr_buf_cstr(&b);
            err = b.err;
            if (err) {
                assert_int_equal(err, LDR_E_NOMEM);
                assert_true(b.n - before <= 12); /* nothing was added after the failure */
            } else {
                assert_true(b.n > 5000);
            }
            ldr_buf_close(&b);
            assert_int_equal(h.live, 0);
        }
        assert_true(n > 5);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_in_order),
        cmocka_unit_test(printf_of_any_length),
        cmocka_unit_test(the_maximum_is_exact_and_sticks),
        cmocka_unit_test(length_prefixed_bytes_are_all_or_nothing),
        cmocka_unit_test(reserve_counts_nothing),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
