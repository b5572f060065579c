/* What YAML itself can get wrong, and what definitions do not take of it. */
#include "unit/registry/defs_text.h"

static void expect_lines(const char *text, size_t n, const char *lines)
{
    struct ldr_arena a;
    struct ldr_def_file f = {"x.yaml", ldr_slice(text, n)};
    struct ldr_defs *d;
    struct ldr_problems p;
    ldr_arena_init(&a, NULL, 0);
    int rc = ldr_defs_load(&a, &f, 1, NULL, &d, &p);
    assert_string_equal(problem_lines(&a, &p), lines);
    assert_int_equal(rc, lines[0] ? LDR_E_INVALID : 0);
    ldr_arena_close(&a);
}

#define EXPECT(text, lines) expect_lines((text), sizeof(text) - 1, (lines))

static void empty_files_are_fine(void **state)
{
    (void)state;
    EXPECT("", "");
    EXPECT("# nothing yet\n", "");
    EXPECT("---\n", "");
    EXPECT("---\nproject: p\n...\n", "");
    EXPECT("\xEF\xBB\xBFproject: p\n", "");
    EXPECT("project: p\r\ndescription: with CRLF\r\n", "");
    EXPECT("entities:\nsources: ~\nfeature_views: null\n", "");
    EXPECT("{\"project\": \"p\", \"description\": \"JSON is YAML\"}", "");
    expect_lines(NULL, 0, "");
}

static void wrong_bytes(void **state)
{
    (void)state;
    EXPECT("project: p\ndescription: \"\xC3\xA9\xC3\"\n",
           "x.yaml:2:16: found byte 0xC3, expected UTF-8 text\n");
    EXPECT("a\x01: b\n", "x.yaml:1:2: not YAML: control characters are not allowed\n");
    EXPECT("p\0q: b\n", "x.yaml:1:2: not YAML: control characters are not allowed\n");
    EXPECT("project: \"a\\0b\"\n",
           "x.yaml:1:10: found 'a\\x00b', expected the name of a project: a letter or _, then "
           "letters, digits or _, at most 128 in all\n");
    EXPECT("description: \"a\\0b\"\n", "x.yaml:1:14: found a NUL character, expected a text without\n");
}

static void wrong_syntax(void **state)
{
    (void)state;
    EXPECT("entities:\n\t- name: a\n", "x.yaml:2:1: found a tab, expected spaces: YAML takes no tabs here\n");
    EXPECT(
        "a: [1, 2\nb: 3\n",
        "x.yaml:2:2: not YAML: did not find expected ',' or ']', while parsing a flow sequence (line 1)\n");
    EXPECT("description: \"open\n",
           "x.yaml:2:1: not YAML: found unexpected end of stream, while scanning a quoted "
           "scalar (line 1)\n");
    EXPECT("a: b\n c: d\n", "x.yaml:2:3: not YAML: mapping values are not allowed in this context\n");
    EXPECT("- project\n",
           "x.yaml:1:1: found a list, expected a definition file: a map of description, entities, "
           "feature_services, feature_views, project, sources, store\n");
    EXPECT("project\n",
           "x.yaml:1:1: found 'project', expected a definition file: a map of description, entities, "
           "feature_services, feature_views, project, sources, store\n");
    EXPECT("[a, b]: c\n", "x.yaml:1:1: found a list as a key in a definition file, expected text\n");
    EXPECT("~: c\n", "x.yaml:1:1: found nothing as a key in a definition file, expected text\n");
}

static void extras_are_refused(void **state)
{
    (void)state;
    EXPECT("project: &p one\n",
           "x.yaml:1:10: found the anchor 'p', which definitions do not take: write the value out\n");
    EXPECT("project: !!str one\n",
           "x.yaml:1:10: found the tag 'tag:yaml.org,2002:str', which definitions do not "
           "take: write the plain value\n");
    EXPECT("project: !e one\ndescription: *p\n",
           "x.yaml:1:10: found the tag '!e', which definitions do not take: write the plain value\n"
           "x.yaml:2:14: found an alias of 'p', which definitions do not take: write the value out\n");
    EXPECT(
        "project: a\n---\nproject: b\n---\nproject: c\n",
        "x.yaml:2:1: found a second document, expected one in a file: split the file or remove the '---'\n");
}

/* Ten lists of ten aliases each: nothing grows, the first anchor is the end of it. */
static void growing_aliases_stay_small(void **state)
{
    (void)state;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_puts(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 10; i++) {
        ldr_buf_printf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            ldr_buf_printf(&b, "%s*a%d", k ? ", " : "", i - 1);
        ldr_buf_puts(&b, "]\n");
    }
    struct ldr_arena a;
    struct ldr_def_file f = {"x.yaml", ldr_buf_slice(&b)};
    struct ldr_defs *d;
    struct ldr_problems p;
    ldr_arena_init(&a, NULL, 0);
    assert_int_equal(ldr_defs_load(&a, &f, 1, NULL, &d, &p), LDR_E_INVALID);
    assert_int_equal(p.n, LDR_PROBLEMS_MAX);
    assert_true(a.total < 1 << 20);
    ldr_arena_close(&a);
    ldr_buf_close(&b);
}

static void too_deep_and_too_big(void **state)
{
    (void)state;
    char deep[200];
    memset(deep, '[', sizeof deep);
    expect_lines(deep, sizeof deep, "x.yaml:1:33: found nesting deeper than 32, expected less\n");
    size_t n = LDR_DEF_FILE_MAX + 1;
    char *big = malloc(n);
    assert_non_null(big);
    memset(big, '#', n);
    expect_lines(big, n, "x.yaml:1:1: found a file of 16777217 bytes, expected at most 16777216\n");
    /* within the limit, but nothing but small values */
    for (size_t i = 0; i < 4 << 20; i++)
        big[i] = i ? i & 1 ? '1' : ',' : '[';
    expect_lines(big, 4 << 20, "x.yaml:1:2097152: found more than 1048576 values in one file\n");
    free(big);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(empty_files_are_fine),
        cmocka_unit_test(wrong_bytes),
        cmocka_unit_test(wrong_syntax),
        cmocka_unit_test(extras_are_refused),
        cmocka_unit_test(growing_aliases_stay_small),
        cmocka_unit_test(too_deep_and_too_big),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
