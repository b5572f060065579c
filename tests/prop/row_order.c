/* The orders that decide ties are total, and the row's follows the names of its columns.
 * links: feature */
#include "prop/row_gen.h"

static int sign(int c)
{
    return (c > 0) - (c < 0);
}

static void values_are_totally_ordered(void **state)
{
    enum { N = 24 };
    struct ldr_arena a;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct gen g = {seed, &a};
        unsigned type = gen_type(&g);
        struct ldr_value v[N];
        for (int i = 0; i < N; i++)
            v[i] = gen_below(&g, 8) ? gen_value(&g, type) : ldr_value_null(type);
        for (int i = 0; i < N; i++)
            for (int j = 0; j < N; j++) {
                int ij = sign(ldr_value_cmp(&v[i], &v[j]));
                assert_int_equal(ij, -sign(ldr_value_cmp(&v[j], &v[i])));
                assert_int_equal(ij == 0, gen_same(&v[i], &v[j]));
                for (int k = 0; k < N; k++)
                    if (ij <= 0 && ldr_value_cmp(&v[j], &v[k]) <= 0)
                        assert_true(ldr_value_cmp(&v[i], &v[k]) <= 0);
            }
        ldr_arena_reset(&a);
    }
    ldr_arena_close(&a);
}

/* Naive: walk the columns by (name, slot), found by repeated search for the next one. */
static int naive_row_cmp(const struct ldr_schema *s, const struct ldr_value *a, const struct ldr_value *b)
{
    int64_t last = -1;
    for (;;) {
        int64_t next = -1;
        for (uint32_t i = 0; i < s->ncols; i++) {
            int after = last < 0 ? 1 : strcmp(s->cols[i].name, s->cols[last].name);
            int before = next < 0 ? -1 : strcmp(s->cols[i].name, s->cols[next].name);
            if ((after > 0 || (after == 0 && i > last)) && before < 0)
                next = i;
        }
        if (next < 0)
            return 0;
        int c = ldr_value_cmp(&a[next], &b[next]);
        if (c)
            return sign(c);
        last = next;
    }
}

static void rows_are_ordered_by_name(void **state)
{
    struct ldr_arena a;
    uint32_t ties = 0;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    for (uint64_t seed = 1; seed <= 6000; seed++) {
        struct gen g = {seed, &a};
        struct ldr_schema *s = gen_schema(&g, 6, false);
        struct ldr_value *x = gen_values(&g, s, 5), *y = gen_values(&g, s, 5);
        for (uint32_t i = 0; i < s->ncols; i++)
            if (gen_below(&g, 3))
                y[i] = x[i];
        int want = naive_row_cmp(s, x, y);
        ties += want == 0;
        assert_int_equal(sign(ldr_row_cmp(s, gen_row(&g, s, x), gen_row(&g, s, y))), want);
        assert_int_equal(sign(ldr_row_cmp(s, gen_row(&g, s, y), gen_row(&g, s, x))), -want);
        ldr_arena_reset(&a);
    }
    ldr_arena_close(&a);
    assert_true(ties > 500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_totally_ordered),
        cmocka_unit_test(rows_are_ordered_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
