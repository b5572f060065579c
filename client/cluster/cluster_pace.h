/* cluster_pace.h: what is remembered of nodes and answers: whom to ask first, and when to ask a second one.
 * Internal to client/cluster/. Any thread; losing a race costs a little time, never an answer. */
#ifndef LDR_CLIENT_CLUSTER_PACE_H
#define LDR_CLIENT_CLUSTER_PACE_H
#include <stdatomic.h>

#include "base/base.h"
#include "ring/ring.h"

/* Kinds of requests whose answers take alike long. */
enum ldr_pace_kind {
    LDR_PACE_NONE, /* never asked twice at one time */
    LDR_PACE_LOOKUP,
    LDR_PACE_PAGE, /* of a join or a scan */
    LDR_PACE_WRITE,
    LDR_PACE_KINDS
};
#define LDR_HEALTH_MAX 256

struct ldr_pace {
    struct {
        _Atomic uint64_t latency_us, deviation_us; /* smoothed; 0 = nothing heard yet */
    } of[LDR_PACE_KINDS];
    _Atomic int64_t credit; /* in tenths of a request */
    struct {
        _Atomic uint64_t avoid_until_us; /* asked last until then */
        _Atomic uint64_t heard_us;       /* last answer of any kind */
    } health[LDR_HEALTH_MAX];            /* by node, modulo */
};
void ldr_pace_init(struct ldr_pace *p);

/* How long an answer may take until a second replica is asked, too. UINT64_MAX: for ever. */
uint64_t ldr_pace_patience_us(struct ldr_pace *p, enum ldr_pace_kind kind);
/* Whether a request to `node`, sent then and not answered yet, may now be sent to `other`, too. A node that
 * has been silent since is avoided from now on; leaving it for one that is not costs nothing. All else is
 * paid from credit: an overloaded cluster is not given twice the load. */
bool ldr_pace_second(struct ldr_pace *p, uint32_t node, uint32_t other, uint64_t sent_us, uint64_t now_us);
/* An answer came, took_us after its request: it counts for the patience with its kind, and earns credit. */
void ldr_pace_learn(struct ldr_pace *p, enum ldr_pace_kind kind, uint64_t took_us);
void ldr_pace_heard(struct ldr_pace *p, uint32_t node, uint64_t now_us);
bool ldr_pace_avoided(struct ldr_pace *p, uint32_t node, uint64_t now_us);
/* It is avoided for a second. */
void ldr_pace_failed(struct ldr_pace *p, uint32_t node, uint64_t now_us);

/* The replica to ask: not `last`, those not avoided first, then by a rank that the salt makes (units of one
 * job meet at few nodes, jobs spread over all); salt 0: by place in the map. PENDING ones are not asked. 0 =
 * none. */
uint32_t ldr_pace_choose(struct ldr_pace *p, const struct ldr_map_shard *s, uint32_t last, uint64_t salt,
                         uint64_t now_us);
#endif
