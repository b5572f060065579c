/* The catalog, statistics, erasures: tables of the library as JSON. */
#include "gateway/body.h"
#include "gateway/handlers.h"
#include "gateway/route.h"
#include "gateway/value.h"

static void put_rows(struct ldr_buf *b, const struct ldr_table *t)
{
    struct ldr_json j;
    ldr_json_init(&j, b);
    ldr_json_object(&j);
    ldr_json_key(&j, "rows");
    ldr_json_array(&j);
    for (size_t i = 0; i < ldr_table_rows(t); i++) {
        ldr_json_object(&j);
        for (size_t c = 0; c < ldr_table_columns(t); c++) {
            ldr_json_key(&j, ldr_table_column(t, c));
            ldr_json_raw(&j, ldr_slice(NULL, 0));
            ldr_gw_value_put(b, ldr_table_cell(t, i, c), false);
        }
        ldr_json_object_end(&j);
    }
    ldr_json_array_end(&j);
    ldr_json_object_end(&j);
}

static void answer(struct ldr_gw_answer *a, int rc, struct ldr_table *t, const struct ldr_err *err)
{
    if (rc)
        ldr_gw_fail_err(a, rc, err);
    else
        put_rows(&a->body, t);
    ldr_table_destroy(t);
}

static int args_of(struct ldr_gw_worker *w, const struct ldr_gw_request *q, const char *args[LDR_GW_ARGS],
                   struct ldr_err *err)
{
    for (size_t i = 0; i < LDR_GW_ARGS; i++) {
        args[i] = q->args[i].n ? ldr_gw_decoded(&w->arena, q->args[i]) : NULL;
        if (q->args[i].n && !args[i])
            return ldr_fail(err, LDR_E_INVALID, "the address is not text that is escaped as addresses are");
    }
    return 0;
}

static int number_of(const char *name, const char *text, uint64_t *out, struct ldr_err *err)
{
    int64_t v;
    if (!text)
        return 0;
    if (ldr_i64_parse(ldr_slice_str(text), &v) || v < 0)
        return ldr_fail(err, LDR_E_INVALID, "%s: found '%.64s', expected a number", name, text);
    *out = (uint64_t)v;
    return 0;
}

void ldr_gw_list(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    const char *args[LDR_GW_ARGS];
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    int rc = args_of(w, q, args, &err);
    if (!rc)
        rc = ldr_list(w->store, args[0], &t, &err);
    answer(a, rc, t, &err);
}

void ldr_gw_describe(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    const char *args[LDR_GW_ARGS], *text = NULL;
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    uint64_t version = 0;
    int rc = args_of(w, q, args, &err);
    if (!rc)
        rc = ldr_gw_param(q, &w->arena, "version", &text, &err);
    if (!rc)
        rc = number_of("version", text, &version, &err);
    if (!rc)
        rc = ldr_describe(w->store, args[0], args[1], version, &t, &err);
    answer(a, rc, t, &err);
}

void ldr_gw_versions(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    const char *args[LDR_GW_ARGS];
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    int rc = args_of(w, q, args, &err);
    if (!rc)
        rc = ldr_versions(w->store, args[0], args[1], &t, &err);
    answer(a, rc, t, &err);
}

void ldr_gw_search(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    const char *text = NULL, *owner = NULL, *tag = NULL, *pii = NULL, *value = NULL;
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    int rc = ldr_gw_param(q, &w->arena, "q", &text, &err);
    if (!rc)
        rc = ldr_gw_param(q, &w->arena, "owner", &owner, &err);
    if (!rc)
        rc = ldr_gw_param(q, &w->arena, "tag", &tag, &err);
    if (!rc)
        rc = ldr_gw_param(q, &w->arena, "pii", &pii, &err);
    const char *equals = tag ? strchr(tag, '=') : NULL;
    if (!rc && tag && !equals)
        rc = ldr_fail(&err, LDR_E_INVALID, "tag: found '%.64s', expected KEY=VALUE", tag);
    if (!rc && pii && strcmp(pii, "true") != 0 && strcmp(pii, "false") != 0)
        rc = ldr_fail(&err, LDR_E_INVALID, "pii: found '%.64s', expected true or false", pii);
    if (!rc && tag) {
        value = equals + 1;
        tag = ldr_arena_strndup(&w->arena, tag, (size_t)(equals - tag));
        if (!tag)
            rc = ldr_fail(&err, LDR_E_NOMEM, "out of memory");
    }
    if (!rc)
        rc = ldr_search(w->store, text, owner, tag, value, pii && *pii == 't', &t, &err);
    answer(a, rc, t, &err);
}

