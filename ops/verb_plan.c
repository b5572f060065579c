/* plan and apply: the difference between the definitions and the registry, shown or made so. */
#include "ops/cli.h"
#include "ops/plan_out.h"
#include "ops/verbs.h"

/* The registry to look at: the store's, or an empty one when there is no store yet, so that looking makes
 * nothing. */
struct look {
    struct ldr_store *store;
    struct ldr_scratch scratch;
    bool fresh;
};

static int look_open(struct ldr_cli *c, struct look *l)
{
    struct ldr_open_opts opts;
    struct ldr_err err = {0};
    const char *url = NULL;
    *l = (struct look){0};
    int rc = ldr_cli_store_url(c, &url, &err);
    if (rc == 0) {
        ldr_cli_open_opts(c, &opts);
        opts.must_exist = true;
        rc = ldr_open(url, &opts, &l->store, &err);
        if (rc == 0)
            return 0;
        if (rc != LDR_E_NOT_FOUND) {
            ldr_cli_fail(c, rc, &err);
            return rc == LDR_E_INVALID ? LDR_EXIT_USAGE : LDR_EXIT_REFUSED;
        }
    } else if (rc != LDR_E_INVALID) {
        return ldr_cli_fail(c, rc, &err);
    }
    /* definitions that cannot be read are told by the plan, with all their problems */
    l->fresh = true;
    rc = ldr_scratch_open(c, &l->scratch, &err);
    l->store = l->scratch.store;
    return rc ? ldr_cli_fail(c, rc, &err) : 0;
}

static void look_close(struct look *l)
{
    if (l->fresh)
        ldr_scratch_close(&l->scratch);
    else if (l->store)
        ldr_close(l->store);
    l->store = NULL;
}

static int run_plan(struct ldr_cli *c)
{
    struct look l;
    struct ldr_plan_result r = {.done = false};
    struct ldr_err err = {0};
    int code = look_open(c, &l);
    if (code)
        return code;
    r.rc = ldr_plan(l.store, c->dir, &r.changes, &r.count, &r.version, &r.problems, &err);
    look_close(&l);
    r.err = &err;
    code = ldr_plan_print(c, &r);
    ldr_table_destroy(r.changes);
    ldr_table_destroy(r.problems);
    if (code)
        return code;
    return r.count ? LDR_EXIT_CHANGES : LDR_EXIT_DONE;
}

/* A store is made only for definitions that can be applied. */
static int check_first(struct ldr_cli *c)
{
    struct look l;
    struct ldr_plan_result r = {.done = true};
    struct ldr_err err = {0};
    int code = look_open(c, &l);
    if (code)
        return code;
    if (l.fresh) {
        r.rc = ldr_plan(l.store, c->dir, &r.changes, &r.count, &r.version, &r.problems, &err);
        r.err = &err;
        if (r.rc)
            code = ldr_plan_print(c, &r);
    }
    look_close(&l);
    ldr_table_destroy(r.changes);
    ldr_table_destroy(r.problems);
    return code;
}

static int run_apply(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_plan_result r = {.done = true};
    struct ldr_err err = {0};
    uint64_t expect = UINT64_MAX;
    const char *text = ldr_cli_opt(c, LDR_OPT_EXPECT_VERSION);
    int code = text ? ldr_cli_u64(c, "--expect-version", text, &expect) : 0;
    if (code == 0)
        code = check_first(c);
    if (code == 0)
        code = ldr_cli_open(c, LDR_OPEN_CREATE, &s);
    if (code)
        return code;
    r.rc = ldr_apply(s, c->dir, expect, &r.changes, &r.count, &r.version, &r.problems, &err);
    r.err = &err;
    ldr_close(s);
    code = ldr_plan_print(c, &r);
    ldr_table_destroy(r.changes);
    ldr_table_destroy(r.problems);
    return code;
}

const struct ldr_verb ldr_verb_plan = {
    .name = "plan",
    .group = "Define",
    .synopsis = "",
    .summary = "show what apply would change",
    .text =
        "Reads every *.yaml below --dir and compares it with the registry of the store. Nothing is changed, "
        "and no\n"
        "store is made. `+` is added, `~` changed, `-` removed.\n"
        "Things that the files do not mention stay; `larder delete` removes them.\n"
        "Exits 0 when there is nothing to do, 10 when there are changes, 2 when a file is wrong (each "
        "mistake as\n"
        "file:line:column), 3 when a change would be refused.",
    .example = "larder plan --dir features/",
    .run = run_plan,
};

static const struct ldr_opt apply_opts[] = {
    {"expect-version", 0, "N", LDR_OPT_EXPECT_VERSION,
     "refuse unless the registry is at version N (as `plan` showed it):\n"
     "nobody else's change is stepped on"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_apply = {
    .name = "apply",
    .group = "Define",
    .synopsis = "[--expect-version N]",
    .summary = "make the registry as the definitions say",
    .text = "All of it or nothing. Makes the store when there is none yet. Every change is a new version; "
            "old ones stay\n"
            "readable (`larder versions`). Changing a feature's type, or what a view is keyed by, is "
            "refused: stored\n"
            "facts would no longer fit.",
    .example = "larder apply --dir features/",
    .opts = apply_opts,
    .run = run_apply,
};
