/* Writing: Feast's /push and /write-to-online-store, Larder's /v1/write. Columns come in, rows go to the
 * store. */
#include "gateway/columns.h"
#include "gateway/handlers.h"

#define CELLS_MAX ((size_t)4 << 20) /* of one request: 128 MiB of cells */
#define VIEWS_MAX 64                /* fed by one push source */

struct write {
    struct ldr_gw_worker *w;
    const char *view;
    const char *event, *created; /* names of the time columns */
    const struct ldr_gw_columns *columns;
    bool feast, allow_missing;
    /* made: */
    const char **names;
    uint8_t *types;
    struct ldr_gw_column **from;
    size_t ncols, nkeys;
    struct ldr_datum *cells;
    int64_t *event_us, *created_us;
    bool *has_created;
    size_t with_created;
};

static int no_memory(struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_NOMEM, "out of memory");
}

/* A view's keys and features, as a query for all of it: made once, found again by its text. */
static int shape_of(struct ldr_gw_worker *w, const char *view, const struct ldr_gw_query **out,
                    struct ldr_err *err)
{
    struct ldr_buf text;
    struct ldr_json j;
    struct ldr_slice kept;
    ldr_buf_init(&text, NULL, 0);
    ldr_json_init(&j, &text);
    ldr_json_array(&j);
    ldr_json_cstr(&j, view);
    ldr_json_array_end(&j);
    int rc = text.err ? text.err : ldr_arena_slice(&w->arena, ldr_buf_slice(&text), &kept);
    ldr_buf_close(&text);
    if (rc)
        return no_memory(err);
    const struct ldr_gw_wish wish = {.features = kept};
    return ldr_gw_queries_get(&w->queries, &wish, ldr_gw_mono_us(), out, err);
}

static int want(struct write *x, const char *name, uint8_t type, bool key, struct ldr_err *err)
{
    struct ldr_gw_column *c = ldr_gw_column_of(x->columns, name);
    if (!c && (key || !x->allow_missing))
        return ldr_fail(err, LDR_E_INVALID, "%s: the %s '%s' has no column", x->view,
                        key ? "join key" : "feature", name);
    if (c) {
        /* a copy: the query it comes from may give way to others before all is written */
        x->names[x->ncols] = ldr_arena_strndup(&x->w->arena, name, strlen(name));
        if (!x->names[x->ncols])
            return no_memory(err);
        x->types[x->ncols] = type;
        x->from[x->ncols++] = c;
    }
    return 0;
}

/* Which columns there are; unknown ones: Feast leaves them, we do not. */
static int bind(struct write *x, struct ldr_err *err)
{
    const struct ldr_gw_query *q;
    struct ldr_arena *a = &x->w->arena;
    int rc = shape_of(x->w, x->view, &q, err);
    if (rc)
        return rc;
    size_t most = q->nkeys + q->ncols;
    x->names = ldr_arena_calloc(a, most, sizeof *x->names);
    x->types = ldr_arena_calloc(a, most, 1);
    x->from = (struct ldr_gw_column **)ldr_arena_calloc(a, most, sizeof *x->from);
    if (!x->names || !x->types || !x->from)
        return no_memory(err);
    for (size_t i = 0; !rc && i < q->nkeys; i++)
        rc = want(x, q->keys[i], q->key_types[i], true, err);
    x->nkeys = q->nkeys;
    for (size_t i = 0; !rc && i < q->ncols; i++)
        rc = want(x, ldr_query_column(q->query, i), (uint8_t)ldr_query_column_type(q->query, i), false, err);
    for (size_t i = 0; !rc && !x->feast && i < x->columns->n; i++) {
        const char *name = x->columns->list[i].name;
        bool known = strcmp(name, x->event) == 0 || (x->created && strcmp(name, x->created) == 0);
        for (size_t k = 0; !known && k < x->ncols; k++)
            known = strcmp(name, x->names[k]) == 0;
        if (!known)
            rc = ldr_fail(err, LDR_E_INVALID, "%s has no join key or feature '%.200s'", x->view, name);
    }
    return rc;
}

static int bad(const struct write *x, size_t row, const char *column, const char *why, int rc,
               struct ldr_err *err)
{
    (void)x;
    return rc == LDR_E_INVALID ? ldr_fail(err, rc, "row %zu: column %.200s: %s", row, column, why)
                               : no_memory(err);
}

