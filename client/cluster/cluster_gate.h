/* cluster_gate.h: where a thread waits for answers, running the loop that they come from when nobody else
 * does. The gate outlives the wait: a hedge that lost may answer later. */
#ifndef LDR_CLIENT_CLUSTER_GATE_H
#define LDR_CLIENT_CLUSTER_GATE_H
#include "client/cluster/cluster.h"

struct ldr_gate;
struct ldr_gate_call {
    struct ldr_call call;
    struct ldr_gate *gate;
    struct ldr_gate_call *next;
    uint32_t node;
    int code; /* of the answer */
    struct ldr_buf answer;
    uint64_t sent_us;
    size_t n; /* the owner's numbers */
    size_t units[];
};
/* helm: who runs the loop that answers come from; NULL: not our affair. */
struct ldr_gate *ldr_gate_create(struct ldr_helm *helm);
void ldr_gate_leave(struct ldr_gate *g); /* nobody waits any more; NULL is fine */
struct ldr_gate_call *ldr_gate_call_create(struct ldr_gate *g, uint32_t node, size_t n);
void ldr_gate_call_free(struct ldr_gate_call *c);
/* The call is the gate's until it comes back from ldr_gate_wait. */
void ldr_gate_send(const struct ldr_peers *peers, enum ldr_msg_type type, struct ldr_slice payload,
                   uint32_t timeout_ms, struct ldr_gate_call *c);
/* What has arrived, as a list; NULL when nothing did within the time. */
struct ldr_gate_call *ldr_gate_wait(struct ldr_gate *g, uint64_t wait_us);
#endif
