#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "feature/feature.h"

/* One row of each kind of column; each test spoils one thing, mends the checksum and expects the reason. */
static struct ldr_arena arena;
static struct ldr_schema *schema;
static uint8_t bytes[256];
static size_t size;

enum { A, B, C, D, E, F, G, H, I };
static const uint8_t types[] = {LDR_INT64, LDR_BOOL,   LDR_STRING,  LDR_LIST | LDR_INT32, LDR_TIMESTAMP,
                                LDR_BYTES, LDR_STRING, LDR_FLOAT64, LDR_LIST | LDR_STRING};
enum { NULLS = LDR_ROW_HEAD, FIXED = LDR_ROW_HEAD + 2, NFIXED = 8 + 1 + 4 + 4 + 8 + 4 + 4 + 8 + 4 };

static int setup(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
    static const uint8_t ints[] = {7, 0, 0, 0, 8, 0, 0, 0}, texts[] = {1, 0, 0, 0, 'z'};
    struct ldr_value v[] = {{.type = LDR_INT64, .i = 5},
                            {.type = LDR_BOOL, .b = true},
                            {.type = LDR_STRING, .s = {(const uint8_t *)"text", 4}},
                            {.type = LDR_LIST | LDR_INT32, .count = 2, .s = {ints, 8}},
                            ldr_value_null(LDR_TIMESTAMP),
                            ldr_value_null(LDR_BYTES),
                            {.type = LDR_STRING},
                            {.type = LDR_FLOAT64, .f64 = 1.5},
                            {.type = LDR_LIST | LDR_STRING, .count = 1, .s = {texts, 5}}};
    struct ldr_buf b;
    (void)state;
    ldr_arena_init(&arena, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_schema_build(&arena, 1, 9, names, types, NULL, 0, NULL, 0, 0, &schema), 0);
    assert_int_equal(ldr_row_encode(schema, v, &b), 0);
    size = b.n;
    assert_true(size < sizeof bytes);
    memcpy(bytes, b.p, size);
    ldr_buf_close(&b);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ldr_arena_close(&arena);
    return 0;
}

static struct ldr_slice mended(size_t n)
{
    ldr_put_le32(bytes, ldr_check32(bytes + 4, n - 4));
    return ldr_slice(bytes, n);
}

static void assert_frame_bad(size_t n, const char *reason)
{
    const char *why = "";
    struct ldr_slice row = mended(n);
    assert_int_equal(ldr_row_verify(schema, row), LDR_E_CORRUPT);
    assert_int_equal(ldr_row_check(schema, row, &why), LDR_E_CORRUPT);
    assert_string_equal(why, reason);
}

/* Safe to read, but not what we would have written. */
static void assert_content_bad(const char *reason)
{
    const char *why = "";
    struct ldr_slice row = mended(size);
    assert_int_equal(ldr_row_verify(schema, row), 0);
    assert_int_equal(ldr_row_check(schema, row, &why), LDR_E_CORRUPT);
    assert_string_equal(why, reason);
    assert_int_equal(ldr_row_check(schema, row, NULL), LDR_E_CORRUPT);
}

static uint8_t *column(uint32_t slot)
{
    return bytes + FIXED + schema->cols[slot].fixed_off;
}

static void reads_what_was_written(void **state)
{
    struct ldr_slice row = ldr_slice(bytes, size);
    struct ldr_value v;
    (void)state;
    assert_int_equal(schema->fixed_bytes, NFIXED);
    assert_int_equal(ldr_row_check(schema, row, NULL), 0);
    assert_int_equal(ldr_row_get(schema, row, A, &v), LDR_CELL_VALUE);
    assert_int_equal(v.i, 5);
    assert_int_equal(ldr_row_get(schema, row, D, &v), LDR_CELL_VALUE);
    assert_int_equal(v.count, 2);
    assert_int_equal(v.s.n, 8);
    assert_int_equal(ldr_row_get(schema, row, E, &v), LDR_CELL_NULL);
    assert_int_equal(v.type, LDR_TIMESTAMP);
    assert_true(v.null);
    assert_int_equal(ldr_row_get(schema, row, G, &v), LDR_CELL_VALUE); /* "" is a value */
    assert_int_equal(v.s.n, 0);
    assert_false(v.null);
}

static void bad_checksum(void **state)
{
    const char *why = "";
    (void)state;
    bytes[0] ^= 1;
    assert_int_equal(ldr_row_check(schema, ldr_slice(bytes, size), &why), LDR_E_CORRUPT);
    assert_string_equal(why, "checksum mismatch");
}

static void bad_lengths(void **state)
{
    (void)state;
    for (size_t n = 0; n < LDR_ROW_HEAD; n++)
        assert_int_equal(ldr_row_verify(schema, ldr_slice(bytes, n)), LDR_E_CORRUPT);
    assert_frame_bad(LDR_ROW_HEAD, "row shorter than its columns");
    assert_frame_bad(FIXED + NFIXED - 1, "row shorter than its columns");
    assert_frame_bad(size - 1, "variable columns out of order or past the end of the row");
    bytes[size] = 0;
    assert_frame_bad(size + 1, "bytes after the last column");
}

