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

/* The list that the cell holds, written back. */
static void assert_reads(unsigned element, const char *text, const char *want)
{
    struct ldr_value v;
    struct ldr_buf b;
    const char *why = "";
    if (ldr_value_parse(LDR_LIST | element, ldr_slice_str(text), &arena, &v, &why))
        fail_msg("%s: %s", text, why);
    assert_int_equal(ldr_list_check(v.type, v.count, v.s), 0);
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_value_format(&v, &b), 0);
    assert_string_equal(ldr_buf_cstr(&b), want);
    ldr_buf_close(&b);
}

static void assert_refused(unsigned element, const char *text, const char *expected)
{
    struct ldr_value v;
    const char *why = "";
    if (ldr_value_parse(LDR_LIST | element, ldr_slice_str(text), &arena, &v, &why) != LDR_E_INVALID)
        fail_msg("%s is not refused", text);
    if (!strstr(why, expected))
        fail_msg("%s: %s", text, why);
}

static void empty_list_is_a_value(void **state)
{
    struct ldr_value v;
    (void)state;
    for (unsigned e = LDR_BOOL; e <= LDR_TIMESTAMP; e++) {
        assert_int_equal(ldr_value_parse(LDR_LIST | e, ldr_slice_str(" [ \t] "), &arena, &v, NULL), 0);
        assert_false(v.null);
        assert_int_equal(v.count, 0);
        assert_int_equal(v.s.n, 0);
    }
}

static void numbers(void **state)
{
    (void)state;
    assert_reads(LDR_INT64, "[9223372036854775807,-9223372036854775808, 9007199254740993]",
                 "[9223372036854775807,-9223372036854775808,9007199254740993]");
    assert_reads(LDR_INT32, "\n[ 1 ,2\t,\r\n-2147483648 ]\n", "[1,2,-2147483648]");
    assert_reads(LDR_FLOAT64, "[0.1, -0.0, 1e3, 1E-5, 5, NaN, \"Infinity\", -Infinity, \"NaN\"]",
                 "[0.1,-0.0,1000.0,1e-05,5.0,\"NaN\",\"Infinity\",\"-Infinity\",\"NaN\"]");
    assert_reads(LDR_FLOAT32, "[0.1, 16777216]", "[0.1,16777216.0]");
    assert_reads(LDR_BOOL, "[true, false]", "[true,false]");
}

