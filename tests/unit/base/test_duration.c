/* Durations: units, refusals, and the text that reads back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void units(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t us;
        const char *shown;
    } cases[] = {
        {"0", 0, "0"},
        {"0s", 0, "0"},
        {"00", 0, "0"},
        {"10us", 10, "10us"},
        {"250ms", 250000, "250ms"},
        {"1000ms", 1000000, "1s"},
        {"90s", 90000000, "90s"},
        {"120s", 120000000, "2m"},
        {"5m", 300000000, "5m"},
        {"2h", INT64_C(7200000000), "2h"},
        {"36h", INT64_C(129600000000), "36h"},
        {"400d", INT64_C(34560000000000), "400d"},
        {"7d", INT64_C(604800000000), "1w"},
        {"1w", INT64_C(604800000000), "1w"},
        {"315569520000000000us", LDR_TTL_MAX_US, "521775w"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t us = -1, back = -1;
        char out[LDR_TIME_TEXT];
        assert_int_equal(ldr_duration_parse(ldr_slice_str(cases[i].text), &us, NULL), 0);
        assert_true(us == cases[i].us);
        assert_int_equal(ldr_duration_format(us, out), strlen(cases[i].shown));
        assert_string_equal(out, cases[i].shown);
        assert_int_equal(ldr_duration_parse(ldr_slice_str(out), &back, NULL), 0);
        assert_true(back == us);
    }
}

static void refusals(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "s",
                                      "h2",
                                      "5",
                                      "1",
                                      "-1h",
                                      "+1h",
                                      "1.5h",
                                      "1h30m",
                                      "1 h",
                                      " 1h",
                                      "1h ",
                                      "1H",
                                      "1min",
                                      "1month",
                                      "1y",
                                      "1ns",
                                      "2hh",
                                      "1u",
                                      "0x1h",
                                      "315569520000000001us",
                                      "99999999999999999999s",
                                      "9223372036854775807w",
                                      "99999999999999999999"};
    for (size_t i = 0; i < COUNT(bad); i++) {
        int64_t us = 42;
        const char *why = NULL;
        assert_int_equal(ldr_duration_parse(ldr_slice_str(bad[i]), &us, &why), LDR_E_INVALID);
        assert_non_null(why);
        assert_true(us == 42);
    }
    const char *why = NULL;
    int64_t us;
    assert_int_equal(ldr_duration_parse(ldr_slice_str("4000000d"), &us, &why), LDR_E_INVALID);
    assert_string_equal(why, "longer than 10,000 years");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
