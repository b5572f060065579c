/* What the files of node/ share. */
#ifndef LDR_NODE_IMPL_H
#define LDR_NODE_IMPL_H
#include "node/held.h"
#include "node/hlc.h"
#include "node/node.h"
#include "node/pull_state.h"
#include "node/quorum.h"
#include "node/record.h"
#include "node/wall.h"

#define LDR_NODE_JOBS_MAX   1024       /* requests other than writes under way */
#define LDR_NODE_PULL_BYTES (1u << 20) /* of one answer */
#define LDR_NODE_PAGE_MAX   (8u << 20) /* of any other */
#define LDR_NODE_TICK_US    25000
#define LDR_NODE_PHASES     8 /* replicas are seen to in so many groups, one a tick */
#define LDR_NODE_CALL_MS    2000
#define LDR_NODE_PAGE_MS    10000
#define LDR_NODE_HASH_MS    20000
#define LDR_NODE_SLOW_MS    60000 /* of calls that make the other side do long work */
#define LDR_NODE_HASHES     256
#define LDR_NODE_SLOTS      256 /* chains of replicas by shard */
#define LDR_NODE_GATHER     32  /* lookups of few points that are answered together */

/* A replica of a shard, as this node has it.
 *
 *   (map says: mine)                                     (map says: not mine)
 *        |  ACTIVE or nothing ever written                    any
 *        +--> CREATING --+                                     |
 *        |  PENDING      v                                     v
 *        +--> COPYING -> OPEN <--> WORKING (split, merge)   DROPPING -> gone
 *   (disk)               ^  |
 *        +--> OPENING ---+  +--> CLOSING (after a write error) -> OPENING
 *                 |
 *                 +--> FAILED (tried again later; corrupt: DROPPING, then CREATING) */
enum ldr_rep_state {
    LDR_REP_OPENING = 1,
    LDR_REP_CREATING,
    LDR_REP_COPYING,
    LDR_REP_OPEN,
    LDR_REP_WORKING,
    LDR_REP_CLOSING,
    LDR_REP_DROPPING,
    LDR_REP_FAILED
};

enum ldr_pull_step { LDR_PULL_IDLE, LDR_PULL_ASKING, LDR_PULL_WRITING, LDR_PULL_COMPARING };

struct ldr_rep;
/* Another replica of the same shard. */
struct ldr_rep_peer {
    struct ldr_rep *rep;
    uint32_t node; /* 0 = this place is free */
    struct ldr_pull_state pull;
    enum ldr_pull_step step;
    bool must_compare; /* its log does not tell all */
    struct ldr_call call;
    uint64_t asked_us, compared_us; /* monotonic: last tries */
    struct ldr_pull_rep answer;     /* while its facts are being written */
    struct ldr_arena arena;
    struct ldr_vault_write write;
    uint64_t write_epoch;
    /* what it knows of this one's log */
    bool told; /* it pulled from the present log since this process started */
    uint64_t told_seq;
};

