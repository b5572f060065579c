/* Times are int64 microseconds since 1970-01-01T00:00:00Z, in years 0001 to 9999. Text forms as in
 * docs/interface.md. */
#ifndef LDR_BASE_TIME_H
#define LDR_BASE_TIME_H
#include "base/slice.h"

#define LDR_TIME_MIN_US INT64_C(-62135596800000000) /* 0001-01-01T00:00:00Z */
#define LDR_TIME_MAX_US INT64_C(253402300799999999) /* 9999-12-31T23:59:59.999999Z */
#define LDR_TIME_TEXT   40                          /* bytes that hold any formatted time, with its NUL */
#define LDR_TTL_MAX_US  INT64_C(315569520000000000) /* 10,000 years: more is unbounded in disguise */

/* RFC 3339 with zone; a space for T; a bare date; no zone = UTC; 0 to 6 fraction digits; or integer
 * microseconds (a sign and digits only). 0, or LDR_E_INVALID with *why (static text, e.g. "more than 6
 * fraction digits"; may be NULL). */
int ldr_time_parse(struct ldr_slice text, int64_t *us, const char **why);
/* YYYY-MM-DDTHH:MM:SS[.ffffff]Z; the fraction is left out when zero. Returns the length. us must be in range.
 */
size_t ldr_time_format(int64_t us, char out[LDR_TIME_TEXT]);
/* "90s", "2h", "400d", "1w", "250ms", "10us", "5m", or "0". 0 or LDR_E_INVALID with *why. Result >= 0. */
int ldr_duration_parse(struct ldr_slice text, int64_t *us, const char **why);
/* The largest unit that divides it: "2h", "36h", "0". Returns the length. */
size_t ldr_duration_format(int64_t us, char out[LDR_TIME_TEXT]);
/* a - b, saturating at the ends of int64. */
static inline int64_t ldr_time_sub(int64_t a, int64_t b)
{
    int64_t r;
    return __builtin_sub_overflow(a, b, &r) ? (b > 0 ? INT64_MIN : INT64_MAX) : r;
}
#endif
