/* Online reads: Feast's and Larder's own. The answer is written straight from the cells. */
#include "gateway/entities.h"
#include "gateway/handlers.h"

#define CELLS_MAX ((size_t)2 << 20) /* of one answer: about 100 MiB of text */

struct ask {
    struct ldr_gw_wish wish;
    struct ldr_slice entities;
    struct ldr_online_opts opts;
};

int ldr_gw_fresh(const char *text)
{
    return strcmp(text, "strict") == 0    ? LDR_FRESH_STRICT
           : strcmp(text, "own") == 0     ? LDR_FRESH_OWN
           : strcmp(text, "bounded") == 0 ? LDR_FRESH_BOUNDED
                                          : -1;
}

/* Reads what is asked for into w->rows. */
static int read_rows(struct ldr_gw_worker *w, const struct ask *ask, bool feast,
                     const struct ldr_gw_query **query, struct ldr_datum **keys, size_t *nrows,
                     struct ldr_err *err)
{
    int rc = ldr_gw_queries_get(&w->queries, &ask->wish, ldr_gw_mono_us(), query, err);
    if (!rc)
        rc = ldr_gw_entities(ask->entities, *query, &w->arena, w->config->rows, feast, keys, nrows, err);
    if (!rc && *nrows > CELLS_MAX / (*query)->ncols)
        rc = ldr_fail(err, LDR_E_TOO_BIG, "more than %zu values at one time: ask in several requests",
                      CELLS_MAX);
    if (!rc)
        rc = ldr_online_get((*query)->query, *keys, *nrows, &ask->opts, w->rows, err);
    if (rc == LDR_E_CONFLICT && *query) /* a view was deleted and made anew with another shape */
        ldr_gw_queries_drop(&w->queries, *query);
    return rc;
}

/* ---- Feast ---- */

#define NO_TIME "\"1970-01-01T00:00:00Z\""

static void put_repeated(struct ldr_buf *b, const char *text, size_t n)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < n; i++) {
        if (i)
            ldr_buf_put(b, ",", 1);
        ldr_buf_put(b, text, len);
    }
}

static void put_key_column(struct ldr_buf *b, const struct ldr_gw_query *q, const struct ldr_datum *keys,
                           size_t nrows, size_t k)
{
    ldr_buf_puts(b, "{\"values\":[");
    for (size_t i = 0; i < nrows; i++) {
        if (i)
            ldr_buf_put(b, ",", 1);
        ldr_gw_value_put(b, &keys[i * q->nkeys + k], true);
    }
    ldr_buf_puts(b, "],\"statuses\":[");
    put_repeated(b, "\"PRESENT\"", nrows);
    ldr_buf_puts(b, "],\"event_timestamps\":[");
    put_repeated(b, NO_TIME, nrows);
    ldr_buf_puts(b, "]}");
}

/* The text of the time before, when it is the same: views are many columns of one fact. */
struct time_memo {
    int64_t us;
    size_t n;
    char text[LDR_TIME_TEXT + 2];
};

static uint8_t *put_event_time(uint8_t *p, struct time_memo *m, bool found, int64_t us)
{
    if (!found) {
        memcpy(p, NO_TIME, sizeof NO_TIME - 1);
        return p + sizeof NO_TIME - 1;
    }
    if (m->n == 0 || m->us != us) {
        m->us = us;
        m->text[0] = '"';
        m->n = ldr_time_format(us, m->text + 1) + 1;
        m->text[m->n++] = '"';
    }
    memcpy(p, m->text, m->n);
    return p + m->n;
}

/* Room is made once for the statuses and once for the times of a column. */
static void put_statuses(struct ldr_buf *b, const struct ldr_rows *rows, size_t nrows, size_t col)
{
    static const struct {
        char text[18];
        uint8_t n;
    } statuses[] = {
        {"\"PRESENT\",", 10}, {"\"NULL_VALUE\",", 13}, {"\"NOT_FOUND\",", 12}, {"\"OUTSIDE_MAX_AGE\",", 18}};
    uint8_t *from = ldr_buf_reserve(b, nrows * sizeof statuses[0].text + 1), *p = from;
    if (!p)
        return;
    for (size_t i = 0; i < nrows; i++) {
        unsigned s = ldr_rows_row(rows, i)[col].status & 3;
        memcpy(p, statuses[s].text, sizeof statuses[s].text);
        p += statuses[s].n;
    }
    b->n += (size_t)(p - from) - (nrows > 0); /* without the last comma */
}

