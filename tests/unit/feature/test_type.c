#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "feature/feature.h"

static void names_parse_back(void **state)
{
    unsigned seen = 0, type;
    (void)state;
    for (unsigned t = 0; t < 256; t++) {
        if (!ldr_type_valid(t)) {
            assert_string_equal(ldr_type_name(t), "unknown");
            continue;
        }
        seen++;
        assert_int_equal(ldr_type_parse(ldr_slice_str(ldr_type_name(t)), &type), 0);
        assert_int_equal(type, t);
    }
    assert_int_equal(seen, 16);
}

/* Numbers on disk. */
static void numbers_do_not_change(void **state)
{
    static const char *const names[] = {"bool",    "int32",  "int64", "float32",
                                        "float64", "string", "bytes", "timestamp"};
    unsigned type;
    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        char list[32];
        assert_int_equal(ldr_type_parse(ldr_slice_str(names[i]), &type), 0);
        assert_int_equal(type, i + 1);
        snprintf(list, sizeof list, "list<%s>", names[i]);
        assert_int_equal(ldr_type_parse(ldr_slice_str(list), &type), 0);
        assert_int_equal(type, i + 17);
    }
}

static void other_names_are_refused(void **state)
{
    static const char *const bad[] = {
        "",           "Float64",           "float",  "float64 ",     "list",   "list<>", "list<x>",
        "list<int32", "list<list<int32>>", "int32>", "list <int32>", "unknown"};
    unsigned type = 99;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(ldr_type_parse(ldr_slice_str(bad[i]), &type), LDR_E_INVALID);
    assert_int_equal(type, 99);
}

static void shapes(void **state)
{
    (void)state;
    assert_int_equal(ldr_type_width(LDR_BOOL), 1);
    assert_int_equal(ldr_type_width(LDR_INT32), 4);
    assert_int_equal(ldr_type_width(LDR_FLOAT32), 4);
    assert_int_equal(ldr_type_width(LDR_INT64), 8);
    assert_int_equal(ldr_type_width(LDR_FLOAT64), 8);
    assert_int_equal(ldr_type_width(LDR_TIMESTAMP), 8);
    assert_int_equal(ldr_type_width(LDR_STRING), 4);
    assert_int_equal(ldr_type_width(LDR_LIST | LDR_INT64), 4);
    assert_true(ldr_type_is_fixed(LDR_TIMESTAMP));
    assert_false(ldr_type_is_fixed(LDR_BYTES));
    assert_false(ldr_type_is_fixed(LDR_LIST | LDR_BOOL));
    assert_int_equal(ldr_type_element(LDR_LIST | LDR_BOOL), LDR_BOOL);
    assert_int_equal(ldr_type_element(LDR_BOOL), LDR_BOOL);
}

static void floats_and_lists_are_no_keys(void **state)
{
    (void)state;
    for (unsigned t = 0; t < 256; t++)
        assert_int_equal(ldr_type_key_valid(t), t == LDR_BOOL || t == LDR_INT32 || t == LDR_INT64 ||
                                                    t == LDR_STRING || t == LDR_BYTES || t == LDR_TIMESTAMP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_parse_back),
        cmocka_unit_test(numbers_do_not_change),
        cmocka_unit_test(other_names_are_refused),
        cmocka_unit_test(shapes),
        cmocka_unit_test(floats_and_lists_are_no_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
