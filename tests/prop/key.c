/* Entity keys: the order of the bytes is the order of the values, nothing collides, and what is not a key is
 * refused. links: feature */
#include "prop/row_gen.h"

enum { PARTS = 4 };
static const uint8_t kinds[] = {LDR_STRING, LDR_BYTES, LDR_INT32, LDR_INT64, LDR_BOOL, LDR_TIMESTAMP};

static struct ldr_slice encode(struct gen *g, const struct ldr_value *v, uint32_t n)
{
    struct ldr_buf b;
    struct ldr_slice out;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_key_encode(v, n, &b), 0);
    assert_int_equal(ldr_arena_slice(g->a, ldr_buf_slice(&b), &out), 0);
    ldr_buf_close(&b);
    return out;
}

static int sign(int c)
{
    return (c > 0) - (c < 0);
}

static int values_cmp(const struct ldr_value *a, const struct ldr_value *b, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        int c = ldr_value_cmp(&a[i], &b[i]);
        if (c)
            return sign(c);
    }
    return 0;
}

static void bytes_sort_as_values(void **state)
{
    struct ldr_arena a;
    uint32_t ties = 0;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    for (uint64_t seed = 1; seed <= 50000; seed++) {
        struct gen g = {seed, &a};
        uint32_t n = 1 + gen_below(&g, PARTS);
        struct ldr_value x[PARTS], y[PARTS], back[PARTS];
        uint8_t types[PARTS];
        for (uint32_t i = 0; i < n; i++) {
            types[i] = kinds[gen_below(&g, sizeof kinds)];
            x[i] = gen_scalar(&g, types[i]);
            y[i] = gen_below(&g, 2) ? x[i] : gen_scalar(&g, types[i]);
            /* Prefixes of one another are where escapes go wrong. */
            if (!ldr_type_is_fixed(types[i]) && types[i] == LDR_BYTES && x[i].s.n && !gen_below(&g, 3))
                y[i].s = ldr_slice(x[i].s.p, gen_below(&g, (uint32_t)x[i].s.n));
        }
        struct ldr_slice kx = encode(&g, x, n), ky = encode(&g, y, n);
        int want = values_cmp(x, y, n);
        ties += want == 0;
        assert_int_equal(sign(ldr_slice_cmp(kx, ky)), want);
        assert_int_equal(ldr_key_hash(kx) == ldr_key_hash(ky), want == 0);
        assert_int_equal(ldr_key_decode(kx, types, n, &a, back), 0);
        assert_int_equal(values_cmp(x, back, n), 0);
        for (size_t cut = 0; cut < kx.n; cut++)
            assert_int_equal(ldr_key_decode(ldr_slice(kx.p, cut), types, n, &a, back), LDR_E_CORRUPT);
        if (seed % 100 == 0)
            ldr_arena_reset(&a);
    }
    ldr_arena_close(&a);
    assert_true(ties > 1000);
}

/* Moving bytes from one part to the next never gives the same key. */
static void parts_do_not_run_together(void **state)
{
    struct ldr_arena a;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    for (uint64_t seed = 1; seed <= 20000; seed++) {
        struct gen g = {seed, &a};
        struct ldr_slice s = gen_bytes(&g, false);
        struct ldr_value x[2] = {{.type = LDR_BYTES}, {.type = LDR_BYTES}}, y[2] = {x[0], x[1]};
        size_t i = gen_below(&g, (uint32_t)s.n + 1), j = gen_below(&g, (uint32_t)s.n + 1);
        x[0].s = ldr_slice(s.p, i);
        x[1].s = ldr_slice(s.p + i, s.n - i);
        y[0].s = ldr_slice(s.p, j);
        y[1].s = ldr_slice(s.p + j, s.n - j);
        assert_int_equal(i == j, ldr_slice_eq(encode(&g, x, 2), encode(&g, y, 2)));
        ldr_arena_reset(&a);
    }
    ldr_arena_close(&a);
}

/* Any bytes are refused, or are exactly what encoding their values gives. */
static void any_bytes_are_a_key_or_refused(void **state)
{
    struct ldr_arena a;
    uint32_t read = 0;
    (void)state;
    ldr_arena_init(&a, NULL, 0);
    for (uint64_t seed = 1; seed <= 200000; seed++) {
        struct gen g = {seed, &a};
        uint32_t n = 1 + gen_below(&g, 3);
        struct ldr_value v[3];
        uint8_t types[3];
        for (uint32_t i = 0; i < n; i++) {
            types[i] = kinds[gen_below(&g, sizeof kinds)];
            v[i] = gen_scalar(&g, types[i]);
        }
        struct ldr_slice key = encode(&g, v, n);
        uint8_t *copy = malloc(key.n);
        assert_non_null(copy);
        memcpy(copy, key.p, key.n);
        copy[gen_below(&g, (uint32_t)key.n)] =
            (uint8_t)(gen_below(&g, 2) ? gen_u64(&g) : (uint64_t)gen_below(&g, 3) - 1);
        size_t len = key.n - (gen_below(&g, 4) ? 0 : gen_below(&g, (uint32_t)key.n));
        int rc = ldr_key_decode(ldr_slice(copy, len), types, n, &a, v);
        if (!rc) {
            read++;
            assert_true(ldr_slice_eq(encode(&g, v, n), ldr_slice(copy, len)));
        } else {
            assert_int_equal(rc, LDR_E_CORRUPT);
        }
        free(copy);
        if (seed % 100 == 0)
            ldr_arena_reset(&a);
    }
    ldr_arena_close(&a);
    assert_true(read > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_sort_as_values),
        cmocka_unit_test(parts_do_not_run_together),
        cmocka_unit_test(any_bytes_are_a_key_or_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
