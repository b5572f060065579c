/* The token reader: what is JSON and what is not, and what comes out of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/base.h"

/* The tokens of a document as letters: { } [ ] k s n t f 0, then . at its end or ! for an error. */
static const char *tokens(const char *doc, size_t n)
{
    static char out[512];
    static const char letters[] = "!.{}[]ksntf0";
    struct ldr_json_reader r;
    size_t k = 0;
    enum ldr_json_token t;
    ldr_json_reader_init(&r, ldr_slice(doc, n));
    do {
        t = ldr_json_next(&r);
        out[k++] = letters[t];
    } while (t != LDR_JSON_END && t != LDR_JSON_ERROR && k < sizeof out - 1);
    out[k] = 0;
    if (t == LDR_JSON_ERROR) {
        assert_true(*r.why);
        assert_int_equal(ldr_json_next(&r), LDR_JSON_ERROR);
        assert_true(ldr_json_at(&r) <= n);
    }
    return out;
}

#define IS(doc, want) assert_string_equal(tokens(doc, sizeof(doc) - 1), want)

static void reads_documents(void **state)
{
    (void)state;
    IS("{}", "{}.");
    IS("[]", "[].");
    IS(" \t\r\n[ 1 , -2.5e+3 , \"a\" , true , false , null ] ", "[nnstf0].");
    IS("{\"a\":{\"b\":[[],{}]},\"c\":0}", "{k{k[[]{}]}kn}.");
    IS("\"x\"", "s.");
    IS("0", "n.");
    IS("-0", "n.");
    IS("1E9", "n.");
    IS("\"\\u00e9\\ud83d\\ude00\\n\"", "s.");
    IS("\"\xc3\xa9\xf0\x9f\x98\x80 and more than eight bytes\"", "s.");
}

static void refuses_what_is_not_json(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "{",
                                      "[",
                                      "[1",
                                      "[1,",
                                      "[1,]",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{a:1}",
                                      "01",
                                      "1.",
                                      ".5",
                                      "+1",
                                      "1e",
                                      "-",
                                      "nul",
                                      "truee",
                                      "NaN",
                                      "Infinity",
                                      "[1 2]",
                                      "]",
                                      "1 2",
                                      "\"a",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\ud800\"",
                                      "\"\\udc00\"",
                                      "\"\x01\"",
                                      "\"\xff\"",
                                      "\"\xc0\x80\"",
                                      "{\"a\":1]",
                                      "[1}",
                                      "{\"a\" 1}",
                                      "{,}",
                                      "[,]",
                                      "'a'",
                                      "//",
                                      "\"\\ud800\\u0041\"",
                                      "{1:2}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *t = tokens(bad[i], strlen(bad[i]));
        if (t[strlen(t) - 1] != '!')
            fail_msg("%s was taken: %s", bad[i], t);
    }
    IS("\"a\0b\"", "!");
}

static void bounds_depth(void **state)
{
    (void)state;
    char deep[200];
    for (int n = 63; n <= 65; n++) {
        memset(deep, '[', (size_t)n);
        memset(deep + n, ']', (size_t)n);
        const char *t = tokens(deep, (size_t)n * 2);
        assert_int_equal(t[strlen(t) - 1], n <= LDR_JSON_READ_DEPTH ? '.' : '!');
    }
}

static void unescapes(void **state)
{
    (void)state;
    struct ldr_json_reader r;
    uint8_t out[64];
    ldr_json_reader_init(
        &r, ldr_slice_str("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00z\""));
    assert_int_equal(ldr_json_next(&r), LDR_JSON_STRING);
    assert_true(r.escaped);
    size_t n = ldr_json_unescape(r.text, out);
    static const char want[] = "a\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
    assert_int_equal(n, sizeof want - 1);
    assert_memory_equal(out, want, n);
    ldr_json_reader_init(&r, ldr_slice_str("\"plain\""));
    assert_int_equal(ldr_json_next(&r), LDR_JSON_STRING);
    assert_false(r.escaped);
    assert_int_equal(r.text.n, 5);
}

static void skips_and_marks_values(void **state)
{
    (void)state;
    static const char doc[] = "{\"a\": [1,{\"b\":[]}], \"c\" : 17}";
    struct ldr_json_reader r;
    ldr_json_reader_init(&r, ldr_slice_str(doc));
    assert_int_equal(ldr_json_next(&r), LDR_JSON_OBJECT);
    assert_int_equal(ldr_json_next(&r), LDR_JSON_KEY);
    enum ldr_json_token t = ldr_json_next(&r);
    const uint8_t *from = r.start;
    assert_int_equal(ldr_json_skip(&r, t), 0);
    assert_int_equal(r.p - from, 12);
    assert_memory_equal(from, "[1,{\"b\":[]}]", 12);
    assert_int_equal(ldr_json_next(&r), LDR_JSON_KEY);
    assert_int_equal(*r.text.p, 'c');
    assert_int_equal(ldr_json_next(&r), LDR_JSON_NUMBER);
    assert_int_equal(ldr_json_skip(&r, LDR_JSON_NUMBER), 0);
    assert_int_equal(ldr_json_next(&r), LDR_JSON_OBJECT_END);
    ldr_json_reader_init(&r, ldr_slice_str("[1,"));
    t = ldr_json_next(&r);
    assert_int_equal(ldr_json_skip(&r, t), LDR_E_INVALID);
}

static void jumps_over_what_is_known(void **state)
{
    (void)state;
    struct ldr_json_reader r;
    ldr_json_reader_init(&r, ldr_slice_str("{\"a\": [1, [2], \"]\"], \"b\": {\"c\": []}, \"d\": 7}"));
    assert_int_equal(ldr_json_next(&r), LDR_JSON_OBJECT);
    assert_int_equal(ldr_json_next(&r), LDR_JSON_KEY);
    assert_int_equal(ldr_json_next(&r), LDR_JSON_ARRAY);
    ldr_json_jump(&r, strlen("[1, [2], \"]\"]"));
    assert_int_equal(ldr_json_next(&r), LDR_JSON_KEY);
    assert_int_equal(ldr_json_next(&r), LDR_JSON_OBJECT);
    ldr_json_jump(&r, strlen("{\"c\": []}"));
    assert_int_equal(ldr_json_next(&r), LDR_JSON_KEY);
    assert_true(ldr_slice_eq(r.text, ldr_slice_str("d")));
    assert_int_equal(ldr_json_next(&r), LDR_JSON_NUMBER);
    assert_int_equal(ldr_json_next(&r), LDR_JSON_OBJECT_END);
    assert_int_equal(ldr_json_next(&r), LDR_JSON_END);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_documents),        cmocka_unit_test(refuses_what_is_not_json),
        cmocka_unit_test(bounds_depth),           cmocka_unit_test(unescapes),
        cmocka_unit_test(skips_and_marks_values), cmocka_unit_test(jumps_over_what_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
