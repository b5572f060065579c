/* tests/sim: a whole cluster in one process, from one seed. Real nodes, the real coordinators' state machine
 * and the real messages, in a world of our own: time that jumps from event to event, a network that loses,
 * delays, repeats and cuts, disks that forget what was not synced, clocks that are wrong. Same seed, same
 * run.
 *
 * Checkers decide, not scenarios: model.c knows everything that was ever sent and how it ended. */
#ifndef LDR_TESTS_SIM_H
#define LDR_TESTS_SIM_H
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/leader.h"
#include "coordinator/state.h"
#include "node/node.h"

#define SIM_SECOND        UINT64_C(1000000)
#define SIM_EPOCH_US      INT64_C(1700000000000000)
#define SIM_CLOCK_NEAR_US 100000 /* as far as wall clocks differ that are not wrong */
#define SIM_PROCS         7
#define SIM_VISITORS      4 /* clients that come when the network is cut along a move: two for either side */
#define SIM_CLIENTS       (5 + SIM_VISITORS)
#define SIM_COORD         100                           /* endpoint of the coordinators */
#define SIM_CLIENT        200                           /* endpoint of client 0 */
#define SIM_ENDS          (SIM_PROCS + 1 + SIM_CLIENTS) /* nodes, the coordinators, clients */
#define SIM_KEYS          24
#define SIM_VIEWS         2
#define SIM_ENTITY        1

struct sim;
struct sim_proc;

/* ---- rng.c ---- */
struct sim_rng {
    uint64_t s[4];
};
void sim_rng_seed(struct sim_rng *r, uint64_t seed);
uint64_t sim_rng_next(struct sim_rng *r);
uint64_t sim_below(struct sim *s, uint64_t n);      /* uniform in [0, n) */
bool sim_chance(struct sim *s, uint32_t per_10000); /* true so often */
uint64_t sim_around(struct sim *s, uint64_t mean);  /* mostly near the mean, now and then far above it */

/* ---- event.c ---- */
struct sim_event {
    uint64_t at, order;
    void (*fire)(struct sim *s, struct sim_event *e); /* frees e, or not */
    struct sim_proc *proc; /* whose it is; NULL = the world's. Not fired in another life of it */
    uint32_t life;
    bool dead;
    void (*forget)(struct sim_event *e); /* instead of fire, when the process is gone; NULL = free */
};
void sim_event_push(struct sim *s, struct sim_event *e, uint64_t delay_us);
bool sim_event_step(struct sim *s); /* false: nothing left */
void sim_events_close(struct sim *s);
/* Its pause is over now; what waited for that comes at once. */
void sim_proc_wake(struct sim *s, struct sim_proc *p);
/* A function of the world, later. */
void sim_after(struct sim *s, uint64_t delay_us, void (*fn)(struct sim *s, void *arg), void *arg);

/* ---- proc_loop.c: memory, clock, timers; proc.c: lives of nodes ---- */
struct sim_block;
struct sim_proc {
    struct sim *s;
    uint32_t index;
    uint32_t life; /* grows with each start and each end */
    bool alive, started;
    uint64_t paused_until;
    int64_t clock_off; /* of the wall clock */
    int32_t drift_ppm; /* of the wall clock */
    uint64_t boot_us;
    struct ldr_heap heap;
    struct sim_block *blocks;
    size_t bytes, peak;
    struct sim_disk *disk; /* NULL: none ever */
    char address[32];
    struct ldr_node *node;
    struct sim_reply *replies;
    struct ldr_log log;
};
struct ldr_loop sim_loop(struct sim_proc *p);
void sim_proc_boot(struct sim_proc *p);   /* alive, with nothing in it */
void sim_proc_end(struct sim_proc *p);    /* its events come to nothing; its memory is still there */
void sim_proc_forget(struct sim_proc *p); /* its memory, too */
void sim_proc_start(struct sim_proc *p);
void sim_proc_kill(struct sim_proc *p); /* kill -9: what is not on disk is gone */
void sim_proc_lose_disk(struct sim_proc *p);
int64_t sim_wall(const struct sim_proc *p);

/* ---- net.c ---- */
struct ldr_peers sim_peers(struct sim *s, uint32_t endpoint, struct sim_proc *proc);
void sim_net_lost_server(struct sim *s, struct sim_proc *p); /* its connections break */
void sim_call(struct sim *s, uint32_t from, struct sim_proc *proc, uint32_t to, enum ldr_msg_type type,
              struct ldr_slice payload, uint32_t timeout_ms, struct ldr_call *c);
struct sim_proc *sim_proc_of_node(struct sim *s, uint32_t node);

/* ---- disk.c, vault.c ---- */
struct sim_disk *sim_disk_create(struct sim *s);
void sim_disk_destroy(struct sim_disk *d);
void sim_disk_crash(struct sim_disk *d); /* the process is gone */
struct ldr_vault sim_vault(struct sim_proc *p);
/* For checkers. */
struct sim_fact {
    uint32_t view;
    uint64_t hash;
    struct ldr_slice key, row;
    int64_t event_us, created_us;
    uint8_t flags;
};
struct sim_tomb {
    uint32_t view, entity_id;
    uint64_t hash;
    struct ldr_slice key;
    int64_t erase_us;
    bool collected; /* told by no log any more, and in messages by a fingerprint */
    uint64_t seq;   /* in the log of the replica that holds it */
};
int sim_fact_cmp(const struct sim_fact *a, const struct sim_fact *b); /* event, created, row */
bool sim_tomb_covers(const struct sim_tomb *t, uint32_t view, struct ldr_slice key, int64_t created_us);
/* Calls for all that a replica holds; false: the disk has no such replica. */
bool sim_disk_each(struct sim_disk *d, uint32_t shard,
                   void (*fact)(void *ctx, const struct sim_fact *f, bool latest),
                   void (*tomb)(void *ctx, const struct sim_tomb *t), void *ctx);
