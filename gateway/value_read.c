/* From JSON to cells. */
#include "gateway/value.h"

#define EXACT_INT 9007199254740992.0 /* 2^53: whole numbers up to here survive a double */

static int refuse(struct ldr_gw_reading *g, const char *why)
{
    g->why = why;
    return LDR_E_INVALID;
}

/* The text of a string, borrowed when it has no escapes. */
static int text_of(struct ldr_gw_reading *g, const struct ldr_json_reader *r, struct ldr_slice *out)
{
    *out = r->text;
    if (!r->escaped)
        return 0;
    uint8_t *to = ldr_arena_alloc(g->arena, r->text.n);
    if (!to)
        return LDR_E_NOMEM;
    *out = ldr_slice(to, ldr_json_unescape(r->text, to));
    return 0;
}

static int read_whole(struct ldr_gw_reading *g, struct ldr_slice text, int64_t *out)
{
    int rc = ldr_i64_parse(text, out);
    if (rc == 0)
        return 0;
    if (rc == LDR_E_TOO_BIG)
        return refuse(g, "out of range");
    double d; /* 1001.0: what became of whole numbers in a column that had nulls */
    if (ldr_f64_parse(text, &d) || !(d >= -EXACT_INT && d <= EXACT_INT) || (double)(int64_t)d != d)
        return refuse(g, "expected a whole number");
    *out = (int64_t)d;
    return 0;
}

static int read_int(struct ldr_gw_reading *g, const struct ldr_json_reader *r, enum ldr_json_token t,
                    unsigned type, int64_t *out)
{
    struct ldr_slice text = r->text;
    int rc = 0;
    if (t == LDR_JSON_STRING && g->key)
        rc = text_of(g, r, &text);
    else if (t != LDR_JSON_NUMBER)
        return refuse(g, "expected a whole number");
    if (!rc)
        rc = read_whole(g, text, out);
    if (!rc && type == LDR_INT32 && (*out < INT32_MIN || *out > INT32_MAX))
        return refuse(g, "out of range: expected int32 (-2147483648 to 2147483647)");
    return rc;
}

static int read_float(struct ldr_gw_reading *g, const struct ldr_json_reader *r, enum ldr_json_token t,
                      struct ldr_datum *out)
{
    static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
    bool ok = t == LDR_JSON_NUMBER;
    for (size_t i = 0; t == LDR_JSON_STRING && i < 3; i++)
        ok |= ldr_slice_eq(r->text, ldr_slice_str(words[i]));
    if (!ok)
        return refuse(g, "expected a number, or \"NaN\", \"Infinity\" or \"-Infinity\"");
    int rc =
        out->type == LDR_FLOAT32 ? ldr_f32_parse(r->text, &out->v.f32) : ldr_f64_parse(r->text, &out->v.f64);
    return rc ? refuse(g, rc == LDR_E_TOO_BIG ? "out of range" : "not a number") : 0;
}

int ldr_gw_time_read(struct ldr_gw_reading *g, const struct ldr_json_reader *r, enum ldr_json_token t,
                     int64_t *us)
{
    if (t == LDR_JSON_STRING) {
        struct ldr_slice text;
        int rc = text_of(g, r, &text);
        if (rc)
            return rc;
        return ldr_time_parse(text, us, &g->why) ? LDR_E_INVALID : 0;
    }
    if (t != LDR_JSON_NUMBER)
        return refuse(g, "expected a time");
    int rc = read_whole(g, r->text, us);
    if (!rc && g->feast && __builtin_mul_overflow(*us, INT64_C(1000000), us))
        rc = refuse(g, "out of range");
    if (!rc && (*us < LDR_TIME_MIN_US || *us > LDR_TIME_MAX_US))
        rc = refuse(g, "a time outside the years 0001 to 9999");
    return rc;
}

static int read_bytes(struct ldr_gw_reading *g, const struct ldr_json_reader *r, struct ldr_datum *out)
{
    struct ldr_slice text;
    int rc = text_of(g, r, &text);
    if (rc)
        return rc;
    uint8_t *to = ldr_arena_alloc(g->arena, text.n / 4 * 3 + 1);
    size_t n;
    if (!to)
        return LDR_E_NOMEM;
    if (ldr_base64_decode(text, to, &n))
        return refuse(g, "expected bytes as base64");
    out->v.s.p = to;
    out->v.s.n = n;
    return 0;
}

