/* init: an example project that runs. */
#include "ops/cli.h"
#include "ops/templates.h"
#include "ops/verbs.h"

/* A word as a shell takes it. */
static const char *shell_word(struct ldr_cli *c, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-+=:,@%";
    struct ldr_buf b;
    if (*text && text[strspn(text, plain)] == '\0')
        return text;
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_putc(&b, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            ldr_buf_puts(&b, "'\\''");
        else
            ldr_buf_putc(&b, *text);
    }
    ldr_buf_putc(&b, '\'');
    const char *copy = ldr_arena_strndup(&c->arena, ldr_buf_cstr(&b), b.n);
    ldr_buf_close(&b);
    return copy ? copy : "";
}

static void put_steps(struct ldr_cli *c, const char *text, struct ldr_buf *out)
{
    static const char mark[] = "@larder@";
    const char *line = strchr(text, '\n'), *at;
    for (line = line ? line + 1 : ""; (at = strstr(line, mark)) != NULL; line = at + strlen(mark)) {
        ldr_buf_put(out, line, (size_t)(at - line));
        ldr_buf_puts(out, shell_word(c, c->program));
    }
    ldr_buf_puts(out, line);
}

static int unknown_template(struct ldr_cli *c, const char *templates, const char *name)
{
    size_t n = 0;
    const char **names = ldr_template_names(c, templates, &n);
    const char *near = ldr_suggest_word(name, names, n);
    ldr_cli_usage(c, "no template '%s'%s%s%s", name, near ? "; did you mean '" : "", near ? near : "",
                  near ? "'?" : "");
    fputs("Templates:\n", stderr);
    for (size_t i = 0; i < n; i++) {
        const char *text = ldr_template_text(c, templates, names[i]);
        fprintf(stderr, "  %-10s %.*s\n", names[i], (int)strcspn(text, "\n"), text);
    }
    return LDR_EXIT_USAGE;
}

static void print_json(const char *dir, const char *name, size_t files)
{
    struct ldr_buf b;
    struct ldr_json j;
    ldr_buf_init(&b, NULL, 0);
    ldr_json_init(&j, &b);
    ldr_json_object(&j);
    ldr_json_key(&j, "dir");
    ldr_json_cstr(&j, dir);
    ldr_json_key(&j, "template");
    ldr_json_cstr(&j, name);
    ldr_json_key(&j, "files");
    ldr_json_i64(&j, (int64_t)files);
    ldr_json_object_end(&j);
    ldr_buf_putc(&b, '\n');
    ldr_out_flush(&b);
    ldr_buf_close(&b);
}

static int run_init(struct ldr_cli *c)
{
    const char *dir = c->args[0], *name = ldr_cli_opt(c, LDR_OPT_TEMPLATE);
    const char *templates = ldr_templates_dir(c);
    struct ldr_buf steps;
    size_t files = 0;
    name = name ? name : "flights";
    if (!templates)
        return ldr_cli_error(c, LDR_EXIT_REFUSED,
                             "the templates are not installed; LARDER_TEMPLATES names their folder");
    const char *text = ldr_template_text(c, templates, name);
    if (!text)
        return unknown_template(c, templates, name);
    const char *from = ldr_arena_printf(&c->arena, "%s/%s", templates, name);
    int code = from ? ldr_template_copy(c, from, dir, &files) : ldr_cli_fail(c, LDR_E_NOMEM, NULL);
    if (code)
        return code;
    if (c->json) {
        print_json(dir, name, files);
        return LDR_EXIT_DONE;
    }
    ldr_buf_init(&steps, NULL, 0);
    put_steps(c, text, &steps);
    ldr_cli_say(c, "%s: %.*s\n%zu files. Next:\n\n  cd %s\n%s", dir, (int)strcspn(text, "\n"), text, files,
                shell_word(c, dir), ldr_buf_cstr(&steps));
    ldr_buf_close(&steps);
    return LDR_EXIT_DONE;
}

static const struct ldr_opt opts[] = {
    {"template", 0, "NAME", LDR_OPT_TEMPLATE,
     "flights (default): real flights and weather, 2 months;\n"
     "churn: generated customers; minimal: ten rows to read"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_init = {
    .name = "init",
    .group = "Start",
    .synopsis = "DIR [--template NAME]",
    .summary = "make an example project that runs: definitions, small data, next steps",
    .text = "DIR is made, or must be empty.",
    .example = "larder init flights\nlarder init try --template minimal",
    .opts = opts,
    .min_args = 1,
    .max_args = 1,
    .run = run_init,
};
