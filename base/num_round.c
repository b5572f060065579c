/* Decimal to binary, by the method of Eisel and Lemire ("Number parsing at a gigabyte per second", 2021): one
 * or two 64-bit products with a rounded-down power of ten give enough bits of the result, and tell when they
 * do not. */
#include "base/num_float.h"
#include "base/num_pow10.h"

const struct ldr_float_format LDR_FLOAT64 = {
    .bits = 53, .bias = 1023, .half_lo = -4, .half_hi = 23, .infinity = UINT64_C(0x7FF) << 52};
const struct ldr_float_format LDR_FLOAT32 = {
    .bits = 24, .bias = 127, .half_lo = -17, .half_hi = 10, .infinity = UINT64_C(0xFF) << 23};

/* w * 10^q for w > 0; false when the product leaves the rounding open. */
static bool round_product(uint64_t w, int q, const struct ldr_float_format *f, uint64_t *bits)
{
    const struct ldr_pow10 *power = &LDR_POW10[q - LDR_POW10_MIN];
    int zeros = __builtin_clzll(w);
    w <<= zeros;
    unsigned __int128 z = (unsigned __int128)w * power->hi;
    uint64_t undecided = UINT64_MAX >> (f->bits + 2);
    if (((uint64_t)(z >> 64) & undecided) == undecided) {
        /* A carry from below could reach the bits that count: take the lower half of the power in. */
        z += (uint64_t)((unsigned __int128)w * power->lo >> 64);
        if ((uint64_t)z == UINT64_MAX && (q < -27 || q > 55)) {
            return false;
        }
    }
    uint64_t hi = (uint64_t)(z >> 64), lo = (uint64_t)z;
    int shift = (int)(hi >> 63) + 62 - f->bits;
    uint64_t m = hi >> shift; /* the significand and one bit below it */
    /* m stands for m * 2^(shift + log2 + 1 - zeros); biased exponent of the result, as if it were normal: */
    int exponent = shift + ldr_log2_pow10(q) + 1 - zeros + f->bits + f->bias;
    if (exponent <= 0) { /* subnormal or zero; half-way cases do not get this small */
        m = 1 - exponent < 64 ? m >> (1 - exponent) : 0;
        *bits = (m + (m & 1)) >> 1;
        return true;
    }
    if (lo <= 1 && q >= f->half_lo && q <= f->half_hi && (m & 3) == 1 && m << shift == hi) {
        m--; /* exactly half-way, and down is the even one */
    }
    m = (m + (m & 1)) >> 1;
    *bits =
        ((uint64_t)(exponent - 1) << (f->bits - 1)) + m; /* the hidden bit, and a carry, raise the exponent */
    if (*bits > f->infinity) {
        *bits = f->infinity;
    }
    return true;
}

bool ldr_decimal_round(const struct ldr_decimal *d, const struct ldr_float_format *f, uint64_t *bits)
{
    if (d->m == 0 || d->exp10 < LDR_POW10_MIN) {
        *bits = 0;
        return true;
    }
    if (d->exp10 > 308) {
        *bits = f->infinity;
        return true;
    }
    if (!round_product(d->m, (int)d->exp10, f, bits)) {
        return false;
    }
    uint64_t above;
    return !d->more || (round_product(d->m + 1, (int)d->exp10, f, &above) && above == *bits);
}
