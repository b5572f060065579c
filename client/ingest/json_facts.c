/* A block of NDJSON to facts and rejects: one object a line. jansson stays in this file. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "client/ingest/ingest.h"

#define EXACT_INT INT64_C(9007199254740992) /* 2^53: whole numbers up to here survive a double */

struct line_reader {
    struct ldr_fact_maker *m;
    /* A whole number beyond int64 stood in the line, which only a float column may hold: the line was read
     * with all whole numbers as doubles, and those for other columns are taken only where a double is exact.
     */
    bool lossy;
    const char *why;
};

static int refuse(struct line_reader *r, const char *why)
{
    r->why = why;
    return LDR_E_INVALID;
}

static int take_int(struct line_reader *r, unsigned type, const json_t *j, int64_t *out)
{
    if (json_is_integer(j)) {
        *out = json_integer_value(j);
    } else if (r->lossy && json_is_real(j)) {
        double d = json_real_value(j);
        if (!(fabs(d) <= (double)EXACT_INT) || d != floor(d))
            return refuse(r, "out of range, or not a whole number");
        *out = (int64_t)d;
    } else {
        return refuse(r, type == LDR_INT32 ? "expected int32 (a whole number)"
                                           : "expected int64 (a whole number)");
    }
    if (type == LDR_INT32 && (*out < INT32_MIN || *out > INT32_MAX))
        return refuse(r, "out of range: expected int32 (-2147483648 to 2147483647)");
    return 0;
}

static int take_number(struct line_reader *r, unsigned type, const json_t *j, struct ldr_value *out)
{
    if (json_is_string(j)) { /* NaN and the infinities have no other form in JSON */
        const char *s = json_string_value(j);
        if (strcmp(s, "NaN") && strcmp(s, "Infinity") && strcmp(s, "-Infinity"))
            return refuse(r, "expected a number, or \"NaN\", \"Infinity\" or \"-Infinity\"");
        return ldr_value_parse(type, ldr_slice_str(s), &r->m->arena, out, &r->why);
    }
    if (!json_is_number(j))
        return refuse(r, "expected a number");
    double d = json_is_integer(j) ? (double)json_integer_value(j) : json_real_value(j);
    *out = (struct ldr_value){.type = (uint8_t)type};
    if (type == LDR_FLOAT64) {
        out->f64 = d;
        return 0;
    }
    out->f32 = json_is_integer(j) ? (float)json_integer_value(j) : (float)d;
    return isinf(out->f32) ? refuse(r, "out of range: expected float32 (magnitude below 3.4028236e38)") : 0;
}

static int take_value(struct line_reader *r, unsigned type, json_t *j, struct ldr_value *out);

static int take_list(struct line_reader *r, unsigned type, const json_t *j, struct ldr_value *out)
{
    if (!json_is_array(j))
        return refuse(r, "expected a list (a JSON array)");
    if (json_array_size(j) > LDR_LIST_MAX)
        return refuse(r, "a list of more than 1048576 elements");
    struct ldr_list_builder b;
    ldr_list_builder_init(&b, type, NULL);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < json_array_size(j); i++) {
        json_t *e = json_array_get(j, i);
        struct ldr_value v;
        rc = json_is_null(e) ? refuse(r, "null in a list") : take_value(r, ldr_type_element(type), e, &v);
        if (rc == 0)
            rc = ldr_list_builder_add(&b, &v);
    }
    if (rc == 0)
        rc = ldr_list_builder_value(&b, &r->m->arena, out);
    ldr_list_builder_close(&b);
    return rc == LDR_E_TOO_BIG ? refuse(r, "a list of more than 16 MiB") : rc;
}

/* Text of a time: a string, or whole microseconds. */
static int time_text(struct line_reader *r, const json_t *j, char buf[LDR_NUM_TEXT], struct ldr_slice *out)
{
    if (json_is_string(j)) {
        *out = ldr_slice(json_string_value(j), json_string_length(j));
        return 0;
    }
    int64_t us;
    if (!json_is_number(j) || take_int(r, LDR_INT64, j, &us))
        return refuse(r, "expected a time: a string, or whole microseconds");
    *out = ldr_slice(buf, ldr_i64_format(us, buf));
    return 0;
}

/* A non-null value. */
static int take_value(struct line_reader *r, unsigned type, json_t *j, struct ldr_value *out)
{
    char buf[LDR_NUM_TEXT];
    struct ldr_slice text;
    if (ldr_type_is_list(type))
        return take_list(r, type, j, out);
    *out = (struct ldr_value){.type = (uint8_t)type};
    switch (type) {
    case LDR_BOOL:
        out->b = json_is_true(j);
        return json_is_boolean(j) ? 0 : refuse(r, "expected true or false");
    case LDR_INT32:
    case LDR_INT64:
        return take_int(r, type, j, &out->i);
    case LDR_FLOAT32:
    case LDR_FLOAT64:
        return take_number(r, type, j, out);
    case LDR_TIMESTAMP:
        if (time_text(r, j, buf, &text))
            return LDR_E_INVALID;
        return ldr_value_parse(type, text, &r->m->arena, out, &r->why);
    default:
        if (!json_is_string(j))
            return refuse(r,
                          type == LDR_STRING ? "expected a string" : "expected bytes (base64 in a string)");
        text = ldr_slice(json_string_value(j), json_string_length(j));
        return ldr_value_parse(type, text, &r->m->arena, out, &r->why);
    }
}

