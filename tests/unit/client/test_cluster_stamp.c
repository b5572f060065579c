/* Whose clock is taken for wrong when a client asks nodes for the time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/cluster.h"

#define S INT64_C(1000000)

static void judged(size_t n, const int64_t *stamps, const bool *answered, const bool *stay)
{
    bool is[8];
    memcpy(is, answered, n * sizeof *is);
    ldr_stamps_judge(stamps, is, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(is[i], stay[i]);
}

static void one_fast_clock_is_left_out(void **state)
{
    static const bool all[8] = {true, true, true, true, true, true, true, true};
    (void)state;
    judged(4, (int64_t[]){100 * S, 3700 * S, 100 * S + 5, 100 * S - 5}, all,
           (bool[]){true, false, true, true});
    judged(3, (int64_t[]){100 * S, 100 * S, 101 * S}, all, (bool[]){true, true, false});
    judged(5, (int64_t[]){9 * S, 100 * S, 9 * S, 200 * S, 9 * S}, all,
           (bool[]){true, false, true, false, true});
    /* half a second is what nodes bear with */
    judged(3, (int64_t[]){100 * S, 100 * S, 100 * S + S / 2}, all, all);
    judged(3, (int64_t[]){INT64_MIN, INT64_MIN, INT64_MAX}, all, (bool[]){true, true, false});
}

static void a_slow_clock_condemns_nobody(void **state)
{
    static const bool all[8] = {true, true, true, true, true, true, true, true};
    (void)state;
    judged(3, (int64_t[]){100 * S, 100 * S, 1 * S}, all, all);
    judged(4, (int64_t[]){100 * S, 1 * S, 100 * S, 1 * S}, all, all); /* who is right? */
    judged(2, (int64_t[]){100 * S, 1 * S}, all, all);
    judged(1, (int64_t[]){100 * S}, all, all);
    judged(0, NULL, all, all);
    /* the silent do not count */
    judged(4, (int64_t[]){100 * S, 0, 0, 101 * S}, (bool[]){true, false, false, true},
           (bool[]){true, false, false, true});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_fast_clock_is_left_out),
                                       cmocka_unit_test(a_slow_clock_condemns_nobody)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
