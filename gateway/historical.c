/* Point-in-time joins: a spine comes in as columns and goes out as lines, piece by piece, while it is joined.
 */
#include "gateway/columns.h"
#include "gateway/handlers.h"
#include "gateway/spine.h"

#define PIECE       8192 /* rows joined at one time */
#define COLUMNS_MAX 256  /* of a spine */

struct join {
    struct ldr_gw_worker *w;
    struct ldr_gw_answer *a;
    const struct ldr_gw_query *q;
    struct ldr_gw_columns spine;
    struct ldr_historical_opts opts;
    const char *time_name, *known_name;
    bool has_known;
    int64_t known_us;
    /* of one piece: */
    struct ldr_gw_column *time, *known, **keys;
    struct ldr_gw_array *arrays;
    struct ldr_column_data *key_data;
    int64_t *t_us, *known_at_us;
    struct ldr_slice *cells; /* PIECE x spine.n, as written */
    struct ldr_slice
        *names; /* `,"name":` of every column of a line: the spine's, then the query's three each */
    struct ldr_buf lines;
};

static int no_memory(struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_NOMEM, "out of memory");
}

static int read_fields(struct join *x, const struct ldr_gw_request *q, struct ldr_gw_wish *wish,
                       struct ldr_err *err)
{
    struct ldr_gw_field f[] = {
        {.name = "spine"},           {.name = "features"},         {.name = "service"},
        {.name = "full_names"},      {.name = "timestamp_column"}, {.name = "known_at"},
        {.name = "known_at_column"}, {.name = "with_status"},      {.name = "with_timestamps"}};
    struct ldr_arena *a = &x->w->arena;
    int rc = ldr_gw_fields(q->body, f, 9, false, err);
    if (!rc)
        rc = ldr_gw_bool(&f[3], &wish->full_names, err);
    if (!rc)
        rc = ldr_gw_text(&f[4], a, &x->time_name, err);
    if (!rc)
        rc = ldr_gw_time(&f[5], a, false, &x->has_known, &x->known_us, err);
    if (!rc)
        rc = ldr_gw_text(&f[6], a, &x->known_name, err);
    if (!rc)
        rc = ldr_gw_bool(&f[7], &x->opts.with_status, err);
    if (!rc)
        rc = ldr_gw_bool(&f[8], &x->opts.with_times, err);
    if (rc)
        return rc;
    if (f[1].token == LDR_JSON_END && f[2].token == LDR_JSON_END)
        return ldr_fail(err, LDR_E_INVALID, "features or service: one of them is needed");
    if (x->has_known && x->known_name)
        return ldr_fail(err, LDR_E_INVALID, "known_at and known_at_column exclude each other");
    if (f[1].token != LDR_JSON_END)
        wish->features = f[1].raw;
    if (f[2].token != LDR_JSON_END)
        wish->service = f[2].raw;
    return ldr_gw_columns_find(&f[0], a, &x->spine, err);
}

static int column_named(struct join *x, const char *name, const char *what, struct ldr_gw_column **out,
                        struct ldr_err *err)
{
    *out = ldr_gw_column_of(&x->spine, name);
    return *out ? 0 : ldr_fail(err, LDR_E_INVALID, "spine: there is no column '%.200s' with %s", name, what);
}

static int name_of(struct join *x, size_t i, const char *name, const char *suffix, struct ldr_err *err)
{
    struct ldr_buf b;
    struct ldr_json j;
    ldr_buf_init(&b, NULL, 0);
    const char *whole = *suffix ? ldr_arena_printf(&x->w->arena, "%s%s", name, suffix) : name;
    ldr_buf_putc(&b, ',');
    ldr_json_init(&j, &b);
    ldr_json_cstr(&j, whole);
    ldr_buf_putc(&b, ':');
    int rc = !whole || b.err || ldr_arena_slice(&x->w->arena, ldr_buf_slice(&b), &x->names[i]);
    ldr_buf_close(&b);
    if (rc)
        return no_memory(err);
    if (i >= x->spine.n && ldr_gw_column_of(&x->spine, whole))
        return ldr_fail(err, LDR_E_INVALID, "spine: a column has the name of the output column '%.200s'",
                        whole);
    return 0;
}

