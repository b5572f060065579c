/* History of a view, of all its entities or of one, page after page. */
#include "gateway/body.h"
#include "gateway/handlers.h"
#include "gateway/sheet.h"
#include "gateway/spine.h"

struct scan {
    struct ldr_gw_worker *w;
    struct ldr_scan_part part;
    struct ldr_gw_field entity;
    struct ldr_slice view; /* as written */
    struct ldr_scanner *scanner;
    struct ldr_gw_out *out;
    size_t nout;
    struct ldr_gw_sheet sheet;
};

static int no_memory(struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_NOMEM, "out of memory");
}

static int read_fields(struct scan *x, const struct ldr_gw_request *q, struct ldr_err *err)
{
    struct ldr_gw_field f[] = {{.name = "view"}, {.name = "entity"},   {.name = "from"},
                               {.name = "to"},   {.name = "known_at"}, {.name = "fresh"}};
    struct ldr_arena *a = &x->w->arena;
    const char *fresh = x->w->config->fresh;
    int rc = ldr_gw_fields(q->body, f, 6, false, err);
    if (!rc)
        rc = ldr_gw_text(&f[0], a, &x->part.view, err);
    if (!rc)
        rc = ldr_gw_time(&f[2], a, false, &x->part.has_from, &x->part.from_us, err);
    if (!rc)
        rc = ldr_gw_time(&f[3], a, false, &x->part.has_to, &x->part.to_us, err);
    if (!rc)
        rc = ldr_gw_time(&f[4], a, false, &x->part.has_known_at, &x->part.known_at_us, err);
    if (!rc)
        rc = ldr_gw_text(&f[5], a, &fresh, err);
    if (rc)
        return rc;
    if (!x->part.view)
        return ldr_fail(err, LDR_E_INVALID, "view: it is missing");
    x->part.fresh = ldr_gw_fresh(fresh);
    if (x->part.fresh < 0)
        return ldr_fail(err, LDR_E_INVALID, "fresh: found '%.64s', expected bounded, own or strict", fresh);
    x->view = f[0].raw;
    x->entity = f[1];
    x->part.last = UINT64_MAX;
    return 0;
}

/* {"key": value, ...} of every join key into columns of one row. */
static int read_keys(struct scan *x, const struct ldr_gw_query *q, struct ldr_gw_array *arrays,
                     struct ldr_err *err)
{
    struct ldr_gw_reading g = {.arena = &x->w->arena, .key = true, .why = ""};
    struct ldr_json_reader r;
    ldr_json_reader_init(&r, x->entity.raw);
    ldr_json_next(&r);
    while (ldr_json_next(&r) == LDR_JSON_KEY) {
        struct ldr_slice name = r.text;
        size_t k = ldr_gw_query_key(q, name);
        int len = (int)(name.n < 200 ? name.n : 200);
        if (k == q->nkeys || arrays[k].data.n)
            return ldr_fail(err, LDR_E_INVALID, "entity: '%.*s' %s", len, (const char *)name.p,
                            k == q->nkeys ? "is not a join key of the view" : "stands here twice");
        struct ldr_datum d;
        int rc = ldr_gw_value_read(&g, &r, ldr_json_next(&r), q->key_types[k], &d);
        if (!rc && d.null)
            return ldr_fail(err, LDR_E_INVALID, "entity.%s: a join key is not null", q->keys[k]);
        rc = rc ? rc : ldr_gw_array_add(&arrays[k], &d);
        if (rc)
            return rc == LDR_E_INVALID ? ldr_fail(err, rc, "entity.%s: %s", q->keys[k], g.why)
                                       : no_memory(err);
    }
    for (size_t k = 0; k < q->nkeys; k++)
        if (!arrays[k].data.n)
            return ldr_fail(err, LDR_E_INVALID, "entity: the join key '%s' is missing", q->keys[k]);
    return 0;
}

/* The arc that holds the one entity that is asked for. */
static int find_entity(struct scan *x, struct ldr_err *err)
{
    const struct ldr_gw_query *q = NULL;
    struct ldr_arena *a = &x->w->arena;
    if (x->entity.token == LDR_JSON_END)
        return 0;
    if (x->entity.token != LDR_JSON_OBJECT)
        return ldr_fail(err, LDR_E_INVALID, "entity: expected an object of join keys and values");
    const char *list = ldr_arena_printf(a, "[%.*s]", (int)x->view.n, (const char *)x->view.p);
    if (!list)
        return no_memory(err);
    const struct ldr_gw_wish wish = {.features = ldr_slice_str(list)};
    int rc = ldr_gw_queries_get(&x->w->queries, &wish, ldr_gw_mono_us(), &q, err);
    if (rc)
        return rc;
    struct ldr_gw_array *arrays = ldr_arena_calloc(a, q->nkeys + 1, sizeof *arrays);
    struct ldr_column_data *keys = ldr_arena_calloc(a, q->nkeys + 1, sizeof *keys);
    if (!arrays || !keys)
        return no_memory(err);
    for (size_t k = 0; k < q->nkeys; k++)
        ldr_gw_array_init(&arrays[k], q->key_types[k]);
    rc = read_keys(x, q, arrays, err);
    for (size_t k = 0; !rc && k < q->nkeys; k++)
        keys[k] = *ldr_gw_array_data(&arrays[k]);
    if (!rc)
        rc = ldr_query_hash(q->query, keys, 1, &x->part.first, err);
    x->part.last = x->part.first;
    for (size_t k = 0; k < q->nkeys; k++)
        ldr_gw_array_close(&arrays[k]);
    return rc;
}

static int open_scan(struct scan *x, struct ldr_err *err)
{
    int rc = find_entity(x, err);
    if (!rc)
        rc = ldr_scanner_create(x->w->store, &x->part, &x->scanner, err);
    if (rc)
        return rc;
    x->nout = ldr_scanner_columns(x->scanner);
    x->out = ldr_arena_calloc(&x->w->arena, x->nout, sizeof *x->out);
    if (!x->out)
        return no_memory(err);
    for (size_t i = 0; i < x->nout; i++) {
        x->out[i].name = ldr_scanner_column(x->scanner, i);
        x->out[i].type = (uint8_t)ldr_scanner_column_type(x->scanner, i);
    }
    return 0;
}

/* A page: about a MiB. *more: there may be others. */
static int page(struct scan *x, bool *more, struct ldr_err *err)
{
    struct ldr_batch *b = NULL;
    int rc = ldr_scanner_next(x->scanner, 1, &b, err);
    *more = !rc && b;
    for (size_t i = 0; *more && i < x->nout; i++)
        x->out[i].data = ldr_batch_column(b, i);
    if (*more)
        rc = ldr_gw_sheet_batch(&x->sheet, ldr_batch_rows(b), err);
    ldr_batch_destroy(b);
    return rc;
}

void ldr_gw_scan(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    struct scan x = {.w = w};
    struct ldr_err err = {0};
    ldr_gw_sheet_init(&x.sheet, a);
    int rc = read_fields(&x, q, &err);
    if (!rc)
        rc = open_scan(&x, &err);
    if (!rc)
        rc = ldr_gw_sheet_begin(&x.sheet, &w->arena, q->arrow, x.out, x.nout, &err);
    for (bool more = true; !rc && more;)
        rc = page(&x, &more, &err);
    ldr_gw_sheet_end(&x.sheet, rc, &err);
    ldr_gw_sheet_close(&x.sheet);
    ldr_scanner_destroy(x.scanner);
}