static int read_scalar(struct ldr_gw_reading *g, const struct ldr_json_reader *r, enum ldr_json_token t,
                       struct ldr_datum *out)
{
    struct ldr_slice text;
    int rc;
    switch (out->type) {
    case LDR_BOOL:
        out->v.b = t == LDR_JSON_TRUE;
        return t == LDR_JSON_TRUE || t == LDR_JSON_FALSE ? 0 : refuse(g, "expected true or false");
    case LDR_INT32:
    case LDR_INT64:
        return read_int(g, r, t, out->type, &out->v.i);
    case LDR_FLOAT32:
    case LDR_FLOAT64:
        return read_float(g, r, t, out);
    case LDR_TIMESTAMP:
        return ldr_gw_time_read(g, r, t, &out->v.i);
    case LDR_BYTES:
        return t == LDR_JSON_STRING ? read_bytes(g, r, out)
                                    : refuse(g, "expected bytes as base64 in a string");
    default:
        if (t != LDR_JSON_STRING && !(t == LDR_JSON_NUMBER && g->key))
            return refuse(g, "expected a string");
        text = r->text;
        rc = t == LDR_JSON_STRING ? text_of(g, r, &text) : 0;
        out->v.s.p = text.n ? (const void *)text.p : "";
        out->v.s.n = text.n;
        return rc;
    }
}

static void pack(struct ldr_buf *b, const struct ldr_datum *d)
{
    uint32_t u;
    uint64_t w;
    switch (d->type) {
    case LDR_BOOL:
        ldr_buf_u8(b, d->v.b);
        break;
    case LDR_INT32:
        ldr_buf_u32(b, (uint32_t)(int32_t)d->v.i);
        break;
    case LDR_FLOAT32:
        memcpy(&u, &d->v.f32, sizeof u);
        ldr_buf_u32(b, u);
        break;
    case LDR_INT64:
    case LDR_TIMESTAMP:
        ldr_buf_u64(b, (uint64_t)d->v.i);
        break;
    case LDR_FLOAT64:
        memcpy(&w, &d->v.f64, sizeof w);
        ldr_buf_u64(b, w);
        break;
    default:
        ldr_buf_bytes(b, ldr_slice(d->v.s.p, d->v.s.n));
    }
}

static int read_list(struct ldr_gw_reading *g, struct ldr_json_reader *r, struct ldr_datum *out)
{
    struct ldr_buf packed;
    struct ldr_slice kept;
    enum ldr_json_token t;
    int rc = 0;
    ldr_buf_init(&packed, NULL, LDR_VALUE_MAX);
    for (out->count = 0; !rc && (t = ldr_json_next(r)) != LDR_JSON_ARRAY_END; out->count++) {
        struct ldr_datum e = {.type = out->type & ~(unsigned)LDR_LIST};
        if (t == LDR_JSON_ERROR)
            rc = refuse(g, r->why);
        else if (t == LDR_JSON_NULL)
            rc = refuse(g, "null in a list");
        else if (out->count == LDR_LIST_MAX)
            rc = refuse(g, "a list of more than 1048576 elements");
        else
            rc = read_scalar(g, r, t, &e);
        if (!rc)
            pack(&packed, &e);
    }
    if (!rc && packed.err)
        rc = packed.err == LDR_E_TOO_BIG ? refuse(g, "a list of more than 16 MiB") : packed.err;
    if (!rc)
        rc = ldr_arena_slice(g->arena, ldr_buf_slice(&packed), &kept);
    if (!rc) {
        out->v.s.p = kept.n ? (const void *)kept.p : "";
        out->v.s.n = kept.n;
    }
    ldr_buf_close(&packed);
    return rc;
}

int ldr_gw_value_read(struct ldr_gw_reading *g, struct ldr_json_reader *r, enum ldr_json_token t,
                      unsigned type, struct ldr_datum *out)
{
    *out = (struct ldr_datum){.type = (uint8_t)type};
    if (t == LDR_JSON_ERROR)
        return refuse(g, r->why);
    if (t == LDR_JSON_NULL) {
        out->null = true;
        out->status = LDR_NULL_VALUE;
        return 0;
    }
    if (type & LDR_LIST)
        return t == LDR_JSON_ARRAY ? read_list(g, r, out) : refuse(g, "expected a list (a JSON array)");
    if (t == LDR_JSON_ARRAY || t == LDR_JSON_OBJECT)
        return refuse(g, t == LDR_JSON_ARRAY ? "expected a single value, not a list"
                                             : "expected a single value, not an object");
    return read_scalar(g, r, t, out);
}
