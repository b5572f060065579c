#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "feature/feature.h"

static struct ldr_arena arena;

static int setup(void **state)
{
    (void)state;
    ldr_arena_init(&arena, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ldr_arena_close(&arena);
    return 0;
}

static struct ldr_schema *schema(uint32_t n, const char *const *names, const uint8_t *types)
{
    struct ldr_schema *s;
    assert_int_equal(ldr_schema_build(&arena, 1, n, names, types, NULL, 0, NULL, 0, 0, &s), 0);
    return s;
}

static struct ldr_slice row(const struct ldr_schema *s, const struct ldr_value *v)
{
    struct ldr_buf b;
    struct ldr_slice out;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_row_encode(s, v, &b), 0);
    assert_int_equal(ldr_arena_slice(&arena, ldr_buf_slice(&b), &out), 0);
    ldr_buf_close(&b);
    return out;
}

static const char *const ab[] = {"b", "a"};
static const uint8_t ints[] = {LDR_INT64, LDR_INT64};

static struct ldr_slice pair(const struct ldr_schema *s, const int64_t *b, const int64_t *a)
{
    struct ldr_value v[] = {ldr_value_null(LDR_INT64), ldr_value_null(LDR_INT64)};
    if (b)
        v[0] = (struct ldr_value){.type = LDR_INT64, .i = *b};
    if (a)
        v[1] = (struct ldr_value){.type = LDR_INT64, .i = *a};
    return row(s, v);
}

/* By name, not by slot; null before any value. */
static void order_follows_names(void **state)
{
    static const int64_t one = 1, two = 2, least = INT64_MIN;
    struct ldr_schema *s = schema(2, ab, ints);
    (void)state;
    assert_true(ldr_row_cmp(s, pair(s, &two, &one), pair(s, &one, &two)) < 0);
    assert_true(ldr_row_cmp(s, pair(s, &one, &one), pair(s, &two, &one)) < 0);
    assert_true(ldr_row_cmp(s, pair(s, &two, NULL), pair(s, NULL, &least)) < 0);
    assert_true(ldr_row_cmp(s, pair(s, NULL, &one), pair(s, &least, &one)) < 0);
    assert_int_equal(ldr_row_cmp(s, pair(s, NULL, &one), pair(s, NULL, &one)), 0);
}

static void null_is_not_zero_and_not_empty(void **state)
{
    static const uint8_t types[] = {LDR_STRING, LDR_INT64};
    struct ldr_schema *s = schema(2, ab, types);
    struct ldr_value none[] = {ldr_value_null(LDR_STRING), ldr_value_null(LDR_INT64)};
    struct ldr_value empty[] = {{.type = LDR_STRING}, ldr_value_null(LDR_INT64)};
    struct ldr_value zero[] = {ldr_value_null(LDR_STRING), {.type = LDR_INT64}};
    (void)state;
    assert_true(ldr_row_vhash(s, row(s, none)) != ldr_row_vhash(s, row(s, empty)));
    assert_true(ldr_row_vhash(s, row(s, none)) != ldr_row_vhash(s, row(s, zero)));
    assert_true(ldr_row_vhash(s, row(s, zero)) != ldr_row_vhash(s, row(s, empty)));
    assert_true(ldr_row_cmp(s, row(s, none), row(s, empty)) < 0);
    assert_true(ldr_row_cmp(s, row(s, none), row(s, zero)) < 0);
}

static void zeros_of_either_sign_differ(void **state)
{
    static const uint8_t types[] = {LDR_FLOAT64};
    struct ldr_schema *s = schema(1, ab, types);
    struct ldr_value minus = {.type = LDR_FLOAT64, .f64 = -0.0}, plus = {.type = LDR_FLOAT64, .f64 = 0.0};
    (void)state;
    assert_true(ldr_row_vhash(s, row(s, &minus)) != ldr_row_vhash(s, row(s, &plus)));
    assert_true(ldr_row_cmp(s, row(s, &minus), row(s, &plus)) < 0);
}

/* Trailing nulls at and around the byte edges of the null bits. */
static void identity_at_byte_edges(void **state)
{
    enum { MOST = 40 };
    char text[MOST][8];
    const char *names[MOST];
    uint8_t types[MOST];
    struct ldr_value v[MOST];
    (void)state;
    for (uint32_t i = 0; i < MOST; i++) {
        snprintf(text[i], sizeof text[i], "f%u", i);
        names[i] = text[i];
        types[i] = i % 3 ? LDR_INT32 : LDR_STRING;
    }
    for (uint32_t last = 0; last <= MOST; last++) {
        uint64_t first = 0;
        for (uint32_t i = 0; i < MOST; i++) {
            v[i] = ldr_value_null(types[i]);
            if (i + 1 == last || (i < last && i % 2))
                v[i] = (struct ldr_value){.type = types[i]};
        }
        for (uint32_t n = last; n <= MOST; n++) {
            struct ldr_schema *s = schema(n, names, types);
            uint64_t h = ldr_row_vhash(s, row(s, v));
            if (n == last)
                first = h;
            assert_true(h == first);
        }
    }
}

/* A column that neither name order nor identity may forget: dropped later, it still tells old rows apart. */
static void dropped_columns_still_count(void **state)
{
    static const bool dropped[] = {true, false};
    static const int64_t one = 1, two = 2;
    struct ldr_schema *before = schema(2, ab, ints), *after;
    (void)state;
    assert_int_equal(ldr_schema_build(&arena, 1, 2, ab, ints, dropped, 0, NULL, 0, 0, &after), 0);
    struct ldr_slice x = pair(before, &one, &one), y = pair(before, &two, &one);
    assert_true(ldr_row_cmp(after, x, y) < 0);
    assert_true(ldr_row_vhash(after, x) != ldr_row_vhash(after, y));
    assert_true(ldr_row_vhash(after, x) == ldr_row_vhash(before, x));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_follows_names),         cmocka_unit_test(null_is_not_zero_and_not_empty),
        cmocka_unit_test(zeros_of_either_sign_differ), cmocka_unit_test(identity_at_byte_edges),
        cmocka_unit_test(dropped_columns_still_count),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
