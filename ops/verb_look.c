/* stats and scan: looking at the stored facts themselves. */
#include "ops/cli.h"
#include "ops/verbs.h"

static int read_range(struct ldr_cli *c, bool *has_from, int64_t *from, bool *has_to, int64_t *to)
{
    int code = ldr_cli_time(c, LDR_OPT_FROM, "--from", has_from, from);
    if (code == 0)
        code = ldr_cli_time(c, LDR_OPT_TO, "--to", has_to, to);
    if (code == 0 && *has_from && *has_to && *from > *to)
        code = ldr_cli_usage(c, "--from is after --to");
    return code;
}

static int run_stats(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    struct ldr_job job;
    bool has_from = false, has_to = false;
    int64_t from = LDR_TIME_MIN_US, to = LDR_TIME_MAX_US;
    int code = read_range(c, &has_from, &from, &has_to, &to);
    if (code == 0)
        code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    ldr_job_begin(&job, c);
    int rc = ldr_stats(s, c->args[0], from, to, &job.work, &t, &err);
    ldr_job_end(&job);
    ldr_close(s);
    if (rc == 0)
        rc = ldr_print_table(c, t);
    ldr_table_destroy(t);
    return rc ? ldr_cli_fail(c, rc, &err) : LDR_EXIT_DONE;
}

static const struct ldr_opt stats_opts[] = {
    {"from", 0, "TS", LDR_OPT_FROM, "only event times at or after TS"},
    {"to", 0, "TS", LDR_OPT_TO, "only event times at or before TS"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_stats = {
    .name = "stats",
    .group = "Look",
    .synopsis = "VIEW [--from TS] [--to TS]",
    .summary = "counts, nulls, ranges, quantiles and frequent values of each feature",
    .text = "Over all facts of the view, old and new. Distinct values, quantiles and the most frequent "
            "values are\n"
            "approximate; the rest is exact.",
    .example = "larder stats weather --from 2013-01-01 --to 2013-01-31T23:59:59Z",
    .opts = stats_opts,
    .min_args = 1,
    .max_args = 1,
    .run = run_stats,
};

static bool is_json_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (strcmp(dot, ".json") == 0 || strcmp(dot, ".jsonl") == 0 || strcmp(dot, ".ndjson") == 0);
}

/* The entity, when one is named: the keys and their types are the view's. */
static int read_entity(struct ldr_cli *c, struct ldr_store *s, struct ldr_scan *sc)
{
    struct ldr_query_spec spec = {.features = &sc->view, .nfeatures = 1, .full_names = true};
    struct ldr_query *q = NULL;
    struct ldr_keys k = {0};
    struct ldr_err err = {0};
    if (!ldr_cli_has(c, LDR_OPT_ENTITY))
        return 0;
    int rc = ldr_query_create(s, &spec, &q, &err);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    int code = ldr_keys_of_query(c, q, &k);
    if (code == 0)
        code = ldr_keys_parse(c, &k);
    for (size_t i = 0; code == 0 && i < k.n; i++) {
        k.names[i] = ldr_arena_strndup(&c->arena, k.names[i], strlen(k.names[i]));
        if (!k.names[i])
            code = ldr_cli_fail(c, LDR_E_NOMEM, NULL);
    }
    ldr_query_destroy(q);
    sc->key_names = k.names;
    sc->key_values = k.values;
    sc->nkeys = k.n;
    return code;
}

static int scan(struct ldr_cli *c, struct ldr_store *s, const struct ldr_scan *sc)
{
    struct ldr_err err = {0};
    struct ldr_job job;
    uint64_t rows = 0;
    char n[32];
    fflush(stdout);
    ldr_job_begin(&job, c);
    int rc = ldr_scan_to_file(s, sc, &job.work, &rows, &err);
    ldr_job_end(&job);
    if (rc == LDR_E_CANCELLED)
        return ldr_cli_error(c, ldr_exit_of(rc, &err), "stopped");
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    ldr_text_count(rows, n);
    if (sc->output_path)
        ldr_cli_note(c, "%s fact%s written to %s", n, ldr_plural(rows), sc->output_path);
    if (sc->output_path && c->json)
        printf("{\"rows\":%llu}\n", (unsigned long long)rows);
    return LDR_EXIT_DONE;
}

static int run_scan(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_scan sc = {.view = c->args[0], .output_path = ldr_cli_opt(c, LDR_OPT_OUTPUT)};
    if (sc.output_path && strcmp(sc.output_path, "-") == 0)
        sc.output_path = NULL;
    sc.json = sc.output_path ? is_json_name(sc.output_path) : c->json;
    int code = read_range(c, &sc.has_from, &sc.from_us, &sc.has_to, &sc.to_us);
    if (code == 0)
        code = ldr_cli_fresh(c, &sc.fresh);
    if (code == 0)
        code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    code = read_entity(c, s, &sc);
    if (code == 0)
        code = scan(c, s, &sc);
    ldr_close(s);
    return code;
}

static const struct ldr_opt scan_opts[] = {
    {"entity", 'e', "KEY=VALUE", LDR_OPT_ENTITY, "only this entity; repeat it for every part of its key"},
    {"from", 0, "TS", LDR_OPT_FROM, "only event times at or after TS"},
    {"to", 0, "TS", LDR_OPT_TO, "only event times at or before TS"},
    LDR_OPTS_FRESH,
    {"output", 'o', "FILE", LDR_OPT_OUTPUT,
     "write to FILE: JSON lines when it ends in .json, .jsonl or\n.ndjson, else CSV"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_scan = {
    .name = "scan",
    .group = "Look",
    .synopsis = "VIEW [-e KEY=VALUE...] [--from TS] [--to TS] [--strict | --any-lag] [-o FILE]",
    .summary = "the history of a view as CSV, by entity, event time and created time",
    .text = "What comes out can go back in with `larder ingest`. With --json: one fact a line.",
    .example = "larder scan weather -e origin=JFK --from 2013-01-01 --to 2013-01-02",
    .opts = scan_opts,
    .min_args = 1,
    .max_args = 1,
    .run = run_scan,
};