static int name_columns(struct join *x, struct ldr_err *err)
{
    size_t n = x->spine.n + 4 * x->q->ncols;
    int rc = 0;
    x->names = ldr_arena_calloc(&x->w->arena, n + 1, sizeof *x->names);
    if (!x->names)
        return no_memory(err);
    for (size_t i = 0; !rc && i < x->spine.n; i++)
        rc = name_of(x, i, x->spine.list[i].name, "", err);
    for (size_t c = 0; !rc && c < x->q->ncols; c++) {
        static const char *const suffixes[] = {"", "__status", "__event_timestamp", "__created_timestamp"};
        for (size_t k = 0; !rc && k < 4; k++)
            if (k == 0 || (k == 1 ? x->opts.with_status : x->opts.with_times))
                rc = name_of(x, x->spine.n + 4 * c + k, ldr_query_column(x->q->query, c), suffixes[k], err);
    }
    return rc;
}

static int bind(struct join *x, struct ldr_err *err)
{
    struct ldr_arena *a = &x->w->arena;
    size_t nkeys = x->q->nkeys;
    if (x->spine.n > COLUMNS_MAX)
        return ldr_fail(err, LDR_E_TOO_BIG, "spine: more than %d columns", COLUMNS_MAX);
    x->keys = (struct ldr_gw_column **)ldr_arena_calloc(a, nkeys + 1, sizeof *x->keys);
    x->arrays = ldr_arena_calloc(a, nkeys + 1, sizeof *x->arrays);
    x->key_data = ldr_arena_calloc(a, nkeys + 1, sizeof *x->key_data);
    x->t_us = ldr_arena_calloc(a, PIECE, sizeof *x->t_us);
    x->known_at_us = ldr_arena_calloc(a, PIECE, sizeof *x->known_at_us);
    x->cells = ldr_arena_calloc(a, PIECE * (x->spine.n + 1), sizeof *x->cells);
    if (!x->keys || !x->arrays || !x->key_data || !x->t_us || !x->known_at_us || !x->cells)
        return no_memory(err);
    for (size_t k = 0; k < nkeys; k++)
        ldr_gw_array_init(&x->arrays[k], x->q->key_types[k]);
    int rc = column_named(x, x->time_name, "the moments to look from", &x->time, err);
    if (!rc && x->known_name)
        rc = column_named(x, x->known_name, "the moments to know at", &x->known, err);
    for (size_t k = 0; !rc && k < nkeys; k++)
        rc = column_named(x, x->q->keys[k], "join keys", &x->keys[k], err);
    return rc ? rc : name_columns(x, err);
}

static int bad(size_t row, const char *name, const char *why, int rc, struct ldr_err *err)
{
    return rc == LDR_E_INVALID ? ldr_fail(err, rc, "spine: row %zu: column %.200s: %s", row, name, why)
                               : no_memory(err);
}

/* One value of the spine: kept as written, and read where the join needs it. */
static int take(struct join *x, struct ldr_gw_reading *g, size_t row, size_t i, size_t c, struct ldr_err *err)
{
    struct ldr_gw_column *col = &x->spine.list[c];
    ldr_gw_column_next(col);
    struct ldr_json_reader at = col->at;
    int rc = 0;
    if (col == x->time)
        rc = ldr_gw_time_read(g, &at, col->token, &x->t_us[i]);
    if (!rc && col == x->known)
        rc = ldr_gw_time_read(g, &at, col->token, &x->known_at_us[i]);
    for (size_t k = 0; !rc && k < x->q->nkeys; k++) {
        struct ldr_datum d;
        if (col != x->keys[k])
            continue;
        rc = ldr_gw_value_read(g, &at, col->token, x->q->key_types[k], &d);
        if (!rc)
            rc = ldr_gw_array_add(&x->arrays[k], &d);
    }
    if (rc)
        return bad(row, col->name, g->why, rc, err);
    ldr_gw_column_pass(col);
    x->cells[i * x->spine.n + c] = col->raw;
    return 0;
}

static void put_time(struct ldr_buf *b, int64_t us)
{
    if (us == INT64_MIN)
        ldr_buf_puts(b, "null");
    else
        ldr_gw_time_put(b, us);
}