struct ldr_write;
struct ldr_copy_in;
struct ldr_scrub;
struct ldr_rep {
    struct ldr_node *n;
    struct ldr_rep *next, *next_slot;
    uint32_t shard;
    enum ldr_rep_state state;
    uint32_t refs; /* operations and calls that come back to it */
    bool gone;     /* not in the node's list any more; freed with the last ref */
    struct ldr_vault_about about;
    uint64_t ready_epoch;                         /* 0 = it may miss something: serves no reads */
    uint64_t catch_epoch;                         /* what the peers' targets stand for */
    struct ldr_rep_peer *peers[LDR_REPLICAS_MAX]; /* those of the map, in any order */
    uint32_t npeers;
    struct ldr_write *writes; /* local ones under way */
    bool saving, unsaved;
    uint64_t saved_us;
    struct ldr_buf record;
    struct ldr_vault_note note;
    struct ldr_vault_notes note_op;
    struct ldr_vault_open open_op;
    struct ldr_vault_split split_op;
    struct ldr_vault_merge merge_op;
    struct ldr_vault_trim trim_op;
    struct ldr_vault_collect collect_op;
    bool trimming, collecting;
    uint64_t collect_next_us;
    bool recorded; /* the record on disk is its own */
    bool lost;     /* its data cannot be read: to be dropped and filled anew */
    uint64_t trimmed_seq;
    struct ldr_copy_in *copy;
    struct ldr_scrub *scrub;
    uint64_t scrub_next_us, retry_us;
    uint64_t moved_bytes, move_bytes_total;
    uint32_t attempts;
    int64_t token_us;     /* fresh.c: the greatest token of a strict read, */
    uint64_t token_at_us; /* and when it came, monotonic */
    /* fresh.c: it is fresh until then by what is known already, under that map. 0 with everything that may
     * take something of it back. */
    uint64_t fresh_until_us, fresh_map;
    /* serve.c: where it is in the map of that version */
    uint64_t mapped_version;
    const struct ldr_map_shard *mapped;
    const struct ldr_map_replica *mapped_me;
};

/* A lookup that waits for others to come before the loop waits (serve_read.c). */
struct ldr_gathered {
    struct ldr_reply *reply; /* NULL: answered */
    struct ldr_lookup_req m; /* in the arena, as its keys */
    uint64_t *hashes;
};

enum ldr_node_phase { LDR_NODE_NEW, LDR_NODE_STARTING, LDR_NODE_RUNNING, LDR_NODE_CLOSING, LDR_NODE_CLOSED };

struct ldr_node {
    struct ldr_node_opts o;
    enum ldr_node_phase phase;
    uint32_t refs; /* operations, calls, jobs under way */
    uint32_t id;   /* by the map; 0 = not in it */
    struct ldr_node_record who;
    struct ldr_held held, held_kept; /* as it is to be, as it is on disk */
    bool held_saving;
    uint64_t fenced; /* the incarnation to come back under, once all is dropped; 0 = not fenced */
    struct ldr_node_record back;
    uint64_t copy_after_us; /* no copy begins before */
    struct ldr_map map;
    struct ldr_hlc hlc;
    struct ldr_skew skew;
    struct ldr_wall wall;
    struct ldr_rep *reps, *slots[LDR_NODE_SLOTS];
    struct ldr_node_counters count;
    uint32_t jobs, writes_open;
    size_t write_bytes_open;
    struct ldr_buf out; /* the answer being made */
    struct {
        struct ldr_arena arena; /* empty when nothing is gathered */
        struct ldr_buf rows;
        struct ldr_gathered gathered[LDR_NODE_GATHER];
        uint32_t n;
    } reading; /* lookups: they begin and end within one call, or one turn of the loop */
    struct ldr_timer tick, beat;
    uint32_t phase_at;
    /* records */
    struct ldr_buf who_buf, hlc_buf, map_buf, held_buf;
    struct ldr_vault_note start_notes[2], who_note, hlc_note, map_note, held_note;
    struct ldr_vault_notes who_op, hlc_op, map_op, held_op;
    bool hlc_saving;
    int64_t hlc_want;
    /* map.c */
    struct ldr_map next_map;
    bool asking, who_saving, joined, joining, beating;
    uint64_t want_map, want_defs, ask_after_us, asked_us;
    struct ldr_call state_call, join_call, beat_call;
    struct ldr_vault_defs defs_op;
    struct ldr_buf defs_buf;
    uint64_t beat_sent_us, coord_heard_us;
    uint64_t coord_same_us; /* a coordinator asked then knew no newer map than this node's */
    void (*on_map)(void *ctx, const struct ldr_map *m);
    void *on_map_ctx;
    void (*started)(void *ctx, int code, const struct ldr_err *err);
    void *started_ctx;
    void (*closed)(void *ctx);
    void *closed_ctx;
};

