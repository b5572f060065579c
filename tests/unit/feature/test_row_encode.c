#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "feature/feature.h"

static struct ldr_arena arena;
static struct ldr_buf buf;

static int setup(void **state)
{
    (void)state;
    ldr_arena_init(&arena, NULL, 0);
    ldr_buf_init(&buf, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ldr_buf_close(&buf);
    ldr_arena_close(&arena);
    return 0;
}

static struct ldr_schema *schema(uint32_t n, const uint8_t *types, const bool *dropped)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
    struct ldr_schema *s;
    assert_int_equal(ldr_schema_build(&arena, 1, n, names, types, dropped, 0, NULL, 0, 0, &s), 0);
    return s;
}

/* The layout, byte by byte, as row.h draws it. */
static void layout(void **state)
{
    static const uint8_t types[] = {LDR_INT32, LDR_STRING, LDR_BOOL, LDR_LIST | LDR_BOOL, LDR_STRING};
    static const uint8_t packed[] = {1, 0}, want[] = {
                                                5,    0,    17,   0,          /* ncols, nfixed */
                                                0x02,                         /* b is null */
                                                0xfe, 0xff, 0xff, 0xff,       /* a = -2 */
                                                0,    0,    0,    0,          /* b ends where it starts */
                                                1,                            /* c */
                                                6,    0,    0,    0,          /* d ends */
                                                8,    0,    0,    0,          /* e ends */
                                                2,    0,    0,    0,    1, 0, /* d: count, elements */
                                                'h',  'i',
                                            };
    struct ldr_schema *s = schema(5, types, NULL);
    struct ldr_value v[] = {{.type = LDR_INT32, .i = -2},
                            ldr_value_null(LDR_STRING),
                            {.type = LDR_BOOL, .b = true},
                            {.type = LDR_LIST | LDR_BOOL, .count = 2, .s = {packed, 2}},
                            {.type = LDR_STRING, .s = {(const uint8_t *)"hi", 2}}};
    (void)state;
    buf.n = 0;
    assert_int_equal(ldr_buf_puts(&buf, "before"), 0); /* it appends */
    assert_int_equal(ldr_row_encode(s, v, &buf), 0);
    assert_int_equal(buf.n, 6 + 4 + sizeof want);
    assert_memory_equal(buf.p + 10, want, sizeof want);
    assert_int_equal(ldr_get_le32(buf.p + 6), ldr_check32(want, sizeof want));
}

static void no_columns(void **state)
{
    struct ldr_schema *s = schema(0, NULL, NULL);
    (void)state;
    buf.n = 0;
    assert_int_equal(ldr_row_encode(s, NULL, &buf), 0);
    assert_int_equal(buf.n, LDR_ROW_HEAD);
    assert_int_equal(ldr_row_check(s, ldr_buf_slice(&buf), NULL), 0);
}

static void every_nan_is_the_one_nan(void **state)
{
    static const uint8_t types[] = {LDR_FLOAT64, LDR_FLOAT32, LDR_LIST | LDR_FLOAT64, LDR_LIST | LDR_FLOAT32};
    const uint64_t odd64[] = {UINT64_C(0xfff0000000000001), UINT64_C(0x7ff0000000000000)};
    const uint32_t odd32[] = {0xff800001u, 0xff800000u};
    struct ldr_schema *s = schema(4, types, NULL);
    struct ldr_value v[] = {{.type = LDR_FLOAT64, .f64 = -__builtin_nan("9")},
                            {.type = LDR_FLOAT32, .f32 = -__builtin_nanf("9")},
                            {.type = LDR_LIST | LDR_FLOAT64, .count = 2, .s = {(const uint8_t *)odd64, 16}},
                            {.type = LDR_LIST | LDR_FLOAT32, .count = 2, .s = {(const uint8_t *)odd32, 8}}};
    struct ldr_value got;
    (void)state;
    buf.n = 0;
    assert_int_equal(ldr_row_encode(s, v, &buf), 0);
    assert_int_equal(ldr_row_check(s, ldr_buf_slice(&buf), NULL), 0);
    ldr_row_get(s, ldr_buf_slice(&buf), 0, &got);
    assert_true((uint64_t)got.i == UINT64_C(0x7ff8000000000000));
    ldr_row_get(s, ldr_buf_slice(&buf), 2, &got);
    assert_true(ldr_get_le64(got.s.p) == UINT64_C(0x7ff8000000000000));
    assert_true(ldr_get_le64(got.s.p + 8) == UINT64_C(0x7ff0000000000000)); /* infinity is a number */
    ldr_row_get(s, ldr_buf_slice(&buf), 3, &got);
    assert_true(ldr_get_le32(got.s.p) == 0x7fc00000u);
    assert_true(ldr_get_le32(got.s.p + 4) == 0xff800000u);
}

static void dropped_columns_are_null(void **state)
{
    static const uint8_t types[] = {LDR_STRING, LDR_INT64};
    static const bool dropped[] = {true, true};
    struct ldr_schema *s = schema(2, types, dropped);
    struct ldr_value v[] = {{.type = LDR_STRING, .s = {(const uint8_t *)"x", 1}},
                            {.type = LDR_INT64, .i = 7}},
                     got;
    (void)state;
    buf.n = 0;
    assert_int_equal(ldr_row_encode(s, v, &buf), 0);
    assert_int_equal(ldr_row_get(s, ldr_buf_slice(&buf), 0, &got), LDR_CELL_NULL);
    assert_int_equal(ldr_row_get(s, ldr_buf_slice(&buf), 1, &got), LDR_CELL_NULL);
    assert_int_equal(ldr_row_check(s, ldr_buf_slice(&buf), NULL), 0);
}

/* Limits are met before anything is read or written, so no memory of that size is needed to test them. */
static void too_big(void **state)
{
    static const uint8_t types[] = {LDR_BYTES, LDR_BYTES, LDR_BYTES,
                                    LDR_BYTES, LDR_BYTES, LDR_LIST | LDR_BOOL};
    struct ldr_schema *s = schema(6, types, NULL);
    struct ldr_value v[6];
    (void)state;
    for (int i = 0; i < 6; i++)
        v[i] = ldr_value_null(types[i]);
    buf.n = 0;
    v[0] = (struct ldr_value){.type = LDR_BYTES, .s = {(const uint8_t *)"", (size_t)LDR_VALUE_MAX + 1}};
    assert_int_equal(ldr_row_encode(s, v, &buf), LDR_E_TOO_BIG);
    for (int i = 0; i < 4; i++)
        v[i] = (struct ldr_value){.type = LDR_BYTES, .s = {(const uint8_t *)"", LDR_VALUE_MAX}};
    assert_int_equal(ldr_row_encode(s, v, &buf), LDR_E_TOO_BIG); /* 64 MiB and the head */
    for (int i = 0; i < 4; i++)
        v[i] = ldr_value_null(LDR_BYTES);
    v[5] = (struct ldr_value){.type = LDR_LIST | LDR_BOOL, .count = LDR_LIST_MAX + 1};
    assert_int_equal(ldr_row_encode(s, v, &buf), LDR_E_TOO_BIG);
    assert_int_equal(buf.n, 0);
    assert_int_equal(buf.err, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),
        cmocka_unit_test(no_columns),
        cmocka_unit_test(every_nan_is_the_one_nan),
        cmocka_unit_test(dropped_columns_are_null),
        cmocka_unit_test(too_big),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
