/* Private to the number code: floating-point numbers between decimal and binary, without text. */
#ifndef LDR_BASE_NUM_FLOAT_H
#define LDR_BASE_NUM_FLOAT_H
#include <stdbool.h>
#include <stdint.h>

#define LDR_DECIMAL_DIGITS 19 /* any so many digits fit in 64 bits */

/* A number taken apart: m * 10^exp10, exactly unless `more` is set; the sign is the caller's. */
struct ldr_decimal {
    uint64_t m;    /* the first LDR_DECIMAL_DIGITS significant digits */
    int64_t exp10; /* of m */
    bool more;     /* there are further digits that are not all zero */
    const uint8_t *p,
        *end; /* from the first significant digit on, a point among them, for when m does not decide */
};

/* An IEEE 754 binary format. */
struct ldr_float_format {
    int bits;             /* of the significand, the hidden one included */
    int bias;             /* of the exponent */
    int half_lo, half_hi; /* powers of ten for which a decimal can lie half-way between two neighbours */
    uint64_t infinity;    /* its bits */
};
extern const struct ldr_float_format LDR_FLOAT64, LDR_FLOAT32;

/* The bits of the nearest number, ties to even; true when m and exp10 decide it, else the caller asks the C
 * library. */
bool ldr_decimal_round(const struct ldr_decimal *d, const struct ldr_float_format *f, uint64_t *bits);

/* The least digits that read back to c * 2^q, and of those the closest: returned as digits * 10^(*exp10),
 * where the digits may end in zeros. 0 < c < 2^53; `narrow`: the gap below the number is half the gap above
 * it. */
uint64_t ldr_float_shortest(uint64_t c, int q, bool narrow, int *exp10);
#endif