static int read_times(struct write *x, struct ldr_gw_reading *g, struct ldr_err *err)
{
    struct ldr_gw_column *e = ldr_gw_column_of(x->columns, x->event),
                         *c = x->created ? ldr_gw_column_of(x->columns, x->created) : NULL;
    if (!e)
        return ldr_fail(err, LDR_E_INVALID, "%s: there is no column '%s' with event times", x->view,
                        x->event);
    struct ldr_json_reader at = e->at, at_created = c ? c->at : at;
    for (size_t i = 0; i < x->columns->rows; i++) {
        enum ldr_json_token t = ldr_json_next(&at);
        int rc = ldr_gw_time_read(g, &at, t, &x->event_us[i]);
        if (rc)
            return bad(x, i, e->name, g->why, rc, err);
        t = c ? ldr_json_next(&at_created) : LDR_JSON_NULL;
        x->has_created[i] = t != LDR_JSON_NULL;
        rc = x->has_created[i] ? ldr_gw_time_read(g, &at_created, t, &x->created_us[i]) : 0;
        if (rc)
            return bad(x, i, c->name, g->why, rc, err);
        x->with_created += x->has_created[i];
    }
    return 0;
}

static int read_cells(struct write *x, struct ldr_err *err)
{
    struct ldr_arena *a = &x->w->arena;
    struct ldr_gw_reading g = {.arena = a, .feast = x->feast, .why = ""};
    size_t rows = x->columns->rows;
    if (x->ncols && rows > CELLS_MAX / x->ncols)
        return ldr_fail(err, LDR_E_TOO_BIG, "more than %zu values at one time: send them in several requests",
                        CELLS_MAX);
    x->cells = ldr_arena_calloc(a, rows * x->ncols + 1, sizeof *x->cells);
    x->event_us = ldr_arena_calloc(a, rows + 1, sizeof *x->event_us);
    x->created_us = ldr_arena_calloc(a, rows + 1, sizeof *x->created_us);
    x->has_created = ldr_arena_calloc(a, rows + 1, sizeof *x->has_created);
    if (!x->cells || !x->event_us || !x->created_us || !x->has_created)
        return no_memory(err);
    int rc = read_times(x, &g, err);
    for (size_t k = 0; !rc && k < x->ncols; k++) {
        struct ldr_json_reader at = x->from[k]->at; /* a push may feed several views from one column */
        g.key = x->feast && k < x->nkeys;
        for (size_t i = 0; !rc && i < rows; i++) {
            rc = ldr_gw_value_read(&g, &at, ldr_json_next(&at), x->types[k], &x->cells[i * x->ncols + k]);
            if (rc)
                bad(x, i, x->names[k], g.why, rc, err);
        }
    }
    return rc;
}

static void add_report(struct ldr_write_report *sum, const struct ldr_write_report *r)
{
    sum->rows += r->rows;
    sum->taken += r->taken;
    sum->duplicates += r->duplicates;
    sum->erased += r->erased;
    sum->ties += r->ties;
}

static int send_rows(struct write *x, size_t n, const int64_t *created, struct ldr_write_report *sum,
                     struct ldr_err *err)
{
    struct ldr_write_report r = {0};
    if (n == 0)
        return 0;
    int rc = ldr_write(x->w->store, x->view, x->names, x->ncols, x->cells, n, x->event_us, created, &r, err);
    add_report(sum, &r);
    return rc;
}

/* Brings the rows with a created time to the front; both runs keep their order well enough: facts have none.
 */
static int store(struct write *x, struct ldr_write_report *sum, struct ldr_err *err)
{
    size_t rows = x->columns->rows, front = x->with_created;
    if (front == 0 || front == rows)
        return send_rows(x, rows, front ? x->created_us : NULL, sum, err);
    for (size_t i = 0, j = rows; i < j;) {
        if (x->has_created[i]) {
            i++;
            continue;
        }
        j--;
        for (size_t k = 0; k < x->ncols; k++) {
            struct ldr_datum d = x->cells[i * x->ncols + k];
            x->cells[i * x->ncols + k] = x->cells[j * x->ncols + k];
            x->cells[j * x->ncols + k] = d;
        }
        int64_t e = x->event_us[i];
        x->event_us[i] = x->event_us[j];
        x->event_us[j] = e;
        x->created_us[i] = x->created_us[j];
        x->has_created[i] = x->has_created[j];
        x->has_created[j] = false;
    }
    int rc = send_rows(x, front, x->created_us, sum, err);
    if (rc)
        return rc;
    x->cells += front * x->ncols;
    x->event_us += front;
    return send_rows(x, rows - front, NULL, sum, err);
}

