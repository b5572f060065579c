/* Hybrid logical clock: microseconds of the wall clock that never repeat and never go back, whatever the
 * clock does and however often the process dies; pure. A time is given only below a bound that is durable, so
 * after a restart the clock goes on above everything it ever gave.
 *
 *   start(bound on disk) -> next ... next -> (want_us says: make this bound durable) -> persisted(bound) */
#ifndef LDR_NODE_HLC_H
#define LDR_NODE_HLC_H
#include "base/base.h"

#define LDR_HLC_AHEAD_US 2000000 /* of the bound beyond what is given */

struct ldr_hlc {
    int64_t last;  /* highest given or seen */
    int64_t bound; /* durable: nothing above it is given */
};
void ldr_hlc_start(struct ldr_hlc *h, int64_t durable_bound_us);
/* After start: how long until the wall clock has reached what may have been given. Whoever serves before
 * gives times that lie ahead of all other clocks, which the others then refuse. At most LDR_HLC_AHEAD_US: a
 * clock that was set back is not waited for. */
uint64_t ldr_hlc_wait_us(const struct ldr_hlc *h, int64_t now_us);
/* max(now, last + 1). LDR_E_BUSY: the bound must be made durable first. */
int ldr_hlc_next(struct ldr_hlc *h, int64_t now_us, int64_t *out);
/* A time from elsewhere: what comes next is later. LDR_E_REFUSED when it is more than limit_us ahead of now:
 * one wrong clock must not drag all others along. */
int ldr_hlc_merge(struct ldr_hlc *h, int64_t seen_us, int64_t now_us, int64_t limit_us);
/* The bound to make durable now, INT64_MIN = none: half of what was ahead is used up. */
int64_t ldr_hlc_want(const struct ldr_hlc *h, int64_t now_us);
void ldr_hlc_persisted(struct ldr_hlc *h, int64_t bound_us);
/* For a write that is durable: later than all that ldr_hlc_told gave before. Not bound by what is durable. */
int64_t ldr_hlc_token(struct ldr_hlc *h, int64_t now_us);
/* For an answer to a pull: a token that is not later than this is of a write that was durable before. Never
 * beyond the bound, so that it holds over a restart; kept, so that it holds when the clock goes back. */
int64_t ldr_hlc_told(struct ldr_hlc *h, int64_t now_us);
/* max(now, last): for telling others; not given, may repeat. */
int64_t ldr_hlc_peek(const struct ldr_hlc *h, int64_t now_us);
#endif
