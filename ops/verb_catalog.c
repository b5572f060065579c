/* The catalog: what is declared, by whom, since when, and how it changed. */
#include "ops/cli.h"
#include "ops/verbs.h"

#define KINDS \
    "KIND is entities, sources, feature-views, features or feature-services; a feature is VIEW:FEATURE."

/* Prints what a call answered; takes the table. */
static int show(struct ldr_cli *c, int rc, const struct ldr_err *err, struct ldr_table *take_table,
                const char *none)
{
    if (rc)
        return ldr_cli_fail(c, rc, err);
    if (ldr_table_rows(take_table) == 0 && !c->json)
        ldr_cli_note(c, "%s", none);
    else
        rc = ldr_print_table(c, take_table);
    ldr_table_destroy(take_table);
    return rc ? ldr_cli_fail(c, rc, NULL) : LDR_EXIT_DONE;
}

static int run_list(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    int code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    int rc = ldr_list(s, c->args[0], &t, &err);
    ldr_close(s);
    return show(c, rc, &err, t, "None are declared.");
}

const struct ldr_verb ldr_verb_list = {
    .name = "list",
    .group = "Catalog",
    .synopsis = "KIND",
    .summary = "everything of one kind",
    .text = KINDS,
    .example = "larder list feature-views",
    .min_args = 1,
    .max_args = 1,
    .run = run_list,
};

static int print_fields(struct ldr_cli *c, const struct ldr_table *t)
{
    struct ldr_buf b;
    struct ldr_json j;
    struct ldr_grid *g = NULL;
    int rc = 0;
    ldr_buf_init(&b, NULL, 0);
    if (c->json) {
        ldr_json_init(&j, &b);
        ldr_fields_json(c, t, "field", "value", &j);
        rc = ldr_buf_putc(&b, '\n');
        ldr_out_flush(&b);
    } else if ((rc = ldr_grid_create(2, &g)) == 0) {
        for (size_t i = 0; i < ldr_table_rows(t); i++) {
            ldr_grid_cells(g, ldr_table_string(c, t, i, "field"));
            ldr_grid_cells(g, ldr_table_string(c, t, i, "value"));
        }
        rc = ldr_grid_print(g, stdout, false);
        ldr_grid_destroy(g);
    }
    ldr_buf_close(&b);
    return rc;
}

static int run_describe(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    uint64_t version = 0;
    const char *text = ldr_cli_opt(c, LDR_OPT_AT_VERSION);
    int code = text ? ldr_cli_u64(c, "--version", text, &version) : 0;
    if (code == 0)
        code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    int rc = ldr_describe(s, c->args[0], c->args[1], version, &t, &err);
    ldr_close(s);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    rc = print_fields(c, t);
    ldr_table_destroy(t);
    return rc ? ldr_cli_fail(c, rc, NULL) : LDR_EXIT_DONE;
}

static const struct ldr_opt describe_opts[] = {
    {"version", 0, "N", LDR_OPT_AT_VERSION, "as it was at version N of the registry (default: today)"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_describe = {
    .name = "describe",
    .group = "Catalog",
    .synopsis = "KIND NAME [--version N]",
    .summary = "all about one thing, today or at an earlier version",
    .text = KINDS,
    .example = "larder describe feature-views weather",
    .opts = describe_opts,
    .min_args = 2,
    .max_args = 2,
    .run = run_describe,
};

static int run_search(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    const char *tag = ldr_cli_opt(c, LDR_OPT_TAG), *value = NULL;
    if (tag) {
        const char *eq = strchr(tag, '=');
        if (!*tag || eq == tag)
            return ldr_cli_usage(c, "--tag: expected KEY=VALUE or KEY, found '%s'", tag);
        value = eq ? eq + 1 : NULL;
        tag = ldr_arena_strndup(&c->arena, tag, eq ? (size_t)(eq - tag) : strlen(tag));
        if (!tag)
            return ldr_cli_fail(c, LDR_E_NOMEM, NULL);
    }
    bool any = tag || ldr_cli_has(c, LDR_OPT_OWNER) || ldr_cli_has(c, LDR_OPT_PII);
    if (c->nargs == 0 && !any)
        return ldr_cli_usage(c, "what for? TEXT, --owner, --tag or --pii");
    int code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    int rc = ldr_search(s, c->nargs ? c->args[0] : NULL, ldr_cli_opt(c, LDR_OPT_OWNER), tag, value,
                        ldr_cli_has(c, LDR_OPT_PII), &t, &err);
    ldr_close(s);
    return show(c, rc, &err, t, "Nothing matches.");
}

static const struct ldr_opt search_opts[] = {
    {"owner", 0, "O", LDR_OPT_OWNER, "only what O owns"},
    {"tag", 0, "K=V", LDR_OPT_TAG, "only what has the tag K with the value V; K alone: with any value"},
    {"pii", 0, NULL, LDR_OPT_PII, "only features that are marked as personal data"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_search = {
    .name = "search",
    .group = "Catalog",
    .synopsis = "TEXT [--owner O] [--tag K=V] [--pii]",
    .summary = "find things by words in their names, descriptions, tags, owners",
    .text = "Every word must match somewhere; whole names come first. TEXT may be left out when a filter is "
            "given.",
    .example = "larder search \"wind speed\"\nlarder search --tag tier=gold",
    .opts = search_opts,
    .max_args = 1,
    .run = run_search,
};

static int run_versions(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    int code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    int rc = ldr_versions(s, c->args[0], c->args[1], &t, &err);
    ldr_close(s);
    return show(c, rc, &err, t, "No versions.");
}

const struct ldr_verb ldr_verb_versions = {
    .name = "versions",
    .group = "Catalog",
    .synopsis = "KIND NAME",
    .summary = "every version of one thing, and what changed",
    .text = KINDS "\nNumbers are versions of the registry; `describe --version N` and `diff` take them.",
    .example = "larder versions feature-views weather",
    .min_args = 2,
    .max_args = 2,
    .run = run_versions,
};

static int run_diff(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    uint64_t a = 0, b = 0;
    int code = ldr_cli_u64(c, "A", c->args[2], &a);
    if (code == 0)
        code = ldr_cli_u64(c, "B", c->args[3], &b);
    if (code == 0)
        code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    int rc = ldr_diff(s, c->args[0], c->args[1], a, b, &t, &err);
    ldr_close(s);
    return show(c, rc, &err, t, "No difference.");
}

const struct ldr_verb ldr_verb_diff = {
    .name = "diff",
    .group = "Catalog",
    .synopsis = "KIND NAME A B",
    .summary = "how one thing differs between two versions",
    .text = KINDS "\n`larder versions` shows the numbers.",
    .example = "larder diff feature-views weather 1 2",
    .min_args = 4,
    .max_args = 4,
    .run = run_diff,
};
