/* Private to the number code: powers of ten as 128-bit significands. */
#ifndef LDR_BASE_NUM_POW10_H
#define LDR_BASE_NUM_POW10_H
#include <stdint.h>

#define LDR_POW10_MIN (-342)
#define LDR_POW10_MAX 324

/* 10^e * 2^(127 - floor(log2(10^e))), so that the top bit is set; rounded down for e >= 0 (exact up to 55),
 * up for e < 0 (never exact): a half-way product of either kind then shows by its low bits. */
struct ldr_pow10 {
    uint64_t hi, lo;
};
extern const struct ldr_pow10 LDR_POW10[LDR_POW10_MAX - LDR_POW10_MIN + 1];

/* floor(log2(10^e)), exact for -350 <= e <= 330. Shifts of negative numbers are arithmetic in both compilers.
 */
static inline int ldr_log2_pow10(int e)
{
    return (e * 217706) >> 16;
}
#endif
