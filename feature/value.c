#include "feature/value.h"

static int cmp_i64(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* Bits as an integer whose order is the order of the floats: -0.0 < 0.0, any NaN after Infinity. */
static int64_t f64_rank(double v)
{
    if (v != v)
        return INT64_MAX;
    int64_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits < 0 ? bits ^ INT64_MAX : bits;
}

static int64_t f32_rank(float v)
{
    if (v != v)
        return INT64_MAX;
    int32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits < 0 ? bits ^ INT32_MAX : bits;
}

static int cmp_list(const struct ldr_value *a, const struct ldr_value *b)
{
    struct ldr_list_iter ia, ib;
    ldr_list_iter_init(&ia, a);
    ldr_list_iter_init(&ib, b);
    for (;;) {
        struct ldr_value x, y;
        bool more_a = ldr_list_iter_next(&ia, &x), more_b = ldr_list_iter_next(&ib, &y);
        if (!more_a || !more_b)
            return (int)more_a - (int)more_b;
        int c = ldr_value_cmp(&x, &y);
        if (c)
            return c;
    }
}

int ldr_value_cmp(const struct ldr_value *a, const struct ldr_value *b)
{
    LDR_ASSERT(a->type == b->type);
    if (a->null || b->null)
        return (int)b->null - (int)a->null;
    switch (a->type) {
    case LDR_BOOL:
        return (int)a->b - (int)b->b;
    case LDR_INT32:
    case LDR_INT64:
    case LDR_TIMESTAMP:
        return cmp_i64(a->i, b->i);
    case LDR_FLOAT32:
        return cmp_i64(f32_rank(a->f32), f32_rank(b->f32));
    case LDR_FLOAT64:
        return cmp_i64(f64_rank(a->f64), f64_rank(b->f64));
    case LDR_STRING:
    case LDR_BYTES:
        return ldr_slice_cmp(a->s, b->s);
    default:
        return cmp_list(a, b);
    }
}

static int refuse(const char **why, int code, const char *text)
{
    if (why)
        *why = text;
    return code;
}

int ldr_value_check(const struct ldr_value *v, const char **why)
{
    if (!ldr_type_valid(v->type))
        return refuse(why, LDR_E_INVALID, "unknown type");
    if (v->null || v->type == LDR_BOOL || v->type == LDR_INT64 || v->type == LDR_FLOAT32 ||
        v->type == LDR_FLOAT64)
        return 0;
    if (v->type == LDR_INT32)
        return v->i < INT32_MIN || v->i > INT32_MAX
                   ? refuse(why, LDR_E_INVALID, "out of range: expected int32 (-2147483648 to 2147483647)")
                   : 0;
    if (v->type == LDR_TIMESTAMP)
        return v->i < LDR_TIME_MIN_US || v->i > LDR_TIME_MAX_US
                   ? refuse(why, LDR_E_INVALID, "out of range: expected a time in the years 0001 to 9999")
                   : 0;
    if (v->s.n > LDR_VALUE_MAX)
        return refuse(why, LDR_E_TOO_BIG, "expected at most 16 MiB in one value");
    if (v->type == LDR_STRING && !ldr_utf8_valid(v->s))
        return refuse(why, LDR_E_INVALID, "expected a string in UTF-8");
    if (!ldr_type_is_list(v->type))
        return 0;
    if (v->count > LDR_LIST_MAX)
        return refuse(why, LDR_E_TOO_BIG, "expected at most 1048576 elements in one list");
    return ldr_list_check(v->type, v->count, v->s) ? refuse(why, LDR_E_INVALID, "expected a well-formed list")
                                                   : 0;
}
