/* Times: every day of the calendar against counting, every form, every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "base/base.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Counts the days one by one from 0001-01-01 to 9999-12-31. */
static void every_day_of_the_calendar(void **state)
{
    (void)state;
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t us = LDR_TIME_MIN_US;
    for (int y = 1; y <= 9999; y++) {
        bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
        for (int m = 1; m <= 12; m++) {
            int last = days[m - 1] + (m == 2 && leap);
            for (int d = 1; d <= last; d++, us += INT64_C(86400000000)) {
                char text[LDR_TIME_TEXT], out[LDR_TIME_TEXT];
                int64_t got = 0;
                int n = snprintf(text, sizeof(text), "%04d-%02d-%02d", y, m, d);
                if (ldr_time_parse(ldr_slice(text, (size_t)n), &got, NULL) || got != us) {
                    fail_msg("%s", text);
                }
                ldr_time_format(us, out);
                if (memcmp(out, text, 10) != 0 || strcmp(out + 10, "T00:00:00Z") != 0) {
                    fail_msg("%s is written as %s", text, out);
                }
                ldr_time_format(us + INT64_C(86399999999), out);
                if (memcmp(out, text, 10) != 0 || strcmp(out + 10, "T23:59:59.999999Z") != 0) {
                    fail_msg("end of %s is written as %s", text, out);
                }
            }
            char text[LDR_TIME_TEXT];
            int64_t got;
            int n = snprintf(text, sizeof(text), "%04d-%02d-%02d", y, m, last + 1);
            if (ldr_time_parse(ldr_slice(text, (size_t)n), &got, NULL) != LDR_E_INVALID) {
                fail_msg("%s is no day", text);
            }
        }
    }
    assert_true(us == LDR_TIME_MAX_US + 1);
}

static void every_second_of_a_day(void **state)
{
    (void)state;
    for (int s = 0; s < 86400; s++) {
        char text[LDR_TIME_TEXT], out[LDR_TIME_TEXT];
        int64_t us;
        int n = snprintf(text, sizeof(text), "2024-02-29T%02d:%02d:%02dZ", s / 3600, s / 60 % 60, s % 60);
        assert_int_equal(ldr_time_parse(ldr_slice(text, (size_t)n), &us, NULL), 0);
        assert_true(us == INT64_C(1709164800000000) + s * INT64_C(1000000));
        assert_int_equal(ldr_time_format(us, out), 20);
        assert_string_equal(out, text);
    }
}

