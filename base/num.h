/* Numbers as text, independent of the locale. Parsing takes the whole slice or fails; no leading or trailing
 * space. */
#ifndef LDR_BASE_NUM_H
#define LDR_BASE_NUM_H
#include "base/slice.h"

#define LDR_NUM_TEXT 32 /* bytes that hold any formatted number, with its NUL */

int ldr_i64_parse(struct ldr_slice text,
                  int64_t *out); /* 0, LDR_E_INVALID (malformed) or LDR_E_TOO_BIG (range) */
/* Decimal or exponent, NaN, Infinity, -Infinity. Overflow to infinity is LDR_E_TOO_BIG; every NaN gives the
 * one NaN. */
int ldr_f64_parse(struct ldr_slice text, double *out);
int ldr_f32_parse(struct ldr_slice text, float *out); /* rounds once, straight to float */
size_t ldr_i64_format(int64_t v, char out[LDR_NUM_TEXT]);
size_t ldr_u64_format(uint64_t v, char out[LDR_NUM_TEXT]);
/* Shortest text that reads back to the same bits; always has ".0", a fraction or an exponent (1.0, 1e+16,
 * 1e-05, -0.0), exponent form outside 1e-4 <= |v| < 1e16, as Python's repr; NaN, Infinity, -Infinity. Returns
 * the length. */
size_t ldr_f64_format(double v, char out[LDR_NUM_TEXT]);
size_t ldr_f32_format(float v, char out[LDR_NUM_TEXT]);
double ldr_f64_canonical(double v); /* any NaN -> the one NaN; others unchanged */
float ldr_f32_canonical(float v);
#endif
