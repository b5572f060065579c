#include <math.h>

#include "base/err.h"
#include "base/num.h"
#include "base/num_float.h"
#include "base/num_slow.h"

int ldr_i64_parse(struct ldr_slice text, int64_t *out)
{
    if (text.n == 0) {
        return LDR_E_INVALID;
    }
    const uint8_t *p = text.p, *end = p + text.n;
    bool minus = false;
    if (*p == '-' || *p == '+') {
        minus = *p++ == '-';
    }
    if (p == end) {
        return LDR_E_INVALID;
    }
    uint64_t v = 0;
    const uint8_t *safe = end - p > 18 ? p + 18 : end; /* 18 digits cannot overflow */
    bool over = false;
    for (; p < safe; p++) {
        unsigned d = (unsigned)*p - '0';
        if (d > 9) {
            return LDR_E_INVALID;
        }
        v = v * 10 + d;
    }
    for (; p < end; p++) {
        unsigned d = (unsigned)*p - '0';
        if (d > 9) {
            return LDR_E_INVALID;
        }
        over |= __builtin_mul_overflow(v, 10u, &v);
        over |= __builtin_add_overflow(v, d, &v);
    }
    if (over || v > (uint64_t)INT64_MAX + minus) {
        return LDR_E_TOO_BIG;
    }
    *out = (int64_t)(minus ? 0 - v : v);
    return 0;
}

/* Exponent digits in p..end, all of it; more than anyone can mean saturates. */
static bool exponent(const uint8_t *p, const uint8_t *end, int64_t *out)
{
    bool minus = false;
    if (p < end && (*p == '-' || *p == '+')) {
        minus = *p++ == '-';
    }
    if (p == end) {
        return false;
    }
    int64_t v = 0;
    for (; p < end; p++) {
        unsigned d = (unsigned)*p - '0';
        if (d > 9) {
            return false;
        }
        v = v < INT64_C(1) << 40 ? v * 10 + d : v;
    }
    *out = minus ? -v : v;
    return true;
}

static const uint8_t *digit_run(const uint8_t *p, const uint8_t *end, uint64_t *m)
{
    uint64_t v = *m;
    for (unsigned d; p < end && (d = (unsigned)*p - '0') <= 9; p++) {
        v = v * 10 + d;
    }
    *m = v;
    return p;
}

/* The same for a significand of more digits than m holds (or of leading zeros): every digit is looked at in
 * turn. */
static void long_significand(const uint8_t *p, const uint8_t *end, struct ldr_decimal *d)
{
    unsigned kept = 0;
    bool point = false;
    d->m = 0;
    d->exp10 = 0;
    d->p = d->end = end;
    for (; p < end; p++) {
        unsigned c = (unsigned)*p - '0';
        if (*p == '.') {
            point = true;
        } else if (kept == 0 && c == 0) {
            d->exp10 -= point;
        } else if (kept < LDR_DECIMAL_DIGITS) {
            d->p = kept ? d->p : p;
            d->m = d->m * 10 + c;
            d->exp10 -= point;
            kept++;
        } else {
            d->more |= c != 0;
            d->exp10 += !point;
        }
    }
}

/* Takes a whole text apart: sign, digits with at most one point, maybe an exponent. */
static inline bool take_apart(struct ldr_slice text, struct ldr_decimal *d, bool *minus)
{
    if (text.n == 0) {
        return false;
    }
    const uint8_t *p = text.p, *end = p + text.n;
    *minus = false;
    if (*p == '-' || *p == '+') {
        *minus = *p++ == '-';
    }
    const uint8_t *start = p;
    d->m = 0;
    d->more = false;
    p = digit_run(p, end, &d->m);
    ptrdiff_t digits = p - start, fraction = 0;
    if (p < end && *p == '.') {
        const uint8_t *point = p++;
        p = digit_run(p, end, &d->m);
        fraction = p - point - 1;
        digits += fraction;
    }
    if (digits == 0) {
        return false;
    }
    d->exp10 = -(int64_t)fraction;
    d->p = start;
    d->end = p;
    if (__builtin_expect(digits > LDR_DECIMAL_DIGITS, 0)) {
        long_significand(start, p, d);
    }
    int64_t e = 0;
    if (p < end) {
        if ((*p != 'e' && *p != 'E') || !exponent(p + 1, end, &e)) {
            return false;
        }
        d->exp10 += e;
    }
    return true;
}

static bool is_word(struct ldr_slice text, double *out)
{
    bool minus = false;
    if (ldr_slice_eq(text, ldr_slice("NaN", 3))) {
        *out = ldr_f64_canonical((double)NAN);
        return true;
    }
    if (text.n && (text.p[0] == '-' || text.p[0] == '+')) {
        minus = text.p[0] == '-';
        text = ldr_slice(text.p + 1, text.n - 1);
    }
    if (ldr_slice_eq(text, ldr_slice("Infinity", 8))) {
        *out = minus ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    return false;
}

/* Both factors exact in a double, so that the one operation rounds once: correct by IEEE 754. */
static inline bool exact_f64(const struct ldr_decimal *d, double *out)
{
    static const double pow10[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->m >> 53 || d->more || d->exp10 < -22 || d->exp10 > 22) {
        return false;
    }
    *out = d->exp10 < 0 ? (double)d->m / pow10[-d->exp10] : (double)d->m * pow10[d->exp10];
    return true;
}

int ldr_f64_parse(struct ldr_slice text, double *out)
{
    struct ldr_decimal d;
    bool minus;
    double v;
    if (!take_apart(text, &d, &minus)) {
        return is_word(text, out) ? 0 : LDR_E_INVALID;
    }
    if (!exact_f64(&d, &v)) {
        uint64_t bits;
        if (ldr_decimal_round(&d, &LDR_FLOAT64, &bits)) {
            memcpy(&v, &bits, sizeof(v));
        } else {
            int rc = ldr_decimal_slow_f64(&d, &v);
            if (rc) {
                return rc;
            }
        }
        if (isinf(v)) {
            return LDR_E_TOO_BIG;
        }
    }
    *out = minus ? -v : v;
    return 0;
}

int ldr_f32_parse(struct ldr_slice text, float *out)
{
    struct ldr_decimal d;
    bool minus;
    double word;
    float v;
    uint64_t bits;
    if (!take_apart(text, &d, &minus)) {
        if (!is_word(text, &word)) {
            return LDR_E_INVALID;
        }
        *out = ldr_f32_canonical((float)word);
        return 0;
    }
    if (ldr_decimal_round(&d, &LDR_FLOAT32, &bits)) {
        uint32_t low = (uint32_t)bits;
        memcpy(&v, &low, sizeof(v));
    } else {
        int rc = ldr_decimal_slow_f32(&d, &v);
        if (rc) {
            return rc;
        }
    }
    if (isinf(v)) {
        return LDR_E_TOO_BIG;
    }
    *out = minus ? -v : v;
    return 0;
}
