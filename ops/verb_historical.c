/* get-historical-features: a training set, each spine row with the values as of its moment. */
#include "ops/cli.h"
#include "ops/verbs.h"

static bool is_json_name(const char *path)
{
    static const char *const ends[] = {".json", ".jsonl", ".ndjson"};
    size_t n = strlen(path);
    for (size_t i = 0; i < 3; i++) {
        size_t m = strlen(ends[i]);
        if (n >= m && strcmp(path + n - m, ends[i]) == 0)
            return true;
    }
    return false;
}

static int read_options(struct ldr_cli *c, struct ldr_historical_file *f)
{
    f->spine_path = ldr_cli_opt(c, LDR_OPT_SPINE);
    f->output_path = ldr_cli_opt(c, LDR_OPT_OUTPUT);
    f->timestamp_column = ldr_cli_opt(c, LDR_OPT_TIMESTAMP_COLUMN);
    f->known_at_column = ldr_cli_opt(c, LDR_OPT_KNOWN_AT_COLUMN);
    f->with_timestamps = ldr_cli_has(c, LDR_OPT_WITH_TIMESTAMPS);
    f->with_status = ldr_cli_has(c, LDR_OPT_WITH_STATUS);
    if (f->output_path && strcmp(f->output_path, "-") == 0)
        f->output_path = NULL;
    f->json = f->output_path ? is_json_name(f->output_path) : c->json;
    if (!f->spine_path)
        return ldr_cli_usage(c, "which rows? --spine FILE");
    int code = ldr_cli_time(c, LDR_OPT_KNOWN_AT, "--known-at", &f->has_known_at, &f->known_at_us);
    if (code == 0 && f->has_known_at && f->known_at_column)
        code = ldr_cli_usage(c, "--known-at and --known-at-column exclude each other");
    if (code == 0)
        code = ldr_cli_fresh(c, &f->fresh);
    return code ? code : ldr_cli_readable(c, f->spine_path);
}

static void print_json(const struct ldr_historical_file *f, const struct ldr_join_report *r)
{
    struct ldr_buf b;
    struct ldr_json j;
    ldr_buf_init(&b, NULL, 0);
    ldr_json_init(&j, &b);
    ldr_json_object(&j);
    ldr_json_key(&j, "output");
    ldr_json_cstr(&j, f->output_path);
    ldr_json_key(&j, "rows");
    ldr_json_i64(&j, (int64_t)r->rows);
    ldr_json_key(&j, "cells");
    ldr_json_i64(&j, (int64_t)r->cells);
    ldr_json_key(&j, "missing");
    ldr_json_i64(&j, (int64_t)r->missing);
    ldr_json_key(&j, "seconds");
    ldr_json_f64(&j, r->seconds);
    ldr_json_key(&j, "peak_bytes");
    ldr_json_i64(&j, (int64_t)r->peak_bytes);
    ldr_json_object_end(&j);
    ldr_buf_putc(&b, '\n');
    ldr_out_flush(&b);
    ldr_buf_close(&b);
}

static void print_people(const struct ldr_cli *c, const struct ldr_historical_file *f,
                         const struct ldr_join_report *r)
{
    char rows[32], seconds[32], peak[32];
    ldr_text_count(r->rows, rows);
    ldr_text_seconds(r->seconds, seconds);
    ldr_text_bytes(r->peak_bytes, peak);
    ldr_cli_note(c, "%s row%s in %s%s%s; %.1f %% of the feature values are missing; %s of memory", rows,
                 ldr_plural(r->rows), seconds, f->output_path ? " written to " : "",
                 f->output_path ? f->output_path : "",
                 r->cells ? 100.0 * (double)r->missing / (double)r->cells : 0.0, peak);
}

static int join(struct ldr_cli *c, const struct ldr_query *q, const struct ldr_historical_file *f)
{
    struct ldr_join_report r = {0};
    struct ldr_err err = {0};
    struct ldr_job job;
    fflush(stdout);
    ldr_job_begin(&job, c);
    int rc = ldr_historical_to_file(q, f, &job.work, &r, &err);
    ldr_job_end(&job);
    if (rc == LDR_E_CANCELLED)
        return ldr_cli_error(c, ldr_exit_of(rc, &err), "stopped%s",
                             f->output_path ? "; no output file was written" : "");
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    if (c->json && f->output_path)
        print_json(f, &r);
    else
        print_people(c, f, &r);
    return LDR_EXIT_DONE;
}

static int run_historical(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_query *q = NULL;
    struct ldr_historical_file f = {0};
    int code = read_options(c, &f);
    if (code == 0)
        code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    code = ldr_cli_query(c, s, &q);
    if (code == 0) {
        code = join(c, q, &f);
        ldr_query_destroy(q);
    }
    ldr_close(s);
    return code;
}

static const struct ldr_opt opts[] = {
    {"service", 's', "SERVICE", LDR_OPT_SERVICE, "all features of a feature service"},
    {"feature", 'f', "VIEW:FEATURE", LDR_OPT_FEATURE,
     "a feature, or VIEW for all of it; repeat it or use commas"},
    {"spine", 0, "FILE", LDR_OPT_SPINE,
     "the rows to build for: a CSV with join keys and a time;\n.gz too, - for standard input"},
    {"timestamp-column", 0, "COL", LDR_OPT_TIMESTAMP_COLUMN,
     "the moment of each row (default: event_timestamp)"},
    {"known-at", 0, "TS", LDR_OPT_KNOWN_AT, "count only facts that were known at TS"},
    {"known-at-column", 0, "COL", LDR_OPT_KNOWN_AT_COLUMN, "the same, with a moment for each row"},
    LDR_OPTS_FRESH,
    {"full-feature-names", 0, NULL, LDR_OPT_FULL_NAMES, "name them view__feature"},
    {"with-timestamps", 0, NULL, LDR_OPT_WITH_TIMESTAMPS,
     "add NAME__event_timestamp and NAME__created_timestamp"},
    {"with-status", 0, NULL, LDR_OPT_WITH_STATUS, "add NAME__status"},
    {"output", 'o', "FILE", LDR_OPT_OUTPUT,
     "write to FILE, which appears only when complete: JSON lines\nwhen it ends in .json, .jsonl or .ndjson, "
     "else CSV"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_get_historical = {
    .name = "get-historical-features",
    .group = "Read",
    .synopsis = "(-s SERVICE | -f VIEW:FEATURE...) --spine FILE [--timestamp-column COL]\n"
                "       [--known-at TS | --known-at-column COL] [--full-feature-names] [--with-timestamps]\n"
                "       [--with-status] [--strict | --any-lag] [-o FILE]",
    .summary = "a training set: each row with the values as of its own moment",
    .text =
        "For every row of the spine: the newest fact at or before its time that is not older than the view's "
        "ttl. Rows\n"
        "come out in the same order and number, with all their columns; what has no answer is null. A spine "
        "of any size\n"
        "is joined within --memory.\n"
        "\n"
        "When facts are stamped with a moment at which they were not known yet (weather of an hour, stamped "
        "with its\n"
        "start), a plain join looks ahead. --known-at-column names the column that says what could be known.",
    .example = "larder get-historical-features -s delay_model_v1 --spine data/spine.csv \\\n"
               "       --timestamp-column event_ts --known-at-column event_ts -o training.csv",
    .opts = opts,
    .run = run_historical,
};
