/* help: the same texts as --help; with --json the whole verb table, for pages and tools made from it. */
#include "ops/cli.h"
#include "ops/verbs.h"

static void json_options(struct ldr_json *j, const struct ldr_opt *o)
{
    ldr_json_array(j);
    for (; o && o->name; o++) {
        char letter[2] = {(char)o->letter, '\0'};
        ldr_json_object(j);
        ldr_json_key(j, "name");
        ldr_json_cstr(j, o->name);
        ldr_json_key(j, "letter");
        ldr_json_cstr(j, o->letter ? letter : NULL);
        ldr_json_key(j, "argument");
        ldr_json_cstr(j, o->arg);
        ldr_json_key(j, "help");
        ldr_json_cstr(j, o->help);
        ldr_json_object_end(j);
    }
    ldr_json_array_end(j);
}

static void json_verb(struct ldr_json *j, const struct ldr_verb *v)
{
    const struct {
        const char *key, *text;
    } texts[] = {{"name", v->name},       {"group", v->group}, {"synopsis", v->synopsis},
                 {"summary", v->summary}, {"text", v->text},   {"example", v->example}};
    ldr_json_object(j);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ldr_json_key(j, texts[i].key);
        ldr_json_cstr(j, texts[i].text);
    }
    ldr_json_key(j, "options");
    json_options(j, v->opts);
    ldr_json_object_end(j);
}

static int print_json(struct ldr_cli *c, const struct ldr_verb *only)
{
    struct ldr_buf b;
    struct ldr_json j;
    ldr_buf_init(&b, NULL, 0);
    for (size_t i = 0; ldr_verbs[i]; i++) {
        if (only && only != ldr_verbs[i])
            continue;
        ldr_json_init(&j, &b);
        json_verb(&j, ldr_verbs[i]);
        ldr_buf_putc(&b, '\n');
    }
    if (!only) {
        ldr_json_init(&j, &b);
        ldr_json_object(&j);
        ldr_json_key(&j, "global_options");
        json_options(&j, ldr_global_opts);
        ldr_json_object_end(&j);
        ldr_buf_putc(&b, '\n');
    }
    int rc = b.err;
    ldr_out_flush(&b);
    ldr_buf_close(&b);
    return rc ? ldr_cli_fail(c, rc, NULL) : LDR_EXIT_DONE;
}

static int run_help(struct ldr_cli *c)
{
    const struct ldr_verb *v = c->nargs ? ldr_verb_find(c->args[0]) : NULL;
    if (c->nargs && !v) {
        const char *near = ldr_suggest_verb(c->args[0]);
        c->verb = NULL;
        return near ? ldr_cli_usage(c, "no command '%s'; did you mean '%s'?", c->args[0], near)
                    : ldr_cli_usage(c, "no command '%s'", c->args[0]);
    }
    if (c->json)
        return print_json(c, v);
    if (v)
        ldr_help_verb(v, stdout);
    else
        ldr_help_overview(stdout);
    return LDR_EXIT_DONE;
}

const struct ldr_verb ldr_verb_help = {
    .name = "help",
    .group = "More",
    .synopsis = "[COMMAND]",
    .summary = "this overview, or all about one command",
    .text = "`larder COMMAND --help` shows the same. With --json: one object a command, and one with the "
            "options that\n"
            "every command takes.",
    .example = "larder help get-historical-features",
    .max_args = 1,
    .run = run_help,
};
