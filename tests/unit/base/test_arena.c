/* Arena: alignment, stable pointers, oversized requests, reset, and every allocation failing in turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>

#include <cmocka.h>

#include "base/base.h"

static void pointers_are_aligned_and_keep_their_bytes(void **state)
{
    (void)state;
    struct ldr_arena a;
    ldr_arena_init(&a, NULL, 256);
    uint8_t *p[200];
    for (unsigned i = 0; i < 200; i++) {
        size_t n = (i * 37) % 700; /* some larger than a block */
        p[i] = ldr_arena_alloc(&a, n);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        memset(p[i], (int)i, n);
    }
    for (unsigned i = 0; i < 200; i++) {
        for (size_t k = 0; k < (i * 37) % 700; k++) {
            assert_int_equal(p[i][k], (uint8_t)i);
        }
    }
    ldr_arena_close(&a);
    assert_int_equal(a.total, 0);
    ldr_arena_close(&a); /* twice is fine */
}

static void oversized_requests_leave_the_head_in_use(void **state)
{
    (void)state;
    struct ldr_arena a;
    ldr_arena_init(&a, NULL, 1024);
    uint8_t *first = ldr_arena_alloc(&a, 16);
    assert_non_null(ldr_arena_alloc(&a, 100000));
    uint8_t *second = ldr_arena_alloc(&a, 16);
    assert_ptr_equal(second, first + 16);
    ldr_arena_close(&a);
}

static void reset_keeps_one_block_and_gives_big_ones_back(void **state)
{
    (void)state;
    struct ldr_heap_countdown h;
    ldr_heap_countdown_init(&h, 0, 0);
    struct ldr_arena a;
    ldr_arena_init(&a, &h.heap, 1024);
    ldr_arena_reset(&a); /* of an empty one */
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 10; i++) {
            assert_non_null(ldr_arena_alloc(&a, 900));
        }
        assert_non_null(ldr_arena_alloc(&a, 1 << 20));
        ldr_arena_reset(&a);
        assert_int_equal(h.live, 1);
        assert_true(a.total < 2048);
    }
    ldr_arena_close(&a);
    assert_int_equal(h.live, 0);
    ldr_arena_init(&a, &h.heap, 1024); /* when the only block is oversized it goes too */
    assert_non_null(ldr_arena_alloc(&a, 1 << 20));
    ldr_arena_reset(&a);
    assert_int_equal(h.live, 0);
    assert_non_null(ldr_arena_alloc(&a, 5));
    ldr_arena_close(&a);
    assert_int_equal(h.live, 0);
}

static void helpers_copy(void **state)
{
    (void)state;
    struct ldr_arena a;
    ldr_arena_init(&a, NULL, 0);
    assert_string_equal(ldr_arena_strndup(&a, "hello world", 5), "hello");
    assert_string_equal(ldr_arena_strndup(&a, NULL, 0), "");
    assert_string_equal(ldr_arena_printf(&a, "%d-%s", 42, "x"), "42-x");
    struct ldr_slice out;
    assert_int_equal(ldr_arena_slice(&a, ldr_slice("abc", 3), &out), 0);
    assert_true(ldr_slice_eq(out, ldr_slice_str("abc")));
    assert_int_equal(ldr_arena_slice(&a, ldr_slice(NULL, 0), &out), 0);
    assert_int_equal(out.n, 0);
    uint8_t *z = ldr_arena_calloc(&a, 100, 3);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(z[i], 0);
    }
    ldr_arena_close(&a);
}

static void impossible_sizes_are_null(void **state)
{
    (void)state;
    struct ldr_arena a;
    ldr_arena_init(&a, NULL, 0);
    assert_null(ldr_arena_alloc(&a, SIZE_MAX));
    assert_null(ldr_arena_alloc(&a, SIZE_MAX - 20));
    assert_null(ldr_arena_calloc(&a, SIZE_MAX, 2));
    assert_null(ldr_arena_strndup(&a, "", SIZE_MAX));
    assert_non_null(ldr_arena_alloc(&a, 1));
    ldr_arena_close(&a);
}

/* Work of many blocks; false when an allocation failed, which must leave everything before it as it was. */
static bool work(struct ldr_arena *a)
{
    const char *texts[50];
    unsigned n = 0;
    bool good = true;
    for (; n < 50 && good; n++) {
        texts[n] = n % 7 == 6 ? ldr_arena_calloc(a, 1, 5000) : ldr_arena_printf(a, "text %u", n);
        good = texts[n] != NULL;
    }
    for (unsigned i = 0; i + !good < n; i++) {
        char want[32] = "";
        if (i % 7 != 6) {
            snprintf(want, sizeof(want), "text %u", i);
        }
        assert_string_equal(texts[i], want);
    }
    struct ldr_slice s;
    return good && ldr_arena_slice(a, ldr_slice("0123456789", 10), &s) == 0;
}

static void every_allocation_may_fail(void **state)
{
    (void)state;
    for (int sticky = 0; sticky < 2; sticky++) {
        bool good = false;
        long n = 1;
        for (; !good; n++) {
            struct ldr_heap_countdown h;
            struct ldr_arena a;
            ldr_heap_countdown_init(&h, n, sticky);
            ldr_arena_init(&a, &h.heap, 128);
            good = work(&a);
            ldr_arena_close(&a);
            assert_int_equal(h.live, 0);
            assert_int_equal(a.total, 0);
        }
        assert_true(n > 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pointers_are_aligned_and_keep_their_bytes),
        cmocka_unit_test(oversized_requests_leave_the_head_in_use),
        cmocka_unit_test(reset_keeps_one_block_and_gives_big_ones_back),
        cmocka_unit_test(helpers_copy),
        cmocka_unit_test(impossible_sizes_are_null),
        cmocka_unit_test(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
