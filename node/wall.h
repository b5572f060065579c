/* The wall clock of this node as far as it is believed; pure. A wall clock that jumps would take the hybrid
 * clock along (hlc.h), which never goes back, before anybody could tell it. So the time that this node goes
 * by follows the wall clock only as far as the monotonic clock has come since the wall clock was last
 * confirmed, give or take half the bound; what is beyond is held: time goes on at the monotonic clock's pace
 * until more of the others' wall clocks agree with the new time than differ, or it comes back by itself.
 *
 *   start ->  not sure  --agreed, or alone--> FOLLOWED <--> HELD
 *
 * - One node's clock jumps: the others differ, it goes on with the time it had, and nobody notices.
 * - All jump (a time server's step): their walls agree, so all follow as soon as they have heard of each
 * other.
 * - A machine that slept: its monotonic clock stood still, which looks like a jump; the others agree with it.
 * - At the start there is no earlier time: none is given until two agree, or after half a second one. What
 * was given before is below the bound on disk, and so is what is told meanwhile. One against one will do
 * there: a node that holds a jump serves, one that is not sure does not.
 * - Alone, with nobody heard of for a minute, the wall clock is all there is: it is followed. */
#ifndef LDR_NODE_WALL_H
#define LDR_NODE_WALL_H
#include "node/skew.h"

#define LDR_WALL_ALONE_US 60000000
#define LDR_WALL_FIRST_US 500000
struct ldr_wall {
    bool sure; /* a time can be given */
    bool held;
    int64_t floor_us;     /* while it is not */
    int64_t at_us;        /* wall - monotonic, as last followed */
    int64_t confirmed_us; /* the same, when confirmed */
    uint64_t bound_us;
    uint64_t held_at_us, heard_at_us, confirmed_at_us; /* monotonic */
};
/* floor_us: a time that may be told before the wall clock is confirmed. */
void ldr_wall_start(struct ldr_wall *w, int64_t floor_us, uint64_t bound_us, uint64_t mono_us);
/* The time to go by. wall_us, mono_us: what the clocks say now. It may go back, as the wall clock may. */
int64_t ldr_wall_now(const struct ldr_wall *w, int64_t wall_us, uint64_t mono_us);

enum ldr_wall_news {
    LDR_WALL_AS_BEFORE,
    LDR_WALL_HELD,   /* it jumped, and nobody agrees yet */
    LDR_WALL_BACK,   /* it came back */
    LDR_WALL_AGREED, /* others agree: it is followed */
    LDR_WALL_ALONE   /* there is nobody to ask: it is followed */
};
/* To be called often, and when a sample came. */
enum ldr_wall_news ldr_wall_judge(struct ldr_wall *w, const struct ldr_skew *k, int64_t wall_us,
                                  uint64_t mono_us);
#endif
