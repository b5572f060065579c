#include "feature/text.h"

static int put_time(int64_t us, struct ldr_buf *out)
{
    char text[LDR_TIME_TEXT > LDR_NUM_TEXT ? LDR_TIME_TEXT : LDR_NUM_TEXT];
    /* Bytes that were only framed, not checked, may hold a time that has no calendar text. */
    bool in_range = us >= LDR_TIME_MIN_US && us <= LDR_TIME_MAX_US;
    return ldr_buf_put(out, text, in_range ? ldr_time_format(us, text) : ldr_i64_format(us, text));
}

static int put_base64(struct ldr_slice s, struct ldr_buf *out)
{
    uint8_t *p = ldr_buf_reserve(out, ldr_base64_encoded_len(s.n));
    if (p)
        out->n += ldr_base64_encode(s, (char *)p);
    return out->err;
}

int ldr_value_format(const struct ldr_value *v, struct ldr_buf *out)
{
    char text[LDR_NUM_TEXT];
    if (v->null)
        return out->err;
    switch (v->type) {
    case LDR_BOOL:
        return ldr_buf_puts(out, v->b ? "true" : "false");
    case LDR_INT32:
    case LDR_INT64:
        return ldr_buf_put(out, text, ldr_i64_format(v->i, text));
    case LDR_FLOAT32:
        return ldr_buf_put(out, text, ldr_f32_format(v->f32, text));
    case LDR_FLOAT64:
        return ldr_buf_put(out, text, ldr_f64_format(v->f64, text));
    case LDR_STRING:
        return ldr_buf_put(out, v->s.p, v->s.n);
    case LDR_BYTES:
        return put_base64(v->s, out);
    case LDR_TIMESTAMP:
        return put_time(v->i, out);
    default: {
        struct ldr_json j;
        ldr_json_init(&j, out);
        ldr_value_json(v, &j);
        return out->err;
    }
    }
}

static void json_list(const struct ldr_value *v, struct ldr_json *j)
{
    struct ldr_list_iter it;
    struct ldr_value e;
    ldr_json_array(j);
    ldr_list_iter_init(&it, v);
    while (ldr_list_iter_next(&it, &e))
        ldr_value_json(&e, j);
    ldr_json_array_end(j);
}

/* Shortest for a float, not for the double it widens to. */
static void json_f32(float f, struct ldr_json *j)
{
    char text[LDR_NUM_TEXT];
    size_t n = ldr_f32_format(f, text);
    if (__builtin_isfinite(f))
        ldr_json_raw(j, ldr_slice(text, n));
    else
        ldr_json_str(j, ldr_slice(text, n));
}

void ldr_value_json(const struct ldr_value *v, struct ldr_json *j)
{
    if (v->null) {
        ldr_json_null(j);
        return;
    }
    switch (v->type) {
    case LDR_BOOL:
        ldr_json_bool(j, v->b);
        break;
    case LDR_INT32:
    case LDR_INT64:
        ldr_json_i64(j, v->i);
        break;
    case LDR_FLOAT32:
        json_f32(v->f32, j);
        break;
    case LDR_FLOAT64:
        ldr_json_f64(j, v->f64);
        break;
    case LDR_STRING:
        ldr_json_str(j, v->s);
        break;
    case LDR_BYTES:
        /* Neither base64 nor a time has anything to escape, so the quoted text is JSON as it stands. */
        ldr_json_raw(j, ldr_slice_str("\""));
        put_base64(v->s, j->out);
        ldr_buf_putc(j->out, '"');
        break;
    case LDR_TIMESTAMP:
        ldr_json_raw(j, ldr_slice_str("\""));
        put_time(v->i, j->out);
        ldr_buf_putc(j->out, '"');
        break;
    default:
        json_list(v, j);
    }
}
