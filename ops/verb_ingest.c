/* ingest: facts from files or standard input into one view. */
#include <errno.h>
#include <unistd.h>

#include "ops/cli.h"
#include "ops/load_out.h"
#include "ops/python.h"
#include "ops/verbs.h"

struct ingest {
    struct ldr_cli *c;
    struct ldr_store *store;
    struct ldr_ingest in;
    struct ldr_work *work;
    const char *rejects; /* --rejects, or NULL */
    bool several;
    struct ldr_write_report total;
    struct ldr_write_report *each; /* one a file */
};

static int read_options(struct ldr_cli *c, struct ldr_ingest *in)
{
    bool has = false;
    in->view = c->args[0];
    in->format = ldr_cli_opt(c, LDR_OPT_FORMAT);
    in->event_column = ldr_cli_opt(c, LDR_OPT_EVENT_COLUMN);
    in->created_column = ldr_cli_opt(c, LDR_OPT_CREATED_COLUMN);
    in->allow_missing = ldr_cli_has(c, LDR_OPT_ALLOW_MISSING);
    if (in->format && strcmp(in->format, "csv") != 0 && strcmp(in->format, "ndjson") != 0)
        return ldr_cli_usage(c, "--format: expected csv, ndjson or parquet, found '%s'", in->format);
    int code = ldr_cli_time(c, LDR_OPT_CREATED_AT, "--created-at", &has, &in->created_at_us);
    in->has_created_at = has;
    for (int i = 1; code == 0 && i < c->nargs; i++)
        code = ldr_cli_readable(c, c->args[i]);
    return code;
}

/* The first line of an open file, without its end; false when there is none. */
static bool first_line(FILE *f, struct ldr_buf *out)
{
    int ch;
    ldr_buf_reset(out);
    while ((ch = fgetc(f)) != EOF && ch != '\n')
        ldr_buf_putc(out, (char)ch);
    return ch == '\n';
}

/* Adds the rejects of one file to those of the ones before it. Files with other columns keep theirs apart. */
static int join_rejects(const struct ingest *g, const char *part)
{
    struct ldr_buf head, have;
    int rc = 0, ch;
    FILE *from = fopen(part, "rb"), *to = fopen(g->rejects, "a+b");
    ldr_buf_init(&head, NULL, 0);
    ldr_buf_init(&have, NULL, 0);
    if (!from || !to || fseek(to, 0, SEEK_SET)) {
        rc = from || errno != ENOENT ? -1 : 0;
        goto out;
    }
    bool any = first_line(to, &have);
    if (!first_line(from, &head))
        goto out;
    if (any && !ldr_slice_eq(ldr_buf_slice(&head), ldr_buf_slice(&have))) {
        ldr_cli_warn(g->c, "%s keeps its rejects apart, as its columns differ", part);
        goto out;
    }
    rc = fseek(to, 0, SEEK_END); /* appending goes there anyway; between reading and writing one must seek */
    if (!rc && !any)
        rc = fprintf(to, "%s\n", ldr_buf_cstr(&head)) < 0;
    while (!rc && (ch = fgetc(from)) != EOF)
        rc = fputc(ch, to) == EOF;
    rc = rc || ferror(to) || ferror(from) || unlink(part) ? -1 : 0;
out:
    if (from)
        fclose(from);
    if (to && fclose(to))
        rc = -1;
    ldr_buf_close(&head);
    ldr_buf_close(&have);
    return rc;
}

static int ingest_file(struct ingest *g, int i)
{
    struct ldr_err err = {0};
    const char *part = g->rejects;
    if (g->rejects && g->several)
        part = ldr_arena_printf(&g->c->arena, "%s.%d", g->rejects, i);
    g->in.path = g->c->args[i];
    g->in.rejects_path = part;
    struct ldr_write_report *r = &g->each[i - 1];
    int rc = ldr_ingest_file(g->store, &g->in, g->work, r, &err);
    ldr_load_add(&g->total, r);
    if (r->rejected && g->rejects && g->several && (!part || join_rejects(g, part)))
        ldr_cli_warn(g->c, "cannot add %s to %s", part, g->rejects);
    return rc ? ldr_load_stopped(g->c, rc, &err, &g->total) : 0;
}

static void print_json(const struct ingest *g, int files)
{
    struct ldr_buf b;
    struct ldr_json j;
    ldr_buf_init(&b, NULL, 0);
    ldr_json_init(&j, &b);
    ldr_json_object(&j);
    ldr_json_key(&j, "view");
    ldr_json_cstr(&j, g->in.view);
    ldr_load_json(&g->total, &j);
    ldr_json_key(&j, "files");
    ldr_json_array(&j);
    for (int i = 0; i < files; i++) {
        ldr_json_object(&j);
        ldr_json_key(&j, "file");
        ldr_json_cstr(&j, g->c->args[i + 1]);
        ldr_load_json(&g->each[i], &j);
        ldr_json_object_end(&j);
    }
    ldr_json_array_end(&j);
    ldr_json_object_end(&j);
    ldr_buf_putc(&b, '\n');
    ldr_out_flush(&b);
    ldr_buf_close(&b);
}

