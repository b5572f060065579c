/* Splitting: where the last whole record of a block ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

static void ends(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t whole;
        uint64_t lines;
    } cases[] = {
        {"", 0, 0},
        {"abc", 0, 0},
        {"a\n", 2, 1},
        {"a\nb", 2, 1},
        {"a\r\nb\r", 3, 1},
        {"a\nb\nc", 4, 2},
        {"a,\"x\n", 0, 0},
        {"a\n\"x\n", 2, 1},
        {"a\n\"x\ny\"\n", 8, 3},
        {"a\n\"x\ny\"", 2, 1},
        {"a\n\"x\"\"\ny\n", 2, 1},
        {"\"x\"\"\ny\"\nz", 8, 2},
        {"\"x\n\",\"y\n", 0, 0},
        {"5\" pipe\nb", 8, 1}, /* a stray quote opens nothing */
        {"5\" pipe,\"x\ny\"\nb", 14, 2},
        {"\"a\"b\"\nc", 6, 1},
        {"\n\n\n", 3, 3},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t lines = 99;
        size_t n = strlen(cases[i].text);
        assert_int_equal(ldr_csv_split(cases[i].text, n, false, &lines), cases[i].whole);
        assert_int_equal(lines, cases[i].lines);
        assert_int_equal(ldr_csv_split(cases[i].text, n, false, NULL), cases[i].whole);
        assert_int_equal(ldr_csv_split(cases[i].text, n, true, NULL), n); /* the input ends: all of it */
    }
    assert_int_equal(ldr_csv_split(NULL, 0, false, NULL), 0);
}

static void lines_of_large_blocks(void **state)
{
    (void)state;
    static char text[100000];
    for (size_t n = 0; n < sizeof(text); n = n * 2 + 7) {
        memset(text, '\n', n);
        uint64_t lines;
        assert_int_equal(ldr_csv_split(text, n, true, &lines), n);
        assert_int_equal(lines, n);
        for (size_t i = 0; i < n; i += 3) {
            text[i] = 'x';
        }
        ldr_csv_split(text, n, true, &lines);
        assert_int_equal(lines, n - (n + 2) / 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends),
        cmocka_unit_test(lines_of_large_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