static void bad_head(void **state)
{
    (void)state;
    ldr_put_le16(bytes + 4, LDR_FEATURES_MAX + 1);
    assert_frame_bad(size, "too many columns in a row");
    ldr_put_le16(bytes + 4, 9);
    ldr_put_le16(bytes + 6, NFIXED - 1);
    assert_frame_bad(size, "fixed part of a row does not match its columns");
    ldr_put_le16(bytes + 6, NFIXED);
    bytes[NULLS + 1] |= 2;
    assert_frame_bad(size, "null bits past the last column");
}

/* Ten columns, one unknown: its width must be one that a column can have. */
static void bad_head_of_a_newer_row(void **state)
{
    (void)state;
    ldr_put_le16(bytes + 4, 10);
    assert_frame_bad(size, "fixed part of a row does not match its columns");
    ldr_put_le16(bytes + 6, NFIXED + 9);
    assert_frame_bad(size, "fixed part of a row does not match its columns");
    ldr_put_le16(bytes + 6, NFIXED + 4);
    assert_frame_bad(size, "list count does not fit its bytes"); /* var is read four bytes further on */
    memmove(bytes + FIXED + NFIXED + 4, bytes + FIXED + NFIXED, size - FIXED - NFIXED);
    assert_int_equal(ldr_row_check(schema, mended(size + 4), NULL), 0);
    assert_int_equal(ldr_row_check(schema, mended(size + 44), NULL), 0); /* var bytes of the unknown column */
}

static void bad_ends(void **state)
{
    (void)state;
    ldr_put_le32(column(C), UINT32_MAX);
    assert_frame_bad(size, "variable columns out of order or past the end of the row");
    ldr_put_le32(column(C), 17); /* past the end of d, before the end of the row */
    assert_frame_bad(size, "variable columns out of order or past the end of the row");
    ldr_put_le32(column(C), 14); /* leaves d two bytes */
    assert_frame_bad(size, "list without a count");
}

static void bad_list_counts(void **state)
{
    uint8_t *d = bytes + FIXED + NFIXED + 4, *i = bytes + size - 9;
    (void)state;
    assert_int_equal(ldr_get_le32(d), 2);
    ldr_put_le32(d, 1);
    assert_frame_bad(size, "list count does not fit its bytes");
    ldr_put_le32(d, 0x40000002); /* times 4 is 8, in 32 bits */
    assert_frame_bad(size, "list count does not fit its bytes");
    ldr_put_le32(d, 2);
    ldr_put_le32(i, 2);
    assert_frame_bad(size, "list count does not fit its bytes");
    ldr_put_le32(i, 0);
    assert_content_bad("expected a well-formed list");
}

static void bad_contents(void **state)
{
    (void)state;
    *column(B) = 2;
    assert_content_bad("expected 0 or 1 in a bool");
    *column(B) = 1;
    bytes[FIXED + NFIXED] = 0xff;
    assert_content_bad("expected a string in UTF-8");
    bytes[FIXED + NFIXED] = 't';
    ldr_put_le64(column(H), UINT64_C(0x7ff8000000000001));
    assert_content_bad("expected the one stored NaN");
    ldr_put_le64(column(H), 0);
    bytes[NULLS] &= (uint8_t)~(1 << E);
    assert_int_equal(ldr_row_check(schema, mended(size), NULL), 0); /* the epoch */
    ldr_put_le64(column(E), (uint64_t)LDR_TIME_MAX_US + 1);
    assert_content_bad("out of range: expected a time in the years 0001 to 9999");
}

static void bytes_under_a_null(void **state)
{
    (void)state;
    column(E)[7] = 1;
    assert_content_bad("bytes under a null");
    column(E)[7] = 0;
    bytes[NULLS] |= 1 << C;
    assert_content_bad("bytes under a null");
    bytes[NULLS] |= 1 << D;
    assert_content_bad("bytes under a null");
}

static void older_rows_end_early(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"};
    uint8_t more[11];
    struct ldr_schema *newer;
    struct ldr_value v;
    struct ldr_slice row = ldr_slice(bytes, size);
    (void)state;
    memcpy(more, types, 9);
    more[9] = LDR_STRING;
    more[10] = LDR_INT64;
    assert_int_equal(ldr_schema_build(&arena, 1, 11, names, more, NULL, 0, NULL, 0, 0, &newer), 0);
    assert_int_equal(ldr_row_check(newer, row, NULL), 0);
    assert_int_equal(ldr_row_get(newer, row, 9, &v), LDR_CELL_ABSENT);
    assert_true(v.null && v.type == LDR_STRING);
    assert_int_equal(ldr_row_get(newer, row, 10, &v), LDR_CELL_ABSENT);
    assert_true(v.null && v.type == LDR_INT64);
    assert_int_equal(ldr_row_get(newer, row, I, &v), LDR_CELL_VALUE);
    assert_int_equal(v.count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_what_was_written, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_checksum, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_lengths, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_head, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_head_of_a_newer_row, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_list_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_contents, setup, teardown),
        cmocka_unit_test_setup_teardown(bytes_under_a_null, setup, teardown),
        cmocka_unit_test_setup_teardown(older_rows_end_early, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
