/* A spine that came as JSON. Some columns are read (times, keys), all are given back: as written, or as
 * Arrow's values. */
#include "gateway/columns.h"
#include "gateway/join.h"
#include "gateway/spine.h"

struct given {
    struct ldr_gw_column *column;
    uint8_t type;
    bool as_text; /* JSON as text: what has no type of its own */
    bool key;
    struct ldr_gw_array values;
};
struct ldr_gw_spine_json {
    const struct ldr_gw_field *field;
    struct ldr_gw_columns columns;
    struct ldr_gw_array *arrays; /* of the keys */
    struct ldr_slice *cells;     /* rows x columns, as written */
    struct given *given;
};

static int no_memory(struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_NOMEM, "out of memory");
}

struct ldr_gw_spine_json *ldr_gw_spine_json(struct ldr_arena *a, const struct ldr_gw_field *field)
{
    struct ldr_gw_spine_json *s = ldr_arena_calloc(a, 1, sizeof *s);
    struct ldr_gw_field *kept = ldr_arena_calloc(a, 1, sizeof *kept);
    if (!s || !kept)
        return NULL;
    *kept = *field;
    s->field = kept;
    return s;
}

static int find(void *ctx, struct ldr_gw_join *x, struct ldr_err *err)
{
    struct ldr_gw_spine_json *s = ctx;
    int rc = ldr_gw_columns_find(s->field, &x->w->arena, &s->columns, err);
    x->n = s->columns.n;
    x->names = (const char **)ldr_arena_calloc(&x->w->arena, x->n + 1, sizeof *x->names);
    if (!rc && !x->names)
        return no_memory(err);
    for (size_t i = 0; !rc && i < x->n; i++)
        x->names[i] = s->columns.list[i].name;
    return rc;
}

static int begin(void *ctx, struct ldr_gw_join *x, struct ldr_err *err)
{
    struct ldr_gw_spine_json *s = ctx;
    struct ldr_arena *a = &x->w->arena;
    s->arrays = ldr_arena_calloc(a, x->q->nkeys + 1, sizeof *s->arrays);
    s->cells = ldr_arena_calloc(a, LDR_GW_SHEET_ROWS * (x->n + 1), sizeof *s->cells);
    s->given = ldr_arena_calloc(a, x->n + 1, sizeof *s->given);
    if (!s->arrays || !s->cells || !s->given)
        return no_memory(err);
    for (size_t k = 0; k < x->q->nkeys; k++)
        ldr_gw_array_init(&s->arrays[k], x->q->key_types[k]);
    for (size_t i = 0; i < x->n; i++) {
        struct given *g = &s->given[i];
        g->column = &s->columns.list[i];
        g->key = x->types[i] && i != x->time && i != x->known;
        if (!x->types[i] && x->arrow)
            x->types[i] = (uint8_t)ldr_gw_infer(g->column, s->columns.rows, &g->as_text);
        g->type = x->types[i];
        ldr_gw_array_init(&g->values, g->type);
        x->out[i].written = x->arrow ? NULL : s->cells + i;
        x->out[i].stride = x->n;
    }
    return 0;
}

/* A value of the spine as one of Arrow's. */
static int give(struct given *to, struct ldr_gw_reading *g)
{
    struct ldr_gw_reading own = {.arena = g->arena, .key = to->key, .why = ""};
    struct ldr_json_reader r;
    struct ldr_datum d = {.type = LDR_STRING};
    ldr_json_reader_init(&r, to->column->raw);
    enum ldr_json_token t = ldr_json_next(&r);
    int rc = 0;
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

/* Row `row`, `i` of the piece; kept as written, and read where the join needs it. */
static int take(struct ldr_gw_spine_json *s, struct ldr_gw_join *x, struct ldr_gw_reading *g, size_t row,
                size_t i, size_t c, struct ldr_err *err)
{
    struct ldr_gw_column *col = &s->columns.list[c];
    ldr_gw_column_next(col);
    struct ldr_json_reader at = col->at;
    int rc = 0;
    if (c == x->time)
        rc = ldr_gw_time_read(g, &at, col->token, &x->t_us[i]);
    if (!rc && c == x->known)
        rc = ldr_gw_time_read(g, &at, col->token, &x->known_at_us[i]);
    for (size_t k = 0; !rc && k < x->q->nkeys; k++) {
        struct ldr_datum d;
        if (c != x->keys[k])
            continue;
        rc = ldr_gw_value_read(g, &at, col->token, x->q->key_types[k], &d);
        if (!rc)
            rc = ldr_gw_array_add(&s->arrays[k], &d);
    }
    if (rc)
        return ldr_gw_join_bad(row, col->name, g->why, rc, err);
    ldr_gw_column_pass(col);
    s->cells[i * x->n + c] = col->raw;
    if (x->arrow)
        rc = give(&s->given[c], g);
    return rc ? ldr_gw_join_bad(row, col->name, g->why, rc, err) : 0;
}

static int piece(struct ldr_gw_spine_json *s, struct ldr_gw_join *x, size_t from, size_t n,
                 struct ldr_err *err)
{
    struct ldr_gw_reading g = {.arena = &x->w->arena, .key = true, .why = ""};
    int rc = 0;
    for (size_t k = 0; k < x->q->nkeys; k++)
        ldr_gw_array_reset(&s->arrays[k]);
    for (size_t c = 0; c < x->n; c++)
        ldr_gw_array_reset(&s->given[c].values);
    for (size_t i = 0; !rc && i < n; i++)
        for (size_t c = 0; !rc && c < x->n; c++)
            rc = take(s, x, &g, from + i, i, c, err);
    if (rc)
        return rc;
    for (size_t k = 0; k < x->q->nkeys; k++)
        x->key_data[k] = *ldr_gw_array_data(&s->arrays[k]);
    for (size_t c = 0; c < x->n; c++)
        x->out[c].data = x->arrow ? ldr_gw_array_data(&s->given[c].values) : NULL;
    return ldr_gw_join_piece(x, n, err);
}

static int run(void *ctx, struct ldr_gw_join *x, struct ldr_err *err)
{
    struct ldr_gw_spine_json *s = ctx;
    int rc = 0;
    for (size_t from = 0, n; !rc && from < s->columns.rows; from += n) {
        n = ldr_gw_sheet_room(&x->sheet);
        n = s->columns.rows - from < n ? s->columns.rows - from : n;
        rc = piece(s, x, from, n, err);
    }
    return rc;
}

static void close_all(void *ctx, struct ldr_gw_join *x)
{
    struct ldr_gw_spine_json *s = ctx;
    for (size_t k = 0; s->given && k < x->q->nkeys; k++)
        ldr_gw_array_close(&s->arrays[k]);
    for (size_t c = 0; s->given && c < x->n; c++)
        ldr_gw_array_close(&s->given[c].values);
}

const struct ldr_gw_spine_form ldr_gw_spine_of_json = {find, begin, run, close_all};