static void put_event_times(struct ldr_buf *b, const struct ldr_rows *rows, size_t nrows, size_t col,
                            struct time_memo *memo)
{
    uint8_t *from = ldr_buf_reserve(b, nrows * (sizeof memo->text + 1) + 1), *p = from;
    if (!p)
        return;
    for (size_t i = 0; i < nrows; i++) {
        int64_t event_us = 0, created_us;
        bool found = ldr_rows_times(rows, i, col, &event_us, &created_us);
        p = put_event_time(p, memo, found, event_us);
        *p++ = ',';
    }
    b->n += (size_t)(p - from) - (nrows > 0);
}

static void put_feature_column(struct ldr_buf *b, const struct ldr_rows *rows, size_t nrows, size_t col,
                               struct time_memo *memo)
{
    ldr_buf_put(b, "{\"values\":[", 11);
    for (size_t i = 0; i < nrows; i++) {
        if (i)
            ldr_buf_put(b, ",", 1);
        ldr_gw_value_put(b, &ldr_rows_row(rows, i)[col], true);
    }
    ldr_buf_put(b, "],\"statuses\":[", 14);
    put_statuses(b, rows, nrows, col);
    ldr_buf_put(b, "],\"event_timestamps\":[", 22);
    put_event_times(b, rows, nrows, col, memo);
    ldr_buf_put(b, "]}", 2);
}

/* What stands between two values of one entity: the same as long as status and time are. */
#define COLUMN ",{\"values\":["
struct between {
    bool found;
    uint8_t status;
    int64_t us;
    size_t n;
    char text[192];
};

static void make_between(struct between *m, const struct ldr_datum *d, bool found, int64_t us,
                         struct time_memo *memo)
{
    static const char statuses[] = "],\"statuses\":[\"", times[] = "\"],\"event_timestamps\":[",
                      end[] = "]}" COLUMN;
    const char *status = ldr_gw_status_name(d->status & 3);
    size_t n = strlen(status);
    uint8_t *p = (uint8_t *)m->text;
    *m = (struct between){.found = found, .status = d->status, .us = us};
    memcpy(p, statuses, sizeof statuses - 1);
    memcpy(p + sizeof statuses - 1, status, n);
    p += sizeof statuses - 1 + n;
    memcpy(p, times, sizeof times - 1);
    p = put_event_time(p + sizeof times - 1, memo, found, us);
    memcpy(p, end, sizeof end - 1);
    m->n = (size_t)(p - (uint8_t *)m->text) + sizeof end - 1;
}

/* The features of one entity, as most requests have it. */
static void put_one(struct ldr_buf *b, const struct ldr_rows *rows, size_t ncols, struct time_memo *memo)
{
    const struct ldr_datum *cells = ldr_rows_row(rows, 0);
    struct between m;
    m.n = 0;
    ldr_buf_put(b, COLUMN, sizeof COLUMN - 1);
    for (size_t c = 0; c < ncols; c++) {
        const struct ldr_datum *d = &cells[c];
        int64_t us = 0, created_us;
        bool found = ldr_rows_times(rows, 0, c, &us, &created_us);
        ldr_gw_value_put(b, d, true);
        if (!m.n || m.status != d->status || m.found != found || m.us != us)
            make_between(&m, d, found, us, memo);
        ldr_buf_put(b, m.text, m.n);
    }
    if (!b->err)
        b->n -= sizeof COLUMN - 1; /* after the last there is no other */
}

