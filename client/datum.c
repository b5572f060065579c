/* A caller's values as values of the declared type. */
#include "client/store.h"

static bool is_integer(unsigned type)
{
    return type == LDR_INT32 || type == LDR_INT64 || type == LDR_TIMESTAMP;
}

static bool is_text(unsigned type)
{
    return type == LDR_STRING || type == LDR_BYTES;
}

/* Integers never pass through a double silently: only what a float can hold exactly is taken. */
static bool exact_double(int64_t i)
{
    return i >= -(INT64_C(1) << 53) && i <= INT64_C(1) << 53;
}

static bool exact_float(int64_t i)
{
    return i >= -(INT64_C(1) << 24) && i <= INT64_C(1) << 24;
}

static int to_float32(const struct ldr_datum *d, struct ldr_value *out, const char **why)
{
    if (d->type == LDR_FLOAT64) {
        out->f32 = (float)d->v.f64;
        *why = "the value is outside the range of float32";
        return out->f32 - out->f32 != 0.0f && d->v.f64 - d->v.f64 == 0.0 ? LDR_E_INVALID : 0;
    }
    *why = "the integer cannot be held exactly by float32";
    out->f32 = (float)d->v.i;
    return is_integer(d->type) && exact_float(d->v.i) ? 0 : LDR_E_INVALID;
}

static int to_float64(const struct ldr_datum *d, struct ldr_value *out, const char **why)
{
    if (d->type == LDR_FLOAT32) {
        out->f64 = (double)d->v.f32;
        return 0;
    }
    *why = "the integer cannot be held exactly by float64";
    out->f64 = (double)d->v.i;
    return is_integer(d->type) && exact_double(d->v.i) ? 0 : LDR_E_INVALID;
}

static int convert(const struct ldr_datum *d, unsigned type, struct ldr_value *out, const char **why)
{
    bool same = d->type == type;
    if (same ? is_integer(type) : is_integer(type) && is_integer(d->type)) {
        out->i = d->v.i;
        return 0;
    }
    if (same && type == LDR_BOOL) {
        out->b = d->v.b;
        return 0;
    }
    if (same && type == LDR_FLOAT32) {
        out->f32 = d->v.f32;
        return 0;
    }
    if (same && type == LDR_FLOAT64) {
        out->f64 = d->v.f64;
        return 0;
    }
    if (same || (is_text(type) && is_text(d->type))) {
        *why = "the value has a length but no bytes";
        out->s = ldr_slice(d->v.s.p, d->v.s.n);
        out->count = ldr_type_is_list(type) ? d->count : 0;
        return d->v.s.n && !d->v.s.p ? LDR_E_INVALID : 0;
    }
    if (type == LDR_FLOAT32 && (d->type == LDR_FLOAT64 || is_integer(d->type)))
        return to_float32(d, out, why);
    if (type == LDR_FLOAT64 && (d->type == LDR_FLOAT32 || is_integer(d->type)))
        return to_float64(d, out, why);
    *why = "the value is of another type";
    return LDR_E_INVALID;
}

int ldr_datum_value(const struct ldr_datum *d, unsigned type, struct ldr_value *out, const char **why)
{
    *out = ldr_value_null(type);
    if (d->null || d->status == LDR_NULL_VALUE || d->status == LDR_NOT_FOUND)
        return 0;
    out->null = false;
    int rc = convert(d, type, out, why);
    return rc ? rc : ldr_value_check(out, why);
}
