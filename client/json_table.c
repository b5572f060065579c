/* A list of objects in a JSON document as a table: a column for each name, in the order in which they first
 * come; lists and objects inside become text. */
#include "client/json_table.h"

#include <jansson.h>

static size_t column_of(const struct ldr_table *t, const char *name)
{
    size_t n = ldr_table_columns(t);
    for (size_t i = 0; i < n; i++)
        if (strcmp(ldr_table_column(t, i), name) == 0)
            return i;
    return n;
}

/* "1 2 3", "node=1 state=active; node=2 state=active" */
static void flatten(struct ldr_buf *out, const json_t *v)
{
    const char *key;
    json_t *item;
    size_t i;
    switch (json_typeof(v)) {
    case JSON_ARRAY:
        json_array_foreach(v, i, item)
        {
            if (i)
                ldr_buf_puts(out, json_is_object(item) ? "; " : " ");
            flatten(out, item);
        }
        break;
    case JSON_OBJECT:
        i = 0;
        json_object_foreach((json_t *)(uintptr_t)v, key, item)
        {
            ldr_buf_printf(out, "%s%s=", i++ ? " " : "", key);
            flatten(out, item);
        }
        break;
    case JSON_STRING:
        ldr_buf_puts(out, json_string_value(v));
        break;
    case JSON_INTEGER:
        ldr_buf_printf(out, "%lld", (long long)json_integer_value(v));
        break;
    case JSON_REAL:
        ldr_buf_printf(out, "%.6g", json_real_value(v));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        ldr_buf_puts(out, json_is_true(v) ? "true" : "false");
        break;
    default:
        break;
    }
}

static void put_cell(struct ldr_table *t, const json_t *v)
{
    if (!v || json_is_null(v))
        ldr_table_text(t, NULL);
    else if (json_is_integer(v))
        ldr_table_i64(t, json_integer_value(v));
    else if (json_is_real(v))
        ldr_table_f64(t, json_real_value(v));
    else if (json_is_boolean(v))
        ldr_table_bool(t, json_is_true(v));
    else {
        struct ldr_buf text;
        ldr_buf_init(&text, NULL, 0);
        flatten(&text, v);
        ldr_table_must(t, text.err ? NULL : ldr_buf_cstr(&text));
        ldr_buf_close(&text);
    }
}

static void put_rows(struct ldr_table *t, json_t *list)
{
    json_t *row, *cell;
    const char *key;
    size_t i;
    json_array_foreach(list, i, row)
        json_object_foreach(row, key, cell) if (column_of(t, key) == ldr_table_columns(t))
            ldr_table_add_column(t, key);
    json_array_foreach(list, i, row)
    {
        ldr_table_begin_row(t);
        for (size_t c = 0; c < ldr_table_columns(t); c++)
            put_cell(t, json_object_get(row, ldr_table_column(t, c)));
    }
}

/* Everything in the document that is not a list of objects: field, value. */
static void put_summary(struct ldr_table *t, json_t *doc)
{
    const char *key;
    json_t *v;
    ldr_table_add_column(t, "field");
    ldr_table_add_column(t, "value");
    json_object_foreach(doc, key, v)
    {
        if (json_is_array(v))
            continue;
        ldr_table_begin_row(t);
        ldr_table_text(t, key);
        put_cell(t, v);
    }
}

int ldr_json_to_table(struct ldr_slice text, const char *part, struct ldr_table **out, struct ldr_err *err)
{
    json_error_t why;
    *out = NULL;
    json_t *doc = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &why);
    if (!doc || !json_is_object(doc)) {
        json_decref(doc);
        return ldr_fail(err, LDR_E_CORRUPT, "the coordinator's report is not JSON: %s",
                        doc ? "no object" : why.text);
    }
    struct ldr_table *t;
    json_t *list = json_object_get(doc, part);
    bool summary = strcmp(part, "summary") == 0;
    int rc = 0;
    if (!summary && !json_is_array(list))
        rc = ldr_fail(err, LDR_E_NOT_FOUND, "the coordinator's report has no part '%s'", part);
    else if (ldr_table_create(&t))
        rc = ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!rc) {
        if (summary)
            put_summary(t, doc);
        else
            put_rows(t, list);
        rc = ldr_table_finish(t, out);
        if (rc)
            ldr_fail(err, rc, "%s", ldr_code_text(rc));
    }
    json_decref(doc);
    return rc;
}
