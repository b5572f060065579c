/* Point-in-time joins: a spine comes in as columns and goes out piece by piece, while it is joined. */
#include "gateway/columns.h"
#include "gateway/handlers.h"
#include "gateway/sheet.h"
#include "gateway/spine.h"

#define COLUMNS_MAX 256 /* of a spine */

/* A column of the spine. Some are read (times, keys), all are given back: as written, or as Arrow's values.
 */
struct given {
    struct ldr_gw_column *column;
    uint8_t type; /* as Arrow has it */
    bool as_text; /* JSON as text: what has no type of its own */
    bool key;
    struct ldr_gw_array values;
};
struct join {
    struct ldr_gw_worker *w;
    const struct ldr_gw_query *q;
    struct ldr_gw_columns spine;
    struct ldr_historical_opts opts;
    const char *time_name, *known_name;
    bool has_known, arrow;
    int64_t known_us;
    /* of one piece: */
    struct ldr_gw_column *time, *known, **keys;
    struct ldr_gw_array *arrays; /* of the keys */
    struct ldr_column_data *key_data;
    int64_t *t_us, *known_at_us;
    struct ldr_slice *cells; /* rows x spine.n, as written */
    struct given *given;     /* of each column of the spine */
    /* going out: the spine's columns, then of each feature its values, status, event and created time */
    struct ldr_gw_out *out;
    size_t nout;
    struct ldr_column_data *side; /* of each feature three: status and times */
    uint8_t *validity;            /* of each time column */
    struct ldr_gw_sheet sheet;
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

static int name_out(struct join *x, const char *name, const char *suffix, unsigned type, struct ldr_err *err)
{
    struct ldr_gw_out *out = &x->out[x->nout++];
    out->name = *suffix ? ldr_arena_printf(&x->w->arena, "%s%s", name, suffix) : name;
    out->type = (uint8_t)type;
    if (!out->name)
        return no_memory(err);
    if (ldr_gw_column_of(&x->spine, out->name))
        return ldr_fail(err, LDR_E_INVALID, "spine: a column has the name of the output column '%.200s'",
                        out->name);
    return 0;
}

static int name_columns(struct join *x, struct ldr_err *err)
{
    size_t n = x->spine.n + 4 * x->q->ncols, bits = LDR_GW_SHEET_ROWS / 8;
    struct ldr_arena *a = &x->w->arena;
    int rc = 0;
    x->out = ldr_arena_calloc(a, n + 1, sizeof *x->out);
    x->side = ldr_arena_calloc(a, 3 * x->q->ncols + 1, sizeof *x->side);
    x->validity = x->opts.with_times ? ldr_arena_calloc(a, 2 * x->q->ncols + 1, bits) : NULL;
    if (!x->out || !x->side || (x->opts.with_times && !x->validity))
        return no_memory(err);
    for (; x->nout < x->spine.n; x->nout++)
        x->out[x->nout] = (struct ldr_gw_out){.name = x->spine.list[x->nout].name,
                                              .type = x->given[x->nout].type,
                                              .written = x->arrow ? NULL : x->cells + x->nout,
                                              .stride = x->spine.n};
    for (size_t c = 0; !rc && c < x->q->ncols; c++) {
        const char *name = ldr_query_column(x->q->query, c);
        rc = name_out(x, name, "", ldr_query_column_type(x->q->query, c), err);
        if (!rc && x->opts.with_status)
            rc = name_out(x, name, "__status", LDR_GW_IPC_STATUS, err);
        if (!rc && x->opts.with_times)
            rc = name_out(x, name, "__event_timestamp", LDR_TIMESTAMP, err);
        if (!rc && x->opts.with_times)
            rc = name_out(x, name, "__created_timestamp", LDR_TIMESTAMP, err);
    }
    return rc;
}

/* What each column of the spine is to Arrow: times and keys what they are read as, others what all values
 * fit. */
static int type_columns(struct join *x, struct ldr_err *err)
{
    x->given = ldr_arena_calloc(&x->w->arena, x->spine.n + 1, sizeof *x->given);
    if (!x->given)
        return no_memory(err);
    for (size_t i = 0; i < x->spine.n; i++) {
        struct given *g = &x->given[i];
        g->column = &x->spine.list[i];
        if (g->column == x->time || g->column == x->known)
            g->type = LDR_TIMESTAMP;
        for (size_t k = 0; k < x->q->nkeys; k++)
            if (g->column == x->keys[k] && !g->type) {
                g->type = x->q->key_types[k];
                g->key = true;
            }
        if (!g->type && x->arrow)
            g->type = (uint8_t)ldr_gw_infer(g->column, x->spine.rows, &g->as_text);
        ldr_gw_array_init(&g->values, g->type);
    }
    return 0;
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
    x->t_us = ldr_arena_calloc(a, LDR_GW_SHEET_ROWS, sizeof *x->t_us);
    x->known_at_us = ldr_arena_calloc(a, LDR_GW_SHEET_ROWS, sizeof *x->known_at_us);
    x->cells = ldr_arena_calloc(a, LDR_GW_SHEET_ROWS * (x->spine.n + 1), sizeof *x->cells);
    if (!x->keys || !x->arrays || !x->key_data || !x->t_us || !x->known_at_us || !x->cells)
        return no_memory(err);
    for (size_t k = 0; k < nkeys; k++)
        ldr_gw_array_init(&x->arrays[k], x->q->key_types[k]);
    int rc = column_named(x, x->time_name, "the moments to look from", &x->time, err);
    if (!rc && x->known_name)
        rc = column_named(x, x->known_name, "the moments to know at", &x->known, err);
    for (size_t k = 0; !rc && k < nkeys; k++)
        rc = column_named(x, x->q->keys[k], "join keys", &x->keys[k], err);
    if (!rc)
        rc = type_columns(x, err);
    return rc ? rc : name_columns(x, err);
}

static int bad(size_t row, const char *name, const char *why, int rc, struct ldr_err *err)
{
    return rc == LDR_E_INVALID ? ldr_fail(err, rc, "spine: row %zu: column %.200s: %s", row, name, why)
                               : no_memory(err);
}

/* A value of the spine as one of Arrow's. */
static int give(struct join *x, struct given *to, struct ldr_gw_reading *g)
{
    struct ldr_gw_reading own = {.arena = g->arena, .key = to->key, .why = ""};
    struct ldr_json_reader r;
    struct ldr_datum d = {.type = LDR_STRING};
    ldr_json_reader_init(&r, to->column->raw);
    enum ldr_json_token t = ldr_json_next(&r);
    int rc = 0;
    (void)x;
    if (!to->as_text) {
        rc = ldr_gw_value_read(&own, &r, t, to->type, &d);
        g->why = own.why;
    } else if (t == LDR_JSON_NULL) {
        d.null = true;
    } else {
        d.v.s.p = to->column->raw.p;
        d.v.s.n = to->column->raw.n;
    }
    return rc ? rc : ldr_gw_array_add(&to->values, &d);
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
    if (x->arrow)
        rc = give(x, &x->given[c], g);
    return rc ? bad(row, col->name, g->why, rc, err) : 0;
}

static const struct ldr_column_data *times_of(struct ldr_column_data *to, const int64_t *us, size_t n,
                                              uint8_t *validity)
{
    memset(validity, 0, (n + 7) / 8);
    for (size_t i = 0; i < n; i++)
        if (us[i] != INT64_MIN)
            validity[i / 8] |= (uint8_t)(1u << (i % 8));
    *to = (struct ldr_column_data){.type = LDR_TIMESTAMP, .n = n, .validity = validity, .data = us};
    return to;
}

static int put(struct join *x, const struct ldr_batch *r, size_t n, struct ldr_err *err)
{
    struct ldr_gw_out *out = x->out;
    for (size_t c = 0; c < x->spine.n; c++, out++)
        out->data = x->arrow ? ldr_gw_array_data(&x->given[c].values) : NULL;
    for (size_t c = 0; c < x->q->ncols; c++) {
        struct ldr_column_data *side = &x->side[3 * c];
        uint8_t *validity = x->validity + 2 * c * (LDR_GW_SHEET_ROWS / 8);
        (out++)->data = ldr_batch_column(r, c);
        if (x->opts.with_status) {
            side[0].data = ldr_batch_status(r, c);
            (out++)->data = &side[0];
        }
        if (x->opts.with_times) {
            (out++)->data = times_of(&side[1], ldr_batch_event_us(r, c), n, validity);
            (out++)->data =
                times_of(&side[2], ldr_batch_created_us(r, c), n, validity + LDR_GW_SHEET_ROWS / 8);
        }
    }
    return ldr_gw_sheet_batch(&x->sheet, n, err);
}

static int piece(struct join *x, size_t from, size_t n, struct ldr_err *err)
{
    struct ldr_gw_reading g = {.arena = &x->w->arena, .key = true, .why = ""};
    struct ldr_batch *r = NULL;
    int rc = 0;
    for (size_t k = 0; k < x->q->nkeys; k++)
        ldr_gw_array_reset(&x->arrays[k]);
    for (size_t c = 0; c < x->spine.n; c++)
        ldr_gw_array_reset(&x->given[c].values);
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
    if (!rc)
        rc = put(x, r, n, err);
    ldr_batch_destroy(r);
    return rc;
}

void ldr_gw_historical(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    struct join x = {.w = w, .time_name = "event_timestamp", .arrow = q->arrow};
    struct ldr_gw_wish wish = {0};
    struct ldr_err err = {0};
    ldr_gw_sheet_init(&x.sheet, a);
    int rc = read_fields(&x, q, &wish, &err);
    if (!rc)
        rc = ldr_gw_queries_get(&w->queries, &wish, ldr_gw_mono_us(), &x.q, &err);
    if (!rc)
        rc = bind(&x, &err);
    if (!rc)
        rc = ldr_gw_sheet_begin(&x.sheet, &w->arena, x.arrow, x.out, x.nout, &err);
    for (size_t from = 0, n; !rc && from < x.spine.rows; from += n) {
        n = ldr_gw_sheet_room(&x.sheet);
        n = x.spine.rows - from < n ? x.spine.rows - from : n;
        rc = piece(&x, from, n, &err);
    }
    for (size_t k = 0; x.arrays && k < x.q->nkeys; k++)
        ldr_gw_array_close(&x.arrays[k]);
    for (size_t c = 0; x.given && c < x.spine.n; c++)
        ldr_gw_array_close(&x.given[c].values);
    ldr_gw_sheet_end(&x.sheet, rc, &err);
    ldr_gw_sheet_close(&x.sheet);
    if (rc == LDR_E_CONFLICT && x.q) /* a view was deleted and made anew with another shape */
        ldr_gw_queries_drop(&w->queries, x.q);
}
