#include "gateway/entities.h"

#define FIRST_ROWS 16

struct entities {
    const struct ldr_gw_query *q;
    struct ldr_gw_reading g;
    struct ldr_json_reader r;
    struct ldr_datum *keys;
    size_t cap, max, nrows;
    bool counted; /* nrows is known: from the first column */
    struct ldr_slice column;
    struct ldr_err *err;
};

static int say(const struct entities *e, int code, const char *what)
{
    return ldr_fail(e->err, code, "entities.%.*s: %s", (int)(e->column.n < 200 ? e->column.n : 200),
                    (const char *)e->column.p, what);
}

static int grow(struct entities *e)
{
    size_t cap = e->cap ? e->cap * 4 : FIRST_ROWS;
    cap = cap > e->max ? e->max : cap;
    struct ldr_datum *more = ldr_arena_calloc(e->g.arena, cap * e->q->nkeys, sizeof *more);
    if (!more)
        return ldr_fail(e->err, LDR_E_NOMEM, "out of memory");
    if (e->cap)
        memcpy(more, e->keys, e->cap * e->q->nkeys * sizeof *more);
    e->keys = more;
    e->cap = cap;
    return 0;
}

static int read_one(struct entities *e, enum ldr_json_token t, size_t row, size_t key)
{
    if (key == e->q->nkeys) { /* nobody needs it */
        if (ldr_json_skip(&e->r, t) == 0)
            return 0;
        e->g.why = e->r.why;
        return LDR_E_INVALID;
    }
    int rc = row == e->cap ? grow(e) : 0;
    return rc ? rc
              : ldr_gw_value_read(&e->g, &e->r, t, e->q->key_types[key], &e->keys[row * e->q->nkeys + key]);
}

static int read_column(struct entities *e, size_t key)
{
    enum ldr_json_token t = ldr_json_next(&e->r);
    size_t n = 0;
    if (t != LDR_JSON_ARRAY)
        return ldr_fail(e->err, LDR_E_INVALID, "entities.%.*s: found %s, expected an array of values",
                        (int)(e->column.n < 200 ? e->column.n : 200), (const char *)e->column.p,
                        ldr_json_token_name(t));
    for (; (t = ldr_json_next(&e->r)) != LDR_JSON_ARRAY_END; n++) {
        if (t == LDR_JSON_ERROR)
            return say(e, LDR_E_INVALID, e->r.why);
        if (n == e->max)
            return ldr_fail(e->err, LDR_E_TOO_BIG, "more than %zu entities are asked for at one time",
                            e->max);
        int rc = read_one(e, t, n, key);
        if (rc == LDR_E_INVALID)
            return ldr_fail(e->err, rc, "entities.%.*s: value %zu: %s",
                            (int)(e->column.n < 200 ? e->column.n : 200), (const char *)e->column.p, n,
                            e->g.why);
        if (rc)
            return ldr_fail(e->err, rc, "out of memory");
    }
    if (e->counted && n != e->nrows)
        return ldr_fail(e->err, LDR_E_INVALID, "entities.%.*s has %zu values, another column %zu",
                        (int)(e->column.n < 200 ? e->column.n : 200), (const char *)e->column.p, n, e->nrows);
    e->nrows = n;
    e->counted = true;
    return 0;
}

int ldr_gw_entities(struct ldr_slice json, const struct ldr_gw_query *q, struct ldr_arena *a, size_t max_rows,
                    bool feast, struct ldr_datum **keys, size_t *nrows, struct ldr_err *err)
{
    struct entities e = {
        .q = q, .g = {.arena = a, .feast = feast, .key = true, .why = ""}, .max = max_rows, .err = err};
    enum ldr_json_token t;
    bool *seen = ldr_arena_calloc(a, q->nkeys + 1, sizeof *seen);
    if (!seen)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    ldr_json_reader_init(&e.r, json);
    t = ldr_json_next(&e.r);
    if (t != LDR_JSON_OBJECT)
        return ldr_fail(err, LDR_E_INVALID, "entities: found %s, expected an object of arrays",
                        ldr_json_token_name(t));
    while (ldr_json_next(&e.r) == LDR_JSON_KEY) {
        e.column = e.r.text;
        size_t k = ldr_gw_query_key(q, e.column);
        if (k < q->nkeys && seen[k])
            return say(&e, LDR_E_INVALID, "stands here twice");
        int rc = read_column(&e, k);
        if (rc)
            return rc;
        seen[k] = true;
    }
    for (size_t k = 0; k < q->nkeys; k++)
        if (!seen[k])
            return ldr_fail(err, LDR_E_INVALID, "entities: the join key '%s' is missing", q->keys[k]);
    *keys = e.keys;
    *nrows = e.nrows;
    return 0;
}
