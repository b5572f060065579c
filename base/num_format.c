#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"

static const char PAIRS[201] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

/* Writes v's digits so that they end before `end`; returns where they start. */
static char *digits_before(uint64_t v, char *end)
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
    char text[24], *p = digits_before(v, text + 24);
    size_t n = (size_t)(text + 24 - p);
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

/* "digits" * 10^(point - n), laid out as Python's repr does. */
static size_t layout(bool minus, const char *digits, int n, int point, char *out)
{
    char *o = out;
    if (minus) {
        *o++ = '-';
    }
    if (point > -4 && point <= 0) {
        memcpy(o, "0.000", 5);
        o += 2 - point;
        memcpy(o, digits, (size_t)n);
        o += n;
    } else if (point > 0 && point <= 16) {
        int whole = n < point ? n : point;
        memcpy(o, digits, (size_t)whole);
        memset(o + whole, '0', (size_t)(point - whole));
        o += point;
        *o++ = '.';
        if (n > point) {
            memcpy(o, digits + point, (size_t)(n - point));
            o += n - point;
        } else {
            *o++ = '0';
        }
    } else {
        *o++ = digits[0];
        if (n > 1) {
            *o++ = '.';
            memcpy(o, digits + 1, (size_t)n - 1);
            o += n - 1;
        }
        int e = point - 1;
        *o++ = 'e';
        *o++ = e < 0 ? '-' : '+';
        e = e < 0 ? -e : e;
        if (e >= 100) {
            *o++ = (char)('0' + e / 100);
            e %= 100;
        }
        memcpy(o, PAIRS + 2 * e, 2);
        o += 2;
    }
    *o = '\0';
    return (size_t)(o - out);
}

static size_t special(double v, char *out)
{
    const char *text = isnan(v)     ? "NaN"
                       : v > 0      ? "Infinity"
                       : v < 0      ? "-Infinity"
                       : signbit(v) ? "-0.0"
                                    : "0.0";
    size_t n = strlen(text);
    memcpy(out, text, n + 1);
    return n;
}

size_t ldr_f64_format(double v, char out[LDR_NUM_TEXT])
{
    if (!isfinite(v) || v == 0) {
        return special(v, out);
    }
    double a = fabs(v);
    char text[40], digits[24];
    int point = 0, n = 0;
    for (int precision = 0; precision <= 16; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, a);
        n = 0;
        char *e = strchr(text, 'e');
        for (char *p = text; p < e; p++) {
            if (*p >= '0' && *p <= '9') {
                digits[n++] = *p;
            }
        }
        point = (int)strtol(e + 1, NULL, 10) + 1;
        snprintf(text, sizeof(text), "%.*se%d", n, digits, point - n);
        if (strtod(text, NULL) == a) {
            break;
        }
    }
    while (n > 1 && digits[n - 1] == '0') {
        n--;
    }
    return layout(v < 0, digits, n, point, out);
}

size_t ldr_f32_format(float v, char out[LDR_NUM_TEXT])
{
    if (!isfinite(v) || v == 0) {
        return special((double)v, out);
    }
    float a = fabsf(v);
    char text[40], digits[24];
    int point = 0, n = 0;
    for (int precision = 0; precision <= 8; precision++) {
        snprintf(text, sizeof(text), "%.*e", precision, (double)a);
        n = 0;
        char *e = strchr(text, 'e');
        for (char *p = text; p < e; p++) {
            if (*p >= '0' && *p <= '9') {
                digits[n++] = *p;
            }
        }
        point = (int)strtol(e + 1, NULL, 10) + 1;
        snprintf(text, sizeof(text), "%.*se%d", n, digits, point - n);
        if (strtof(text, NULL) == a) {
            break;
        }
    }
    while (n > 1 && digits[n - 1] == '0') {
        n--;
    }
    return layout(v < 0, digits, n, point, out);
}
