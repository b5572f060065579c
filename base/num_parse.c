#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/num.h"

int ldr_i64_parse(struct ldr_slice text, int64_t *out)
{
    const uint8_t *p = text.p, *end = p + text.n;
    bool minus = false;
    if (text.n && (*p == '-' || *p == '+')) {
        minus = *p++ == '-';
    }
    if (p == end) {
        return LDR_E_INVALID;
    }
    uint64_t v = 0;
    bool over = false;
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

/* A decimal number taken apart: digits * 10^exp10. */
struct decimal {
    bool minus;
    uint64_t m;       /* the first 19 significant digits */
    int64_t exp10;    /* of m */
    bool inexact;     /* digits beyond those of m that are not all zero */
    const uint8_t *p; /* from the first significant digit (maybe with a point in it) */
    const uint8_t *end;
};

/* Exponent digits from p; more than anyone can mean saturates. */
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

static bool take_apart(struct ldr_slice text, struct decimal *d)
{
    const uint8_t *p = text.p, *end = p + text.n;
    *d = (struct decimal){0};
    if (p < end && (*p == '-' || *p == '+')) {
        d->minus = *p++ == '-';
    }
    unsigned kept = 0;
    bool digits = false, point = false;
    for (; p < end; p++) {
        unsigned c = (unsigned)*p - '0';
        if (c <= 9) {
            digits = true;
            if (kept == 0 && c == 0) {
                d->exp10 -= point;
            } else if (kept < 19) {
                d->p = kept ? d->p : p;
                d->m = d->m * 10 + c;
                d->exp10 -= point;
                kept++;
            } else {
                d->inexact |= c != 0;
                d->exp10 += !point;
            }
        } else if (*p == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    d->end = p;
    if (!digits) {
        return false;
    }
    if (p == end) {
        return true;
    }
    int64_t e;
    if ((*p != 'e' && *p != 'E') || !exponent(p + 1, end, &e)) {
        return false;
    }
    d->exp10 += e;
    return true;
}

static bool is_word(struct ldr_slice text, double *out)
{
    bool minus = false;
    if (text.n && (text.p[0] == '-' || text.p[0] == '+')) {
        minus = text.p[0] == '-';
        text = ldr_slice(text.p + 1, text.n - 1);
    } else if (ldr_slice_eq(text, ldr_slice("NaN", 3))) {
        *out = ldr_f64_canonical((double)NAN);
        return true;
    }
    if (ldr_slice_eq(text, ldr_slice("Infinity", 8))) {
        *out = minus ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    return false;
}

/* Significant digits of a text that decide its rounding, at most: 767 decide a double; one more stands for
 * the rest. */
#define SLOW_DIGITS 800

/* Writes d as digits and exponent, locale-free, for strtod; huge and tiny ones become plain overflow and
 * zero. */
static void slow_text(const struct decimal *d, char *out)
{
    char *o = out;
    *o++ = d->minus ? '-' : '+';
    int64_t e = d->exp10;
    unsigned n = 0, beyond = 0;
    for (const uint8_t *p = d->p; p && p < d->end; p++) {
        if (*p == '.') {
            continue;
        }
        if (n < SLOW_DIGITS) {
            *o++ = (char)*p;
            n++;
        } else if (*p != '0' && !beyond) {
            beyond = 1;
        }
    }
    if (n > 19) { /* exp10 belongs to the first 19 digits */
        e -= n - 19;
    }
    if (beyond) {
        *o++ = '1';
        e--;
    }
    if (n == 0) {
        *o++ = '0';
    }
    e = e > 5000 ? 5000 : e < -5000 ? -5000 : e;
    *o++ = 'e';
    *o++ = e < 0 ? '-' : '+';
    unsigned v = (unsigned)(e < 0 ? -e : e);
    for (unsigned scale = 1000; scale; scale /= 10) {
        *o++ = (char)('0' + v / scale % 10);
    }
    *o = '\0';
}

/* By the C library, in the C locale whatever the program has set. */
static int slow_f64(const struct decimal *d, double *out)
{
    char text[SLOW_DIGITS + 16];
    slow_text(d, text);
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) {
        return LDR_E_NOMEM;
    }
    *out = strtod_l(text, NULL, c);
    freelocale(c);
    return isinf(*out) ? LDR_E_TOO_BIG : 0;
}

static int slow_f32(const struct decimal *d, float *out)
{
    char text[SLOW_DIGITS + 16];
    slow_text(d, text);
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) {
        return LDR_E_NOMEM;
    }
    *out = strtof_l(text, NULL, c);
    freelocale(c);
    return isinf(*out) ? LDR_E_TOO_BIG : 0;
}

/* Both factors exact in a double, so that the one operation rounds once: correct by IEEE 754. */
static bool exact_f64(const struct decimal *d, double *out)
{
    static const double pow10[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                     1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->m >> 53 || d->inexact || d->exp10 < -22 || d->exp10 > 22) {
        return false;
    }
    double v = d->minus ? -(double)d->m : (double)d->m;
    *out = d->exp10 < 0 ? v / pow10[-d->exp10] : v * pow10[d->exp10];
    return true;
}

int ldr_f64_parse(struct ldr_slice text, double *out)
{
    struct decimal d;
    if (!take_apart(text, &d)) {
        return is_word(text, out) ? 0 : LDR_E_INVALID;
    }
    if (exact_f64(&d, out)) {
        return 0;
    }
    double v;
    int rc = slow_f64(&d, &v);
    if (rc == 0) {
        *out = v;
    }
    return rc;
}

int ldr_f32_parse(struct ldr_slice text, float *out)
{
    struct decimal d;
    double wide;
    if (!take_apart(text, &d)) {
        if (!is_word(text, &wide)) {
            return LDR_E_INVALID;
        }
        *out = ldr_f32_canonical((float)wide);
        return 0;
    }
    float v;
    int rc = slow_f32(&d, &v);
    if (rc == 0) {
        *out = v;
    }
    return rc;
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