static int time_param(struct ldr_gw_worker *w, const struct ldr_gw_request *q, const char *name, int64_t *us,
                      struct ldr_err *err)
{
    const char *text, *why = "";
    int rc = ldr_gw_param(q, &w->arena, name, &text, err);
    if (!rc && text && ldr_time_parse(ldr_slice_str(text), us, &why))
        rc = ldr_fail(err, LDR_E_INVALID, "%s: '%.64s': %s", name, text, why);
    return rc;
}

void ldr_gw_stats(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    const char *args[LDR_GW_ARGS];
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    int64_t from = LDR_TIME_MIN_US, to = LDR_TIME_MAX_US;
    int rc = args_of(w, q, args, &err);
    if (!rc)
        rc = time_param(w, q, "from", &from, &err);
    if (!rc)
        rc = time_param(w, q, "to", &to, &err);
    if (!rc)
        rc = ldr_stats(w->store, args[0], from, to, NULL, &t, &err);
    answer(a, rc, t, &err);
}

void ldr_gw_store(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    (void)q;
    int rc = ldr_store_stats(w->store, &t, &err);
    answer(a, rc, t, &err);
}

/* ---- Erasing ---- */

/* Keys as they are written; what a number is, the store decides: a key of text is sent as text. */
static int read_entity(struct ldr_gw_worker *w, const struct ldr_gw_field *f,
                       const char *names[LDR_KEY_PARTS_MAX], struct ldr_datum values[LDR_KEY_PARTS_MAX],
                       size_t *n, struct ldr_err *err)
{
    struct ldr_json_reader r;
    struct ldr_gw_reading g = {.arena = &w->arena, .why = ""};
    *n = 0;
    if (f->token != LDR_JSON_OBJECT)
        return ldr_fail(err, LDR_E_INVALID, "entity: expected an object of join keys and values");
    ldr_json_reader_init(&r, f->raw);
    ldr_json_next(&r);
    while (ldr_json_next(&r) == LDR_JSON_KEY) {
        if (*n == LDR_KEY_PARTS_MAX)
            return ldr_fail(err, LDR_E_INVALID, "entity: more than %d join keys", LDR_KEY_PARTS_MAX);
        names[*n] = ldr_gw_string(&w->arena, &r);
        if (!names[*n])
            return ldr_fail(err, LDR_E_INVALID, "entity: a name with a NUL character, or out of memory");
        enum ldr_json_token t = ldr_json_next(&r);
        unsigned type = t == LDR_JSON_NUMBER                        ? LDR_INT64
                        : t == LDR_JSON_TRUE || t == LDR_JSON_FALSE ? LDR_BOOL
                                                                    : LDR_STRING;
        int rc = ldr_gw_value_read(&g, &r, t, type, &values[*n]);
        if (rc)
            return ldr_fail(err, rc, "entity.%.200s: %s", names[*n],
                            rc == LDR_E_NOMEM ? "out of memory" : g.why);
        ++*n;
    }
    return 0;
}

void ldr_gw_erase(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    struct ldr_gw_field f[] = {{.name = "view"}, {.name = "entity"}};
    const char *names[LDR_KEY_PARTS_MAX], *view = NULL;
    struct ldr_datum values[LDR_KEY_PARTS_MAX];
    struct ldr_err err = {0};
    uint64_t removed = 0;
    size_t n = 0;
    int rc = ldr_gw_fields(q->body, f, 2, false, &err);
    if (!rc)
        rc = ldr_gw_text(&f[0], &w->arena, &view, &err);
    if (!rc)
        rc = read_entity(w, &f[1], names, values, &n, &err);
    if (!rc)
        rc = ldr_erase(w->store, view, names, values, n, &removed, &err);
    if (rc)
        ldr_gw_fail_err(a, rc, &err);
    else
        ldr_buf_printf(&a->body, "{\"removed\":%llu}", (unsigned long long)removed);
}