static inline uint64_t ldr_node_mono(const struct ldr_node *n)
{
    return n->o.loop.mono_us(n->o.loop.ctx);
}
/* As the machine has it, whatever happened to it: for telling others. */
static inline int64_t ldr_node_wall(const struct ldr_node *n)
{
    return n->o.loop.now_us(n->o.loop.ctx);
}
/* The time to go by (wall.h). */
static inline int64_t ldr_node_now(const struct ldr_node *n)
{
    return ldr_wall_now(&n->wall, ldr_node_wall(n), ldr_node_mono(n));
}
static inline bool ldr_node_runs(const struct ldr_node *n)
{
    return n->phase == LDR_NODE_STARTING || n->phase == LDR_NODE_RUNNING;
}

/* ---- node.c: counting what is under way ---- */
void ldr_node_ref(struct ldr_node *n);
void ldr_node_unref(struct ldr_node *n); /* may end closing: nothing of n may be touched afterwards */
void ldr_rep_ref(struct ldr_rep *r);     /* counts for the node too */
void ldr_rep_unref(struct ldr_rep *r);
/* Everything through which calls and operations go out, so that each is counted. */
void ldr_node_call(struct ldr_node *n, uint32_t to, enum ldr_msg_type type, struct ldr_slice payload,
                   uint32_t timeout_ms, struct ldr_call *c);

/* ---- clock.c ---- */
void ldr_node_clock_start(struct ldr_node *n);
void ldr_node_clock_tick(struct ldr_node *n);
/* The sender of an answer said so; given_us: the times that it gives. asked_us: monotonic. */
void ldr_node_clock_told(struct ldr_node *n, uint32_t by, int64_t wall_us, int64_t given_us,
                         uint64_t asked_us);
/* LDR_E_BUSY: its times would be wrong, or might be; nothing may be stamped or taken from clients. */
int ldr_node_clock_check(const struct ldr_node *n, struct ldr_err *err);
void ldr_node_hlc_keep(struct ldr_node *n);

/* How loud to be about a note that was not written: another one is being written, and this one comes again.
 */
static inline enum ldr_log_level ldr_node_severity(int code)
{
    return code == LDR_E_BUSY ? LDR_LOG_DEBUG : LDR_LOG_ERROR;
}

/* ---- map.c: map and definitions: asked for, made durable, then acted on ---- */
void ldr_node_ask(struct ldr_node *n, uint64_t map_version,
                  uint64_t defs_version);   /* what is known to exist */
void ldr_node_identify(struct ldr_node *n); /* which node of the map it is, if any */
void ldr_node_map_tick(struct ldr_node *n);
int ldr_node_map_load(struct ldr_node *n, struct ldr_err *err); /* at start */

/* ---- fence.c: this node was away for too long ---- */
void ldr_node_fence(struct ldr_node *n); /* one step; called by reconcile while n->fenced */

/* ---- hold.c: what this disk has had (held.h) ---- */
bool ldr_node_hold(struct ldr_node *n,
                   uint32_t shard); /* true: it is on record; else soon, and reconcile comes */
void ldr_node_unhold(struct ldr_node *n, uint32_t shard);
void ldr_node_hold_tick(struct ldr_node *n);
int ldr_node_hold_load(struct ldr_node *n, struct ldr_err *err);

/* ---- heartbeat.c ---- */
void ldr_node_beat(struct ldr_node *n);
void ldr_node_join(struct ldr_node *n);

/* ---- replica.c: its life ---- */
struct ldr_rep *ldr_rep_find(struct ldr_node *n, uint32_t shard);
struct ldr_rep *ldr_rep_add(struct ldr_node *n, uint32_t shard,
                            enum ldr_rep_state state); /* NULL: no memory */
