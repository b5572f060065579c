/* How far this node's wall clock is off the others'; pure. Each answer that tells its sender's clock is a
 * sample: the sender read it at some moment between question and answer, so the offset is known to within
 * half the round trip. A node whose clock differs from most of the others by more than the bound refuses
 * writes: its stamps would hide, or be hidden by, those of the others. */
#ifndef LDR_NODE_SKEW_H
#define LDR_NODE_SKEW_H
#include "base/base.h"

#define LDR_SKEW_SOURCES 64
#define LDR_SKEW_OLD_US  5000000
struct ldr_skew {
    struct {
        uint32_t node;
        bool used;
        int64_t offset_us; /* theirs - ours */
        uint64_t slack_us; /* half the round trip */
        uint64_t at_us;    /* monotonic */
    } s[LDR_SKEW_SOURCES];
};
/* now_us: this node's clock when the answer came, rtt_us: since the question. */
void ldr_skew_sample(struct ldr_skew *k, uint32_t node, int64_t their_us, int64_t now_us, uint64_t rtt_us,
                     uint64_t mono_us);
bool ldr_skew_off(const struct ldr_skew *k, uint64_t bound_us, uint64_t mono_us);
int64_t ldr_skew_median(const struct ldr_skew *k, uint64_t mono_us); /* of the offsets; 0 without samples */
#endif
