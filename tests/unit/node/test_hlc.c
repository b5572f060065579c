/* Stamps rise, whatever the clock does, and over restarts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/hlc.h"

static void stamps_rise(void **state)
{
    struct ldr_hlc h;
    int64_t a, b;
    (void)state;
    ldr_hlc_start(&h, 1000);
    assert_int_equal(ldr_hlc_next(&h, 2000, &a), LDR_E_BUSY); /* nothing above the bound */
    int64_t want = ldr_hlc_want(&h, 2000);
    assert_int_equal(want, 2000 + LDR_HLC_AHEAD_US);
    ldr_hlc_persisted(&h, want);
    assert_int_equal(ldr_hlc_want(&h, 2000), INT64_MIN);
    assert_int_equal(ldr_hlc_next(&h, 2000, &a), 0);
    assert_int_equal(a, 2000);
    assert_int_equal(ldr_hlc_next(&h, 1500, &b), 0); /* the clock went back */
    assert_int_equal(b, 2001);
    assert_int_equal(ldr_hlc_next(&h, 2000, &b), 0);
    assert_int_equal(b, 2002);
}

static void restart_goes_on_above(void **state)
{
    struct ldr_hlc h;
    int64_t a;
    (void)state;
    ldr_hlc_start(&h, 5000);
    ldr_hlc_persisted(&h, ldr_hlc_want(&h, 10));
    assert_int_equal(ldr_hlc_next(&h, 10, &a), 0);
    assert_int_equal(a, 5001);
}

static void a_node_waits_until_it_is_not_ahead(void **state)
{
    struct ldr_hlc h;
    (void)state;
    ldr_hlc_start(&h, 5000000);
    assert_int_equal(ldr_hlc_wait_us(&h, 4000000), 1000000);
    assert_int_equal(ldr_hlc_wait_us(&h, 4999999), 1);
    assert_int_equal(ldr_hlc_wait_us(&h, 5000000), 0);
    assert_int_equal(ldr_hlc_wait_us(&h, INT64_MAX), 0);
    assert_int_equal(ldr_hlc_wait_us(&h, INT64_MIN), LDR_HLC_AHEAD_US); /* the clock was set back */
    ldr_hlc_start(&h, INT64_MIN);
    assert_int_equal(ldr_hlc_wait_us(&h, 0), 0); /* a new node */
}

static void one_wrong_clock_drags_nobody(void **state)
{
    struct ldr_hlc h;
    int64_t a;
    (void)state;
    ldr_hlc_start(&h, INT64_MIN);
    ldr_hlc_persisted(&h, 1 << 30);
    assert_int_equal(ldr_hlc_merge(&h, 1500, 1000, 500), 0);
    assert_int_equal(ldr_hlc_next(&h, 1000, &a), 0);
    assert_int_equal(a, 1501);
    assert_int_equal(ldr_hlc_merge(&h, 1502, 1000, 500), LDR_E_REFUSED);
    assert_int_equal(ldr_hlc_merge(&h, INT64_MAX, INT64_MAX - 1, 500), 0); /* no overflow */
    assert_int_equal(ldr_hlc_next(&h, 1000, &a), LDR_E_BUSY);
}

static void a_token_is_later_than_what_was_told(void **state)
{
    struct ldr_hlc h;
    (void)state;
    ldr_hlc_start(&h, 5000); /* ahead of the clock, as after a restart: the clock says nothing for a while */
    int64_t told = ldr_hlc_told(&h, 100), token = ldr_hlc_token(&h, 100);
    assert_true(token > told);
    assert_int_equal(ldr_hlc_told(&h, 100), 5000); /* not beyond the bound */
    ldr_hlc_persisted(&h, 9000);
    assert_true(ldr_hlc_told(&h, 100) >= token);
    /* in one microsecond, and when the clock goes back after having told */
    ldr_hlc_start(&h, 5000);
    ldr_hlc_persisted(&h, 90000);
    told = ldr_hlc_told(&h, 20000);
    assert_true(ldr_hlc_token(&h, 20000) > told);
    told = ldr_hlc_told(&h, 30000);
    int64_t stamp;
    assert_int_equal(ldr_hlc_next(&h, 25000, &stamp), 0);
    assert_true(stamp > told);
    assert_true(ldr_hlc_token(&h, 25000) > told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(stamps_rise), cmocka_unit_test(restart_goes_on_above),
                                       cmocka_unit_test(a_node_waits_until_it_is_not_ahead),
                                       cmocka_unit_test(one_wrong_clock_drags_nobody),
                                       cmocka_unit_test(a_token_is_later_than_what_was_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
