/* get-online-features: the newest values of one entity or of many from a file. */
#include <errno.h>

#include "ops/cli.h"
#include "ops/verbs.h"

#define BATCH 1024

enum shape { PEOPLE, JSON_LINES, CSV };

struct online {
    struct ldr_cli *c;
    const struct ldr_query *q;
    const struct ldr_keys *keys;
    struct ldr_online_opts when;
    struct ldr_rows *rows;
    enum shape shape;
    FILE *to;
    struct ldr_buf text;
    uint64_t entities;
};

static void put_time(int64_t us, struct ldr_buf *out)
{
    char text[LDR_TIME_TEXT];
    ldr_buf_put(out, text, ldr_time_format(us, text));
}

static void json_time(struct ldr_json *j, const char *key, bool some, int64_t us)
{
    char text[LDR_TIME_TEXT];
    ldr_json_key(j, key);
    if (some)
        ldr_json_str(j, ldr_slice(text, ldr_time_format(us, text)));
    else
        ldr_json_null(j);
}

static void put_json(struct online *o, const struct ldr_datum *keys, size_t row)
{
    const struct ldr_datum *cells = ldr_rows_row(o->rows, row);
    struct ldr_json j;
    ldr_json_init(&j, &o->text);
    ldr_json_object(&j);
    ldr_json_key(&j, "entity");
    ldr_json_object(&j);
    for (size_t k = 0; k < o->keys->n; k++) {
        ldr_json_key(&j, o->keys->names[k]);
        ldr_datum_json(&keys[k], &j);
    }
    ldr_json_object_end(&j);
    ldr_json_key(&j, "features");
    ldr_json_object(&j);
    for (size_t col = 0; col < ldr_query_columns(o->q); col++) {
        int64_t event = 0, created = 0;
        bool some = ldr_rows_times(o->rows, row, col, &event, &created);
        ldr_json_key(&j, ldr_query_column(o->q, col));
        ldr_json_object(&j);
        ldr_json_key(&j, "value");
        ldr_datum_json(&cells[col], &j);
        ldr_json_key(&j, "status");
        ldr_json_cstr(&j, ldr_status_text(cells[col].status));
        json_time(&j, "event_timestamp", some, event);
        json_time(&j, "created_timestamp", some, created);
        ldr_json_object_end(&j);
    }
    ldr_json_object_end(&j);
    ldr_json_object_end(&j);
    ldr_buf_putc(&o->text, '\n');
}

static void put_csv_cell(struct online *o, const struct ldr_datum *d, bool first)
{
    struct ldr_buf cell;
    ldr_buf_init(&cell, NULL, 0);
    ldr_datum_text(d, &cell);
    if (!first)
        ldr_buf_putc(&o->text, ',');
    ldr_csv_put(&o->text, ldr_buf_slice(&cell), d->status == LDR_NULL_VALUE || d->status == LDR_NOT_FOUND);
    ldr_buf_close(&cell);
}

static void put_csv_header(struct online *o)
{
    for (size_t k = 0; k < o->keys->n; k++)
        ldr_buf_printf(&o->text, "%s%s", k ? "," : "", o->keys->names[k]);
    for (size_t col = 0; col < ldr_query_columns(o->q); col++) {
        const char *name = ldr_query_column(o->q, col);
        ldr_buf_printf(&o->text, ",%s,%s__status,%s__event_timestamp,%s__created_timestamp", name, name, name,
                       name);
    }
    ldr_buf_putc(&o->text, '\n');
}

static void put_csv(struct online *o, const struct ldr_datum *keys, size_t row)
{
    const struct ldr_datum *cells = ldr_rows_row(o->rows, row);
    for (size_t k = 0; k < o->keys->n; k++)
        put_csv_cell(o, &keys[k], k == 0);
    for (size_t col = 0; col < ldr_query_columns(o->q); col++) {
        int64_t event = 0, created = 0;
        bool some = ldr_rows_times(o->rows, row, col, &event, &created);
        put_csv_cell(o, &cells[col], o->keys->n == 0 && col == 0);
        ldr_buf_printf(&o->text, ",%s,", ldr_status_text(cells[col].status));
        if (some)
            put_time(event, &o->text);
        ldr_buf_putc(&o->text, ',');
        if (some)
            put_time(created, &o->text);
    }
    ldr_buf_putc(&o->text, '\n');
}

static void grid_buf(struct ldr_grid *g, struct ldr_buf *b)
{
    ldr_grid_cell(g, (const char *)b->p, b->n);
    ldr_buf_reset(b);
}

