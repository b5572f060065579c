/* A group of coordinators in one process, from one seed: the real libraft, our consensus over it and the real
 * state machine, on disks, messages and time of our own. Same seed, same run.
 *
 * check.c decides: it knows which entry was committed at each index, what each client was told, who led. */
#ifndef LDR_TESTS_SIM_QUORUM_H
#define LDR_TESTS_SIM_QUORUM_H
#include <raft.h>

#include "coordinator/consensus.h"
#include "tests/sim/sim.h"

#define Q_SLOTS   SIM_PROCS /* processes: members of the beginning, then those that join */
#define Q_CLIENTS 4
#define Q_TERMS   4096
#define Q_CLIENT  (SIM_PROCS + 1) /* the clients' place in sim.blocked */

struct quorum;
struct q_member;

/* ---- disk.c: a log, a term and a vote, a snapshot; what is not synced is gone with the process ---- */
struct q_entry {
    uint64_t term;
    uint32_t type;
    struct ldr_slice bytes; /* live as long as the world */
};
struct q_log {
    uint64_t start; /* index of e[0] */
    struct q_entry *e;
    size_t n, cap;
};
struct q_snapshot {
    uint64_t index, term, conf_index; /* index 0: none */
    struct ldr_slice conf, data;
};
struct q_meta {
    uint64_t term, vote;
};
enum q_op_kind { Q_APPEND, Q_TRUNCATE, Q_INSTALL, Q_TAKEN };
struct q_op { /* on its way to the platter */
    struct sim_event e;
    struct q_member *m;
    enum q_op_kind kind;
    uint64_t index; /* of the first entry; where to cut */
    struct q_entry *entries;
    unsigned n, trailing;
    struct q_snapshot snap;
    struct raft_io_append *append;
    struct raft_io_snapshot_put *put;
    struct q_op *next;
};
struct q_disk {
    struct q_meta meta, meta_synced; /* one and the same, unless a bug is planted */
    struct q_log view, platter;      /* what was written; what survives */
    struct q_snapshot snap;
    struct q_op *ops, **end; /* one after the other */
    struct q_op *taken;      /* a snapshot of our own, beside them */
    bool failed, answering;  /* a write has failed; a callback runs, and what it adds waits for its end */
    uint32_t errors, slow;   /* per 10,000 writes; factor */
};
void q_disk_init(struct q_disk *d);
void q_disk_close(struct q_disk *d);
bool q_disk_empty(const struct q_disk *d);
void q_disk_begin(struct q_member *m, const struct q_entry *first); /* bootstrap */
void q_disk_push(struct q_member *m, struct q_op *op);              /* what op says, then its callback */
uint64_t q_disk_delay(struct q_member *m);                          /* of one access */
void q_disk_crash(struct q_member *m);
void q_disk_cancel(struct q_member *m); /* the process ends in order: callbacks, then as a crash */
const struct q_entry *q_log_at(const struct q_log *l, uint64_t index); /* NULL: not there */
uint64_t q_log_last(const struct q_log *l);

/* ---- io.c: the disk and the messages as libraft sees them ---- */
void q_io_init(struct q_member *m);
void q_io_fire(struct q_member *m);                            /* answers that libraft leaves to its loop */
struct raft_entry *q_batch(const struct q_entry *e, size_t n); /* libraft's to free */
void q_heap_set(struct quorum *q); /* libraft's memory is that of the process whose code runs */

/* ---- wire.c: messages among members ---- */
void q_wire_send(struct q_member *m, const struct raft_message *msg);
/* When something sent now arrives; false: never. */
bool q_arrives(struct quorum *q, uint32_t from, uint32_t to, uint64_t *delay_us);

/* ---- member.c ---- */
struct q_serving;
struct q_member {
    struct quorum *q;
    struct sim_proc *p;
    uint64_t id;               /* 0: there never was one in this slot */
    bool first, lost, removed; /* of the beginning; its disk is gone for good; it was told to go */
    bool closing, shutting, wanted;
    struct ldr_loop loop;
    struct q_disk disk;
    struct raft_io io;
    raft_io_tick_cb tick;
    raft_io_recv_cb recv;
    unsigned tick_ms;
    struct q_get *gets; /* snapshots being read */
    raft_io_close_cb io_closed;
    struct ldr_timer close_timer;
    struct ldr_consensus *c;
    struct q_serving *serving;
    uint64_t commit;  /* in this life, as the next */
    uint64_t applied; /* the highest index it was seen to apply */
};
struct q_member *q_member_new(struct quorum *q, bool first); /* NULL: no slot left */
void q_member_start(struct q_member *m);
void q_member_kill(struct q_member *m);
void q_member_shut(struct q_member *m); /* in order */
bool q_member_up(const struct q_member *m);
struct q_member *q_leader(struct quorum *q); /* one that says so; NULL = none */

