#include "gateway/columns.h"

#define COLUMNS_MAX (LDR_FEATURES_MAX + 256)

static int column(const struct ldr_gw_field *f, struct ldr_json_reader *r, struct ldr_gw_column *c,
                  size_t *rows, struct ldr_err *err)
{
    size_t n = 0;
    enum ldr_json_token t = ldr_json_next(r);
    if (t != LDR_JSON_ARRAY)
        return ldr_fail(err, LDR_E_INVALID, "%s.%.200s: found %s, expected an array of values", f->name,
                        c->name, ldr_json_token_name(t));
    c->at = *r;
    for (; (t = ldr_json_next(r)) != LDR_JSON_ARRAY_END; n++)
        if (ldr_json_skip(r, t)) /* the whole body was read before: it cannot fail */
            return ldr_fail(err, LDR_E_INVALID, "%s.%.200s: %s", f->name, c->name, r->why);
    *rows = n;
    return 0;
}

int ldr_gw_columns_find(const struct ldr_gw_field *f, struct ldr_arena *a, struct ldr_gw_columns *out,
                        struct ldr_err *err)
{
    struct ldr_json_reader r;
    size_t cap = 0;
    *out = (struct ldr_gw_columns){0};
    if (f->token != LDR_JSON_OBJECT)
        return ldr_fail(err, LDR_E_INVALID, "%s: found %s, expected an object of arrays", f->name,
                        f->token == LDR_JSON_END ? "nothing" : ldr_json_token_name(f->token));
    ldr_json_reader_init(&r, f->raw);
    ldr_json_next(&r);
    while (ldr_json_next(&r) == LDR_JSON_KEY) {
        if (out->n == cap) {
            struct ldr_gw_column *more = ldr_arena_calloc(a, cap ? 2 * cap : 32, sizeof *more);
            if (!more)
                return ldr_fail(err, LDR_E_NOMEM, "out of memory");
            if (cap)
                memcpy(more, out->list, cap * sizeof *more);
            out->list = more;
            cap = cap ? 2 * cap : 32;
        }
        struct ldr_gw_column *c = &out->list[out->n];
        size_t rows = 0;
        c->name = ldr_gw_string(a, &r);
        if (!c->name || out->n == COLUMNS_MAX)
            return ldr_fail(err, LDR_E_INVALID, "%s: %s", f->name,
                            c->name ? "too many columns" : "a name with a NUL character, or out of memory");
        if (ldr_gw_column_of(out, c->name))
            return ldr_fail(err, LDR_E_INVALID, "%s.%.200s stands here twice", f->name, c->name);
        int rc = column(f, &r, c, &rows, err);
        if (rc)
            return rc;
        if (out->n && rows != out->rows)
            return ldr_fail(err, LDR_E_INVALID, "%s.%.200s has %zu values, %s %zu", f->name, c->name, rows,
                            out->list[0].name, out->rows);
        out->rows = rows;
        out->n++;
    }
    return 0;
}

struct ldr_gw_column *ldr_gw_column_of(const struct ldr_gw_columns *c, const char *name)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->list[i].name, name) == 0)
            return &c->list[i];
    return NULL;
}

void ldr_gw_column_pass(struct ldr_gw_column *c)
{
    const uint8_t *from = c->at.start;
    int rc = ldr_json_skip(&c->at, c->token);
    LDR_ASSERT(rc == 0); /* it was gone through before */
    c->raw = ldr_slice(from, (size_t)(c->at.p - from));
}
