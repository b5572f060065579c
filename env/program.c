#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "env/env.h"

#define FILE_MAX ((size_t)1 << 20)

enum { TOLD_FIRST = 1, TOLD_LAST = 5, OPTIONS_ALL = TOLD_FIRST + LDR_PROGRAM_OPTIONS + TOLD_LAST };

static size_t table(const struct ldr_program *p, void *config, struct ldr_option out[OPTIONS_ALL])
{
    struct ldr_told *t = config;
    const struct ldr_option last[TOLD_LAST] = {
        {"log-format", LDR_OPTION_TEXT, &t->log_format, "FORMAT", "text or json (default text)"},
        {"log-level", LDR_OPTION_TEXT, &t->log_level, "LEVEL", "debug, info, warn or error (default info)"},
        {"check-config", LDR_OPTION_FLAG, &t->check_config, NULL, "say whether all this is right, and end"},
        {"help", LDR_OPTION_FLAG, &t->help, NULL, "show this"},
        {"version", LDR_OPTION_FLAG, &t->version, NULL, "show the version"},
    };
    out[0] = (struct ldr_option){"config", LDR_OPTION_TEXT, &t->config, "FILE",
                                 "read options from FILE; those given here win"};
    size_t n = TOLD_FIRST + p->options(config, out + TOLD_FIRST);
    LDR_ASSERT(n <= TOLD_FIRST + LDR_PROGRAM_OPTIONS);
    memcpy(out + n, last, sizeof last);
    return n + TOLD_LAST;
}

static int read_file(const char *path, struct ldr_buf *out, struct ldr_err *err)
{
    FILE *f = fopen(path, "rb");
    if (!f)
        return ldr_fail(err, LDR_E_INVALID, "cannot open %s: %s", path, strerror(errno));
    char piece[4096];
    while (!feof(f) && !ferror(f) && !out->err)
        ldr_buf_put(out, piece, fread(piece, 1, sizeof piece, f));
    bool bad = ferror(f) != 0;
    fclose(f);
    return bad || out->err ? ldr_fail(err, LDR_E_INVALID, "cannot read %s", path) : 0;
}

int ldr_program_configure(const struct ldr_program *p, void *config, int argc, char **argv,
                          struct ldr_err *err)
{
    struct ldr_option options[OPTIONS_ALL];
    struct ldr_arena scratch;
    struct ldr_buf text;
    struct ldr_told *told = config;
    ldr_arena_init(&scratch, NULL, 4096);
    ldr_buf_init(&text, NULL, FILE_MAX);
    struct ldr_told *first = ldr_arena_calloc(&scratch, 1, p->size);
    int rc = first ? 0 : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!rc)
        rc = ldr_options_args(options, table(p, first, options), argc, argv, &scratch, err);
    const char *path = rc ? NULL : first->config;
    if (path)
        rc = read_file(path, &text, err);
    size_t n = table(p, config, options);
    if (path && !rc)
        rc = ldr_options_file(options, n, path, ldr_buf_slice(&text), &told->arena, err);
    if (!rc)
        rc = ldr_options_args(options, n, argc, argv, &told->arena, err);
    if (!rc && !told->help && !told->version)
        rc = p->check(config, err);
    ldr_buf_close(&text);
    ldr_arena_close(&scratch);
    return rc;
}

static int help(const struct ldr_program *p, void *config)
{
    struct ldr_option options[OPTIONS_ALL];
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_puts(&b, p->about);
    int rc = ldr_options_help(options, table(p, config, options), &b);
    if (!rc)
        fputs(ldr_buf_cstr(&b), stdout);
    ldr_buf_close(&b);
    return rc ? 1 : 0;
}

int ldr_program_main(const struct ldr_program *p, void *config, int argc, char **argv)
{
    struct ldr_told *told = config;
    struct ldr_err err;
    int code = 0;
#ifdef LARDER_FAULTS
    const char *bug = getenv("LARDER_BUG"); /* test builds: is it noticed? */
    if (bug && !ldr_bug_switch(bug)) {
        fprintf(stderr, "%s: LARDER_BUG=%s: no such planted bug\n", p->name, bug);
        return 2;
    }
#endif
    signal(SIGPIPE, SIG_IGN);
    told->log_format = "text";
    told->log_level = "info";
    ldr_arena_init(&told->arena, NULL, 4096);
    if (ldr_program_configure(p, config, argc, argv, &err)) {
        fprintf(stderr, "%s: %s\n", p->name, err.message);
        code = 2;
    } else if (told->help) {
        code = help(p, config);
    } else if (told->version) {
        printf("%s " LARDER_VERSION "\n", p->name);
    } else if (told->check_config) {
        puts("the configuration is right");
    } else {
        code = p->run(config);
    }
    ldr_arena_close(&told->arena);
    return code;
}
