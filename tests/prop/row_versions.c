/* Rows across versions of a schema: same identity, same order, same values; columns that a side does not know
 * are absent. links: feature */
#include "prop/row_gen.h"

/* The same declared values written by an older and a newer version. */
static void identity_looks_through_versions(void **state)
{
    struct ldr_arena a;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    for (uint64_t seed = 1; seed <= 4000; seed++) {
        struct gen g = {seed, &a};
        struct ldr_schema *now = gen_schema(&g, 40, false);
        uint32_t known = now->ncols ? gen_below(&g, now->ncols + 1) : 0;
        struct ldr_schema *then = gen_older(&g, now, known);
        struct ldr_value *v = gen_values(&g, now, gen_below(&g, 8)), got;
        for (uint32_t i = known; i < now->ncols; i++)
            v[i] = ldr_value_null(now->cols[i].type);
        struct ldr_slice old = gen_row(&g, then, v), new = gen_row(&g, now, v);
        assert_int_equal(ldr_row_check(now, old, NULL), 0);
        assert_int_equal(ldr_row_check(then, new, NULL), 0);
        assert_true(ldr_row_vhash(then, old) == ldr_row_vhash(now, old));
        assert_true(ldr_row_vhash(now, old) == ldr_row_vhash(now, new));
        assert_true(ldr_row_vhash(then, new) == ldr_row_vhash(now, new));
        assert_int_equal(ldr_row_cmp(now, old, new), 0);
        assert_int_equal(ldr_row_cmp(then, old, new), 0);
        for (uint32_t i = 0; i < now->ncols; i++) {
            enum ldr_cell cell = ldr_row_get(now, old, i, &got);
            assert_int_equal(cell, i >= known ? LDR_CELL_ABSENT : v[i].null ? LDR_CELL_NULL : LDR_CELL_VALUE);
            assert_true(gen_same(&got, &v[i]));
        }
        ldr_arena_reset(&a);
    }
    ldr_arena_close(&a);
}

/* A row with columns that the reader does not know: known ones read as written. */
static void newer_rows_read(void **state)
{
    struct ldr_arena a;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    for (uint64_t seed = 1; seed <= 4000; seed++) {
        struct gen g = {seed, &a};
        struct ldr_schema *now = gen_schema(&g, 40, false);
        uint32_t known = now->ncols ? gen_below(&g, now->ncols + 1) : 0;
        struct ldr_schema *then = gen_older(&g, now, known);
        struct ldr_value *v = gen_values(&g, now, 2), got;
        struct ldr_slice row = gen_row(&g, now, v);
        assert_int_equal(ldr_row_verify(then, row), 0);
        assert_int_equal(ldr_row_check(then, row, NULL), 0);
        for (uint32_t i = 0; i < known; i++) {
            assert_int_equal(ldr_row_get(then, row, i, &got), v[i].null ? LDR_CELL_NULL : LDR_CELL_VALUE);
            assert_true(gen_same(&got, &v[i]));
        }
        ldr_arena_reset(&a);
    }
    ldr_arena_close(&a);
}

/* Identity is equality of values: one changed column changes it, whatever it is changed to. */
static void identity_tells_values_apart(void **state)
{
    struct ldr_arena a;
    uint32_t differed = 0;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        struct gen g = {seed, &a};
        struct ldr_schema *s = gen_schema(&g, 20, false);
        struct ldr_value *v = gen_values(&g, s, 4);
        struct ldr_slice one = gen_row(&g, s, v);
        if (!s->ncols)
            continue;
        uint32_t slot = gen_below(&g, s->ncols);
        struct ldr_value was = v[slot];
        v[slot] = gen_below(&g, 3) ? gen_value(&g, was.type) : ldr_value_null(was.type);
        struct ldr_slice two = gen_row(&g, s, v);
        bool same = gen_same(&was, &v[slot]);
        differed += !same;
        assert_int_equal(same, ldr_row_vhash(s, one) == ldr_row_vhash(s, two));
        assert_int_equal(same, ldr_row_cmp(s, one, two) == 0);
        ldr_arena_reset(&a);
    }
    ldr_arena_close(&a);
    assert_true(differed > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(identity_looks_through_versions),
        cmocka_unit_test(newer_rows_read),
        cmocka_unit_test(identity_tells_values_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
