/* Sketches against the exact answer: exact while small, within their bounds when large, the same when merged,
 * and the same every time. */
#include "store_fixture.h"

#include <math.h>

#include "client/stats/sketch.h"

static uint64_t rng = 1;
static uint64_t rnd(void)
{
    rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return rng ^ rng >> 29;
}

static uint64_t hash_of(uint64_t i)
{
    return ldr_hash64(&i, sizeof i);
}

static void distinct_counts_are_exact_then_close(void **state)
{
    (void)state;
    for (uint64_t n = 0; n <= 3000000; n = n < 400 ? n + 1 : n * 5 / 4) {
        if (n > 1500 && n < 3000)
            n = 3000;
        struct ldr_distinct d, parts[3], again;
        ldr_distinct_init(&d);
        for (int k = 0; k < 3; k++)
            ldr_distinct_init(&parts[k]);
        for (uint64_t i = 0; i < n; i++) {
            ldr_distinct_add(&d, hash_of(i));
            ldr_distinct_add(&d, hash_of(i / 2)); /* repetitions do not count */
            ldr_distinct_add(&parts[i % 3], hash_of(i));
            ldr_distinct_add(&parts[i % 2], hash_of(i)); /* parts overlap */
        }
        uint64_t got = ldr_distinct_count(&d);
        if (n <= LDR_DISTINCT_EXACT)
            assert_int_equal(got, n);
        else
            assert_true(fabs((double)got - (double)n) < 0.06 * (double)n); /* nearly 4 standard errors */
        again = parts[2];
        ldr_distinct_merge(&parts[0], &parts[1]);
        ldr_distinct_merge(&parts[0], &again);
        assert_int_equal(ldr_distinct_count(&parts[0]), got); /* a union is a union */
    }
    struct ldr_distinct zero;
    ldr_distinct_init(&zero);
    ldr_distinct_add(&zero, 0);
    ldr_distinct_add(&zero, 0);
    assert_int_equal(ldr_distinct_count(&zero), 1);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static const double asked[7] = {0, 0.01, 0.25, 0.5, 0.75, 0.99, 1};

/* How far the rank of an answer is from the rank asked for, as a share of n. */
static double rank_error(const int64_t *sorted, size_t n, double p, int64_t item)
{
    size_t below = 0, upto = 0;
    for (size_t i = 0; i < n; i++) {
        below += sorted[i] < item;
        upto += sorted[i] <= item;
    }
    double want = p * (double)n;
    double off = want<(double)below ? (double)below - want : want>(double) upto ? want - (double)upto : 0;
    return off / (double)n;
}

static void fill(int64_t *items, size_t n, int shape)
{
    for (size_t i = 0; i < n; i++)
        items[i] = shape == 0   ? (int64_t)i
                   : shape == 1 ? (int64_t)(n - i)
                   : shape == 2 ? (int64_t)rnd()
                   : shape == 3 ? (int64_t)(rnd() % 7) - 3
                                : (int64_t)(1 / (1e-9 + (double)(rnd() >> 11) / 9007199254740992.0));
}

static void quantiles_are_exact_then_close(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 2, 3, 100, 511, 512, 513, 1000, 20000, 300000};
    int64_t *items = calloc(300000, sizeof *items), got[7], merged[7], again[7];
    assert_non_null(items);
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++)
        for (int shape = 0; shape < 5; shape++) {
            size_t n = sizes[k];
            struct ldr_quantile q, parts[4];
            fill(items, n, shape);
            ldr_quantile_init(&q);
            for (int i = 0; i < 4; i++)
                ldr_quantile_init(&parts[i]);
            for (size_t i = 0; i < n; i++) {
                assert_int_equal(ldr_quantile_add(&q, items[i]), 0);
                assert_int_equal(ldr_quantile_add(&parts[i * 4 / n], items[i]), 0);
            }
            for (int i = 1; i < 4; i++)
                assert_int_equal(ldr_quantile_merge(&parts[0], &parts[i]), 0);
            assert_int_equal(parts[0].count, n);
            assert_int_equal(ldr_quantile_get(&q, asked, 7, got), 0);
            assert_int_equal(ldr_quantile_get(&q, asked, 7, again), 0);
            assert_int_equal(ldr_quantile_get(&parts[0], asked, 7, merged), 0);
            assert_memory_equal(got, again, sizeof got);
            uint64_t weight = 0, room = 0;
            for (uint32_t i = 0; i < q.nlevels; i++) {
                weight += (uint64_t)q.levels[i].n << i;
                room += q.levels[i].cap;
            }
            assert_int_equal(weight, n); /* no item is lost or made up */
            assert_true(room < 6144);
            qsort(items, n, sizeof *items, by_value);
            for (int i = 0; i < 7; i++) {
                size_t rank = (size_t)ceil(asked[i] * (double)n);
                if (n <= LDR_QUANTILE_EXACT) {
                    assert_int_equal(got[i], items[rank ? rank - 1 : 0]);
                    assert_int_equal(merged[i], got[i]);
                }
                assert_true(rank_error(items, n, asked[i], got[i]) < 0.01);
                assert_true(rank_error(items, n, asked[i], merged[i]) < 0.01);
            }
            ldr_quantile_close(&q);
            for (int i = 0; i < 4; i++)
                ldr_quantile_close(&parts[i]);
        }
    free(items);
}

