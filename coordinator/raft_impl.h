/* What the files of raft_*.c share. libraft is included here alone. Facts that shape this (library versions
 * 0.18 to 0.22): commands must be a multiple of 8 bytes long; asserts are compiled out, so nothing may be
 * handed in that its preconditions forbid; its log has no directory lock; by default a damaged segment is
 * renamed and forgotten, which loses acknowledged commands, so that is off; pre-vote is off by default and on
 * here. */
#ifndef LDR_COORDINATOR_RAFT_IMPL_H
#define LDR_COORDINATOR_RAFT_IMPL_H
#include <raft.h>

#include "coordinator/consensus.h"
#include "env/env.h"

/* How long a write of the log may take. What failed libraft begins anew after LDR_RAFT_RETRY_MS, by then the
 * process is gone. */
#define LDR_RAFT_WRITE_US 15000000u
#define LDR_RAFT_RETRY_MS 60000u

struct ldr_request; /* raft_request.c */
struct ldr_consensus {
    struct ldr_consensus_opts opts;
    struct ldr_log log;
    struct ldr_consensus_outside outside;
    const struct ldr_loop *loop; /* the outside's, as the next two */
    const struct ldr_heap *heap;
    struct raft_io *io;
    struct ldr_state *state;
    struct raft raft;
    struct raft_fsm fsm;
    struct raft_io inner;    /* the functions behind those of raft_guard.c */
    raft_io_recv_cb recv;    /* libraft's, behind ours */
    bool stale;              /* a message of an earlier term is being answered */
    raft_time led_ms;        /* when a leader was last heard */
    raft_index loaded_index; /* of the snapshot that was read last for another member, */
    raft_term loaded_term;   /* and the term of that index */
    unsigned writing, stuck; /* writes of the log under way; looks since one of them has ended */
    bool raft_open, started, closing, leading, broken;
    struct ldr_timer watch; /* leadership and failures */
    struct raft_barrier lead_barrier;
    bool lead_barrier_out;

    struct ldr_consensus_figures figures; /* those that are counted */
    struct ldr_hist append_us;
    uint64_t led_by; /* who was last seen to lead; 0 = nobody yet */

    struct ldr_proposal *barrier_waiting, *barrier_running; /* lists */
    struct raft_barrier barrier;
    struct ldr_request *requests; /* under way */
    struct raft_change change;
    struct raft_transfer transfer;
    struct ldr_proposal *change_for; /* NULL: none under way */
    uint64_t change_id;
    bool change_promote;

    void (*closed)(void *owner);
    void *closed_owner;
    struct ldr_timer close_timer;
};

/* For whoever proposed what is at this index here, if anybody did. */
void ldr_raft_keep_result(struct ldr_consensus *c, uint64_t index, const struct ldr_state_result *result);
void ldr_raft_fsm_init(struct ldr_consensus *c);
/* Both stand between libraft and its I/O: disk, messages. The guard first. */
void ldr_raft_guard(struct ldr_consensus *c);
/* To be called every so often: ends the process when the log cannot be written. */
void ldr_raft_guard_look(struct ldr_consensus *c, unsigned every_us);
void ldr_raft_filter(struct ldr_consensus *c);
struct ldr_consensus *ldr_raft_of(struct raft_io *io);
int ldr_raft_code(int status); /* of libraft as ours */
/* Hands done() to the loop. */
void ldr_raft_answer_later(struct ldr_consensus *c, struct ldr_proposal *p, int code);
void ldr_raft_fail_barriers(struct ldr_consensus *c, int code);
void ldr_raft_fail_change(struct ldr_consensus *c, int code);
/* Stops the process: the disk or the state machine cannot be trusted any more. */
_Noreturn void ldr_raft_stop(struct ldr_consensus *c, const char *why);
#endif
