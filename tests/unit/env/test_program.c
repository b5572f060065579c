/* A file that the command line names, and the command line over it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "env/env.h"

struct config {
    struct ldr_told told;
    const char *name;
    uint64_t n, m;
    bool flag;
};
static size_t options(void *config, struct ldr_option out[LDR_PROGRAM_OPTIONS])
{
    struct config *c = config;
    const struct ldr_option all[] = {{"name", LDR_OPTION_TEXT, &c->name, "NAME", "a name"},
                                     {"n", LDR_OPTION_U64, &c->n, "N", "a number"},
                                     {"m", LDR_OPTION_U64, &c->m, "M", "another"},
                                     {"flag", LDR_OPTION_FLAG, &c->flag, NULL, "a flag"}};
    memcpy(out, all, sizeof all);
    return 4;
}
static int check(void *config, struct ldr_err *err)
{
    struct config *c = config;
    return c->n == 13 ? ldr_fail(err, LDR_E_INVALID, "n: found 13, expected luck") : 0;
}
static int run(void *config)
{
    return (int)((struct config *)config)->n;
}
static const struct ldr_program program = {
    "a-program", "usage: a-program\n\n", sizeof(struct config), options, check, run};

static char path[] = "/tmp/larder-options-XXXXXX";
static struct ldr_arena arena; /* of the last load */
static struct ldr_err err;

static int load(struct config *c, int argc, const char **argv)
{
    ldr_arena_close(&arena);
    ldr_arena_init(&arena, NULL, 0);
    *c = (struct config){.told.arena = arena, .name = "default", .n = 1, .m = 2};
    int rc = ldr_program_configure(&program, c, argc, (char **)(uintptr_t)argv, &err);
    arena = c->told.arena;
    return rc;
}
static void write_file(const char *text, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}
static int setup(void **state)
{
    (void)state;
    ldr_arena_init(&arena, NULL, 0);
    memcpy(path + sizeof path - 7, "XXXXXX", 6);
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}
static int teardown(void **state)
{
    (void)state;
    ldr_arena_close(&arena);
    return unlink(path);
}

static void the_command_line_wins(void **state)
{
    static const char text[] = "name: file\nn: 7 # seven\nflag: true\n";
    const char *argv[] = {"x", "--n", "9", "--config", path};
    struct config c;
    (void)state;
    write_file(text, sizeof text - 1);
    assert_int_equal(load(&c, 5, argv), 0);
    assert_string_equal(c.name, "file");
    assert_int_equal(c.n, 9);
    assert_int_equal(c.m, 2); /* neither says anything of it */
    assert_true(c.flag);
    assert_string_equal(c.told.config, path);
    assert_int_equal(load(&c, 1, argv), 0); /* no file */
    assert_string_equal(c.name, "default");
}

static void what_is_wrong_is_named(void **state)
{
    const char *wrong[] = {"x", "--config", path}, *nowhere[] = {"x", "--config", "/nowhere/at/all"},
               *unknown[] = {"x", "--what"};
    struct config c;
    (void)state;
    write_file("n: 1\nwhat: 2\n", 13);
    assert_int_equal(load(&c, 3, wrong), LDR_E_INVALID);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, "what"));
    assert_int_equal(load(&c, 3, nowhere), LDR_E_INVALID);
    assert_non_null(strstr(err.message, "/nowhere/at/all"));
    assert_int_equal(load(&c, 2, unknown), LDR_E_INVALID);
    assert_non_null(strstr(err.message, "what"));
}

static void a_file_has_a_limit(void **state)
{
    size_t n = ((size_t)1 << 20) + 1;
    const char *argv[] = {"x", "--config", path};
    struct config c;
    char *text = malloc(n);
    (void)state;
    assert_non_null(text);
    memset(text, '#', n);
    write_file(text, n - 1);
    assert_int_equal(load(&c, 3, argv), 0);
    write_file(text, n);
    assert_int_equal(load(&c, 3, argv), LDR_E_INVALID);
    assert_non_null(strstr(err.message, "cannot read"));
    free(text);
}

static int outcome(int argc, const char **argv)
{
    struct config c = {.name = "default", .n = 1, .m = 2};
    return ldr_program_main(&program, &c, argc, (char **)(uintptr_t)argv);
}
static void a_program_ends_with_what_it_was_told(void **state)
{
    const char *runs[] = {"x", "--n", "9"}, *checks[] = {"x", "--n", "9", "--check-config"},
               *wrong[] = {"x", "--n", "13"}, *unknown[] = {"x", "--what"},
               *helps[] = {"x", "--n", "13", "--help"}, *version[] = {"x", "--version"};
    (void)state;
    assert_int_equal(outcome(1, runs), 1);
    assert_int_equal(outcome(3, runs), 9);
    assert_int_equal(outcome(4, checks), 0); /* it does not run */
    assert_int_equal(outcome(3, wrong), 2);
    assert_int_equal(outcome(2, unknown), 2);
    assert_int_equal(outcome(4, helps), 0); /* whatever else is wrong */
    assert_int_equal(outcome(2, version), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {T(the_command_line_wins), T(what_is_wrong_is_named),
                                       T(a_file_has_a_limit), T(a_program_ends_with_what_it_was_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
