#include "feature/row.h"

/* Whatever NaN a list came with, it is stored as the one NaN: equal lists must be equal bytes. */
static void canonical_floats(unsigned element, uint8_t *p, size_t n)
{
    if (element == LDR_FLOAT64) {
        for (size_t i = 0; i + 8 <= n; i += 8) {
            uint64_t bits = ldr_get_le64(p + i);
            if ((bits & INT64_MAX) > UINT64_C(0x7ff0000000000000))
                ldr_put_le64(p + i, UINT64_C(0x7ff8000000000000));
        }
    } else if (element == LDR_FLOAT32) {
        for (size_t i = 0; i + 4 <= n; i += 4) {
            uint32_t bits = ldr_get_le32(p + i);
            if ((bits & INT32_MAX) > 0x7f800000u)
                ldr_put_le32(p + i, 0x7fc00000u);
        }
    }
}

/* Bytes of the variable part, or a negative code. */
static int64_t var_bytes(const struct ldr_schema *s, const struct ldr_value *values)
{
    int64_t total = 0;
    for (uint32_t i = 0; i < s->nvar; i++) {
        uint32_t slot = s->var_slots[i];
        const struct ldr_value *v = &values[slot];
        if (v->null || s->cols[slot].dropped)
            continue;
        LDR_ASSERT(v->type == s->cols[slot].type);
        if (v->s.n > LDR_VALUE_MAX)
            return LDR_E_TOO_BIG;
        total += (int64_t)v->s.n;
        if (ldr_type_is_list(v->type)) {
            if (v->count > LDR_LIST_MAX)
                return LDR_E_TOO_BIG;
            total += 4;
        }
    }
    return total;
}

static uint8_t *put_var(const struct ldr_value *v, uint8_t *at)
{
    bool list = ldr_type_is_list(v->type);
    if (list) {
        ldr_put_le32(at, v->count);
        at += 4;
    }
    if (v->s.n)
        memcpy(at, v->s.p, v->s.n);
    if (list)
        canonical_floats(ldr_type_element(v->type), at, v->s.n);
    return at + v->s.n;
}

static void put_fixed(const struct ldr_value *v, uint8_t *at)
{
    switch (v->type) {
    case LDR_BOOL:
        *at = v->b;
        break;
    case LDR_INT32:
        LDR_ASSERT(v->i >= INT32_MIN && v->i <= INT32_MAX);
        ldr_put_le32(at, (uint32_t)v->i);
        break;
    case LDR_FLOAT32: {
        uint32_t bits;
        memcpy(&bits, &v->f32, sizeof bits);
        ldr_put_le32(at, v->f32 == v->f32 ? bits : 0x7fc00000u);
        break;
    }
    case LDR_FLOAT64: {
        uint64_t bits;
        memcpy(&bits, &v->f64, sizeof bits);
        ldr_put_le64(at, v->f64 == v->f64 ? bits : UINT64_C(0x7ff8000000000000));
        break;
    }
    default:
        ldr_put_le64(at, (uint64_t)v->i);
    }
}

static void put_columns(const struct ldr_schema *s, const struct ldr_value *values, uint8_t *nulls)
{
    size_t nbits = (s->ncols + 7) / 8;
    uint8_t *fixed = nulls + nbits, *var = fixed + s->fixed_bytes, *end = var;
    memset(nulls, 0, nbits);
    for (uint32_t i = 0; i < s->ncols; i++) {
        const struct ldr_column *c = &s->cols[i];
        const struct ldr_value *v = &values[i];
        uint8_t *at = fixed + c->fixed_off;
        bool null = v->null || c->dropped;
        LDR_ASSERT(null || v->type == c->type);
        nulls[i / 8] |= (uint8_t)(null << (i % 8));
        if (!ldr_type_is_fixed(c->type)) {
            if (!null)
                end = put_var(v, end);
            ldr_put_le32(at, (uint32_t)(end - var));
        } else if (null) {
            memset(at, 0, ldr_type_width(c->type));
        } else {
            put_fixed(v, at);
        }
    }
}

int ldr_row_encode(const struct ldr_schema *s, const struct ldr_value *values, struct ldr_buf *out)
{
    int64_t nvar = var_bytes(s, values);
    if (nvar < 0)
        return (int)nvar;
    size_t total = LDR_ROW_HEAD + (s->ncols + 7) / 8 + s->fixed_bytes + (size_t)nvar;
    if (total > LDR_ROW_MAX)
        return LDR_E_TOO_BIG;
    uint8_t *p = ldr_buf_reserve(out, total);
    if (!p)
        return out->err;
    ldr_put_le16(p + 4, (uint16_t)s->ncols);
    ldr_put_le16(p + 6, (uint16_t)s->fixed_bytes);
    put_columns(s, values, p + LDR_ROW_HEAD);
    ldr_put_le32(p, ldr_check32(p + 4, total - 4));
    out->n += total;
    return 0;
}
