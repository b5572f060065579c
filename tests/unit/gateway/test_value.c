/* JSON to cells and back, type by type. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gateway/value.h"

static struct ldr_arena arena;
static struct ldr_gw_reading g;

static int read_value(const char *json, unsigned type, struct ldr_datum *d)
{
    struct ldr_json_reader r;
    ldr_json_reader_init(&r, ldr_slice_str(json));
    g.arena = &arena;
    g.why = "";
    return ldr_gw_value_read(&g, &r, ldr_json_next(&r), type, d);
}

static void back(const char *json, unsigned type, const char *want)
{
    struct ldr_datum d;
    struct ldr_buf b;
    if (read_value(json, type, &d))
        fail_msg("%s as %s: %s", json, ldr_gw_type_name(type), g.why);
    ldr_buf_init(&b, NULL, 0);
    ldr_gw_value_put(&b, &d, g.feast);
    assert_string_equal(ldr_buf_cstr(&b), want);
    ldr_buf_close(&b);
}

static void refused(const char *json, unsigned type)
{
    struct ldr_datum d;
    if (read_value(json, type, &d) != LDR_E_INVALID || !*g.why)
        fail_msg("%s as %s was taken", json, ldr_gw_type_name(type));
}

static void values_go_there_and_back(void **state)
{
    (void)state;
    g = (struct ldr_gw_reading){0};
    back("true", LDR_BOOL, "true");
    back("-7", LDR_INT32, "-7");
    back("9223372036854775807", LDR_INT64, "9223372036854775807");
    back("1001.0", LDR_INT64, "1001");
    back("1", LDR_FLOAT64, "1.0");
    back("2.5e3", LDR_FLOAT64, "2500.0");
    back("\"NaN\"", LDR_FLOAT64, "\"NaN\"");
    back("\"-Infinity\"", LDR_FLOAT32, "\"-Infinity\"");
    back("0.1", LDR_FLOAT32, "0.1");
    back("\"a\\u00e9\\n\"", LDR_STRING, "\"a\xc3\xa9\\n\"");
    back("\"\"", LDR_STRING, "\"\"");
    back("\"AAEC\"", LDR_BYTES, "\"AAEC\"");
    back("null", LDR_INT64, "null");
    back("[]", LDR_LIST | LDR_FLOAT64, "[]");
    back("[1,2.5,\"NaN\"]", LDR_LIST | LDR_FLOAT64, "[1.0,2.5,\"NaN\"]");
    back("[1,-2]", LDR_LIST | LDR_INT32, "[1,-2]");
    back("[\"a\",\"\",\"\\\"\"]", LDR_LIST | LDR_STRING, "[\"a\",\"\",\"\\\"\"]");
    back("[true,false]", LDR_LIST | LDR_BOOL, "[true,false]");
    back("[\"AA==\"]", LDR_LIST | LDR_BYTES, "[\"AA==\"]");
    back("\"2026-01-01T00:00:00+01:00\"", LDR_TIMESTAMP, "\"2025-12-31T23:00:00Z\"");
    back("1000001", LDR_TIMESTAMP, "\"1970-01-01T00:00:01.000001Z\"");
    back("[0]", LDR_LIST | LDR_TIMESTAMP, "[\"1970-01-01T00:00:00Z\"]");
}

static void feast_counts_seconds(void **state)
{
    (void)state;
    g = (struct ldr_gw_reading){.feast = true};
    back("1767225600", LDR_TIMESTAMP, "1767225600");
    back("\"1969-12-31T23:59:59.5Z\"", LDR_TIMESTAMP, "-1");
    back("[5]", LDR_LIST | LDR_TIMESTAMP, "[5]");
    refused("9223372036854775807", LDR_TIMESTAMP);
}

static void keys_are_taken_as_feast_takes_them(void **state)
{
    (void)state;
    g = (struct ldr_gw_reading){.key = true};
    back("\"1001\"", LDR_INT64, "1001");
    back("5", LDR_STRING, "\"5\"");
    refused("\"x\"", LDR_INT64);
    refused("true", LDR_INT64);
}

static void wrong_values_are_refused(void **state)
{
    (void)state;
    g = (struct ldr_gw_reading){0};
    refused("1", LDR_BOOL);
    refused("\"1\"", LDR_INT64);
    refused("1.5", LDR_INT64);
    refused("9223372036854775808", LDR_INT64);
    refused("1e300", LDR_INT64);
    refused("2147483648", LDR_INT32);
    refused("\"nan\"", LDR_FLOAT64);
    refused("1e400", LDR_FLOAT64);
    refused("1e39", LDR_FLOAT32);
    refused("5", LDR_STRING);
    refused("\"A\"", LDR_BYTES);
    refused("[1,null]", LDR_LIST | LDR_INT64);
    refused("[[1]]", LDR_LIST | LDR_INT64);
    refused("1", LDR_LIST | LDR_INT64);
    refused("[1", LDR_LIST | LDR_INT64);
    refused("[1]", LDR_INT64);
    refused("{}", LDR_STRING);
    refused("\"tomorrow\"", LDR_TIMESTAMP);
    refused("true", LDR_TIMESTAMP);
}

static void types_have_names(void **state)
{
    (void)state;
    for (unsigned t = 1; t <= LDR_TIMESTAMP; t++) {
        assert_int_equal(ldr_gw_type_of(ldr_gw_type_name(t)), t);
        assert_int_equal(ldr_gw_type_of(ldr_gw_type_name(LDR_LIST | t)), LDR_LIST | t);
    }
    assert_int_equal(ldr_gw_type_of("text"), 0);
}

static int open_arena(void **state)
{
    (void)state;
    ldr_arena_init(&arena, NULL, 0);
    return 0;
}
static int close_arena(void **state)
{
    (void)state;
    ldr_arena_close(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_go_there_and_back),
        cmocka_unit_test(feast_counts_seconds),
        cmocka_unit_test(keys_are_taken_as_feast_takes_them),
        cmocka_unit_test(wrong_values_are_refused),
        cmocka_unit_test(types_have_names),
    };
    return cmocka_run_group_tests(tests, open_arena, close_arena);
}
