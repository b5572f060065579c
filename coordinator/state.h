/* The coordinators' state machine: definitions, map, sessions. Pure and deterministic: the same commands give
 * the same state and the same hash, wherever they run: behind Raft, in the simulator, in a test. */
#ifndef LDR_COORDINATOR_STATE_H
#define LDR_COORDINATOR_STATE_H
#include "registry/registry.h"
#include "ring/ring.h"

struct ldr_state;
int ldr_state_create(const struct ldr_heap *heap, struct ldr_state **out); /* LDR_E_NOMEM */
void ldr_state_destroy(struct ldr_state *s);
/* Borrowed until the next step or destroy. */
const struct ldr_map *ldr_state_map(const struct ldr_state *s);
const struct ldr_registry *ldr_state_registry(const struct ldr_state *s);

/* Where a coordinator serves clients and publishes notices, as it has said itself. */
struct ldr_state_coordinator {
    uint64_t id;                       /* member number */
    char address[LDR_ADDRESS_MAX + 1]; /* control plane, "host:port" */
    char notices[LDR_ADDRESS_MAX + 1]; /* "" = none */
};
#define LDR_STATE_COORDINATORS_MAX 32
/* By id. Also such as are no members any more, until the leader has them forgotten. */
const struct ldr_state_coordinator *ldr_state_coordinators(const struct ldr_state *s, uint32_t *n);
const struct ldr_state_coordinator *ldr_state_coordinator(const struct ldr_state *s,
                                                          uint64_t id); /* NULL = unknown */

/* What is replicated: a command (ring/map_command.h) with when, from whom and which of theirs.
 * Bytes: u16 format version, i64 now, u64 client, u64 seq, u32 length and command, u32 check of all before.
 */
struct ldr_envelope {
    int64_t now_us;  /* the proposer's clock; time never goes back inside the state */
    uint64_t client; /* 0 = nobody: runs each time it comes */
    uint64_t seq;    /* rises with each command of a client; the last one may come again and runs once */
    struct ldr_slice command;
};
int ldr_envelope_encode(const struct ldr_envelope *e, struct ldr_buf *out);
int ldr_envelope_decode(struct ldr_slice bytes, struct ldr_envelope *out); /* LDR_E_CORRUPT, LDR_E_FORMAT */

struct ldr_state_result {
    int code;      /* 0 or LDR_E_* of the command; refused commands change nothing but the session */
    bool repeated; /* it ran before; this is what it gave then */
    uint64_t map_version, defs_version; /* after it */
    uint64_t value;                     /* see the kinds of ldr_map_command */
    struct ldr_slice events; /* of the registry; empty for a repeated command when they were long. Borrowed
                                until the next step or destroy */
    char message[512];       /* of a failure */
};
/* Runs one encoded envelope. 0: it ran, see out->code. LDR_E_CORRUPT or LDR_E_FORMAT: not an envelope,
 * nothing was changed. LDR_E_NOMEM: the state is good for destroying only. Whoever replicates must stop at
 * any of these, or it would differ from its peers. */
int ldr_state_step(struct ldr_state *s, struct ldr_slice envelope, struct ldr_state_result *out);

/* The whole state. Equal states, equal bytes, equal hash. */
int ldr_state_snapshot(const struct ldr_state *s, struct ldr_buf *out);
int ldr_state_restore(const struct ldr_heap *heap, struct ldr_slice snapshot, struct ldr_state **out);
int ldr_state_hash(const struct ldr_state *s, uint64_t *hash); /* LDR_E_NOMEM */
#endif
