#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "env/env.h"

static void the_wall_clock_is_in_microseconds(void **state)
{
    (void)state;
    struct ldr_clock c = ldr_clock_system();
    int64_t before = (int64_t)time(NULL);
    int64_t now = c.now_us(c.ctx);
    int64_t after = (int64_t)time(NULL);
    /* time() may use a coarser clock that runs up to a tick behind */
    assert_true(now / 1000000 >= before - 1 && now / 1000000 <= after + 1);
    assert_true(now >= LDR_TIME_MIN_US && now <= LDR_TIME_MAX_US);
}

static void the_steady_clock_never_goes_back(void **state)
{
    (void)state;
    struct ldr_clock c = ldr_clock_system();
    uint64_t first = c.mono_ns(c.ctx), last = first;
    for (int i = 0; i < 100000; i++) {
        uint64_t t = c.mono_ns(c.ctx);
        assert_true(t >= last);
        last = t;
    }
    assert_true(last > first);
}

static void random_bytes_differ(void **state)
{
    (void)state;
    uint8_t a[32] = {0}, b[32] = {0}, zero[32] = {0};
    assert_int_equal(ldr_random_bytes(a, sizeof a), 0);
    assert_int_equal(ldr_random_bytes(b, sizeof b), 0);
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a, zero, sizeof a);
    assert_int_equal(ldr_random_bytes(a, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_wall_clock_is_in_microseconds),
        cmocka_unit_test(the_steady_clock_never_goes_back),
        cmocka_unit_test(random_bytes_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
