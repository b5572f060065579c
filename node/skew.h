/* What the others' clocks say of a clock of this node; pure. Each answer that tells its sender's clock is a
 * sample: the sender read it at some moment between question and answer, so it is known to within half the
 * round trip. Samples are kept against the monotonic clock of this node, so they stand when its wall clock
 * jumps, and a wall clock that jumped is judged by them at once.
 *
 * Two clocks of each other node matter: its wall clock, and the time that it gives (hlc.h). One whose wall
 * clock is wrong and who gives right times, because it holds the jump (wall.h), is nobody's enemy. */
#ifndef LDR_NODE_SKEW_H
#define LDR_NODE_SKEW_H
#include "base/base.h"

#define LDR_SKEW_SOURCES 64
#define LDR_SKEW_OLD_US  5000000
struct ldr_skew {
    struct {
        uint32_t node;
        bool used;
        int64_t wall_us, given_us; /* theirs - our monotonic one */
        uint64_t slack_us;         /* half the round trip */
        uint64_t at_us;            /* monotonic */
    } s[LDR_SKEW_SOURCES];
};
/* wall_us: what it told of its wall clock, given_us: of the times it gives (the same, when it gives none).
 * rtt_us: since the question, mono_us: when the answer came. */
void ldr_skew_sample(struct ldr_skew *k, uint32_t node, int64_t wall_us, int64_t given_us, uint64_t rtt_us,
                     uint64_t mono_us);
/* Whether a clock of this node that says now_us at mono_us differs by more than the bound from what most of
 * the others give: its stamps would hide, or be hidden by, theirs, so writes are refused. */
bool ldr_skew_off(const struct ldr_skew *k, int64_t now_us, uint64_t bound_us, uint64_t mono_us);

/* What the others' wall clocks say of this node's. One agrees only by what it told at or after since_us
 * (monotonic); it differs by the latest it told. */
struct ldr_skew_votes {
    uint32_t heard; /* of lately */
    uint32_t agree, differ;
};
struct ldr_skew_votes ldr_skew_ask(const struct ldr_skew *k, int64_t wall_us, uint64_t bound_us,
                                   uint64_t since_us, uint64_t mono_us);
/* Of others' wall clocks less now_us; 0 without samples. */
int64_t ldr_skew_median(const struct ldr_skew *k, int64_t now_us, uint64_t mono_us);
#endif