static void bad_numbers(void **state)
{
    static const char *const bad[] = {"[01]",  "[+1]",   "[.5]",        "[1.]",    "[1e]",   "[-]",
                                      "[0x1]", "[nan]",  "[inf]",       "[\"1\"]", "[true]", "[1 2]x",
                                      "[--1]", "[\"\"]", "[Infinity1]", "[{}]",    "[[1]]",  "[-NaN]"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_refused(LDR_FLOAT64, bad[i], "expected");
    assert_refused(LDR_INT32, "[2147483648]", "out of range: expected int32");
    assert_refused(LDR_INT64, "[9223372036854775808]", "out of range: expected int64");
    assert_refused(LDR_INT64, "[1.0]", "expected int64");
    assert_refused(LDR_INT64, "[1e2]", "expected int64");
    assert_refused(LDR_INT64, "[NaN]", "expected list<int64>");
    assert_refused(LDR_FLOAT32, "[1e39]", "out of range: expected float32");
    assert_refused(LDR_FLOAT64, "[1e999]", "out of range: expected float64");
    assert_refused(LDR_BOOL, "[1]", "expected list<bool>");
    assert_refused(LDR_BOOL, "[\"true\"]", "expected list<bool>");
    assert_refused(LDR_BOOL, "[True]", "expected list<bool>");
}

static void strings(void **state)
{
    struct ldr_value v, e;
    struct ldr_list_iter it;
    (void)state;
    assert_reads(LDR_STRING, "[\"a\", \"\", \"b,]\\\"\"]", "[\"a\",\"\",\"b,]\\\"\"]");
    assert_int_equal(
        ldr_value_parse(
            LDR_LIST | LDR_STRING,
            ldr_slice_str("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"\\u0041\\u00e9\\u20AC\\uD83D\\uDC3E\\u0000\"]"),
            &arena, &v, NULL),
        0);
    ldr_list_iter_init(&it, &v);
    assert_true(ldr_list_iter_next(&it, &e));
    assert_true(ldr_slice_eq(e.s, ldr_slice_str("\"\\/\b\f\n\r\t")));
    assert_true(ldr_list_iter_next(&it, &e));
    assert_true(ldr_slice_eq(e.s, ldr_slice("A\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\xbe\0", 11)));
    assert_false(ldr_list_iter_next(&it, &e));
}

static void bad_strings(void **state)
{
    (void)state;
    assert_refused(LDR_STRING, "[a]", "expected list<string>");
    assert_refused(LDR_STRING, "[1]", "expected list<string>");
    assert_refused(LDR_STRING, "['a']", "expected list<string>");
    assert_refused(LDR_STRING, "[\"a]", "closing quote");
    assert_refused(LDR_STRING, "[\"a\\", "closing quote");
    assert_refused(LDR_STRING, "[\"\\x\"]", "expected one of");
    assert_refused(LDR_STRING, "[\"\\u12\"]", "four hex digits");
    assert_refused(LDR_STRING, "[\"\\u12", "four hex digits");
    assert_refused(LDR_STRING, "[\"\\u12g4\"]", "four hex digits");
    assert_refused(LDR_STRING, "[\"\\ud83d\"]", "low surrogate");
    assert_refused(LDR_STRING, "[\"\\ud83d\\n\"]", "low surrogate");
    assert_refused(LDR_STRING, "[\"\\ud83d\\ud83d\"]", "low surrogate");
    assert_refused(LDR_STRING, "[\"\\ud83d\\ue000\"]", "low surrogate");
    assert_refused(LDR_STRING, "[\"\\udc3e\"]", "high surrogate");
    assert_refused(LDR_STRING, "[\"a\nb\"]", "control characters");
    assert_refused(LDR_STRING, "[\"\xff\"]", "UTF-8");
}

static void times_and_bytes(void **state)
{
    (void)state;
    assert_reads(LDR_TIMESTAMP, "[\"2013-01-01T06:00:00+01:00\", 1000001, \"5\", \"1970-01-01\"]",
                 "[\"2013-01-01T05:00:00Z\",\"1970-01-01T00:00:01.000001Z\",\"1970-01-01T00:00:00.000005Z\","
                 "\"1970-01-01T00:00:00Z\"]");
    assert_refused(LDR_TIMESTAMP, "[2013-01-01]", "expected list<timestamp>");
    assert_refused(LDR_TIMESTAMP, "[\"noon\"]", "expected timestamp");
    assert_refused(LDR_TIMESTAMP, "[1.5]", "timestamp");
    assert_refused(LDR_TIMESTAMP, "[\"", "closing quote");
    assert_reads(LDR_BYTES, "[\"AP8=\", \"\", \"\\/\\/\\/\\/\"]", "[\"AP8=\",\"\",\"////\"]");
    assert_refused(LDR_BYTES, "[\"AP8\"]", "expected list<bytes>");
    assert_refused(LDR_BYTES, "[\"A\\nP8\"]", "expected list<bytes>");
    assert_refused(LDR_BYTES, "[12]", "expected list<bytes>");
}

static void nulls_are_refused(void **state)
{
    (void)state;
    for (unsigned e = LDR_BOOL; e <= LDR_TIMESTAMP; e++)
        assert_refused(e, "[null]", "null inside a list");
    assert_refused(LDR_INT32, "[1, null, 2]", "null inside a list");
    assert_reads(LDR_STRING, "[\"null\"]", "[\"null\"]");
}

static void only_one_flat_array(void **state)
{
    static const char *const not_arrays[] = {"", " ", "1", "{}", "null", "\"[1]\"", "]"};
    static const char *const open[] = {"[1", "[1 ", "[1 2]", "[1;2]"};
    (void)state;
    for (size_t i = 0; i < sizeof not_arrays / sizeof *not_arrays; i++)
        assert_refused(LDR_INT32, not_arrays[i], "expected a list as a JSON array");
    for (size_t i = 0; i < sizeof open / sizeof *open; i++)
        assert_refused(LDR_INT32, open[i], "expected");
    assert_refused(LDR_INT32, "[", "expected list<int32>");
    assert_refused(LDR_INT32, "[1,", "expected list<int32>");
    assert_refused(LDR_INT32, "[1,]", "expected list<int32>");
    assert_refused(LDR_INT32, "[,1]", "expected list<int32>");
    assert_refused(LDR_INT32, "[1]]", "expected nothing after");
    assert_refused(LDR_INT32, "[1] 2", "expected nothing after");
    assert_refused(LDR_STRING, "[\"a\" \"b\"]", "expected ',' or ']'");
    assert_refused(LDR_STRING, "[[\"a\"]]", "expected list<string>");
}

/* The last and first code points of each length in UTF-8. */
static void escapes_at_the_edges_of_utf8(void **state)
{
    struct ldr_value v, e;
    struct ldr_list_iter it;
    (void)state;
    assert_int_equal(
        ldr_value_parse(
            LDR_LIST | LDR_STRING,
            ldr_slice_str("[\"\\u007f\\u0080\\u07ff\\u0800\\uffff\\ud800\\udc00\\udbff\\udfff\"]"), &arena,
            &v, NULL),
        0);
    ldr_list_iter_init(&it, &v);
    assert_true(ldr_list_iter_next(&it, &e));
    assert_true(ldr_slice_eq(
        e.s, ldr_slice_str("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")));
}

/* Empty strings pack to more bytes than their text: three there, four here. */
static void packed_longer_than_text(void **state)
{
    enum { N = 100000 };
    struct ldr_value v;
    char *text = malloc(3 * N + 1);
    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < N; i++)
        memcpy(text + 3 * i, ",\"\"", 3);
    text[0] = '[';
    text[3 * N] = ']';
    assert_int_equal(ldr_value_parse(LDR_LIST | LDR_STRING, ldr_slice(text, 3 * N + 1), &arena, &v, NULL), 0);
    assert_int_equal(v.count, N);
    assert_int_equal(v.s.n, 4 * N);
    assert_int_equal(ldr_list_check(v.type, v.count, v.s), 0);
    free(text);
}

