/* Private to the number code: the rare decimals whose first 19 digits leave the rounding open. */
#ifndef LDR_BASE_NUM_SLOW_H
#define LDR_BASE_NUM_SLOW_H
#include "base/num_float.h"

/* The nearest number >= 0, infinity on overflow. 0 or LDR_E_NOMEM. */
int ldr_decimal_slow_f64(const struct ldr_decimal *d, double *out);
int ldr_decimal_slow_f32(const struct ldr_decimal *d, float *out);
#endif
