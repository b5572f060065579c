#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "feature/feature.h"

static struct ldr_arena arena;
static struct ldr_schema *schema;

static int setup(void **state)
{
    static const char *const names[] = {"n"};
    static const uint8_t types[] = {LDR_INT64};
    (void)state;
    ldr_arena_init(&arena, NULL, 0);
    return ldr_schema_build(&arena, 1, 1, names, types, NULL, 0, NULL, 0, 0, &schema);
}

static int teardown(void **state)
{
    (void)state;
    ldr_arena_close(&arena);
    return 0;
}

static struct ldr_fact fact(int64_t event_us, int64_t created_us, int64_t n)
{
    struct ldr_fact f = {.event_us = event_us, .created_us = created_us};
    struct ldr_value v = {.type = LDR_INT64, .i = n};
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_row_encode(schema, &v, &b), 0);
    assert_int_equal(ldr_arena_slice(&arena, ldr_buf_slice(&b), &f.row), 0);
    ldr_buf_close(&b);
    return f;
}

static void event_then_created_then_values(void **state)
{
    const struct ldr_fact f[] = {fact(INT64_MIN, 9, 9), fact(1, 9, 9), fact(2, -3, 9),
                                 fact(2, 4, 1),         fact(2, 4, 2), fact(INT64_MAX, -9, -9)};
    (void)state;
    for (int i = 0; i < 6; i++)
        for (int j = 0; j < 6; j++) {
            int c = ldr_fact_cmp(schema, &f[i], &f[j]);
            assert_int_equal((c > 0) - (c < 0), (i > j) - (i < j));
        }
}

static void how_it_was_stamped_does_not_count(void **state)
{
    struct ldr_fact a = fact(1, 2, 3), b = fact(1, 2, 3);
    (void)state;
    b.stamped = true;
    b.vhash = 77;
    assert_int_equal(ldr_fact_cmp(schema, &a, &b), 0);
}

static void both_ends_are_inclusive(void **state)
{
    struct ldr_asof q = {.t_us = 100, .ttl_us = 10, .known_at_us = 50};
    (void)state;
    assert_true(ldr_asof_admits(&q, 100, 50));
    assert_true(ldr_asof_admits(&q, 90, 50));
    assert_false(ldr_asof_admits(&q, 101, 50));
    assert_false(ldr_asof_admits(&q, 89, 50));
    assert_false(ldr_asof_admits(&q, 100, 51));
}

static void no_ttl_has_no_lower_bound(void **state)
{
    struct ldr_asof q = {.t_us = 100, .known_at_us = LDR_KNOWN_AT_ANY};
    (void)state;
    assert_true(ldr_asof_admits(&q, INT64_MIN, INT64_MAX));
    assert_true(ldr_asof_floor(&q) == INT64_MIN);
}

static void floor_saturates(void **state)
{
    struct ldr_asof q = {.t_us = INT64_MIN + 5, .ttl_us = LDR_TTL_MAX_US, .known_at_us = LDR_KNOWN_AT_ANY};
    (void)state;
    assert_true(ldr_asof_floor(&q) == INT64_MIN);
    assert_true(ldr_asof_admits(&q, INT64_MIN, 0));
}

/* Forecasts: created before the event, event in the future of the read. */
static void forecasts(void **state)
{
    struct ldr_asof q = {.t_us = 100, .ttl_us = 0, .known_at_us = 20};
    (void)state;
    assert_true(ldr_asof_admits(&q, 100, 10));
    assert_false(ldr_asof_admits(&q, 200, 10));
}

static void status_names(void **state)
{
    (void)state;
    assert_string_equal(ldr_status_name(LDR_PRESENT), "PRESENT");
    assert_string_equal(ldr_status_name(LDR_NULL_VALUE), "NULL_VALUE");
    assert_string_equal(ldr_status_name(LDR_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(ldr_status_name(LDR_OUTSIDE_MAX_AGE), "OUTSIDE_MAX_AGE");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(event_then_created_then_values),
        cmocka_unit_test(how_it_was_stamped_does_not_count),
        cmocka_unit_test(both_ends_are_inclusive),
        cmocka_unit_test(no_ttl_has_no_lower_bound),
        cmocka_unit_test(floor_saturates),
        cmocka_unit_test(forecasts),
        cmocka_unit_test(status_names),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