static int put_people(struct online *o, const struct ldr_datum *keys, size_t row)
{
    static const char *const heads[] = {"feature", "value", "status", "event time", "created time"};
    const struct ldr_datum *cells = ldr_rows_row(o->rows, row);
    struct ldr_grid *g = NULL;
    struct ldr_buf b;
    int rc = ldr_grid_create(5, &g);
    if (rc)
        return rc;
    ldr_buf_init(&b, NULL, 0);
    if (o->entities)
        fputc('\n', o->to);
    for (size_t k = 0; k < o->keys->n; k++) {
        ldr_datum_text(&keys[k], &b);
        fprintf(o->to, "%s%s=%s", k ? ", " : "", o->keys->names[k],
                keys[k].status == LDR_NULL_VALUE ? "null" : ldr_buf_cstr(&b));
        ldr_buf_reset(&b);
    }
    fputc('\n', o->to);
    for (size_t i = 0; i < 5; i++)
        ldr_grid_head(g, i, heads[i], false);
    for (size_t col = 0; col < ldr_query_columns(o->q); col++) {
        int64_t event = 0, created = 0;
        bool some = ldr_rows_times(o->rows, row, col, &event, &created);
        ldr_grid_cells(g, ldr_query_column(o->q, col));
        ldr_datum_text(&cells[col], &b);
        grid_buf(g, &b);
        ldr_grid_cells(g, ldr_status_text(cells[col].status));
        if (some)
            put_time(event, &b);
        grid_buf(g, &b);
        if (some)
            put_time(created, &b);
        grid_buf(g, &b);
    }
    rc = b.err ? b.err : ldr_grid_print(g, o->to, true);
    ldr_buf_close(&b);
    ldr_grid_destroy(g);
    return rc;
}

static int answer(struct online *o, const struct ldr_datum *keys, size_t n)
{
    struct ldr_err err = {0};
    int rc = ldr_online_get(o->q, keys, n, &o->when, o->rows, &err);
    if (rc)
        return ldr_cli_fail(o->c, rc, &err);
    for (size_t row = 0; row < n; row++) {
        const struct ldr_datum *entity = keys + row * o->keys->n;
        if (o->shape == CSV)
            put_csv(o, entity, row);
        else if (o->shape == JSON_LINES)
            put_json(o, entity, row);
        else
            rc = put_people(o, entity, row);
        o->entities++;
        if (rc || o->text.err)
            return ldr_cli_fail(o->c, rc ? rc : o->text.err, NULL);
        fwrite(o->text.p, 1, o->text.n, o->to);
        ldr_buf_reset(&o->text);
    }
    return 0;
}

static int answer_file(struct online *o, const char *path)
{
    struct ldr_entity_file *f = NULL;
    struct ldr_datum *keys = ldr_arena_calloc(&o->c->arena, BATCH * (o->keys->n + 1), sizeof *keys);
    size_t n = 0;
    if (!keys)
        return ldr_cli_fail(o->c, LDR_E_NOMEM, NULL);
    int code = ldr_entity_file_open(o->c, path, o->keys, &f);
    if (code)
        return code;
    do {
        code = ldr_entity_file_read(f, keys, BATCH, &n);
        if (code == 0 && n)
            code = answer(o, keys, n);
    } while (code == 0 && n == BATCH);
    ldr_entity_file_close(f);
    return code;
}

