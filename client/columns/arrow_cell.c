/* One cell of a foreign column. */
#include "client/columns/arrow.h"

static const void *buffer(const struct ldr_arrow_column *c, int i)
{
    return c->array->buffers[i];
}

bool ldr_arrow_null(const struct ldr_arrow_column *c, size_t i)
{
    if (c->layout == LDR_ARROW_NULLS)
        return true;
    const uint8_t *validity = c->array->null_count != 0 ? buffer(c, 0) : NULL;
    return validity && !ldr_bit(validity, c->first + i);
}

/* Buffers need not be aligned for their elements. */
static uint64_t load(const void *p, size_t i, uint32_t width, bool is_signed)
{
    const uint8_t *at = (const uint8_t *)p + i * width;
    switch (width) {
    case 1:
        return is_signed ? (uint64_t)(int64_t)(int8_t)*at : *at;
    case 2: {
        uint16_t v;
        memcpy(&v, at, sizeof v);
        return is_signed ? (uint64_t)(int64_t)(int16_t)v : v;
    }
    case 4: {
        uint32_t v;
        memcpy(&v, at, sizeof v);
        return is_signed ? (uint64_t)(int64_t)(int32_t)v : v;
    }
    default: {
        uint64_t v;
        memcpy(&v, at, sizeof v);
        return v;
    }
    }
}

static int integer(const struct ldr_arrow_column *c, size_t i, struct ldr_datum *out, const char **why)
{
    bool is_signed = c->layout == LDR_ARROW_INT;
    uint64_t v = load(buffer(c, 1), i, c->width, is_signed);
    *why = "the number is over 9223372036854775807";
    if (!is_signed && v > INT64_MAX)
        return LDR_E_INVALID;
    out->v.i = (int64_t)v;
    *why = "the time has parts of a microsecond: round it first";
    if (c->divisor > 1 && out->v.i % c->divisor)
        return LDR_E_INVALID;
    out->v.i /= c->divisor;
    *why = "a time outside the years 0001 to 9999";
    return __builtin_mul_overflow(out->v.i, c->scale, &out->v.i) ? LDR_E_INVALID : 0;
}

/* IEEE 754 binary16, of which every value is a float. */
static float half(uint16_t h)
{
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
    float out;
    if (exponent == 0) { /* zero, and multiples of 2^-24 */
        out = (float)fraction * 0x1p-24f;
        return sign ? -out : out;
    }
    uint32_t bits = sign | (exponent == 31 ? 255 : exponent + 112) << 23 | fraction << 13;
    memcpy(&out, &bits, sizeof out);
    return out;
}

static void real(const struct ldr_arrow_column *c, size_t i, struct ldr_datum *out)
{
    uint64_t bits = load(buffer(c, 1), i, c->width, false);
    uint32_t low = (uint32_t)bits;
    if (c->width == 8)
        memcpy(&out->v.f64, &bits, sizeof bits);
    else if (c->width == 4)
        memcpy(&out->v.f32, &low, sizeof low);
    else
        out->v.f32 = half((uint16_t)bits);
}

static int text(const struct ldr_arrow_column *c, size_t i, struct ldr_datum *out, const char **why)
{
    int64_t from = (int64_t)load(buffer(c, 1), i, c->width, true),
            to = (int64_t)load(buffer(c, 1), i + 1, c->width, true);
    *why = "offsets do not ascend";
    if (from < 0 || to < from || (to > from && !buffer(c, 2)))
        return LDR_E_INVALID;
    out->v.s.p = to > from ? (const char *)buffer(c, 2) + from : "";
    out->v.s.n = (size_t)(to - from);
    return 0;
}

/* 16 bytes: a length, then 12 bytes of text; or 4 of them, the number of a buffer, and where in it. */
static int view(const struct ldr_arrow_column *c, size_t i, struct ldr_datum *out, const char **why)
{
    const uint8_t *at = (const uint8_t *)buffer(c, 1) + i * 16;
    uint32_t n = ldr_get_le32(at), which = ldr_get_le32(at + 8), from = ldr_get_le32(at + 12);
    out->v.s.n = n;
    out->v.s.p = at + 4;
    if (n <= 12)
        return 0;
    *why = "a text lies in a buffer that is not there";
    if (n > INT32_MAX || from > INT32_MAX || (int64_t)which >= c->array->n_buffers - 3)
        return LDR_E_INVALID;
    out->v.s.p = (const uint8_t *)buffer(c, 2 + (int)which) + from;
    return 0;
}