/* ---- Feast ---- */

/* The names of a source's time columns; Feast's SDK always says event_timestamp and created. */
static int source_times(struct write *x, const char *source, struct ldr_err *err)
{
    struct ldr_table *t;
    x->event = "event_timestamp";
    x->created = "created";
    if (!source || !*source)
        return 0;
    int rc = ldr_describe(x->w->store, "sources", source, 0, &t, err);
    for (size_t i = 0; !rc && i < ldr_table_rows(t); i++) {
        const struct ldr_datum *f = ldr_table_cell(t, i, 0), *v = ldr_table_cell(t, i, 1);
        bool event = f->v.s.n == 15 && memcmp(f->v.s.p, "event_timestamp", 15) == 0;
        bool created = f->v.s.n == 17 && memcmp(f->v.s.p, "created_timestamp", 17) == 0;
        if ((!event && !created) || v->null || v->v.s.n == 0)
            continue;
        const char *name = ldr_arena_strndup(&x->w->arena, v->v.s.p, v->v.s.n);
        if (!name)
            rc = no_memory(err);
        else if (ldr_gw_column_of(x->columns, name))
            *(event ? &x->event : &x->created) = name;
    }
    if (!rc)
        ldr_table_destroy(t);
    return rc;
}

static const char *cell_text(struct ldr_arena *a, const struct ldr_table *t, size_t row, const char *column)
{
    for (size_t c = 0; c < ldr_table_columns(t); c++)
        if (strcmp(ldr_table_column(t, c), column) == 0) {
            const struct ldr_datum *d = ldr_table_cell(t, row, c);
            return d->null ? "" : ldr_arena_strndup(a, d->v.s.p, d->v.s.n);
        }
    return "";
}

/* The views named `view`, or fed by the source `push`. source: of the view. */
static int views_of(struct ldr_gw_worker *w, const char *view, const char *push, const char *views[VIEWS_MAX],
                    size_t *n, const char **source, struct ldr_err *err)
{
    struct ldr_table *t;
    int rc = ldr_list(w->store, "feature-views", &t, err);
    *n = 0;
    *source = push;
    for (size_t i = 0; !rc && i < ldr_table_rows(t); i++) {
        const char *name = cell_text(&w->arena, t, i, "name"), *from = cell_text(&w->arena, t, i, "source");
        if (!name || !from)
            rc = no_memory(err);
        else if (view ? strcmp(name, view) == 0 : strcmp(from, push) == 0) {
            if (*n == VIEWS_MAX)
                rc = ldr_fail(err, LDR_E_TOO_BIG, "the source feeds more than %d views", VIEWS_MAX);
            else
                views[(*n)++] = name;
            if (view)
                *source = from;
        }
    }
    if (!rc)
        ldr_table_destroy(t);
    return rc;
}

static int write_views(struct ldr_gw_worker *w, const char *const *views, size_t n, const char *source,
                       const struct ldr_gw_columns *columns, struct ldr_err *err)
{
    struct write list[VIEWS_MAX];
    struct ldr_write_report sum = {0};
    int rc = 0;
    for (size_t i = 0; !rc && i < n; i++) { /* all are read before any is written */
        list[i] = (struct write){.w = w, .view = views[i], .columns = columns, .feast = true};
        rc = source_times(&list[i], source, err);
        if (!rc)
            rc = bind(&list[i], err);
        if (!rc)
            rc = read_cells(&list[i], err);
    }
    for (size_t i = 0; !rc && i < n; i++)
        rc = store(&list[i], &sum, err);
    return rc;
}

void ldr_gw_feast_write(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    struct ldr_gw_field f[] = {{.name = "feature_view_name"}, {.name = "df"}};
    struct ldr_gw_columns columns;
    struct ldr_err err = {0};
    const char *view = NULL, *source = NULL, *views[VIEWS_MAX], *cls = NULL;
    size_t n = 0;
    int rc = ldr_gw_fields(q->body, f, 2, true, &err);
    if (!rc)
        rc = ldr_gw_text(&f[0], &w->arena, &view, &err);
    if (!rc && !view)
        rc = ldr_fail(&err, LDR_E_INVALID, "feature_view_name: it is missing");
    if (!rc)
        rc = ldr_gw_columns_find(&f[1], &w->arena, &columns, &err);
    if (!rc)
        rc = views_of(w, view, NULL, views, &n, &source, &err);
    if (!rc && n == 0) {
        rc = ldr_fail(&err, LDR_E_NOT_FOUND, "there is no feature view '%.200s'", view);
        cls = "FeatureViewNotFoundException";
    }
    if (!rc)
        rc = write_views(w, views, n, source, &columns, &err);
    if (rc)
        ldr_gw_fail_feast(a, ldr_gw_status(rc), cls, &err);
    else
        ldr_buf_puts(&a->body, "null");
}

