#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "feature/feature.h"

static struct ldr_buf buf;

static int setup(void **state)
{
    (void)state;
    ldr_buf_init(&buf, NULL, 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ldr_buf_close(&buf);
    return 0;
}

static void assert_text(struct ldr_value v, const char *text, const char *json)
{
    struct ldr_json j;
    ldr_buf_reset(&buf);
    assert_int_equal(ldr_value_format(&v, &buf), 0);
    assert_string_equal(ldr_buf_cstr(&buf), text);
    ldr_buf_reset(&buf);
    ldr_json_init(&j, &buf);
    ldr_value_json(&v, &j);
    assert_int_equal(buf.err, 0);
    assert_string_equal(ldr_buf_cstr(&buf), json);
}

static void scalars(void **state)
{
    (void)state;
    assert_text((struct ldr_value){.type = LDR_BOOL, .b = true}, "true", "true");
    assert_text((struct ldr_value){.type = LDR_BOOL}, "false", "false");
    assert_text((struct ldr_value){.type = LDR_INT32, .i = INT32_MIN}, "-2147483648", "-2147483648");
    assert_text((struct ldr_value){.type = LDR_INT64, .i = INT64_MIN}, "-9223372036854775808",
                "-9223372036854775808");
    assert_text((struct ldr_value){.type = LDR_FLOAT64, .f64 = 1}, "1.0", "1.0");
    assert_text((struct ldr_value){.type = LDR_FLOAT64, .f64 = -0.0}, "-0.0", "-0.0");
    assert_text((struct ldr_value){.type = LDR_FLOAT64, .f64 = 1e16}, "1e+16", "1e+16");
    assert_text((struct ldr_value){.type = LDR_FLOAT32, .f32 = 0.1f}, "0.1", "0.1");
    assert_text((struct ldr_value){.type = LDR_FLOAT64, .f64 = __builtin_nan("")}, "NaN", "\"NaN\"");
    assert_text((struct ldr_value){.type = LDR_FLOAT64, .f64 = -__builtin_inf()}, "-Infinity",
                "\"-Infinity\"");
    assert_text((struct ldr_value){.type = LDR_FLOAT32, .f32 = __builtin_nanf("")}, "NaN", "\"NaN\"");
    assert_text((struct ldr_value){.type = LDR_FLOAT32, .f32 = __builtin_inff()}, "Infinity", "\"Infinity\"");
    assert_text((struct ldr_value){.type = LDR_STRING, .s = ldr_slice_str("a\"\n")}, "a\"\n", "\"a\\\"\\n\"");
    assert_text((struct ldr_value){.type = LDR_STRING}, "", "\"\"");
    assert_text((struct ldr_value){.type = LDR_BYTES, .s = ldr_slice("\x00\xff", 2)}, "AP8=", "\"AP8=\"");
    assert_text((struct ldr_value){.type = LDR_BYTES}, "", "\"\"");
    assert_text((struct ldr_value){.type = LDR_TIMESTAMP, .i = 1500000}, "1970-01-01T00:00:01.500000Z",
                "\"1970-01-01T00:00:01.500000Z\"");
    assert_text((struct ldr_value){.type = LDR_TIMESTAMP, .i = LDR_TIME_MIN_US}, "0001-01-01T00:00:00Z",
                "\"0001-01-01T00:00:00Z\"");
}

static void nulls(void **state)
{
    (void)state;
    assert_text(ldr_value_null(LDR_STRING), "", "null");
    assert_text(ldr_value_null(LDR_LIST | LDR_INT32), "", "null");
}

/* Only framed, not checked, bytes can hold such a time: it is shown, and nothing breaks. */
static void a_time_without_a_calendar_text(void **state)
{
    (void)state;
    assert_text((struct ldr_value){.type = LDR_TIMESTAMP, .i = INT64_MAX}, "9223372036854775807",
                "\"9223372036854775807\"");
}

static void lists(void **state)
{
    static const uint8_t texts[] = {1, 0, 0, 0, '"', 0, 0, 0, 0};
    uint8_t f[8];
    (void)state;
    ldr_put_le32(f, 0x3dcccccd);
    ldr_put_le32(f + 4, 0x7fc00000);
    assert_text((struct ldr_value){.type = LDR_LIST | LDR_STRING, .count = 2, .s = {texts, 9}},
                "[\"\\\"\",\"\"]", "[\"\\\"\",\"\"]");
    assert_text((struct ldr_value){.type = LDR_LIST | LDR_FLOAT32, .count = 2, .s = {f, 8}}, "[0.1,\"NaN\"]",
                "[0.1,\"NaN\"]");
    assert_text((struct ldr_value){.type = LDR_LIST | LDR_BYTES, .count = 1, .s = {texts, 5}}, "[\"Ig==\"]",
                "[\"Ig==\"]");
    assert_text((struct ldr_value){.type = LDR_LIST | LDR_BYTES}, "[]", "[]");
}

/* In the middle of a document: commas and keys are the writer's. */
static void inside_a_document(void **state)
{
    static const uint8_t ones[] = {1, 1};
    const struct ldr_value v[] = {{.type = LDR_TIMESTAMP, .i = 0},
                                  {.type = LDR_BYTES, .s = {ones, 2}},
                                  {.type = LDR_FLOAT32, .f32 = 2.0f},
                                  {.type = LDR_LIST | LDR_BOOL, .count = 2, .s = {ones, 2}},
                                  ldr_value_null(LDR_BOOL)};
    struct ldr_json j;
    (void)state;
    ldr_buf_reset(&buf);
    ldr_json_init(&j, &buf);
    ldr_json_object(&j);
    for (int i = 0; i < 5; i++) {
        ldr_json_key(&j, "k");
        ldr_value_json(&v[i], &j);
    }
    ldr_json_object_end(&j);
    assert_string_equal(ldr_buf_cstr(&buf),
                        "{\"k\":\"1970-01-01T00:00:00Z\",\"k\":\"AQE=\",\"k\":2.0,\"k\":[true,true],"
                        "\"k\":null}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars),
        cmocka_unit_test(nulls),
        cmocka_unit_test(a_time_without_a_calendar_text),
        cmocka_unit_test(lists),
        cmocka_unit_test(inside_a_document),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