static void put_feast(struct ldr_buf *b, const struct ldr_gw_query *q, const struct ldr_datum *keys,
                      const struct ldr_rows *rows, size_t nrows)
{
    struct time_memo memo = {0};
    ldr_buf_puts(b, "{\"metadata\":{\"feature_names\":");
    ldr_buf_put(b, q->names.p, q->names.n);
    ldr_buf_puts(b, "},\"results\":[");
    for (size_t k = 0; k < q->nkeys; k++) {
        if (k)
            ldr_buf_put(b, ",", 1);
        put_key_column(b, q, keys, nrows, k);
    }
    if (nrows == 1 && q->ncols)
        put_one(b, rows, q->ncols, &memo);
    for (size_t c = 0; nrows != 1 && c < q->ncols; c++) {
        ldr_buf_put(b, ",", 1);
        put_feature_column(b, rows, nrows, c, &memo);
    }
    ldr_buf_puts(b, "]}");
}

/* Which of Feast's errors it is, when it has one. */
static const char *feast_class(int rc, const struct ask *ask, const struct ldr_err *err)
{
    if (rc == LDR_E_NOT_FOUND)
        return ask->wish.service.n ? "FeatureServiceNotFoundException" : "FeatureViewNotFoundException";
    if (rc == LDR_E_INVALID &&
        (strstr(err->message, "ask for full feature names") || strstr(err->message, "ask for them apart")))
        return "FeatureNameCollisionError";
    return NULL;
}

static int feast_fields(const struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ask *ask,
                        struct ldr_err *err)
{
    struct ldr_gw_field f[] = {{.name = "entities"},
                               {.name = "features"},
                               {.name = "feature_service"},
                               {.name = "full_feature_names"}};
    int rc = ldr_gw_fields_known(q->body, f, 4, true, ldr_gw_queries_last(&w->queries), err);
    if (!rc)
        rc = ldr_gw_bool(&f[3], &ask->wish.full_names, err);
    if (rc)
        return rc;
    if (f[0].token == LDR_JSON_END)
        return ldr_fail(err, LDR_E_INVALID, "entities: it is missing: expected an object of arrays");
    ask->entities = f[0].raw;
    /* as in Feast: the service wins, and an empty list beside it says nothing */
    if (f[2].token != LDR_JSON_END)
        ask->wish.service = f[2].raw;
    else if (f[1].token != LDR_JSON_END)
        ask->wish.features = f[1].raw;
    else
        return ldr_fail(err, LDR_E_INVALID, "features or feature_service: one of them is needed");
    return 0;
}

void ldr_gw_feast_online(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    struct ask ask = {.opts.fresh = ldr_gw_fresh(w->config->fresh)};
    struct ldr_err err = {0};
    const struct ldr_gw_query *query = NULL;
    struct ldr_datum *keys = NULL;
    size_t nrows = 0;
    int rc = feast_fields(w, q, &ask, &err);
    if (!rc)
        rc = read_rows(w, &ask, true, &query, &keys, &nrows, &err);
    if (!rc) {
        put_feast(&a->body, query, keys, w->rows, nrows);
    } else {
        const char *cls = feast_class(rc, &ask, &err);
        ldr_gw_fail_feast(a, cls && rc == LDR_E_INVALID ? 400 : ldr_gw_status(rc), cls, &err);
    }
}

/* ---- Larder's own: entity by entity, with everything that is known of each value ---- */

