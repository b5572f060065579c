#include <math.h>

#include "base/num.h"
#include "base/num_float.h"

static const char PAIRS[201] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

/* Writes v's digits so that they end before `end`; returns where they start. */
static inline char *digits_before(uint64_t v, char *end)
{
    while (v >= 100) {
        end -= 2;
        memcpy(end, PAIRS + 2 * (v % 100), 2);
        v /= 100;
    }
    if (v >= 10) {
        end -= 2;
        memcpy(end, PAIRS + 2 * v, 2);
    } else {
        *--end = (char)('0' + v);
    }
    return end;
}

static size_t put_u64(uint64_t v, char *out)
{
    char text[24], *p = digits_before(v, text + 20);
    size_t n = (size_t)(text + 20 - p);
    memcpy(out, p, n);
    out[n] = '\0';
    return n;
}

size_t ldr_u64_format(uint64_t v, char out[LDR_NUM_TEXT])
{
    return put_u64(v, out);
}

size_t ldr_i64_format(int64_t v, char out[LDR_NUM_TEXT])
{
    if (v >= 0) {
        return put_u64((uint64_t)v, out);
    }
    out[0] = '-';
    return 1 + put_u64(0 - (uint64_t)v, out + 1);
}

static char *put_exponent(char *o, int e)
{
    *o++ = 'e';
    *o++ = e < 0 ? '-' : '+';
    e = e < 0 ? -e : e;
    if (e >= 100) {
        *o++ = (char)('0' + e / 100);
        e %= 100;
    }
    memcpy(o, PAIRS + (size_t)2 * (unsigned)e, 2);
    return o + 2;
}

/* digits * 10^exp10, laid out as Python's repr does; digits > 0. */
static char *layout(char *o, uint64_t value, int exp10)
{
    char text[24], *end = text + 20;
    const char *digits = digits_before(value, end);
    size_t n = (size_t)(end - digits);
    int point = (int)n + exp10; /* the number is 0.digits * 10^point */
    if (point > -4 && point <= 0) {
        memcpy(o, "0.000", 6);
        o += 2 - point;
        memcpy(o, digits, n);
        return o + n;
    }
    if (point > 0 && point <= 16) {
        size_t whole = (size_t)point;
        if (n > whole) {
            memcpy(o, digits, whole);
            o[whole] = '.';
            memcpy(o + whole + 1, digits + whole, n - whole);
            return o + n + 1;
        }
        memcpy(o, digits, n);
        memset(o + n, '0', whole - n);
        memcpy(o + whole, ".0", 3);
        return o + whole + 2;
    }
    *o++ = digits[0];
    if (n > 1) {
        *o++ = '.';
        memcpy(o, digits + 1, n - 1);
        o += n - 1;
    }
    return put_exponent(o, point - 1);
}

static uint64_t strip_zeros(uint64_t v, int *exp10)
{
    if (v % 100000000 == 0) {
        v /= 100000000;
        *exp10 += 8;
    }
    if (v % 10000 == 0) {
        v /= 10000;
        *exp10 += 4;
    }
    if (v % 100 == 0) {
        v /= 100;
        *exp10 += 2;
    }
    while (v % 10 == 0) {
        v /= 10;
        *exp10 += 1;
    }
    return v;
}

/* From the fields of the number: sign, biased exponent, significand without its hidden bit. */
static size_t format_float(bool minus, unsigned exponent, uint64_t fraction, const struct ldr_float_format *f,
                           char *out)
{
    uint64_t hidden = UINT64_C(1) << (f->bits - 1);
    char *o = out;
    if (exponent == f->infinity >> (f->bits - 1)) {
        const char *text = fraction ? "NaN" : minus ? "-Infinity" : "Infinity";
        size_t n = strlen(text);
        memcpy(out, text, n + 1);
        return n;
    }
    if (minus) {
        *o++ = '-';
    }
    int q = (int)(exponent ? exponent : 1) - f->bias - (f->bits - 1), exp10 = 0;
    uint64_t c = exponent ? fraction | hidden : fraction;
    if (c == 0) {
        memcpy(o, "0.0", 4);
        o += 3;
    } else if (q <= 0 && q > -f->bits && !(c & ((UINT64_C(1) << -q) - 1))) { /* an integer below 2^bits */
        o = digits_before(c >> -q, out + LDR_NUM_TEXT - 4);
        size_t n = (size_t)(out + LDR_NUM_TEXT - 4 - o);
        memmove(out + minus, o, n);
        memcpy(out + minus + n, ".0", 3);
        o = out + minus + n + 2;
    } else {
        c = ldr_float_shortest(c, q, fraction == 0 && exponent > 1, &exp10);
        c = strip_zeros(c, &exp10);
        o = layout(o, c, exp10);
    }
    *o = '\0';
    return (size_t)(o - out);
}

size_t ldr_f64_format(double v, char out[LDR_NUM_TEXT])
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return format_float(bits >> 63, (unsigned)(bits >> 52) & 0x7FF, bits & ((UINT64_C(1) << 52) - 1),
                        &LDR_FLOAT64, out);
}

size_t ldr_f32_format(float v, char out[LDR_NUM_TEXT])
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof(bits));
    return format_float(bits >> 31, (bits >> 23) & 0xFF, bits & ((1u << 23) - 1), &LDR_FLOAT32, out);
}

double ldr_f64_canonical(double v)
{
    const uint64_t nan = UINT64_C(0x7FF8000000000000);
    if (isnan(v)) {
        memcpy(&v, &nan, sizeof(v));
    }
    return v;
}

float ldr_f32_canonical(float v)
{
    const uint32_t nan = UINT32_C(0x7FC00000);
    if (isnan(v)) {
        memcpy(&v, &nan, sizeof(v));
    }
    return v;
}
