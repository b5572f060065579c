/* Binary to decimal, by the method of Giulietti ("The Schubfach way to render doubles", 2020): the power of
 * ten is chosen so that the interval of all decimals that read back to the number holds at least one of its
 * multiples, and at most one of ten times it. So there are at most four candidates, and no loop. */
#include "base/num_float.h"
#include "base/num_pow10.h"

/* floor(log10(2^q)) and floor(log10(3/4 * 2^q)), exact for -1100 < q < 1000 */
static int log10_pow2(int q, bool narrow)
{
    return (q * 1262611 - (narrow ? 524031 : 0)) >> 22;
}

/* The integer part of c * g / 2^128, its last bit set when there is a fraction. g is rounded up by less than
 * one, so a fraction of one unit is none. */
static uint64_t round_to_odd(struct ldr_pow10 g, uint64_t c)
{
    uint64_t x = (uint64_t)((unsigned __int128)g.lo * c >> 64);
    unsigned __int128 y = (unsigned __int128)g.hi * c + x;
    return (uint64_t)(y >> 64) | ((uint64_t)y > 1);
}

uint64_t ldr_float_shortest(uint64_t c, int q, bool narrow, int *exp10)
{
    bool odd = c & 1; /* the ends of the interval read back to the number only when c is even */
    int k = log10_pow2(q, narrow);
    int h = q + ldr_log2_pow10(-k) + 1;
    struct ldr_pow10 g = LDR_POW10[-k - LDR_POW10_MIN];
    g.lo += -k > 55; /* there the table rounds down */
    /* Four times the number and its interval's ends, in units of 10^k. */
    uint64_t low = round_to_odd(g, (4 * c - (narrow ? 1 : 2)) << h) + odd;
    uint64_t mid = round_to_odd(g, (4 * c) << h);
    uint64_t high = round_to_odd(g, (4 * c + 2) << h) - odd;
    uint64_t s = mid / 4;
    if (s >= 10) {
        uint64_t tens = s / 10;
        bool below = low <= 40 * tens, above = 40 * tens + 40 <= high;
        if (below != above) {
            *exp10 = k + 1;
            return tens + above;
        }
    }
    *exp10 = k;
    bool below = low <= 4 * s, above = 4 * s + 4 <= high;
    if (below != above) {
        return s + above;
    }
    uint64_t half = 4 * s + 2;
    return s + (mid > half || (mid == half && (s & 1)));
}