/* One field of the object; missing and null are told apart by *missing. */
static int take_field(struct line_reader *r, const json_t *object, const struct ldr_shape_field *f,
                      struct ldr_value *out, bool *missing)
{
    json_t *j = json_object_get(object, f->column);
    *missing = !j;
    if (!j || json_is_null(j)) {
        *out = ldr_value_null(f->type);
        return 0;
    }
    int rc = take_value(r, f->type, j, out);
    return rc == 0 || rc == LDR_E_NOMEM ? rc : ldr_maker_refuse(r->m, f->column, r->why);
}

static int take_times(struct line_reader *r, const json_t *object)
{
    const struct ldr_fact_shape *s = r->m->shape;
    const struct ldr_shape_field *fields[2] = {&s->event, &s->created};
    struct ldr_slice text[2];
    bool has[2] = {false, false};
    char buf[2][LDR_NUM_TEXT];
    for (int i = 0; i < 2; i++) {
        const json_t *j = fields[i]->column ? json_object_get(object, fields[i]->column) : NULL;
        has[i] = j && !json_is_null(j);
        if (has[i] && time_text(r, j, buf[i], &text[i]))
            return ldr_maker_refuse(r->m, fields[i]->column, r->why);
    }
    return ldr_maker_times(r->m, has[0] ? &text[0] : NULL, has[1] ? &text[1] : NULL);
}

static int take_object(struct line_reader *r, const json_t *object)
{
    struct ldr_fact_maker *m = r->m;
    const struct ldr_fact_shape *s = m->shape;
    bool missing;
    if (!json_is_object(object))
        return ldr_maker_refuse(m, "", "expected a JSON object");
    int rc = take_times(r, object);
    for (uint32_t i = 0; rc == 0 && i < s->nkeys; i++) {
        rc = take_field(r, object, &s->keys[i], &m->parts[i], &missing);
        if (rc == 0 && m->parts[i].null)
            rc = ldr_maker_refuse(m, s->keys[i].column, "null in a join key");
    }
    for (uint32_t i = 0; rc == 0 && i < s->nfeatures; i++) {
        const struct ldr_shape_field *f = &s->features[i];
        rc = take_field(r, object, f, &m->values[f->at], &missing);
        if (rc == 0 && missing && !s->allow_missing)
            rc = ldr_maker_refuse(m, f->column, "missing in the object");
    }
    return rc ? rc : ldr_maker_fact(m);
}

static int take_line(struct ldr_fact_maker *m, const char *line, size_t n)
{
    struct line_reader r = {.m = m, .why = ""};
    json_error_t error;
    size_t flags = JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_ANY;
    json_t *object = json_loadb(line, n, flags, &error);
    if (!object && json_error_code(&error) == json_error_numeric_overflow) {
        r.lossy = true;
        object = json_loadb(line, n, flags | JSON_DECODE_INT_AS_REAL, &error);
    }
    if (!object) {
        if (json_error_code(&error) == json_error_out_of_memory)
            return LDR_E_NOMEM;
        char why[LDR_WHY_MAX];
        snprintf(why, sizeof why, "not JSON at character %d: %s", error.column, error.text);
        return ldr_maker_refuse(m, "", why);
    }
    int rc = take_object(&r, object);
    json_decref(object);
    return rc;
}

static int reject(const struct ldr_fact_maker *m, struct ldr_fact_block *b, uint64_t line,
                  struct ldr_slice raw)
{
    ldr_buf_printf(&b->rejects, "%llu,", (unsigned long long)line);
    ldr_csv_put(&b->rejects, ldr_slice_str(m->column), m->column[0] == '\0');
    ldr_buf_putc(&b->rejects, ',');
    ldr_csv_put(&b->rejects, ldr_slice_str(m->why), false);
    ldr_buf_putc(&b->rejects, ',');
    ldr_csv_put(&b->rejects, raw, false);
    return ldr_buf_putc(&b->rejects, '\n');
}

static bool blank(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i] != ' ' && p[i] != '\t' && p[i] != '\r')
            return false;
    return true;
}

int ldr_json_facts(struct ldr_fact_maker *m, struct ldr_fact_block *b)
{
    const char *p = b->text.text + b->skip, *end = b->text.text + b->text.n;
    for (uint64_t line = b->text.line; p < end; line++) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        const char *stop = lf ? lf : end;
        size_t n = (size_t)(stop - p);
        n -= n && p[n - 1] == '\r';
        if (!blank(p, n)) {
            if (m->arena.head)
                ldr_arena_reset(&m->arena);
            int rc = take_line(m, p, n);
            if (rc == LDR_E_NOMEM)
                return rc;
            ldr_fact_block_count(b, m, rc, line);
            if (rc < 0 && (rc = reject(m, b, line, ldr_slice(p, n))) != 0)
                return rc;
        }
        p = lf ? lf + 1 : end;
    }
    return 0;
}

int ldr_json_reject_header(struct ldr_buf *out)
{
    return ldr_buf_puts(out, "_line,_column,_reason,_raw\n");
}