static void doubles_have_an_order_of_integers(void **state)
{
    (void)state;
    static const double v[] = {-INFINITY,          -1e300,  -1, -5e-324, -0.0, 0.0, 5e-324, 1,
                               1.0000000000000002, INFINITY};
    for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) {
        double back = ldr_order_f64_back(ldr_order_f64(v[i]));
        assert_memory_equal(&back, &v[i], sizeof back);
        if (i)
            assert_true(ldr_order_f64(v[i - 1]) < ldr_order_f64(v[i]));
    }
}

#define VALUES 5000

/* Value i comes about n / (i + 1) times, in an order that is not that of counts. */
static void add_skewed(struct ldr_top *t, uint64_t *exact, int from, int to)
{
    for (int round = from; round < to; round++)
        for (uint64_t i = 0; i < VALUES; i++)
            if (round % (int)(i + 1) == 0) {
                uint64_t v = i * 2654435761u % VALUES;
                ldr_top_add(t, hash_of(v), ldr_slice(&v, sizeof v));
                exact[v]++;
            }
}

static void check_bounds(const struct ldr_top *t, const uint64_t *exact)
{
    for (uint32_t i = 0; i < t->n; i++) {
        uint64_t v;
        memcpy(&v, t->cells[i].value, sizeof v);
        assert_true(t->cells[i].count >= exact[v]);
        assert_true(t->cells[i].count - t->cells[i].error <= exact[v]);
    }
}

static void frequent_values_are_found(void **state)
{
    (void)state;
    static uint64_t exact[VALUES], half[VALUES];
    static struct ldr_top t, a, b;
    const struct ldr_top_cell *list[5];
    ldr_top_init(&t);
    add_skewed(&t, exact, 1, 2000);
    check_bounds(&t, exact);
    assert_int_equal(ldr_top_list(&t, list, 5), 5);
    for (uint64_t i = 0; i < 5; i++) {
        uint64_t v;
        memcpy(&v, list[i]->value, sizeof v);
        assert_int_equal(v, i * 2654435761u % VALUES);
        assert_true(list[i]->error * 4 < list[i]->count);
    }
    memset(exact, 0, sizeof exact);
    ldr_top_init(&a);
    ldr_top_init(&b);
    add_skewed(&a, exact, 1, 1000);
    add_skewed(&b, half, 1000, 2000);
    for (int i = 0; i < VALUES; i++)
        exact[i] += half[i];
    ldr_top_merge(&a, &b);
    check_bounds(&a, exact);
    assert_int_equal(ldr_top_list(&a, list, 5), 5);
    for (uint64_t i = 0; i < 5; i++) {
        uint64_t v;
        memcpy(&v, list[i]->value, sizeof v);
        assert_int_equal(v, i * 2654435761u % VALUES);
    }
}

static void few_values_are_counted_exactly(void **state)
{
    (void)state;
    struct ldr_top t, parts[3];
    const struct ldr_top_cell *list[LDR_TOP_CELLS];
    uint64_t exact[LDR_TOP_CELLS] = {0};
    ldr_top_init(&t);
    for (int i = 0; i < 3; i++)
        ldr_top_init(&parts[i]);
    for (int i = 0; i < 100000; i++) {
        uint64_t v = (rnd() >> 20) % LDR_TOP_CELLS;
        v = v * v / LDR_TOP_CELLS;
        exact[v]++;
        ldr_top_add(&t, hash_of(v), ldr_slice(&v, sizeof v));
        ldr_top_add(&parts[i % 3], hash_of(v), ldr_slice(&v, sizeof v));
    }
    ldr_top_merge(&parts[0], &parts[1]);
    ldr_top_merge(&parts[0], &parts[2]);
    struct ldr_top *both[2] = {&t, &parts[0]};
    for (int k = 0; k < 2; k++) {
        size_t n = ldr_top_list(both[k], list, LDR_TOP_CELLS);
        for (size_t i = 0; i < n; i++) {
            uint64_t v;
            memcpy(&v, list[i]->value, sizeof v);
            assert_int_equal(list[i]->count, exact[v]);
            assert_int_equal(list[i]->error, 0);
            assert_true(i == 0 || list[i - 1]->count >= list[i]->count);
        }
    }
}

static void moments_are_those_of_the_definition(void **state)
{
    (void)state;
    struct ldr_moments all = {0}, parts[3] = {{0}};
    double sum = 0, squares = 0, v[1000];
    assert_true(isnan(ldr_moments_stddev(&all)));
    for (int i = 0; i < 1000; i++) {
        v[i] = 1e6 + (double)(rnd() % 1000) / 7;
        sum += v[i];
        ldr_moments_add(&all, v[i]);
        ldr_moments_add(&parts[i % 3 == 0 ? 0 : 2], v[i]); /* one of them stays empty */
    }
    double mean = sum / 1000;
    for (int i = 0; i < 1000; i++)
        squares += (v[i] - mean) * (v[i] - mean);
    ldr_moments_merge(&parts[1], &parts[0]);
    ldr_moments_merge(&parts[1], &parts[2]);
    for (int k = 0; k < 2; k++) {
        const struct ldr_moments *m = k ? &parts[1] : &all;
        assert_int_equal(m->n, 1000);
        assert_true(fabs(m->mean - mean) < 1e-6);
        assert_true(fabs(ldr_moments_stddev(m) - sqrt(squares / 999)) < 1e-6);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distinct_counts_are_exact_then_close),
        cmocka_unit_test(quantiles_are_exact_then_close),
        cmocka_unit_test(doubles_have_an_order_of_integers),
        cmocka_unit_test(frequent_values_are_found),
        cmocka_unit_test(few_values_are_counted_exactly),
        cmocka_unit_test(moments_are_those_of_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