static int read_when(struct ldr_cli *c, struct ldr_online_opts *when)
{
    int code = ldr_cli_time(c, LDR_OPT_AS_OF, "--as-of", &when->has_as_of, &when->as_of_us);
    if (code == 0)
        code = ldr_cli_time(c, LDR_OPT_KNOWN_AT, "--known-at", &when->has_known_at, &when->known_at_us);
    return code ? code : ldr_cli_fresh(c, &when->fresh);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

/* The result goes to a file beside the one asked for, which it replaces when complete. */
static int open_output(struct online *o, const char *path, const char **part)
{
    o->shape = o->c->json ? JSON_LINES : PEOPLE;
    o->to = stdout;
    *part = NULL;
    if (!path || strcmp(path, "-") == 0)
        return 0;
    o->shape = ends_with(path, ".csv") ? CSV : JSON_LINES;
    *part = ldr_arena_printf(&o->c->arena, "%s.part", path);
    if (!*part)
        return ldr_cli_fail(o->c, LDR_E_NOMEM, NULL);
    o->to = fopen(*part, "wb");
    return o->to ? 0 : ldr_cli_error(o->c, LDR_EXIT_USAGE, "%s: %s", path, strerror(errno));
}

static int close_output(struct online *o, const char *path, const char *part, int code)
{
    if (!part || !o->to)
        return code;
    bool bad = ferror(o->to) != 0;
    bad = fclose(o->to) != 0 || bad;
    if (code == 0 && (bad || rename(part, path) != 0))
        code =
            ldr_cli_error(o->c, LDR_EXIT_REFUSED, "cannot write %s: %s", path, strerror(errno ? errno : EIO));
    if (code)
        remove(part);
    return code;
}

static int run_with_query(struct ldr_cli *c, const struct ldr_query *q)
{
    struct online o = {.c = c, .q = q};
    struct ldr_keys keys = {0};
    const char *path = ldr_cli_opt(c, LDR_OPT_OUTPUT), *part = NULL;
    const char *file = ldr_cli_opt(c, LDR_OPT_ENTITIES);
    int code = read_when(c, &o.when);
    if (code == 0)
        code = ldr_keys_of_query(c, q, &keys);
    if (code == 0 && !file)
        code = ldr_keys_parse(c, &keys);
    if (code)
        return code;
    o.keys = &keys;
    ldr_buf_init(&o.text, NULL, 0);
    int rc = ldr_rows_create(&o.rows);
    if (rc)
        return ldr_cli_fail(c, rc, NULL);
    code = open_output(&o, path, &part);
    if (code == 0 && o.shape == CSV)
        put_csv_header(&o);
    if (code == 0)
        code = file ? answer_file(&o, file) : answer(&o, keys.values, 1);
    if (o.to && o.text.n) /* a header with no rows after it */
        fwrite(o.text.p, 1, code == 0 ? o.text.n : 0, o.to);
    code = close_output(&o, path, part, code);
    if (code == 0 && part) {
        ldr_cli_note(c, "%llu entit%s written to %s", (unsigned long long)o.entities,
                     o.entities == 1 ? "y" : "ies", path);
        if (c->json)
            printf("{\"entities\":%llu}\n", (unsigned long long)o.entities);
    }
    ldr_buf_close(&o.text);
    ldr_rows_destroy(o.rows);
    return code;
}

static int run_online(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_query *q = NULL;
    const char *file = ldr_cli_opt(c, LDR_OPT_ENTITIES);
    if (file && ldr_cli_has(c, LDR_OPT_ENTITY))
        return ldr_cli_usage(c, "-e and --entities exclude each other");
    int code = file ? ldr_cli_readable(c, file) : 0;
    if (code == 0 && !file && !ldr_cli_has(c, LDR_OPT_ENTITY))
        code = ldr_cli_usage(c, "which entity? -e KEY=VALUE or --entities FILE");
    if (code == 0)
        code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    code = ldr_cli_query(c, s, &q);
    if (code == 0) {
        code = run_with_query(c, q);
        ldr_query_destroy(q);
    }
    ldr_close(s);
    return code;
}

static const struct ldr_opt opts[] = {
    {"service", 's', "SERVICE", LDR_OPT_SERVICE, "all features of a feature service"},
    {"feature", 'f', "VIEW:FEATURE", LDR_OPT_FEATURE,
     "a feature, or VIEW for all of it; repeat it or use commas"},
    {"entity", 'e', "KEY=VALUE", LDR_OPT_ENTITY, "a join key of the entity; repeat it for every key needed"},
    {"entities", 0, "FILE", LDR_OPT_ENTITIES,
     "many entities: a CSV with the join keys as columns, - for standard input"},
    {"as-of", 0, "TS", LDR_OPT_AS_OF, "the values as they were true at TS"},
    {"known-at", 0, "TS", LDR_OPT_KNOWN_AT, "counting only what was known at TS"},
    LDR_OPTS_FRESH,
    {"full-feature-names", 0, NULL, LDR_OPT_FULL_NAMES, "name them view__feature"},
    {"output", 'o', "FILE", LDR_OPT_OUTPUT,
     "write to FILE: CSV when it ends in .csv (keys, then each\nfeature with status and times), else JSON "
     "lines"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_get_online = {
    .name = "get-online-features",
    .group = "Read",
    .synopsis = "(-s SERVICE | -f VIEW:FEATURE...) (-e KEY=VALUE... | --entities FILE)\n"
                "       [--as-of TS] [--known-at TS] [--strict | --any-lag] [--full-feature-names] [-o FILE]",
    .summary = "the newest values of an entity, each with status and times",
    .text = "Status: PRESENT; NULL_VALUE, a fact answers and holds null; NOT_FOUND, no fact answers; "
            "OUTSIDE_MAX_AGE, the\n"
            "newest fact is older than the view's ttl, and its value is shown all the same. Values need join "
            "keys of every\n"
            "view that is asked for. JSON: {\"entity\": {...}, \"features\": {NAME: {\"value\", \"status\",\n"
            "\"event_timestamp\", \"created_timestamp\"}}}, one entity a line.",
    .example = "larder get-online-features -f weather:temp_f,weather:visib -e origin=JFK\n"
               "larder get-online-features -s delay_model_v1 --entities flights.csv -o features.csv",
    .opts = opts,
    .run = run_online,
};
