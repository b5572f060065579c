/* JSON writing: commas and nesting, escapes, bytes that are not UTF-8, numbers, misuse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

static void nesting_and_commas(void **state)
{
    (void)state;
    struct ldr_buf b;
    struct ldr_json j;
    ldr_buf_init(&b, NULL, 0);
    ldr_json_init(&j, &b);
    ldr_json_object(&j);
    ldr_json_key(&j, "a");
    ldr_json_i64(&j, INT64_MIN);
    ldr_json_key(&j, "b");
    ldr_json_array(&j);
    ldr_json_array(&j);
    ldr_json_array_end(&j);
    ldr_json_object(&j);
    ldr_json_object_end(&j);
    ldr_json_null(&j);
    ldr_json_bool(&j, true);
    ldr_json_bool(&j, false);
    ldr_json_cstr(&j, NULL);
    ldr_json_cstr(&j, "x");
    ldr_json_raw(&j, ldr_slice_str("[1]"));
    ldr_json_array_end(&j);
    ldr_json_key(&j, "c");
    ldr_json_f64(&j, 0.1);
    ldr_json_object_end(&j);
    ldr_buf_putc(&b, '\n');
    ldr_json_array(&j); /* a second document: nothing between but what the caller put */
    ldr_json_f64(&j, (double)NAN);
    ldr_json_f64(&j, -(double)INFINITY);
    ldr_json_f64(&j, (double)INFINITY);
    ldr_json_f64(&j, 1e300);
    ldr_json_array_end(&j);
    assert_string_equal(
        ldr_buf_cstr(&b),
        "{\"a\":-9223372036854775808,\"b\":[[],{},null,true,false,null,\"x\",[1]],\"c\":0.1}\n"
        "[\"NaN\",\"-Infinity\",\"Infinity\",1e+300]");
    ldr_buf_close(&b);
}

static void check_str(const char *text, size_t n, const char *want)
{
    struct ldr_buf b;
    struct ldr_json j;
    ldr_buf_init(&b, NULL, 0);
    ldr_json_init(&j, &b);
    ldr_json_str(&j, ldr_slice(text, n));
    assert_string_equal(ldr_buf_cstr(&b), want);
    ldr_buf_close(&b);
}

static void escapes(void **state)
{
    (void)state;
    check_str("", 0, "\"\"");
    check_str(NULL, 0, "\"\"");
    check_str("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
    check_str("\b\f\n\r\t\0\x1F\x7F", 8, "\"\\b\\f\\n\\r\\t\\u0000\\u001f\x7F\"");
    check_str("é世\xF0\x9F\x8D\x83", 9, "\"é世\xF0\x9F\x8D\x83\"");
    check_str("a\xFFz", 3, "\"a\xEF\xBF\xBDz\"");
    check_str("\xC3", 1, "\"\xEF\xBF\xBD\"");
    check_str("\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void whatever_comes_the_text_is_utf8(void **state)
{
    (void)state;
    uint64_t s = 99;
    for (int round = 0; round < 2000; round++) {
        char text[40];
        for (size_t i = 0; i < sizeof(text); i++) {
            s = s * UINT64_C(6364136223846793005) + 1442695040888963407u;
            text[i] = (char)(s >> 56);
        }
        struct ldr_buf b;
        struct ldr_json j;
        ldr_buf_init(&b, NULL, 0);
        ldr_json_init(&j, &b);
        ldr_json_str(&j, ldr_slice(text, sizeof(text)));
        assert_true(ldr_utf8_valid(ldr_buf_slice(&b)));
        for (size_t i = 0; i < b.n; i++) {
            assert_true(b.p[i] >= 0x20);
        }
        ldr_buf_close(&b);
    }
}

static void deepest_nesting(void **state)
{
    (void)state;
    struct ldr_buf b;
    struct ldr_json j;
    ldr_buf_init(&b, NULL, 0);
    ldr_json_init(&j, &b);
    for (int i = 0; i < LDR_JSON_DEPTH; i++) {
        ldr_json_array(&j);
    }
    for (int i = 0; i < LDR_JSON_DEPTH; i++) {
        ldr_json_array_end(&j);
    }
    assert_int_equal(b.n, 2 * LDR_JSON_DEPTH);
    ldr_buf_close(&b);
}

static void misuse(struct ldr_json *j, int how)
{
    switch (how) {
    case 0:
        ldr_json_object(j);
        ldr_json_null(j); /* no key */
        break;
    case 1:
        ldr_json_array(j);
        ldr_json_key(j, "k");
        break;
    case 2:
        ldr_json_array(j);
        ldr_json_object_end(j);
        break;
    case 3:
        ldr_json_object(j);
        ldr_json_key(j, "k");
        ldr_json_object_end(j);
        break;
    case 4:
        ldr_json_array_end(j);
        break;
    default:
        for (int i = 0; i <= LDR_JSON_DEPTH; i++) {
            ldr_json_array(j);
        }
    }
}

static void misuse_is_asserted(void **state)
{
    (void)state;
    for (int how = 0; how < 6; how++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
            signal(SIGABRT, SIG_DFL);
            close(2);
            struct ldr_buf b;
            struct ldr_json j;
            ldr_buf_init(&b, NULL, 0);
            ldr_json_init(&j, &b);
            misuse(&j, how);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    }
}

static void a_failed_buffer_stays_failed(void **state)
{
    (void)state;
    struct ldr_buf b;
    struct ldr_json j;
    ldr_buf_init(&b, NULL, 8);
    ldr_json_init(&j, &b);
    ldr_json_array(&j);
    for (int i = 0; i < 100; i++) {
        ldr_json_cstr(&j, "text");
    }
    ldr_json_array_end(&j);
    assert_int_equal(b.err, LDR_E_TOO_BIG);
    assert_true(b.n <= 8);
    ldr_buf_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nesting_and_commas),
        cmocka_unit_test(escapes),
        cmocka_unit_test(whatever_comes_the_text_is_utf8),
        cmocka_unit_test(deepest_nesting),
        cmocka_unit_test(misuse_is_asserted),
        cmocka_unit_test(a_failed_buffer_stays_failed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