static void put_line(struct join *x, const struct ldr_batch *r, size_t i)
{
    struct ldr_buf *b = &x->lines;
    size_t at = b->n;
    for (size_t c = 0; c < x->spine.n; c++) {
        ldr_buf_put(b, x->names[c].p, x->names[c].n);
        ldr_buf_put(b, x->cells[i * x->spine.n + c].p, x->cells[i * x->spine.n + c].n);
    }
    for (size_t c = 0; c < x->q->ncols; c++) {
        const struct ldr_slice *names = &x->names[x->spine.n + 4 * c];
        ldr_buf_put(b, names[0].p, names[0].n);
        ldr_gw_array_put(b, ldr_batch_column(r, c), i);
        if (x->opts.with_status) {
            ldr_buf_put(b, names[1].p, names[1].n);
            ldr_buf_printf(b, "\"%s\"", ldr_gw_status_name(ldr_batch_status(r, c)[i]));
        }
        if (x->opts.with_times) {
            ldr_buf_put(b, names[2].p, names[2].n);
            put_time(b, ldr_batch_event_us(r, c)[i]);
            ldr_buf_put(b, names[3].p, names[3].n);
            put_time(b, ldr_batch_created_us(r, c)[i]);
        }
    }
    if (!b->err)
        b->p[at] = '{'; /* in place of the first comma: there is a column of times at least */
    ldr_buf_puts(b, "}\n");
}

static int piece(struct join *x, size_t from, size_t n, struct ldr_err *err)
{
    struct ldr_gw_reading g = {.arena = &x->w->arena, .key = true, .why = ""};
    struct ldr_batch *r = NULL;
    int rc = 0;
    for (size_t k = 0; k < x->q->nkeys; k++)
        ldr_gw_array_reset(&x->arrays[k]);
    for (size_t i = 0; !rc && i < n; i++)
        for (size_t c = 0; !rc && c < x->spine.n; c++)
            rc = take(x, &g, from + i, i, c, err);
    if (rc)
        return rc;
    for (size_t k = 0; k < x->q->nkeys; k++)
        x->key_data[k] = *ldr_gw_array_data(&x->arrays[k]);
    const struct ldr_spine s = {.nrows = n,
                                .t_us = x->t_us,
                                .known_at_us = x->known ? x->known_at_us : NULL,
                                .has_known_at = x->has_known,
                                .known_at_all_us = x->known_us,
                                .keys = x->key_data};
    rc = ldr_historical_get(x->q->query, &s, &x->opts, &r, err);
    ldr_buf_reset(&x->lines);
    for (size_t i = 0; !rc && i < n; i++)
        put_line(x, r, i);
    ldr_batch_destroy(r);
    if (!rc && x->lines.err)
        rc = ldr_fail(err, x->lines.err, "the answer could not be made: %s", ldr_error_text(x->lines.err));
    return rc ? rc : x->a->stream->put(x->a->stream->ctx, ldr_buf_slice(&x->lines));
}

void ldr_gw_historical(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    struct join x = {.w = w, .a = a, .time_name = "event_timestamp"};
    struct ldr_gw_wish wish = {0};
    struct ldr_err err = {0};
    ldr_buf_init(&x.lines, NULL, 0);
    int rc = read_fields(&x, q, &wish, &err);
    if (!rc)
        rc = ldr_gw_queries_get(&w->queries, &wish, ldr_gw_mono_us(), &x.q, &err);
    if (!rc)
        rc = bind(&x, &err);
    a->type = "application/x-ndjson";
    for (size_t from = 0; !rc && from < x.spine.rows; from += PIECE)
        rc = piece(&x, from, x.spine.rows - from < PIECE ? x.spine.rows - from : PIECE, &err);
    for (size_t k = 0; x.arrays && k < x.q->nkeys; k++)
        ldr_gw_array_close(&x.arrays[k]);
    ldr_buf_close(&x.lines);
    if (rc && a->streamed) {
        /* the head said 200: the reader is told in a last line, and by the missing end */
        struct ldr_gw_answer said = {0};
        ldr_buf_init(&said.body, NULL, 0);
        ldr_gw_fail_err(&said, rc, &err);
        ldr_buf_putc(&said.body, '\n');
        a->stream->put(a->stream->ctx, ldr_buf_slice(&said.body));
        ldr_buf_close(&said.body);
        a->stream->broken = true;
    } else if (rc) {
        ldr_gw_fail_err(a, rc, &err);
    }
}
