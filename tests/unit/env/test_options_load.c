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
    const char *config, *name;
    uint64_t n, m;
    bool flag;
};
static size_t table(void *config, struct ldr_option *out, size_t max)
{
    struct config *c = config;
    const struct ldr_option all[] = {{"config", LDR_OPTION_TEXT, &c->config, "FILE", "a file"},
                                     {"name", LDR_OPTION_TEXT, &c->name, "NAME", "a name"},
                                     {"n", LDR_OPTION_U64, &c->n, "N", "a number"},
                                     {"m", LDR_OPTION_U64, &c->m, "M", "another"},
                                     {"flag", LDR_OPTION_FLAG, &c->flag, NULL, "a flag"}};
    assert_true(max >= 5);
    memcpy(out, all, sizeof all);
    return 5;
}
static const struct ldr_options_of of = {sizeof(struct config), table};

static char path[] = "/tmp/larder-options-XXXXXX";
static struct ldr_arena arena;
static struct ldr_err err;

static int load(struct config *c, int argc, const char **argv)
{
    *c = (struct config){.name = "default", .n = 1, .m = 2};
    return ldr_options_load(&of, c, argc, (char **)(uintptr_t)argv, &arena, &err);
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
    assert_string_equal(c.config, path);
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

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {T(the_command_line_wins), T(what_is_wrong_is_named),
                                       T(a_file_has_a_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