static bool pushes_to(const char *to)
{
    return strcmp(to, "online") == 0 || strcmp(to, "offline") == 0 || strcmp(to, "online_and_offline") == 0;
}

/* Whether there is such a source at all, fed or not. */
static int source_there(struct ldr_gw_worker *w, const char *push, struct ldr_err *err)
{
    struct ldr_table *t;
    int rc = ldr_describe(w->store, "sources", push, 0, &t, err);
    if (!rc)
        ldr_table_destroy(t);
    return rc;
}

void ldr_gw_feast_push(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    struct ldr_gw_field f[] = {{.name = "push_source_name"}, {.name = "df"}, {.name = "to"}};
    struct ldr_gw_columns columns;
    struct ldr_err err = {0};
    const char *push = NULL, *source = NULL, *views[VIEWS_MAX], *to = "online", *cls = NULL;
    size_t n = 0;
    int rc = ldr_gw_fields(q->body, f, 3, true, &err);
    if (!rc)
        rc = ldr_gw_text(&f[0], &w->arena, &push, &err);
    if (!rc)
        rc = ldr_gw_text(&f[2], &w->arena, &to, &err);
    if (!rc && !push)
        rc = ldr_fail(&err, LDR_E_INVALID, "push_source_name: it is missing");
    if (!rc && !pushes_to(to))
        rc = ldr_fail(&err, LDR_E_INVALID,
                      "to: found '%.64s', expected online, offline or online_and_offline", to);
    if (!rc)
        rc = ldr_gw_columns_find(&f[1], &w->arena, &columns, &err);
    if (!rc && (rc = source_there(w, push, &err)) == LDR_E_NOT_FOUND)
        cls = "PushSourceNotFoundException";
    if (!rc)
        rc = views_of(w, NULL, push, views, &n, &source, &err);
    if (!rc)
        rc = write_views(w, views, n, source, &columns, &err);
    if (rc)
        ldr_gw_fail_feast(a, cls ? 422 : ldr_gw_status(rc), cls, &err);
}

/* ---- Larder's own ---- */

void ldr_gw_write(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    struct ldr_gw_field f[] = {{.name = "view"},
                               {.name = "columns"},
                               {.name = "event_timestamp"},
                               {.name = "created_timestamp"},
                               {.name = "allow_missing"}};
    struct ldr_gw_columns columns;
    struct ldr_err err = {0};
    struct ldr_write_report sum = {0};
    struct write x = {.w = w, .columns = &columns, .event = "event_timestamp"};
    int rc = ldr_gw_fields(q->body, f, 5, false, &err);
    if (!rc)
        rc = ldr_gw_text(&f[0], &w->arena, &x.view, &err);
    if (!rc)
        rc = ldr_gw_text(&f[2], &w->arena, &x.event, &err);
    if (!rc)
        rc = ldr_gw_text(&f[3], &w->arena, &x.created, &err);
    if (!rc)
        rc = ldr_gw_bool(&f[4], &x.allow_missing, &err);
    if (!rc && !x.view)
        rc = ldr_fail(&err, LDR_E_INVALID, "view: it is missing");
    if (!rc)
        rc = ldr_gw_columns_find(&f[1], &w->arena, &columns, &err);
    if (!rc && x.created && !ldr_gw_column_of(&columns, x.created))
        rc = ldr_fail(&err, LDR_E_INVALID, "%s: there is no column '%.200s' with created times", x.view,
                      x.created);
    if (!rc)
        rc = bind(&x, &err);
    if (!rc)
        rc = read_cells(&x, &err);
    if (!rc)
        rc = store(&x, &sum, &err);
    if (rc) {
        ldr_gw_fail_err(a, rc, &err);
        return;
    }
    ldr_buf_printf(
        &a->body, "{\"rows\":%llu,\"taken\":%llu,\"duplicates\":%llu,\"erased\":%llu,\"ties\":%llu}",
        (unsigned long long)columns.rows, (unsigned long long)sum.taken, (unsigned long long)sum.duplicates,
        (unsigned long long)sum.erased, (unsigned long long)sum.ties);
}