void ldr_rep_open(struct ldr_rep *r);
void ldr_rep_create(struct ldr_rep *r, uint64_t lo, uint64_t hi);
void ldr_rep_drop(struct ldr_rep *r);
void ldr_rep_reopen(struct ldr_rep *r); /* after a write error */
/* After any operation of the vault on it: LDR_E_CORRUPT means that what the disk gives is not what was
 * written. It is dropped and filled from the others, when there are any. Returns what to answer: BUSY then
 * (err says so, and keeps its doubt), so that whoever asked turns to another replica; else code. */
int ldr_rep_damaged(struct ldr_rep *r, int code, struct ldr_err *err);
void ldr_rep_opened(struct ldr_rep *r, const struct ldr_vault_about *about);
void ldr_rep_forget(struct ldr_rep *r);
void ldr_rep_save(struct ldr_rep *r);                       /* its record, when something in it changed */
void ldr_rep_make_ready(struct ldr_rep *r, uint64_t epoch); /* durably; ready_epoch follows */
struct ldr_rep_peer *ldr_rep_peer(struct ldr_rep *r, uint32_t node); /* NULL = none */
int ldr_rep_sync_peers(struct ldr_rep *r, const struct ldr_map_shard *s);

/* ---- fresh.c: LDR_E_BUSY, or it may read ---- */
int ldr_rep_fresh(struct ldr_rep *r, const struct ldr_map_shard *s, uint64_t mono, struct ldr_err *err);
bool ldr_rep_is_fresh(const struct ldr_rep *r, const struct ldr_map_shard *s);
int ldr_rep_reached(struct ldr_rep *r, int64_t token, struct ldr_err *err); /* strict, besides */

/* ---- replica.c, again ---- */
/* What a heartbeat says of it. */
uint8_t ldr_rep_report(const struct ldr_rep *r, const struct ldr_map_shard *s);

/* ---- reconcile.c: from what is to what the map says, one step at a time; called after every change ---- */
void ldr_node_reconcile(struct ldr_node *n);
const struct ldr_map_shard *ldr_rep_shard(const struct ldr_rep *r); /* NULL = not in the map */
/* Open, with the arc that the map says. */
static inline bool ldr_rep_whole(const struct ldr_rep *r, const struct ldr_map_shard *s)
{
    return r->state == LDR_REP_OPEN && r->about.lo == s->lo && r->about.hi == s->hi;
}
void ldr_rep_split(struct ldr_rep *r, const struct ldr_map_shard *child);               /* split.c */
void ldr_rep_merge(struct ldr_rep *r, struct ldr_rep *other, uint64_t lo, uint64_t hi); /* split.c */
void ldr_rep_copy(struct ldr_rep *r, const struct ldr_map_shard *s);                    /* move.c */
bool ldr_rep_copy_stop(struct ldr_rep *r); /* the map does not want it any more */

/* ---- pull.c, catch_up.c, scrub.c ---- */
void ldr_rep_pull(struct ldr_rep *r);
/* Never ready, never more than made: the shard itself is new, there is nothing that this one may have lost.
 */
static inline bool ldr_rep_is_new(const struct ldr_rep *r)
{
    return !r->n->who.refilled && r->ready_epoch == 0 && !r->recorded && !ldr_held_has(&r->n->held, r->shard);
}
void ldr_rep_catch_up(struct ldr_rep *r); /* looks whether it misses nothing any more */
/* Compares with one peer and fetches what is missing; done(code) exactly once. LDR_E_BUSY at once: one runs.
 */
struct ldr_scrub_result {
    uint64_t differing, fetched;
    struct ldr_pos pos; /* of the peer's log, before its hashes */
};
int ldr_rep_scrub(struct ldr_rep *r, uint32_t peer,
                  void (*done)(void *ctx, int code, const struct ldr_scrub_result *res), void *ctx);
void ldr_rep_scrub_tick(struct ldr_rep *r);
void ldr_rep_trim(struct ldr_rep *r);    /* passed.c */
void ldr_rep_collect(struct ldr_rep *r); /* passed.c */

