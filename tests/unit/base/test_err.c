/* Errors: the list, messages that are cut at a character, context in front. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

static void the_list_is_consistent(void **state)
{
    (void)state;
    bool seen[64] = {false};
#define X(name, num, text, retry)                            \
    assert_true((num) < 0 && (num) > -64 && !seen[-(num)]);  \
    seen[-(num)] = true;                                     \
    assert_string_equal(ldr_code_name(LDR_E_##name), #name); \
    assert_string_equal(ldr_code_text(LDR_E_##name), text);  \
    assert_int_equal(ldr_code_retryable(LDR_E_##name), retry);
    LDR_ERR_LIST(X)
#undef X
    assert_string_equal(ldr_code_name(0), "OK");
    assert_string_equal(ldr_code_name(-999), "UNKNOWN");
    assert_string_equal(ldr_code_name(1), "UNKNOWN");
    assert_true(strlen(ldr_code_text(-999)) > 0);
    assert_false(ldr_code_retryable(-999));
    assert_false(ldr_code_retryable(0));
}

static void fail_fills_and_returns(void **state)
{
    (void)state;
    struct ldr_err e;
    ldr_err_clear(&e);
    assert_int_equal(e.code, 0);
    e.in_doubt = true;
    assert_int_equal(ldr_fail(&e, LDR_E_IO, "disk %d: %s", 3, "gone"), LDR_E_IO);
    assert_int_equal(e.code, LDR_E_IO);
    assert_false(e.in_doubt);
    assert_string_equal(e.message, "disk 3: gone");
    assert_int_equal(ldr_fail_context(&e, LDR_E_INVALID, "file %s", "a.csv"), LDR_E_IO);
    assert_string_equal(e.message, "file a.csv: disk 3: gone");
    ldr_fail(&e, LDR_E_BUSY, "again: %s", e.message); /* its own message as an argument */
    assert_string_equal(e.message, "again: file a.csv: disk 3: gone");
    assert_int_equal(ldr_fail(NULL, LDR_E_IO, "x"), LDR_E_IO);
    assert_int_equal(ldr_fail_context(NULL, LDR_E_IO, "x"), LDR_E_IO);
    ldr_err_clear(NULL);
    ldr_err_clear(&e);
    assert_string_equal(e.message, "");
}

static void long_messages_are_cut_at_a_character(void **state)
{
    (void)state;
    static const char *const marks[] = {"a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x8D\x83"};
    for (size_t m = 0; m < 4; m++) {
        for (int lead = 0; lead < 5; lead++) {
            char text[2048] = "";
            memset(text, '.', (size_t)lead);
            while (strlen(text) < 1500) {
                strncat(text, marks[m], 4);
            }
            struct ldr_err e;
            ldr_err_clear(&e);
            ldr_fail(&e, LDR_E_IO, "%s", text);
            size_t n = strlen(e.message);
            assert_true(n < sizeof(e.message) && n + 4 >= sizeof(e.message));
            assert_true(ldr_utf8_valid(ldr_slice_str(e.message)));
            assert_memory_equal(e.message, text, n);
            ldr_fail_context(&e, LDR_E_IO, "abc");
            n = strlen(e.message);
            assert_true(n < sizeof(e.message) && n + 4 >= sizeof(e.message));
            assert_true(ldr_utf8_valid(ldr_slice_str(e.message)));
            assert_memory_equal(e.message, "abc: ", 5);
            ldr_fail_context(&e, LDR_E_IO, "%s", text);
            assert_true(ldr_utf8_valid(ldr_slice_str(e.message)));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_list_is_consistent),
        cmocka_unit_test(fail_fills_and_returns),
        cmocka_unit_test(long_messages_are_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
