/* From cells to JSON, straight into the answer. */
#include <math.h>

#include "gateway/value.h"

static const char *const type_names[2][9] = {
    {"?", "bool", "int32", "int64", "float32", "float64", "string", "bytes", "timestamp"},
    {"?", "list<bool>", "list<int32>", "list<int64>", "list<float32>", "list<float64>", "list<string>",
     "list<bytes>", "list<timestamp>"},
};

const char *ldr_gw_type_name(unsigned type)
{
    unsigned element = type & ~(unsigned)LDR_LIST;
    return type_names[type & LDR_LIST ? 1 : 0][element <= LDR_TIMESTAMP ? element : 0];
}

unsigned ldr_gw_type_of(const char *name)
{
    for (unsigned i = 1; i <= LDR_TIMESTAMP; i++) {
        if (strcmp(name, type_names[0][i]) == 0)
            return i;
        if (strcmp(name, type_names[1][i]) == 0)
            return LDR_LIST | i;
    }
    return 0;
}

const char *ldr_gw_status_name(unsigned status)
{
    static const char *const names[] = {"PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"};
    return status < sizeof names / sizeof *names ? names[status] : "INVALID";
}

static void put_i64(struct ldr_buf *out, int64_t v)
{
    uint8_t *p = ldr_buf_reserve(out, LDR_NUM_TEXT);
    if (p)
        out->n += ldr_i64_format(v, (char *)p);
}

/* Integral values keep their .0: clients infer types from the text. */
static void put_f64(struct ldr_buf *out, double v)
{
    uint8_t *p = ldr_buf_reserve(out, LDR_NUM_TEXT + 2);
    if (!p)
        return;
    bool word = !isfinite(v);
    if (word)
        *p++ = '"';
    size_t n = ldr_f64_format(v, (char *)p);
    if (word)
        p[n] = '"';
    out->n += n + (word ? 2 : 0);
}

static void put_f32(struct ldr_buf *out, float v)
{
    uint8_t *p = ldr_buf_reserve(out, LDR_NUM_TEXT + 2);
    if (!p)
        return;
    bool word = !isfinite(v);
    if (word)
        *p++ = '"';
    size_t n = ldr_f32_format(v, (char *)p);
    if (word)
        p[n] = '"';
    out->n += n + (word ? 2 : 0);
}

static void put_text(struct ldr_buf *out, struct ldr_slice s)
{
    struct ldr_json j;
    ldr_json_init(&j, out);
    ldr_json_str(&j, s);
}

static void put_base64(struct ldr_buf *out, struct ldr_slice s)
{
    size_t n = ldr_base64_encoded_len(s.n);
    uint8_t *p = ldr_buf_reserve(out, n + 2);
    if (!p)
        return;
    p[0] = '"';
    ldr_base64_encode(s, (char *)p + 1);
    p[n + 1] = '"';
    out->n += n + 2;
}

void ldr_gw_time_put(struct ldr_buf *out, int64_t us)
{
    uint8_t *p = ldr_buf_reserve(out, LDR_TIME_TEXT + 2);
    if (!p)
        return;
    p[0] = '"';
    size_t n = ldr_time_format(us, (char *)p + 1);
    p[n + 1] = '"';
    out->n += n + 2;
}

static void put_time(struct ldr_buf *out, int64_t us, bool feast)
{
    if (feast)
        put_i64(out, us / 1000000 - (us % 1000000 < 0)); /* whole seconds, downwards */
    else
        ldr_gw_time_put(out, us);
}

static void put_element(struct ldr_buf *out, struct ldr_cursor *c, unsigned type, bool feast)
{
    uint32_t u;
    uint64_t w;
    float f;
    double d;
    switch (type) {
    case LDR_BOOL:
        ldr_buf_puts(out, ldr_cursor_u8(c) ? "true" : "false");
        break;
    case LDR_INT32:
        put_i64(out, (int32_t)ldr_cursor_u32(c));
        break;
    case LDR_INT64:
        put_i64(out, (int64_t)ldr_cursor_u64(c));
        break;
    case LDR_TIMESTAMP:
        put_time(out, (int64_t)ldr_cursor_u64(c), feast);
        break;
    case LDR_FLOAT32:
        u = ldr_cursor_u32(c);
        memcpy(&f, &u, sizeof f);
        put_f32(out, f);
        break;
    case LDR_FLOAT64:
        w = ldr_cursor_u64(c);
        memcpy(&d, &w, sizeof d);
        put_f64(out, d);
        break;
    case LDR_BYTES:
        put_base64(out, ldr_cursor_bytes(c, LDR_VALUE_MAX));
        break;
    default:
        put_text(out, ldr_cursor_bytes(c, LDR_VALUE_MAX));
    }
}

static void put_list(struct ldr_buf *out, const struct ldr_datum *d, bool feast)
{
    struct ldr_cursor c = ldr_cursor(ldr_slice(d->v.s.p, d->v.s.n));
    ldr_buf_putc(out, '[');
    for (uint32_t i = 0; i < d->count && !c.err; i++) {
        if (i)
            ldr_buf_putc(out, ',');
        put_element(out, &c, d->type & ~(unsigned)LDR_LIST, feast);
    }
    ldr_buf_putc(out, ']');
}

void ldr_gw_value_put(struct ldr_buf *out, const struct ldr_datum *d, bool feast)
{
    if (d->null || d->status == LDR_NULL_VALUE || d->status == LDR_NOT_FOUND) {
        ldr_buf_put(out, "null", 4);
        return;
    }
    switch (d->type) {
    case LDR_BOOL:
        ldr_buf_puts(out, d->v.b ? "true" : "false");
        break;
    case LDR_INT32:
    case LDR_INT64:
        put_i64(out, d->v.i);
        break;
    case LDR_TIMESTAMP:
        put_time(out, d->v.i, feast);
        break;
    case LDR_FLOAT32:
        put_f32(out, d->v.f32);
        break;
    case LDR_FLOAT64:
        put_f64(out, d->v.f64);
        break;
    case LDR_STRING:
        put_text(out, ldr_slice(d->v.s.p, d->v.s.n));
        break;
    case LDR_BYTES:
        put_base64(out, ldr_slice(d->v.s.p, d->v.s.n));
        break;
    default:
        put_list(out, d, feast);
    }
}
