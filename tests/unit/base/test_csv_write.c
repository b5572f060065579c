/* Writing CSV: quotes only where they are needed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

static void quoting(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a", "a"},
        {"", "\"\""},
        {" a ", " a "},
        {"a,b", "\"a,b\""},
        {"a\"b", "\"a\"\"b\""},
        {"\"", "\"\"\"\""},
        {"\"\"", "\"\"\"\"\"\""},
        {"a\nb", "\"a\nb\""},
        {"a\r", "\"a\r\""},
        {"\xEF\xBB\xBFx", "\"\xEF\xBB\xBFx\""},
        {"\xC3\xA9;|\t'", "\xC3\xA9;|\t'"},
        {"[1,2]", "\"[1,2]\""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ldr_buf b;
        ldr_buf_init(&b, NULL, 0);
        assert_int_equal(ldr_csv_put(&b, ldr_slice_str(cases[i][0]), false), 0);
        assert_string_equal(ldr_buf_cstr(&b), cases[i][1]);
        ldr_buf_close(&b);
    }
}

static void null_is_nothing(void **state)
{
    (void)state;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 4);
    assert_int_equal(ldr_csv_put(&b, ldr_slice(NULL, 0), true), 0);
    assert_int_equal(b.n, 0);
    assert_int_equal(ldr_csv_put(&b, ldr_slice_str("12345"), false), LDR_E_TOO_BIG);
    assert_int_equal(ldr_csv_put(&b, ldr_slice(NULL, 0), true), LDR_E_TOO_BIG); /* the failure stays */
    ldr_buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quoting),
        cmocka_unit_test(null_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
