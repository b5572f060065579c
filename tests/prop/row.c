/* Rows: what goes in comes out, under any version of the schema, and bytes that are not a row never pass for
 * one. links: feature */
#include "prop/row_gen.h"

static void round_trip(void **state)
{
    struct ldr_arena a;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    for (uint64_t seed = 1; seed <= 4000; seed++) {
        struct gen g = {seed, &a};
        struct ldr_schema *s = gen_schema(&g, 40, true);
        struct ldr_value *in = gen_values(&g, s, gen_below(&g, 9)), out;
        struct ldr_slice row = gen_row(&g, s, in);
        const char *why = "";
        assert_int_equal(ldr_row_verify(s, row), 0);
        if (ldr_row_check(s, row, &why))
            fail_msg("seed %llu: %s", (unsigned long long)seed, why);
        for (uint32_t i = 0; i < s->ncols; i++) {
            bool null = in[i].null || s->cols[i].dropped;
            assert_int_equal(ldr_row_get(s, row, i, &out), null ? LDR_CELL_NULL : LDR_CELL_VALUE);
            struct ldr_value want = null ? ldr_value_null(s->cols[i].type) : in[i];
            assert_true(gen_same(&want, &out));
        }
        ldr_arena_reset(&a);
    }
    ldr_arena_close(&a);
}

/* Every single flipped bit and every truncation is refused by the checksum alone. */
static void damage_is_found(void **state)
{
    struct ldr_arena a;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct gen g = {seed, &a};
        struct ldr_schema *s = gen_schema(&g, 20, true);
        struct ldr_slice row = gen_row(&g, s, gen_values(&g, s, 2));
        uint8_t *copy = malloc(row.n);
        assert_non_null(copy);
        memcpy(copy, row.p, row.n);
        for (size_t i = 0; i < row.n * 8; i++) {
            copy[i / 8] ^= (uint8_t)(1 << (i % 8));
            assert_int_equal(ldr_row_check(s, ldr_slice(copy, row.n), NULL), LDR_E_CORRUPT);
            assert_int_equal(ldr_row_verify(s, ldr_slice(copy, row.n)), LDR_E_CORRUPT);
            copy[i / 8] ^= (uint8_t)(1 << (i % 8));
        }
        for (size_t n = 0; n < row.n; n++)
            assert_int_equal(ldr_row_verify(s, ldr_slice(copy, n)), LDR_E_CORRUPT);
        free(copy);
        ldr_arena_reset(&a);
    }
    ldr_arena_close(&a);
}

/* Reads all that a reader could and folds it, so that a sanitizer sees every byte that is touched. */
static uint64_t read_everything(const struct ldr_schema *s, struct ldr_slice row)
{
    uint64_t seen = ldr_row_vhash(s, row);
    for (uint32_t i = 0; i < s->ncols; i++) {
        struct ldr_value v, e;
        struct ldr_list_iter it;
        if (ldr_row_get(s, row, i, &v) != LDR_CELL_VALUE || ldr_type_is_fixed(v.type))
            continue;
        assert_true(v.s.p >= row.p && v.s.n <= row.n && v.s.p + v.s.n <= row.p + row.n);
        seen += ldr_hash64(v.s.p, v.s.n);
        if (!ldr_type_is_list(v.type))
            continue;
        uint32_t n = 0;
        for (ldr_list_iter_init(&it, &v); ldr_list_iter_next(&it, &e); n++)
            if (!ldr_type_is_fixed(e.type))
                seen += ldr_hash64(e.s.p, e.s.n);
        assert_true(n <= v.count);
    }
    return seen;
}

/* Someone who can compute the checksum still cannot make a reader leave the row. */
static void hostile_bytes_are_safe(void **state)
{
    struct ldr_arena a;
    uint32_t passed = 0, checked = 0;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    for (uint64_t seed = 1; seed <= 60000; seed++) {
        struct gen g = {seed, &a};
        struct ldr_schema *full = gen_schema(&g, 16, true);
        struct ldr_schema *s = gen_older(&g, full, full->ncols ? gen_below(&g, full->ncols + 1) : 0);
        if (gen_below(&g, 2))
            s = full;
        struct ldr_slice good = gen_row(&g, full, gen_values(&g, full, 2));
        size_t n = gen_below(&g, 4) ? good.n : LDR_ROW_HEAD + gen_below(&g, (uint32_t)good.n + 20);
        uint8_t *bad = malloc(n);
        assert_non_null(bad);
        for (size_t i = 0; i < n; i++)
            bad[i] = i < good.n ? good.p[i] : (uint8_t)gen_u64(&g);
        for (uint32_t k = gen_below(&g, 4); k-- > 0;)
            bad[4 + gen_below(&g, (uint32_t)n - 4)] =
                (uint8_t)(gen_below(&g, 2) ? gen_below(&g, 9) : gen_u64(&g));
        ldr_put_le32(bad, ldr_check32(bad + 4, n - 4));
        struct ldr_slice row = ldr_slice(bad, n);
        if (!ldr_row_verify(s, row)) {
            passed++;
            read_everything(s, row);
            assert_int_equal(ldr_row_cmp(s, row, row), 0);
            if (s == full)
                assert_int_equal(ldr_row_cmp(s, row, good), -ldr_row_cmp(s, good, row));
        } else {
            assert_int_equal(ldr_row_check(s, row, NULL), LDR_E_CORRUPT);
        }
        if (!ldr_row_check(s, row, NULL)) {
            checked++;
            assert_int_equal(ldr_row_verify(s, row), 0);
        }
        free(bad);
        ldr_arena_reset(&a);
    }
    ldr_arena_close(&a);
    assert_true(passed > 5000 && checked > 1000 && passed > checked); /* else the generator tests nothing */
}

/* The encoding is unique: hostile bytes that pass the full check are what encoding their values gives. */
static void checked_means_canonical(void **state)
{
    struct ldr_arena a;
    uint32_t changed = 0;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    for (uint64_t seed = 1; seed <= 40000; seed++) {
        struct gen g = {seed, &a};
        struct ldr_schema *s = gen_schema(&g, 10, false);
        struct ldr_slice good = gen_row(&g, s, gen_values(&g, s, 2)), row;
        assert_int_equal(ldr_arena_slice(&a, good, &row), 0);
        uint8_t *p = (uint8_t *)(uintptr_t)row.p;
        for (uint32_t k = 1 + gen_below(&g, 2); k-- > 0;)
            p[4 + gen_below(&g, (uint32_t)row.n - 4)] =
                (uint8_t)(gen_below(&g, 2) ? gen_below(&g, 9) : gen_u64(&g));
        ldr_put_le32(p, ldr_check32(p + 4, row.n - 4));
        if (!ldr_row_check(s, row, NULL) && ldr_get_le16(row.p + 4) == s->ncols) {
            struct ldr_value *v = ldr_arena_calloc(&a, s->ncols, sizeof *v);
            for (uint32_t i = 0; i < s->ncols; i++)
                ldr_row_get(s, row, i, &v[i]);
            assert_true(ldr_slice_eq(gen_row(&g, s, v), row));
            changed += !ldr_slice_eq(good, row);
        }
        ldr_arena_reset(&a);
    }
    ldr_arena_close(&a);
    assert_true(changed > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(hostile_bytes_are_safe),
        cmocka_unit_test(checked_means_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
