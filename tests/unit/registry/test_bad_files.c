/* Files that are wrong in one way each: the message must say so, word for word. tests/defs/bad holds
 * NAME.yaml and NAME.expect, the first line that a user should see. */
#include "unit/registry/defs_text.h"

#include <dirent.h>

static void check_file(const char *name)
{
    char path[512], expect_path[512];
    size_t n, m;
    int stem = (int)(strlen(name) - strlen(".yaml"));
    snprintf(path, sizeof path, "defs/bad/%s", name);
    snprintf(expect_path, sizeof expect_path, "defs/bad/%.*s.expect", stem, name);
    char *yaml = test_file(path, &n), *expect = test_file(expect_path, &m);
    struct ldr_arena a;
    struct ldr_def_file file = {name, ldr_slice(yaml, n)};
    struct ldr_defs *d;
    struct ldr_problems problems;
    ldr_arena_init(&a, NULL, 0);
    assert_int_equal(ldr_defs_load(&a, &file, 1, NULL, &d, &problems), LDR_E_INVALID);
    assert_null(d);
    assert_true(problems.n >= 1);
    problems.n = 1;
    assert_string_equal(problem_lines(&a, &problems), expect);
    ldr_arena_close(&a);
    free(yaml);
    free(expect);
}

static void bad_files_say_what_is_wrong(void **state)
{
    (void)state;
    char folder[4096];
    const char *here = __FILE__, *cut = strstr(here, "unit/registry/");
    assert_non_null(cut);
    snprintf(folder, sizeof folder, "%.*sdefs/bad", (int)(cut - here), here);
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    uint32_t seen = 0;
    for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
        size_t n = strlen(e->d_name);
        if (n < 6 || strcmp(e->d_name + n - 5, ".yaml") != 0)
            continue;
        check_file(e->d_name);
        seen++;
    }
    closedir(dir);
    assert_true(seen >= 25);
}

static void all_bad_files_at_once(void **state)
{
    (void)state;
    static const char *const names[] = {"bad_name.yaml", "unknown_type.yaml", "unknown_key.yaml"};
    struct ldr_def_file files[3];
    char *texts[3];
    struct ldr_arena a;
    struct ldr_defs *d;
    struct ldr_problems problems;
    ldr_arena_init(&a, NULL, 0);
    for (uint32_t i = 0; i < 3; i++) {
        char path[512];
        size_t n;
        snprintf(path, sizeof path, "defs/bad/%s", names[i]);
        texts[i] = test_file(path, &n);
        files[i] = (struct ldr_def_file){names[i], ldr_slice(texts[i], n)};
    }
    assert_int_equal(ldr_defs_load(&a, files, 3, NULL, &d, &problems), LDR_E_INVALID);
    assert_string_equal(
        problem_lines(&a, &problems),
        "bad_name.yaml:2:11: found 'air-port', expected the name of an entity: a letter or _, then letters, "
        "digits or "
        "_, at most 128 in all\n"
        "unknown_key.yaml:4:5: found unknown key 'desciption' in an entity; did you mean 'description'?\n"
        "unknown_type.yaml:2:11: found entity 'airport' again, first declared at unknown_key.yaml:2:11\n"
        "unknown_type.yaml:9:15: found 'flaot64', expected one of bool int32 int64 float32 float64 string "
        "bytes "
        "timestamp, or list<T> of one of them; did you mean 'float64'?\n");
    ldr_arena_close(&a);
    for (uint32_t i = 0; i < 3; i++)
        free(texts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_files_say_what_is_wrong),
        cmocka_unit_test(all_bad_files_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
