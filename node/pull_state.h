/* What a replica knows of pulling from another one, and when that is enough; pure.
 *
 * A place in a log is (incarnation, seq). `at` is how far everything is durable here; `kept` how far that is
 * on record here, so the other may forget what is before it.
 *
 * Caught up, for a replica that is added: let the old set have N members and W be the write quorum. A write
 * that was acknowledged under an earlier epoch is durable on W of them, so it is in the log of at least one
 * among any N - W + 1. Those logs are final once their owner knows the present epoch and has no older write
 * under way
 * ("settled"). So: a head of the log that a settled, ready member told is the target; past it that member is
 * drained; N - W + 1 drained members, each compared once by hashes besides, and nothing acknowledged is
 * missing. What is written under the present epoch asks this replica too. */
#ifndef LDR_NODE_PULL_STATE_H
#define LDR_NODE_PULL_STATE_H
#include "ring/ring.h"
#include "rpc/rpc.h"

struct ldr_pos {
    uint64_t incarnation, seq; /* incarnation 0 = none */
};
struct ldr_pull_state {
    struct ldr_pos at, kept;
    struct ldr_pos target; /* incarnation 0 = not known */
    bool drained, scrubbed;
    bool seen;          /* any answer under the present epoch, ready or not, pulled to its head */
    uint64_t fresh_us;  /* monotonic start of the last round that reached the head; 0 = none */
    int64_t synced_hlc; /* all that it had durable at that time of its clock is here */
    uint64_t head_seq;  /* as last told */
    /* It took writes under no later epoch than this replica's: at that monotonic time, at that time of its
     * clock. */
    uint64_t met_us;
    int64_t met_hlc;
};
enum ldr_pull_verdict { LDR_PULL_TAKE, LDR_PULL_SCRUB };

/* What to do with an answer: take what it holds, or compare everything because the log does not tell. */
enum ldr_pull_verdict ldr_pull_judge(const struct ldr_pull_state *p, const struct ldr_pull_rep *m);
/* Everything in the answer is durable here. began_us: monotonic, when it was asked. epoch: the present one.
 */
void ldr_pull_taken(struct ldr_pull_state *p, const struct ldr_pull_rep *m, uint64_t began_us,
                    uint64_t epoch);
/* A comparison found everything that the other had when its log stood at `pos`, and it is durable here. */
void ldr_pull_compared(struct ldr_pull_state *p, struct ldr_pos pos);
/* Another epoch: targets and what follows from them are void. */
void ldr_pull_restart(struct ldr_pull_state *p);
/* Whether more is to be had at once. */
static inline bool ldr_pull_more(const struct ldr_pull_rep *m)
{
    return m->upto_seq < m->head_seq;
}
/* peers: the old set without this replica itself. old_n: members of the old set, w: the quorum. */
bool ldr_pull_caught_up(const struct ldr_pull_state *const *peers, uint32_t n, uint32_t old_n, uint32_t w);
/* Whether a read may be served here: everything acknowledged at or before `since_us` (monotonic) is here. So
 * many others of the old set as can miss an acknowledged write, all but one, were pulled from after it. */
bool ldr_pull_fresh(const struct ldr_pull_state *const *peers, uint32_t n, uint32_t old_n, uint32_t w,
                    uint64_t since_us);
/* The same for a token of a write. */
bool ldr_pull_reached(const struct ldr_pull_state *const *peers, uint32_t n, uint32_t old_n, uint32_t w,
                      int64_t token_us);
/* Whether the epoch of s was still the newest under which anything was acknowledged, when those of `mask`
 * (bit i = replicas[i]; the replica itself counts) were met. A later epoch's first write needs w of the set
 * that is here the new one, and the epoch after a move cannot come before size - w + 1 of the old set knew of
 * the move. So max(w, size - w + 1) of each set meet both. */
bool ldr_pull_current(const struct ldr_map_shard *s, uint32_t mask, uint32_t w);
#endif