static void forms(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"2013-01-01T06:00:00Z", "2013-01-01T06:00:00Z"},
        {"2013-01-01t06:00:00z", "2013-01-01T06:00:00Z"},
        {"2013-01-01T06:00:00", "2013-01-01T06:00:00Z"},
        {"2013-01-01 06:00:00", "2013-01-01T06:00:00Z"},
        {"2013-01-01", "2013-01-01T00:00:00Z"},
        {"2013-01-01T06:00:00+01:00", "2013-01-01T05:00:00Z"},
        {"2013-01-01 06:00:00-05:30", "2013-01-01T11:30:00Z"},
        {"2013-01-01T06:00:00-00:00", "2013-01-01T06:00:00Z"},
        {"2013-01-01T00:00:00+23:59", "2012-12-31T00:01:00Z"},
        {"2013-01-01T06:00:00.5Z", "2013-01-01T06:00:00.500000Z"},
        {"2013-01-01T06:00:00.000001", "2013-01-01T06:00:00.000001Z"},
        {"2013-01-01T06:00:00.120000+00:00", "2013-01-01T06:00:00.120000Z"},
        {"2013-01-01T06:00:00.000000Z", "2013-01-01T06:00:00Z"},
        {"1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"},
        {"0", "1970-01-01T00:00:00Z"},
        {"-1", "1969-12-31T23:59:59.999999Z"},
        {"+1000000", "1970-01-01T00:00:01Z"},
        {"1356998400000000", "2013-01-01T00:00:00Z"},
        {"20130101", "1970-01-01T00:00:20.130101Z"},
        {"2013", "1970-01-01T00:00:00.002013Z"},
        {"0000000000000000000000000000000000005", "1970-01-01T00:00:00.000005Z"},
        {"-62135596800000000", "0001-01-01T00:00:00Z"},
        {"253402300799999999", "9999-12-31T23:59:59.999999Z"},
        {"0001-01-01T00:00:00-01:00", "0001-01-01T01:00:00Z"},
        {"0000-12-31T23:30:00-01:00", "0001-01-01T00:30:00Z"},
        {"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[LDR_TIME_TEXT];
        int64_t us;
        const char *why = NULL;
        assert_int_equal(ldr_time_parse(ldr_slice_str(cases[i].text), &us, &why), 0);
        assert_int_equal(ldr_time_format(us, out), strlen(cases[i].want));
        assert_string_equal(out, cases[i].want);
        assert_null(why);
    }
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "empty time"},
        {"now", "not a time (RFC 3339 or whole microseconds)"},
        {"-", "not a time (RFC 3339 or whole microseconds)"},
        {"2013-1-1", "not a time (RFC 3339 or whole microseconds)"},
        {"2013-01", "not a time (RFC 3339 or whole microseconds)"},
        {"2013/01/01", "not a time (RFC 3339 or whole microseconds)"},
        {"13-01-01", "not a time (RFC 3339 or whole microseconds)"},
        {"2013-01-01T", "not a time (RFC 3339 or whole microseconds)"},
        {"2013-01-01T06", "not a time (RFC 3339 or whole microseconds)"},
        {"2013-01-01T06:00", "not a time (RFC 3339 or whole microseconds)"},
        {"2013-01-01T6:00:00Z", "not a time (RFC 3339 or whole microseconds)"},
        {"2013-01-01_06:00:00Z", "not a time (RFC 3339 or whole microseconds)"},
        {"2013-01-01Z", "not a time (RFC 3339 or whole microseconds)"},
        {"2013-01-01T06:00:0", "not a time (RFC 3339 or whole microseconds)"},
        {"2013-01-01T06-00-00Z", "not a time (RFC 3339 or whole microseconds)"},
        {"2013-01-01T06:00:00 Z", "not a time zone: use Z or +hh:mm"},
        {"2013-01-01T06:00:00+01", "not a time zone: use Z or +hh:mm"},
        {"2013-01-01T06:00:00+0100", "not a time zone: use Z or +hh:mm"},
        {"2013-01-01T06:00:00UTC", "not a time zone: use Z or +hh:mm"},
        {"2013-01-01T06:00:00,5Z", "not a time zone: use Z or +hh:mm"},
        {"2013-01-01T06:00:00+24:00", "zone offset over 23:59"},
        {"2013-01-01T06:00:00+00:60", "zone offset over 23:59"},
        {"2013-01-01T06:00:00ZZ", "text after the time"},
        {"2013-01-01T06:00:00+01:00 ", "text after the time"},
        {"2013-01-01T06:00:00.Z", "no digits after the point"},
        {"2013-01-01T06:00:00.1234567Z", "more than 6 fraction digits"},
        {"2013-01-01T06:00:00.0000000", "more than 6 fraction digits"},
        {"2013-00-01", "no such month"},
        {"2013-13-01T00:00:00Z", "no such month"},
        {"2013-02-29", "no such day in that month"},
        {"1900-02-29T00:00:00Z", "no such day in that month"},
        {"2013-04-31T00:00:00Z", "no such day in that month"},
        {"2013-01-00T00:00:00Z", "no such day in that month"},
        {"2013-01-01T24:00:00Z", "hour over 23"},
        {"2013-01-01T00:60:00Z", "minute over 59"},
        {"2016-12-31T23:59:60Z", "second over 59"},
        {"0000-01-01", "outside the years 0001 to 9999"},
        {"0000-02-29T12:00:00Z", "outside the years 0001 to 9999"},
        {"0001-01-01T00:00:00+00:01", "outside the years 0001 to 9999"},
        {"9999-12-31T23:59:59-00:01", "outside the years 0001 to 9999"},
        {"-62135596800000001", "outside the years 0001 to 9999"},
        {"253402300800000000", "outside the years 0001 to 9999"},
        {"99999999999999999999999999", "outside the years 0001 to 9999"},
        {"-99999999999999999999999999", "outside the years 0001 to 9999"},
        {"1.5", "not a time (RFC 3339 or whole microseconds)"},
        {"1e3", "not a time (RFC 3339 or whole microseconds)"},
        {" 2013-01-01", "not a time (RFC 3339 or whole microseconds)"},
        {"+2013-01-01", "not a time (RFC 3339 or whole microseconds)"},
        {"12013-01-01", "not a time (RFC 3339 or whole microseconds)"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t us = 42;
        const char *why = NULL;
        assert_int_equal(ldr_time_parse(ldr_slice_str(cases[i].text), &us, &why), LDR_E_INVALID);
        assert_string_equal(why, cases[i].why);
        assert_true(us == 42);
        assert_int_equal(ldr_time_parse(ldr_slice_str(cases[i].text), &us, NULL), LDR_E_INVALID);
    }
}

