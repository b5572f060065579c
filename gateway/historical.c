/* Point-in-time joins: a spine comes in as columns and goes out piece by piece, while it is joined. */
#include "gateway/handlers.h"
#include "gateway/join.h"
#include "gateway/route.h"

static int no_memory(struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_NOMEM, "out of memory");
}

struct request {
    const struct ldr_gw_spine_form *form;
    void *spine;
    struct ldr_gw_wish wish;
};

/* What a body of JSON says, or the parameters of one that is Arrow. */
static int read_fields(struct ldr_gw_join *x, const struct ldr_gw_request *q, struct request *r,
                       struct ldr_err *err)
{
    struct ldr_gw_field f[] = {
        {.name = "features"},         {.name = "service"},         {.name = "full_names"},
        {.name = "timestamp_column"}, {.name = "known_at"},        {.name = "known_at_column"},
        {.name = "with_status"},      {.name = "with_timestamps"}, {.name = "spine"}};
    struct ldr_arena *a = &x->w->arena;
    struct ldr_slice fields = q->body;
    if (q->sent_arrow) {
        const char *text = ldr_gw_spine_params(q, a);
        if (!text)
            return ldr_fail(err, LDR_E_INVALID,
                            "the address: its parameters are not escaped as addresses are");
        fields = ldr_slice_str(text);
    }
    for (size_t i = 0; i < 9 && !q->sent_arrow; i++) {
        const char *value;
        if (ldr_gw_param(q, a, f[i].name, &value, err) || value)
            return ldr_fail(
                err, LDR_E_INVALID,
                "?%s=: parameters go with a spine that is a stream of Arrow (Content-Type: %s); with JSON "
                "they are fields of the body",
                f[i].name, LDR_GW_IPC_TYPE);
    }
    int rc = ldr_gw_fields(fields, f, q->sent_arrow ? 8 : 9, false, err);
    if (!rc)
        rc = ldr_gw_bool(&f[2], &r->wish.full_names, err);
    if (!rc)
        rc = ldr_gw_text(&f[3], a, &x->time_name, err);
    if (!rc)
        rc = ldr_gw_time(&f[4], a, false, &x->has_known, &x->known_us, err);
    if (!rc)
        rc = ldr_gw_text(&f[5], a, &x->known_name, err);
    if (!rc)
        rc = ldr_gw_bool(&f[6], &x->opts.with_status, err);
    if (!rc)
        rc = ldr_gw_bool(&f[7], &x->opts.with_times, err);
    if (rc)
        return rc;
    if (f[0].token == LDR_JSON_END && f[1].token == LDR_JSON_END)
        return ldr_fail(err, LDR_E_INVALID, "features or service: one of them is needed");
    if (x->has_known && x->known_name)
        return ldr_fail(err, LDR_E_INVALID, "known_at and known_at_column exclude each other");
    if (f[0].token != LDR_JSON_END)
        r->wish.features = f[0].raw;
    if (f[1].token != LDR_JSON_END)
        r->wish.service = f[1].raw;
    r->form = q->sent_arrow ? &ldr_gw_spine_of_arrow : &ldr_gw_spine_of_json;
    r->spine = q->sent_arrow ? (void *)ldr_gw_spine_arrow(a, q->body) : (void *)ldr_gw_spine_json(a, &f[8]);
    return r->spine ? r->form->find(r->spine, x, err) : no_memory(err);
}

static size_t place_of(const struct ldr_gw_join *x, const char *name)
{
    for (size_t i = 0; i < x->n; i++)
        if (strcmp(x->names[i], name) == 0)
            return i;
    return LDR_GW_NO_COLUMN;
}

static int column_named(const struct ldr_gw_join *x, const char *name, const char *what, size_t *out,
                        struct ldr_err *err)
{
    *out = place_of(x, name);
    return *out != LDR_GW_NO_COLUMN
               ? 0
               : ldr_fail(err, LDR_E_INVALID, "spine: there is no column '%.200s' with %s", name, what);
}

static int name_out(struct ldr_gw_join *x, const char *name, const char *suffix, unsigned type,
                    struct ldr_err *err)
{
    struct ldr_gw_out *out = &x->out[x->nout++];
    out->name = *suffix ? ldr_arena_printf(&x->w->arena, "%s%s", name, suffix) : name;
    out->type = (uint8_t)type;
    if (!out->name)
        return no_memory(err);
    if (place_of(x, out->name) != LDR_GW_NO_COLUMN)
        return ldr_fail(err, LDR_E_INVALID, "spine: a column has the name of the output column '%.200s'",
                        out->name);
    return 0;
}

