/* Heaps: NULL is malloc, overflow is refused, the countdown heap fails when told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

static void null_heap_allocates(void **state)
{
    (void)state;
    char *p = ldr_alloc(NULL, 0);
    assert_non_null(p);
    p = ldr_resize(NULL, p, 100);
    assert_non_null(p);
    memset(p, 1, 100);
    ldr_release(NULL, p);
    ldr_release(NULL, NULL);
    unsigned char *z = ldr_calloc(NULL, 10, 10);
    assert_non_null(z);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(z[i], 0);
    }
    ldr_release(NULL, z);
}

static void calloc_overflow_is_null(void **state)
{
    (void)state;
    assert_null(ldr_calloc(NULL, SIZE_MAX / 2, 3));
    struct ldr_heap_countdown h;
    ldr_heap_countdown_init(&h, 0, 0);
    assert_null(ldr_calloc(&h.heap, SIZE_MAX / 2, 3));
    assert_int_equal(h.live, 0);
}

static void handed_in_heap_zeroes(void **state)
{
    (void)state;
    struct ldr_heap_countdown h;
    ldr_heap_countdown_init(&h, 0, 0);
    for (int round = 0; round < 8; round++) {
        unsigned char *z = ldr_calloc(&h.heap, 16, 4);
        assert_non_null(z);
        for (int i = 0; i < 64; i++) {
            assert_int_equal(z[i], 0);
        }
        memset(z, 0xAA, 64);
        ldr_release(&h.heap, z);
    }
    assert_int_equal(h.live, 0);
}

static void countdown_fails_once(void **state)
{
    (void)state;
    struct ldr_heap_countdown h;
    ldr_heap_countdown_init(&h, 2, 0);
    void *a = ldr_alloc(&h.heap, 1), *b = ldr_alloc(&h.heap, 1), *c = ldr_alloc(&h.heap, 1);
    assert_non_null(a);
    assert_null(b);
    assert_non_null(c);
    assert_int_equal(h.live, 2);
    ldr_release(&h.heap, a);
    ldr_release(&h.heap, c);
    assert_int_equal(h.live, 0);
}

static void countdown_sticks(void **state)
{
    (void)state;
    struct ldr_heap_countdown h;
    ldr_heap_countdown_init(&h, 2, 1);
    void *a = ldr_alloc(&h.heap, 1);
    assert_non_null(a);
    for (int i = 0; i < 5; i++) {
        assert_null(ldr_alloc(&h.heap, 1));
        assert_null(ldr_resize(&h.heap, a, 100)); /* and leaves what was there */
    }
    assert_int_equal(h.live, 1);
    ldr_release(&h.heap, a);
    assert_int_equal(h.live, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_heap_allocates),   cmocka_unit_test(calloc_overflow_is_null),
        cmocka_unit_test(handed_in_heap_zeroes), cmocka_unit_test(countdown_fails_once),
        cmocka_unit_test(countdown_sticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