/* Any one byte of the usual form changed: it is refused, or it is a digit that makes another time. */
static void one_changed_byte(void **state)
{
    (void)state;
    const char *base = "2013-01-01T06:00:00Z";
    int accepted = 0;
    for (size_t at = 0; at < 20; at++) {
        for (int c = 0; c < 256; c++) {
            char text[21], out[LDR_TIME_TEXT];
            int64_t us;
            memcpy(text, base, 21);
            text[at] = (char)c;
            if (ldr_time_parse(ldr_slice(text, 20), &us, NULL) == 0) {
                ldr_time_format(us, out);
                text[10] = 'T';
                text[19] = 'Z';
                assert_string_equal(out, text);
                accepted++;
            }
        }
    }
    /* How many digits each place allows while the others stay. */
    int year = 10 + 10 + 10 + 10, month = 2 + 9, day = 4 + 9, separators = 4 + 3 + 2;
    int clock = 2 + 10 + 6 + 10 + 6 + 10;
    assert_int_equal(accepted, year + month + day + separators + clock);
}

static void fractions_round_trip(void **state)
{
    (void)state;
    uint64_t s = 5;
    for (int i = 0; i < 200000; i++) {
        s = s * UINT64_C(6364136223846793005) + 1442695040888963407u;
        uint64_t span = (uint64_t)LDR_TIME_MAX_US - (uint64_t)LDR_TIME_MIN_US + 1;
        int64_t us = (int64_t)((uint64_t)LDR_TIME_MIN_US + (uint64_t)((unsigned __int128)s * span >> 64)),
                back;
        char out[LDR_TIME_TEXT];
        size_t n = ldr_time_format(us, out);
        assert_int_equal(ldr_time_parse(ldr_slice(out, n), &back, NULL), 0);
        assert_true(back == us);
    }
}

static void subtraction_saturates(void **state)
{
    (void)state;
    assert_true(ldr_time_sub(5, 3) == 2);
    assert_true(ldr_time_sub(INT64_MIN, 1) == INT64_MIN);
    assert_true(ldr_time_sub(INT64_MAX, -1) == INT64_MAX);
    assert_true(ldr_time_sub(0, INT64_MIN) == INT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_of_the_calendar),
        cmocka_unit_test(every_second_of_a_day),
        cmocka_unit_test(forms),
        cmocka_unit_test(refusals),
        cmocka_unit_test(one_changed_byte),
        cmocka_unit_test(fractions_round_trip),
        cmocka_unit_test(subtraction_saturates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
