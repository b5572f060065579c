/* materialize: the declared sources of the views, for a range of event times. */
#include "ops/cli.h"
#include "ops/load_out.h"
#include "ops/python.h"
#include "ops/verbs.h"

static void print_json(const struct ldr_write_report *total, const struct ldr_table *t)
{
    struct ldr_buf b;
    struct ldr_json j;
    ldr_buf_init(&b, NULL, 0);
    ldr_json_init(&j, &b);
    ldr_json_object(&j);
    ldr_load_json(total, &j);
    ldr_json_key(&j, "views");
    ldr_json_array(&j);
    for (size_t i = 0; t && i < ldr_table_rows(t); i++)
        ldr_table_row_json(t, i, &j);
    ldr_json_array_end(&j);
    ldr_json_object_end(&j);
    ldr_buf_putc(&b, '\n');
    ldr_out_flush(&b);
    ldr_buf_close(&b);
}

static int print_people(struct ldr_cli *c, const struct ldr_write_report *total, const struct ldr_table *t)
{
    char taken[32], rate[LDR_LOAD_RATE];
    int rc = ldr_print_table(c, t);
    ldr_text_count(total->taken, taken);
    ldr_load_rate(total, rate);
    ldr_cli_say(c, "%s row%s taken; %s", taken, ldr_plural(total->taken), rate);
    return rc;
}

static int finish(struct ldr_cli *c, int rc, const struct ldr_err *err, const struct ldr_write_report *total,
                  const struct ldr_table *t)
{
    int code = 0;
    if (rc)
        code = ldr_load_stopped(c, rc, err, total);
    else if (c->json)
        print_json(total, t);
    else if (!c->quiet && t && (rc = print_people(c, total, t)) != 0)
        code = ldr_cli_fail(c, rc, NULL);
    ldr_load_warn(c, total, total->rejected ? "FILE.rejects.csv beside each source file" : NULL);
    return code ? code : total->rejected ? LDR_EXIT_PARTLY : LDR_EXIT_DONE;
}

static int materialize(struct ldr_cli *c, struct ldr_materialize *m)
{
    struct ldr_store *s = NULL;
    struct ldr_write_report total = {0};
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    struct ldr_job job;
    m->dir = c->dir;
    if (ldr_cli_list(c, LDR_OPT_VIEW, true, &m->views, &m->nviews))
        return ldr_cli_usage(c, "-v: an empty name in the list");
    int code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    ldr_job_begin(&job, c);
    int rc = ldr_materialize(s, m, &job.work, &total, &t, &err);
    ldr_job_end(&job);
    ldr_close(s);
    if (rc == LDR_E_UNSUPPORTED) /* a source is Parquet; nothing has been read yet */
        return ldr_python_run(c, &ldr_python_parquet);
    code = finish(c, rc, &err, &total, t);
    ldr_table_destroy(t);
    return code;
}

static int run_materialize(struct ldr_cli *c)
{
    struct ldr_materialize m = {0};
    int code = ldr_cli_time_text(c, "START", c->args[0], &m.start_us);
    if (code == 0)
        code = ldr_cli_time_text(c, "END", c->args[1], &m.end_us);
    if (code == 0 && m.start_us > m.end_us)
        code = ldr_cli_usage(c, "START %s is after END %s", c->args[0], c->args[1]);
    return code ? code : materialize(c, &m);
}

static int run_incremental(struct ldr_cli *c)
{
    struct ldr_materialize m = {.incremental = true};
    int code = ldr_cli_time_text(c, "END", c->args[0], &m.end_us);
    return code ? code : materialize(c, &m);
}

static const struct ldr_opt opts[] = {
    {"view", 'v', "VIEW", LDR_OPT_VIEW, "only this view; may be repeated (default: all that have a source)"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_materialize = {
    .name = "materialize",
    .group = "Load",
    .synopsis = "START END [-v VIEW]...",
    .summary = "load the views' declared sources for a range of event times",
    .text = "Reads the files that each view's source names and takes the rows with START <= event time <= "
            "END, both ends\n"
            "inclusive. A bare date is midnight UTC. Rows that are known already change nothing, so ranges "
            "may overlap.",
    .example = "larder materialize 2013-01-01 2013-01-31T23:59:59Z -v weather",
    .opts = opts,
    .min_args = 2,
    .max_args = 2,
    .run = run_materialize,
};

const struct ldr_verb ldr_verb_materialize_incremental = {
    .name = "materialize-incremental",
    .group = "Load",
    .synopsis = "END [-v VIEW]...",
    .summary = "load what came since the last time, up to END",
    .text = "Goes on where the last materialize of each view ended, and still takes rows that arrived late "
            "with older event\n"
            "times.",
    .example = "larder materialize-incremental 2013-02-28T23:59:59Z",
    .opts = opts,
    .min_args = 1,
    .max_args = 1,
    .run = run_incremental,
};