static const char *where_rejects(const struct ingest *g)
{
    if (g->rejects)
        return g->rejects;
    for (int i = 1; i < g->c->nargs; i++) {
        if (g->each[i - 1].rejected)
            return strcmp(g->c->args[i], "-") == 0
                       ? "stdin.rejects.csv"
                       : ldr_arena_printf(&g->c->arena, "%s.rejects.csv", g->c->args[i]);
    }
    return NULL;
}

static void print_people(const struct ingest *g)
{
    char taken[32], rate[LDR_LOAD_RATE], known[48] = "", n[32];
    ldr_text_count(g->total.taken, taken);
    ldr_load_rate(&g->total, rate);
    if (g->total.duplicates) {
        ldr_text_count(g->total.duplicates, n);
        snprintf(known, sizeof known, ", %s known already", n);
    }
    ldr_cli_say(g->c, "%s: %s row%s taken%s; %s", g->in.view, taken, ldr_plural(g->total.taken), known, rate);
}

/* One Parquet among the files: all of them are read by the package that reads both. */
static bool for_python(const struct ldr_cli *c)
{
    const char *format = ldr_cli_opt(c, LDR_OPT_FORMAT);
    if (format)
        return strcmp(format, "parquet") == 0;
    for (int i = 1; i < c->nargs; i++)
        if (ldr_python_reads(c->args[i]))
            return true;
    return false;
}

static int run_ingest(struct ldr_cli *c)
{
    if (for_python(c))
        return ldr_python_run(c, &ldr_python_parquet);
    struct ingest g = {.c = c, .rejects = ldr_cli_opt(c, LDR_OPT_REJECTS), .several = c->nargs > 2};
    struct ldr_job job;
    int code = read_options(c, &g.in), i = 1;
    g.each = ldr_arena_calloc(&c->arena, (size_t)c->nargs, sizeof *g.each);
    if (code == 0 && !g.each)
        code = ldr_cli_fail(c, LDR_E_NOMEM, NULL);
    if (code == 0)
        code = ldr_cli_open(c, LDR_OPEN_EXISTING, &g.store);
    if (code)
        return code;
    if (g.rejects && g.several)
        unlink(g.rejects);
    ldr_job_begin(&job, c);
    g.work = &job.work;
    for (; code == 0 && i < c->nargs; i++)
        code = ingest_file(&g, i);
    ldr_job_end(&job);
    ldr_close(g.store);
    if (code == 0 && c->json)
        print_json(&g, i - 1);
    else if (code == 0)
        print_people(&g);
    ldr_load_warn(c, &g.total, where_rejects(&g));
    return code ? code : g.total.rejected ? LDR_EXIT_PARTLY : LDR_EXIT_DONE;
}

static const struct ldr_opt opts[] = {
    {"format", 0, "F", LDR_OPT_FORMAT, "csv, ndjson or parquet (default: by the name of the file, else csv)"},
    {"created-at", 0, "TS", LDR_OPT_CREATED_AT,
     "when the rows became known, for rows that do not say so themselves"},
    {"rejects", 0, "FILE", LDR_OPT_REJECTS,
     "where bad rows go, with line, column and reason\n(default: FILE.rejects.csv)"},
    {"allow-missing", 0, NULL, LDR_OPT_ALLOW_MISSING,
     "a feature without a column is null instead of an error"},
    {"event-column", 0, "COL", LDR_OPT_EVENT_COLUMN,
     "column of the event time (default: as the view's source\nsays, else event_timestamp)"},
    {"created-column", 0, "COL", LDR_OPT_CREATED_COLUMN,
     "column of the created time (default: as the source says, else none)"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_ingest = {
    .name = "ingest",
    .group = "Load",
    .synopsis = "VIEW FILE... [--format F] [--created-at TS] [--rejects FILE] [--allow-missing]",
    .summary = "load facts into a view from CSV or NDJSON, .gz too, - for standard input, or Parquet",
    .text = "A row is a fact: the join keys, an event time (when it was true) and features. Good rows are "
            "stored, bad ones\n"
            "go to the rejects file and are counted; the exit code is then 1. A file whose header is wrong "
            "stores nothing.\n"
            "Reading a file again changes no answer. Facts without a created time became known now.\n"
            "\n"
            "A log of events is not a set of facts: two purchases of one customer in one moment would be one "
            "fact. Load\n"
            "running totals as of a moment, or give each event a created time of its own.\n"
            "\n"
            "Parquet (files, folders, s3:// gs:// abfs://) is read by the Python package larder with "
            "pyarrow; LARDER_PYTHON\n"
            "names the interpreter that has it (default: python3). There it is all or nothing for each "
            "million rows.",
    .example = "larder ingest weather data/weather_2013-03.csv.gz\n"
               "zcat facts.ndjson.gz | larder ingest weather - --format ndjson",
    .opts = opts,
    .min_args = 2,
    .max_args = -1,
    .run = run_ingest,
};
