/* Agreement among the coordinators: one log of commands, applied by everybody in one order. Stands on libraft
 * behind this interface, so that nothing else knows it. Everything happens on one loop's thread. */
#ifndef LDR_COORDINATOR_CONSENSUS_H
#define LDR_COORDINATOR_CONSENSUS_H
#include "coordinator/state.h"
#include "env/env.h"

struct ldr_uv_loop;
struct ldr_consensus;

struct ldr_member {
    uint64_t id;         /* never used again once removed */
    const char *address; /* host:port for its peers */
};
struct ldr_consensus_opts {
    struct ldr_uv_loop *loop;
    uint64_t id;
    const char *dir;            /* made when it is not there; locked while open */
    const char *address, *bind; /* how peers reach it; where it listens (NULL = address) */
    const struct ldr_member
        *members; /* of a new cluster; looked at only when bootstrap is set and the folder is empty */
    size_t nmembers;
    bool bootstrap;
    uint32_t election_ms, heartbeat_ms; /* 0 = 500, 100 */
    uint32_t snapshot_every;            /* commands; 0 = 1024 */
    const struct ldr_log *log;
    /* After each command that was applied, and after a snapshot was taken over: result NULL then. */
    void (*applied)(void *ctx, const struct ldr_state_result *result);
    void (*role)(void *ctx, bool leading); /* leading: and everything of earlier terms is applied */
    void *ctx;
};
/* LDR_E_LOCKED, LDR_E_CORRUPT (it must then be removed and join anew under another id), LDR_E_IO,
 * LDR_E_INVALID. */
int ldr_consensus_open(const struct ldr_consensus_opts *o, struct ldr_consensus **out, struct ldr_err *err);
/* What a member stands on: libraft's own files and sockets (inside open), or what a simulator hands in. */
struct raft_io;
struct ldr_consensus_outside {
    const struct ldr_loop *loop;
    const struct ldr_heap *heap; /* NULL = malloc */
    struct raft_io *io;          /* the log and the messages */
    void (*release)(void *ctx);  /* the member is gone and touches io no more; NULL = nothing to do */
    void (*stop)(void *ctx, const char *why); /* instead of abort(); does not return */
    void *ctx;
};
/* Of o neither loop, dir nor bind matter. A failure has called release(), or will on the loop. */
int ldr_consensus_open_on(const struct ldr_consensus_opts *o, const struct ldr_consensus_outside *outside,
                          struct ldr_consensus **out, struct ldr_err *err);
/* Ends what is under way with LDR_E_CLOSED, then closed(). Never inside a callback of its own. */
void ldr_consensus_close(struct ldr_consensus *c, void (*closed)(void *owner), void *owner);

/* What has been applied here: behind the leader's on a follower. Borrowed until the next callback. */
const struct ldr_state *ldr_consensus_state(const struct ldr_consensus *c);
uint64_t ldr_consensus_applied(const struct ldr_consensus *c); /* index */

/* Figures since the member started, for metrics. */
struct ldr_consensus_figures {
    uint64_t term, commit, applied,
        last;                /* the newest: term; index that is committed, applied here, in the log */
    uint64_t leader_changes; /* somebody else was seen to lead than before */
    uint64_t appends, appended_entries;        /* writes of the log that are durable, and entries in them */
    uint64_t snapshots_stored, snapshot_bytes; /* written to this disk, own and received; size of the last */
    uint64_t snapshots_sent,
        snapshot_sent_bytes;          /* read for members that were far behind; size of the last */
    const struct ldr_hist *append_us; /* from a write of the log to its end, in microseconds */
};
/* append_us is borrowed until close. */
void ldr_consensus_figures(const struct ldr_consensus *c, struct ldr_consensus_figures *out);

/* Embedded by the caller; done() is called exactly once, on the loop, never inside the call. */
struct ldr_proposal {
    /* 0: it was applied, and result says with what outcome (borrowed until done returns; NULL for a barrier
     * or a change of members). LDR_E_NOT_LEADER: it was not taken. LDR_E_UNAVAILABLE: it was taken, and
     * whether it will be applied is unknown. LDR_E_BUSY, LDR_E_CLOSED, LDR_E_TOO_BIG, LDR_E_INVALID. */
    void (*done)(struct ldr_proposal *p, int code, const struct ldr_state_result *result);
    void *owner;
    struct ldr_proposal *next; /* the implementation's, as what follows */
    void *impl;
};
/* An encoded envelope of at most LDR_PROPOSAL_MAX bytes; copied. */
void ldr_consensus_propose(struct ldr_consensus *c, struct ldr_slice envelope, struct ldr_proposal *p);
/* done(0) when everything that was acknowledged to anybody before the call has been applied here. Many at
 * once share one round. */
void ldr_consensus_barrier(struct ldr_consensus *c, struct ldr_proposal *p);

bool ldr_consensus_leading(const struct ldr_consensus *c);
/* 0 and NULL when nobody is known to lead. Borrowed until the next callback. */
void ldr_consensus_leader(const struct ldr_consensus *c, uint64_t *id, const char **address);
/* fn for each member; voter false: it is catching up. */
void ldr_consensus_members(const struct ldr_consensus *c,
                           void (*fn)(void *ctx, uint64_t id, const char *address, bool voter), void *ctx);
enum ldr_member_op {
    LDR_MEMBER_ADD = 1,
    LDR_MEMBER_REMOVE,
    LDR_MEMBER_TRANSFER /* leadership; id 0 = to anybody */
};
/* On the leader; one at a time (LDR_E_BUSY). ADD is done when the new one has caught up and votes; what a
 * leader has left half done goes on with the same ADD. */
void ldr_consensus_member(struct ldr_consensus *c, enum ldr_member_op op, uint64_t id, const char *address,
                          struct ldr_proposal *p);
/* The disk failed: this member must stop. */
bool ldr_consensus_broken(const struct ldr_consensus *c);
#endif