static int pack(const struct ldr_value *v, struct ldr_buf *scratch)
{
    switch (v->type) {
    case LDR_BOOL:
        return ldr_buf_u8(scratch, v->b);
    case LDR_INT32:
        return ldr_buf_u32(scratch, (uint32_t)(int32_t)v->i);
    case LDR_FLOAT32:
        return ldr_buf_put(scratch, &v->f32, sizeof v->f32);
    case LDR_FLOAT64:
        return ldr_buf_put(scratch, &v->f64, sizeof v->f64);
    case LDR_STRING:
    case LDR_BYTES:
        return ldr_buf_bytes(scratch, v->s);
    default:
        return ldr_buf_u64(scratch, (uint64_t)v->i);
    }
}

static int element(const struct ldr_arrow_column *inner, size_t i, struct ldr_buf *scratch, const char **why)
{
    struct ldr_datum d;
    struct ldr_value v;
    int rc = ldr_arrow_cell(inner, i, scratch, &d, why);
    if (rc)
        return rc;
    *why = "a null inside a list";
    if (d.null)
        return LDR_E_INVALID;
    rc = ldr_datum_value(&d, inner->want, &v, why);
    return rc ? rc : pack(&v, scratch);
}

static int list(const struct ldr_arrow_column *c, size_t i, struct ldr_buf *scratch, struct ldr_datum *out,
                const char **why)
{
    int64_t from, to;
    if (c->layout == LDR_ARROW_LIST) {
        from = (int64_t)load(buffer(c, 1), i, c->width, true);
        to = (int64_t)load(buffer(c, 1), i + 1, c->width, true);
    } else {
        from = (int64_t)(i * c->width);
        to = from + c->width;
    }
    *why = "a list is over a limit, or ends behind its elements";
    if (from < 0 || to < from || to > c->inner->array->length || to - from > LDR_LIST_MAX)
        return LDR_E_INVALID;
    size_t at = scratch->n;
    for (int64_t k = from; k < to; k++) {
        int rc = element(c->inner, (size_t)k, scratch, why);
        if (rc)
            return rc;
    }
    out->count = (uint32_t)(to - from);
    out->v.s.p = scratch->n > at ? (const char *)scratch->p + at : "";
    out->v.s.n = scratch->n - at;
    return 0;
}

static int entry(const struct ldr_arrow_column *c, size_t i, struct ldr_buf *scratch, struct ldr_datum *out,
                 const char **why)
{
    uint64_t at = load(buffer(c, 1), i, c->width, c->is_signed);
    *why = "a number that its dictionary does not have";
    if (at >= (uint64_t)c->inner->array->length)
        return LDR_E_INVALID;
    return ldr_arrow_cell(c->inner, (size_t)at, scratch, out, why);
}

int ldr_arrow_cell(const struct ldr_arrow_column *c, size_t i, struct ldr_buf *scratch, struct ldr_datum *out,
                   const char **why)
{
    *out = (struct ldr_datum){.type = c->type};
    if (ldr_arrow_null(c, i)) {
        out->status = LDR_NULL_VALUE;
        out->null = true;
        return 0;
    }
    size_t at = c->first + i;
    *why = "a buffer is missing";
    if (c->layout != LDR_ARROW_GROUPS && !buffer(c, 1))
        return LDR_E_INVALID;
    switch (c->layout) {
    case LDR_ARROW_BITS:
        out->v.b = ldr_bit(buffer(c, 1), at);
        return 0;
    case LDR_ARROW_INT:
    case LDR_ARROW_UINT:
        return integer(c, at, out, why);
    case LDR_ARROW_FLOAT:
        real(c, at, out);
        return 0;
    case LDR_ARROW_TEXT:
        return text(c, at, out, why);
    case LDR_ARROW_VIEW:
        return view(c, at, out, why);
    case LDR_ARROW_FIXED:
        out->v.s.p = (const char *)buffer(c, 1) + at * c->width;
        out->v.s.n = c->width;
        return 0;
    case LDR_ARROW_DICTIONARY:
        return entry(c, at, scratch, out, why);
    default:
        return list(c, at, scratch, out, why);
    }
}