uint64_t sim_disk_hash(struct sim_disk *d, uint32_t shard);
void sim_disk_rot(struct sim_disk *d); /* one replica becomes unreadable at its next opening */
void sim_disk_faults(struct sim_disk *d, bool full, uint32_t error_chance, uint32_t slow);
uint32_t sim_disk_replicas(const struct sim_disk *d);

/* ---- authority.c: the coordinators ---- */
void sim_authority_open(struct sim *s);
void sim_authority_close(struct sim *s);
void sim_authority_serve(struct sim *s, enum ldr_msg_type type, struct ldr_slice payload,
                         struct ldr_reply *r);
void sim_authority_why(struct sim *s, const struct ldr_map_wish *w, char why[LDR_LEADER_WHY]);
int sim_command(struct sim *s, const struct ldr_map_command *c, uint64_t *value);
void sim_defs_change(struct sim *s);
uint64_t sim_defs_version(struct sim *s);
void sim_check_map(struct sim *s, const struct ldr_map *m, const char *who);

/* ---- client.c, operator.c, nemesis.c ---- */
void sim_clients_start(struct sim *s);
void sim_clients_visit(struct sim *s, uint32_t shard); /* until the cut is over */
void sim_operator_start(struct sim *s);
void sim_nemesis_start(struct sim *s);
void sim_nemesis_ready(struct sim *s, uint32_t shard); /* the replica that is added to it has caught up */
void sim_heal(struct sim *s);

/* ---- model.c: what is true ---- */
enum sim_outcome { SIM_UNKNOWN, SIM_ACKED, SIM_REFUSED };
struct sim_sent_fact {
    struct sim_fact f;
    uint32_t shard;
    uint64_t sent_at, acked_at;
    int64_t token;
    enum sim_outcome outcome;
    bool present; /* while checking */
};
struct sim_sent_tomb {
    struct sim_tomb t;
    uint64_t sent_at, acked_at;
    int64_t token;
    enum sim_outcome outcome;
};
struct sim_read { /* one answer */
    uint32_t view;
    struct ldr_slice key;
    int64_t t_us, known_at_us; /* INT64_MAX = latest */
    uint64_t began;
    bool strict;
    bool all; /* a strict one of all that was acknowledged before it, by whomever; token says nothing */
    int64_t token;
    bool found;
    struct sim_fact f;
    const char *what;
    uint32_t node;
};
void sim_check_read(struct sim *s, const struct sim_read *r);
void sim_check_end(struct sim *s);
void sim_check_time(struct sim *s, const struct sim_proc *p, int64_t given_us); /* that it gives now */
struct sim_sent_fact *sim_sent(struct sim *s, const struct sim_fact *f);        /* NULL = never sent */

/* ---- The world ---- */
struct sim_config {
    uint32_t nodes, spares, shards, replicas, quorum, clients;
    uint64_t work_us, grace_us;
    uint64_t fence_us, hold_us;           /* until a node is fenced, a move may end; 0: never, at once */
    uint32_t loss, dup, slow, cut, reset; /* per 10,000 messages */
    bool partitions, crashes, crash_all, pauses, skews, disk_full, disk_errors, slow_sync, lose_one, rot,
        moves, splits, merges, drains, erases, defs_change;
    bool one_clock; /* at most one wall clock is wrong at a time: no time may come of it */
    uint64_t delay_us, sync_us;
};
struct sim_stats {
    uint64_t writes_ok, writes_unknown, writes_refused, erases_ok, reads_ok, reads_failed, stamps, asofs,
        scans, strict_ok, moves, splits, merges, crashes, partitions, events, replayed, collected, fenced;
};
struct sim {
    uint64_t seed;
    bool trace, quiet;
    struct sim_rng rng;
    struct sim_config cfg;
    struct sim_stats st;
    uint64_t now;
    struct sim_event **heap;
    size_t heap_n, heap_cap;
    uint64_t order;
    bool healing; /* faults are over */
    uint32_t ops; /* of clients, under way */
    bool stopped; /* clients and operator are */
    bool ended;   /* no process starts any more */
    struct sim_proc procs[SIM_PROCS];
    uint32_t nprocs;
    bool blocked[SIM_ENDS][SIM_ENDS]; /* [from][to]: what is cut */
    bool cut;
    struct ldr_arena arena; /* bytes that live as long as the world */
    struct ldr_slice keys[SIM_KEYS];
    struct sim_authority *authority;
    struct sim_client *clients;
    struct sim_sent_fact *facts;
    size_t nfacts, facts_cap;
    struct sim_sent_tomb *tombs;
    size_t ntombs, tombs_cap;
    struct sim_call_rec *calls;
    struct sim_copy *copies;
    struct sim_kept *kept; /* messages for replay */
    bool loss_used;
    bool fenced[SIM_PROCS]; /* was, once */
    int64_t last_stamp[SIM_PROCS];
    uint64_t acted[SIM_PROCS]; /* version of the map that the disk of this process last acted on */
    jmp_buf failed;
    char failure[1024];
};
_Noreturn void sim_fail(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_trace(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void *sim_alloc(struct sim *s, size_t n); /* for the world's life; zeroed */
struct ldr_slice sim_keep(struct sim *s, struct ldr_slice b);
/* The sample of the map that the coordinators have. */
const struct ldr_map *sim_map(struct sim *s);
uint32_t sim_end(uint32_t endpoint); /* its place in `blocked` */
void sim_replay(struct sim *s);      /* net.c: sends again what was kept */
void sim_net_free(struct sim *s);
void sim_world_free(struct sim *s); /* free.c */
#endif
