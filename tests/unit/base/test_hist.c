/* Histogram: quantiles within 1/64 of the sorted truth, merge equals adding, the ends of the range. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/base.h"

static uint64_t next(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void empty_is_zero(void **state)
{
    (void)state;
    struct ldr_hist h;
    ldr_hist_init(&h);
    assert_true(ldr_hist_quantile(&h, 0.5) == 0);
    assert_true(ldr_hist_mean(&h) == 0.0);
}

static void quantiles_are_close(void **state)
{
    (void)state;
    enum { N = 20000 };
    static uint64_t v[N];
    static struct ldr_hist h;
    uint64_t seed = 42;
    ldr_hist_init(&h);
    for (int i = 0; i < N; i++) {
        v[i] = next(&seed) >> (24 + next(&seed) % 40);
        ldr_hist_add(&h, v[i]);
    }
    qsort(v, N, sizeof(v[0]), by_value);
    static const double q[] = {0, 1e-9, 0.001, 0.25, 0.5, 0.9, 0.99, 0.999, 1};
    for (size_t i = 0; i < sizeof(q) / sizeof(q[0]); i++) {
        double exact = q[i] * N;
        size_t rank = (size_t)exact + ((double)(size_t)exact < exact);
        uint64_t truth = v[rank ? rank - 1 : 0], got = ldr_hist_quantile(&h, q[i]);
        assert_true(got >= truth);
        assert_true((double)(got - truth) <= (double)truth / 64);
    }
    assert_true(ldr_hist_quantile(&h, 1) == v[N - 1]);
    assert_true(h.min_ns == v[0] && h.max_ns == v[N - 1] && h.count == N);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    static struct ldr_hist h;
    for (uint64_t v = 0; v < 128; v++) {
        ldr_hist_init(&h);
        ldr_hist_add(&h, v);
        ldr_hist_add(&h, 1000);
        assert_true(ldr_hist_quantile(&h, 0.5) == v);
    }
}

static void merge_equals_adding(void **state)
{
    (void)state;
    static struct ldr_hist a, b, all;
    uint64_t seed = 7;
    ldr_hist_init(&a);
    ldr_hist_init(&b);
    ldr_hist_init(&all);
    ldr_hist_merge(&a, &b); /* nothing into nothing */
    for (int i = 0; i < 5000; i++) {
        uint64_t v = next(&seed) >> (next(&seed) % 64);
        ldr_hist_add(i % 3 ? &a : &b, v);
        ldr_hist_add(&all, v);
    }
    ldr_hist_merge(&a, &b);
    assert_memory_equal(&a, &all, sizeof(a));
    ldr_hist_init(&b);
    ldr_hist_merge(&b, &all);
    assert_memory_equal(&b, &all, sizeof(b));
}

static void beyond_the_range_goes_to_the_last_cell(void **state)
{
    (void)state;
    static struct ldr_hist h;
    ldr_hist_init(&h);
    ldr_hist_add(&h, UINT64_MAX);
    ldr_hist_add(&h, UINT64_C(1) << 50);
    ldr_hist_add(&h, 0);
    assert_true(ldr_hist_quantile(&h, 0.01) == 0);
    assert_true(ldr_hist_quantile(&h, 0.5) == UINT64_MAX);
    ldr_hist_init(&h);
    ldr_hist_add(&h, 100);
    ldr_hist_add(&h, 300);
    assert_true(ldr_hist_mean(&h) == 200.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_is_zero),
        cmocka_unit_test(quantiles_are_close),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(merge_equals_adding),
        cmocka_unit_test(beyond_the_range_goes_to_the_last_cell),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
