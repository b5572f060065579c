/* By the C library, in the C locale whatever the program has set. */
#include "base/num_slow.h"

#include <locale.h>
#include <stdlib.h>

#include "base/err.h"

/* Significant digits that can decide a rounding: 767 for a double; one more stands for all the rest. */
#define SLOW_DIGITS 800
#define SLOW_TEXT   (SLOW_DIGITS + 16)

/* Digits and an exponent, no point. Exponents beyond reach stay overflow or zero when they are cut to four
 * digits. */
static void write_text(const struct ldr_decimal *d, char *out)
{
    char *o = out;
    unsigned n = 0;
    bool more = false;
    for (const uint8_t *p = d->p; p < d->end; p++) {
        if (*p == '.' || (n == 0 && *p == '0')) {
            continue;
        }
        if (n < SLOW_DIGITS) {
            *o++ = (char)*p;
            n++;
        } else {
            more |= *p != '0';
        }
    }
    int64_t e = d->exp10;
    if (n > LDR_DECIMAL_DIGITS) {
        e -= n - LDR_DECIMAL_DIGITS; /* it is the exponent of the first 19 digits */
    }
    if (more) {
        *o++ = '1';
        e--;
    }
    if (n == 0) {
        *o++ = '0';
    }
    unsigned v = e < -9999 || e > 9999 ? 9999 : (unsigned)(e < 0 ? -e : e);
    *o++ = 'e';
    *o++ = e < 0 ? '-' : '+';
    for (unsigned scale = 1000; scale; scale /= 10) {
        *o++ = (char)('0' + v / scale % 10);
    }
    *o = '\0';
}

int ldr_decimal_slow_f64(const struct ldr_decimal *d, double *out)
{
    char text[SLOW_TEXT];
    write_text(d, text);
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) {
        return LDR_E_NOMEM;
    }
    *out = strtod_l(text, NULL, c);
    freelocale(c);
    return 0;
}

int ldr_decimal_slow_f32(const struct ldr_decimal *d, float *out)
{
    char text[SLOW_TEXT];
    write_text(d, text);
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (!c) {
        return LDR_E_NOMEM;
    }
    *out = strtof_l(text, NULL, c);
    freelocale(c);
    return 0;
}