/* ---- client.c ---- */
enum q_kind { Q_JOIN, Q_WEIGHT, Q_DEFINE, Q_READ };
struct q_view { /* what a read shows, or must show at least */
    uint64_t map, defs, weight[Q_CLIENTS], text[Q_CLIENTS];
};
struct q_client {
    uint32_t index;
    uint64_t session, seq, node, weight, text; /* weight, text: the last one sent */
    enum q_kind kind;
    uint64_t op, value, began, patience_us;
    struct ldr_slice command;
    uint32_t target;
    uint64_t attempt;
    bool busy;
    uint64_t done; /* operations that succeeded */
};
void q_clients_start(struct quorum *q);
struct q_serving *q_serving_next(struct q_serving *v);
bool q_state_view(struct quorum *q, const struct ldr_state *s, struct q_view *out);

/* ---- operator.c, nemesis.c ---- */
uint32_t q_voters(struct q_member *leader);
void q_operator_start(struct quorum *q);
void q_nemesis_start(struct quorum *q);
void q_nemesis_changed(struct quorum *q); /* the members have just changed */
void q_heal(struct quorum *q);
void q_stopped(struct quorum *q, struct q_member *m); /* it has stopped itself */

/* ---- check.c ---- */
struct q_done { /* one index of the log, from its first application on */
    uint64_t term, check, hash, map_version, defs_version;
    uint32_t type, voters;
    bool known, repeated;
    int code;
    uint64_t client, seq;
    struct ldr_slice members; /* of a change of them: who they are after it */
};
void q_check_begin(struct quorum *q);
void q_check_leads(struct q_member *m, uint64_t term);
void q_check_vote(struct q_member *m, uint64_t term, uint64_t candidate);
void q_check_applied(struct q_member *m, const struct ldr_state_result *r);
void q_check_role(struct q_member *m, bool leading);
void q_check_ack(struct quorum *q, const struct q_client *c, uint64_t seq, int code, uint64_t map_version,
                 uint64_t defs_version);
void q_check_read(struct quorum *q, const struct q_view *seen, const struct q_view *floor);
void q_check_passed(struct q_member *m);
bool q_check_agree(struct quorum *q, const char **why);
/* check_told.c */
void q_check_snapshot(struct q_member *m, const struct q_snapshot *snap);
void q_check_members(struct q_member *m); /* it asks for votes, or leads */
void q_check_stored(struct q_member *m, uint64_t term, uint64_t index);
void q_check_install(struct q_member *m, uint64_t index, uint64_t term);
void q_check_sends(struct q_member *m, uint64_t to, uint64_t after);
struct ldr_slice q_members_encode(struct q_member *m, const struct raft_configuration *conf);

/* ---- The world ---- */
struct q_config {
    uint32_t members, clients, loss, dup, slow;
    uint64_t delay_us, sync_us, work_us, think_us;
    uint32_t election_ms, heartbeat_ms, snapshot_every;
    bool crashes, crash_all, shuts, pauses, partitions, slow_sync, errors, changes, transfers, lose_one,
        skews;
};
struct q_stats {
    uint64_t writes, refused, unknown, reads, repeats, elections, snapshots, installs, adds, removes,
        transfers, crashes, stops, partitions, messages, healed_us, events;
};
struct quorum {
    struct sim s; /* the first: events know nothing else */
    struct q_config cfg;
    struct q_stats st;
    struct q_member members[Q_SLOTS];
    struct q_member *now; /* whose code runs */
    struct raft_heap heap;
    struct q_client clients[Q_CLIENTS];
    uint64_t next_id, healed_at;
    uint64_t whole_at;          /* the same, or when the last write that never ended was noticed after it */
    uint64_t changes, changing; /* the number of the change of members under way; 0 = none */
    bool lost_one;
    uint64_t until;
    jmp_buf stopped;
    char why[128];
    /* check.c */
    struct q_done *log; /* by index */
    size_t log_cap;
    uint64_t committed;             /* the highest index that anybody applied */
    struct q_view *floors[Q_TERMS]; /* acknowledged when the term's leader began */
    uint64_t leads[Q_TERMS], votes[Q_SLOTS + 1][Q_TERMS];
    struct q_view model, acked; /* after the newest index; what anybody was told */
    uint64_t last_seq[Q_CLIENTS];
};
struct q_result {
    bool failed, invalid;
    char failure[1024];
    struct q_stats st;
    uint64_t now;
};
void q_run(uint64_t seed, bool trace, struct q_result *out);
#endif