/* As many elements as there may be, and one more. */
static void limits(void **state)
{
    struct ldr_value v;
    const char *why = "";
    size_t n = 2 * (size_t)LDR_LIST_MAX + 1;
    char *text = malloc(n + 2);
    (void)state;
    assert_non_null(text);
    text[0] = '[';
    for (size_t i = 1; i < n + 2; i += 2) {
        text[i] = '1';
        text[i + 1 < n + 2 ? i + 1 : i] = ',';
    }
    text[n - 1] = ']';
    assert_int_equal(ldr_value_parse(LDR_LIST | LDR_INT32, ldr_slice(text, n), &arena, &v, &why), 0);
    assert_int_equal(v.count, LDR_LIST_MAX);
    text[n - 1] = ',';
    text[n] = '1';
    text[n + 1] = ']';
    assert_int_equal(ldr_value_parse(LDR_LIST | LDR_INT32, ldr_slice(text, n + 2), &arena, &v, &why),
                     LDR_E_TOO_BIG);
    assert_non_null(strstr(why, "at most 1048576 elements"));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_list_is_a_value),
        cmocka_unit_test(numbers),
        cmocka_unit_test(bad_numbers),
        cmocka_unit_test(strings),
        cmocka_unit_test(bad_strings),
        cmocka_unit_test(times_and_bytes),
        cmocka_unit_test(nulls_are_refused),
        cmocka_unit_test(only_one_flat_array),
        cmocka_unit_test(escapes_at_the_edges_of_utf8),
        cmocka_unit_test(packed_longer_than_text),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