/* ---- serving: serve.c and serve_*.c ---- */
enum ldr_need {
    LDR_NEED_READ,  /* ACTIVE or LEAVING here, ready, not lagging */
    LDR_NEED_ANY,   /* the same, however far behind */
    LDR_NEED_WRITE, /* ACTIVE or LEAVING here */
    LDR_NEED_PEER,  /* any state */
    LDR_NEED_COPY   /* ready */
};
/* The replica that a request means. 0 or the failure, with err. */
int ldr_serve_find(struct ldr_node *n, uint32_t shard, uint64_t epoch, uint64_t defs, enum ldr_need need,
                   struct ldr_rep **out, struct ldr_err *err);
/* With the monotonic time told: a request about many shards looks at the clock once. */
int ldr_serve_find_at(struct ldr_node *n, uint32_t shard, uint64_t epoch, uint64_t defs, enum ldr_need need,
                      uint64_t mono, struct ldr_rep **out, struct ldr_err *err);
void ldr_serve_fail(struct ldr_node *n, struct ldr_reply *reply, int code, const struct ldr_err *err);
/* Answers with what encode() put; an answer that cannot be made is a failure. */
void ldr_serve_out(struct ldr_node *n, struct ldr_reply *reply, int encoded);
static inline struct ldr_buf *ldr_serve_buf(struct ldr_node *n)
{
    ldr_buf_reset(&n->out);
    return &n->out;
}

/* A request that waits for the vault. */
struct ldr_serving {
    struct ldr_node *n;
    struct ldr_rep *rep; /* may be NULL */
    struct ldr_reply *reply;
    struct ldr_arena arena;
    struct ldr_slice payload; /* in the arena */
    void (*finish)(struct ldr_serving *j, int code);
    uint64_t epoch, x;
    int64_t hlc, now;
    union {
        struct ldr_vault_op op;
        struct ldr_vault_asof asof;
        struct ldr_vault_scan scan;
        struct ldr_vault_log log;
        struct ldr_vault_hashes hashes;
        struct ldr_vault_range range;
        struct ldr_vault_copy_begin copy_begin;
        struct ldr_vault_copy_read copy_read;
        struct ldr_vault_copy_end copy_end;
        struct ldr_vault_check check;
        struct ldr_vault_compact compact;
    } u;
};
/* With a copy of the payload. NULL: answered already (too many, no memory). */
struct ldr_serving *ldr_serving_begin(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply);
void ldr_serving_rep(struct ldr_serving *j, struct ldr_rep *r);
void ldr_serving_fail(struct ldr_serving *j, int code, const struct ldr_err *err); /* answers, ends */
void ldr_serving_out(struct ldr_serving *j, int encoded);                          /* answers, ends */
void ldr_serving_op_done(struct ldr_vault_op *op, int code); /* done of u.op; owner = the job */

#define LDR_SERVERS(X)        \
    X(HELLO, hello)           \
    X(LOOKUP, lookup)         \
    X(ASOF, asof)             \
    X(SCAN, scan)             \
    X(WRITE, write)           \
    X(ERASE, erase)           \
    X(STAMP, stamp)           \
    X(REPLICATE, replicate)   \
    X(PULL, pull)             \
    X(HASHES, hashes)         \
    X(RANGE, range)           \
    X(COPY_BEGIN, copy_begin) \
    X(COPY_READ, copy_read)   \
    X(COPY_END, copy_end) X(REPLICAS, replicas) X(CHECK, check) X(COMPACT, compact) X(SCRUB, scrub)
#define X(NAME, name) \
    void ldr_serve_##name(struct ldr_node *n, struct ldr_slice payload, struct ldr_reply *reply);
LDR_SERVERS(X)
#undef X
void ldr_serve_gathered(struct ldr_node *n);                       /* serve_read.c */
uint64_t ldr_rep_settled(const struct ldr_rep *r, uint64_t epoch); /* serve_write.c */
void ldr_msg_replica_of(const struct ldr_rep *r, struct ldr_arena *a,
                        struct ldr_msg_replica *m); /* status.c */
#endif