static int name_columns(struct ldr_gw_join *x, struct ldr_err *err)
{
    int rc = 0;
    for (; x->nout < x->n; x->nout++) {
        x->out[x->nout].name = x->names[x->nout];
        x->out[x->nout].type = x->types[x->nout];
    }
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

static int make_room(struct ldr_gw_join *x, struct ldr_err *err)
{
    struct ldr_arena *a = &x->w->arena;
    size_t nkeys = x->q->nkeys, ncols = x->q->ncols;
    x->types = ldr_arena_calloc(a, x->n + 1, 1);
    x->keys = ldr_arena_calloc(a, nkeys + 1, sizeof *x->keys);
    x->key_data = ldr_arena_calloc(a, nkeys + 1, sizeof *x->key_data);
    x->t_us = ldr_arena_calloc(a, LDR_GW_SHEET_ROWS, sizeof *x->t_us);
    x->known_at_us = ldr_arena_calloc(a, LDR_GW_SHEET_ROWS, sizeof *x->known_at_us);
    x->out = ldr_arena_calloc(a, x->n + 4 * ncols + 1, sizeof *x->out);
    x->side = ldr_arena_calloc(a, 3 * ncols + 1, sizeof *x->side);
    x->validity = ldr_arena_calloc(a, x->opts.with_times ? 2 * ncols + 1 : 1, LDR_GW_SHEET_ROWS / 8);
    return x->types && x->keys && x->key_data && x->t_us && x->known_at_us && x->out && x->side && x->validity
               ? 0
               : no_memory(err);
}

static int bind(struct ldr_gw_join *x, const struct request *r, struct ldr_err *err)
{
    if (x->n > LDR_GW_SPINE_COLUMNS)
        return ldr_fail(err, LDR_E_TOO_BIG, "spine: more than %d columns", LDR_GW_SPINE_COLUMNS);
    int rc = make_room(x, err);
    if (!rc)
        rc = column_named(x, x->time_name, "the moments to look from", &x->time, err);
    if (!rc && x->known_name)
        rc = column_named(x, x->known_name, "the moments to know at", &x->known, err);
    for (size_t k = 0; !rc && k < x->q->nkeys; k++)
        rc = column_named(x, x->q->keys[k], "join keys", &x->keys[k], err);
    if (rc)
        return rc;
    for (size_t k = 0; k < x->q->nkeys; k++)
        x->types[x->keys[k]] = x->q->key_types[k];
    x->types[x->time] = LDR_TIMESTAMP;
    if (x->known != LDR_GW_NO_COLUMN)
        x->types[x->known] = LDR_TIMESTAMP;
    rc = r->form->begin(r->spine, x, err);
    return rc ? rc : name_columns(x, err);
}

int ldr_gw_join_bad(size_t row, const char *name, const char *why, int rc, struct ldr_err *err)
{
    return rc == LDR_E_INVALID ? ldr_fail(err, rc, "spine: row %zu: column %.200s: %s", row, name, why)
                               : no_memory(err);
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

static int put(struct ldr_gw_join *x, const struct ldr_batch *r, size_t n, struct ldr_err *err)
{
    struct ldr_gw_out *out = x->out + x->n;
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

int ldr_gw_join_piece(struct ldr_gw_join *x, size_t nrows, struct ldr_err *err)
{
    struct ldr_batch *r = NULL;
    const struct ldr_spine s = {.nrows = nrows,
                                .t_us = x->t_us,
                                .known_at_us = x->known != LDR_GW_NO_COLUMN ? x->known_at_us : NULL,
                                .has_known_at = x->has_known,
                                .known_at_all_us = x->known_us,
                                .keys = x->key_data};
    int rc = ldr_historical_get(x->q->query, &s, &x->opts, &r, err);
    if (!rc)
        rc = put(x, r, nrows, err);
    ldr_batch_destroy(r);
    return rc;
}

void ldr_gw_historical(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    struct ldr_gw_join x = {
        .w = w, .time_name = "event_timestamp", .arrow = q->arrow, .known = LDR_GW_NO_COLUMN};
    struct request r = {0};
    struct ldr_err err = {0};
    ldr_gw_sheet_init(&x.sheet, a);
    int rc = read_fields(&x, q, &r, &err);
    if (!rc)
        rc = ldr_gw_queries_get(&w->queries, &r.wish, ldr_gw_mono_us(), &x.q, &err);
    if (!rc)
        rc = bind(&x, &r, &err);
    if (!rc)
        rc = ldr_gw_sheet_begin(&x.sheet, &w->arena, x.arrow, x.out, x.nout, &err);
    if (!rc)
        rc = r.form->run(r.spine, &x, &err);
    if (r.spine)
        r.form->close(r.spine, &x);
    ldr_gw_sheet_end(&x.sheet, rc, &err);
    ldr_gw_sheet_close(&x.sheet);
    if (rc == LDR_E_CONFLICT && x.q) /* a view was deleted and made anew with another shape */
        ldr_gw_queries_drop(&w->queries, x.q);
}