static int own_fields(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ask *ask,
                      struct ldr_err *err)
{
    struct ldr_gw_field f[] = {{.name = "entities"},   {.name = "features"}, {.name = "service"},
                               {.name = "full_names"}, {.name = "as_of"},    {.name = "known_at"},
                               {.name = "fresh"}};
    const char *fresh = w->config->fresh;
    int rc = ldr_gw_fields_known(q->body, f, 7, false, ldr_gw_queries_last(&w->queries), err);
    if (!rc)
        rc = ldr_gw_bool(&f[3], &ask->wish.full_names, err);
    if (!rc)
        rc = ldr_gw_time(&f[4], &w->arena, false, &ask->opts.has_as_of, &ask->opts.as_of_us, err);
    if (!rc)
        rc = ldr_gw_time(&f[5], &w->arena, false, &ask->opts.has_known_at, &ask->opts.known_at_us, err);
    if (!rc)
        rc = ldr_gw_text(&f[6], &w->arena, &fresh, err);
    if (rc)
        return rc;
    ask->opts.fresh = ldr_gw_fresh(fresh);
    if (ask->opts.fresh < 0)
        return ldr_fail(err, LDR_E_INVALID, "fresh: found '%.64s', expected bounded, own or strict", fresh);
    if (f[0].token == LDR_JSON_END)
        return ldr_fail(err, LDR_E_INVALID, "entities: it is missing: expected an object of arrays");
    ask->entities = f[0].raw;
    if (f[1].token == LDR_JSON_END && f[2].token == LDR_JSON_END)
        return ldr_fail(err, LDR_E_INVALID, "features or service: one of them is needed");
    if (f[2].token != LDR_JSON_END)
        ask->wish.service = f[2].raw;
    if (f[1].token != LDR_JSON_END)
        ask->wish.features = f[1].raw;
    return 0;
}

static void put_time_or_null(struct ldr_json *j, bool has, int64_t us)
{
    char text[LDR_TIME_TEXT];
    if (has)
        ldr_json_str(j, ldr_slice(text, ldr_time_format(us, text)));
    else
        ldr_json_null(j);
}

static void put_cell(struct ldr_json *j, const struct ldr_rows *rows, size_t row, size_t col)
{
    const struct ldr_datum *d = &ldr_rows_row(rows, row)[col];
    int64_t event_us = 0, created_us = 0;
    bool found = ldr_rows_times(rows, row, col, &event_us, &created_us);
    ldr_json_object(j);
    ldr_json_key(j, "value");
    ldr_json_raw(j, ldr_slice(NULL, 0));
    ldr_gw_value_put(j->out, d, false);
    ldr_json_key(j, "status");
    ldr_json_cstr(j, ldr_gw_status_name(d->status));
    ldr_json_key(j, "event_timestamp");
    put_time_or_null(j, found, event_us);
    ldr_json_key(j, "created_timestamp");
    put_time_or_null(j, found, created_us);
    ldr_json_object_end(j);
}

static void put_own(struct ldr_buf *b, const struct ldr_gw_query *q, const struct ldr_datum *keys,
                    const struct ldr_rows *rows, size_t nrows)
{
    struct ldr_json j;
    ldr_json_init(&j, b);
    ldr_json_object(&j);
    ldr_json_key(&j, "rows");
    ldr_json_array(&j);
    for (size_t i = 0; i < nrows; i++) {
        ldr_json_object(&j);
        ldr_json_key(&j, "entity");
        ldr_json_object(&j);
        for (size_t k = 0; k < q->nkeys; k++) {
            ldr_json_key(&j, q->keys[k]);
            ldr_json_raw(&j, ldr_slice(NULL, 0));
            ldr_gw_value_put(b, &keys[i * q->nkeys + k], false);
        }
        ldr_json_object_end(&j);
        ldr_json_key(&j, "features");
        ldr_json_object(&j);
        for (size_t c = 0; c < q->ncols; c++) {
            ldr_json_key(&j, ldr_query_column(q->query, c));
            put_cell(&j, rows, i, c);
        }
        ldr_json_object_end(&j);
        ldr_json_object_end(&j);
    }
    ldr_json_array_end(&j);
    ldr_json_object_end(&j);
}

void ldr_gw_online(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    struct ask ask = {0};
    struct ldr_err err = {0};
    const struct ldr_gw_query *query = NULL;
    struct ldr_datum *keys = NULL;
    size_t nrows = 0;
    int rc = own_fields(w, q, &ask, &err);
    if (!rc)
        rc = read_rows(w, &ask, false, &query, &keys, &nrows, &err);
    if (rc)
        ldr_gw_fail_err(a, rc, &err);
    else
        put_own(&a->body, query, keys, w->rows, nrows);
}
