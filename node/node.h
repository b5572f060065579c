/* node/: the storage process: replicas of shards, quorum writes, pulls, scrubs, moves. One thread, which
 * never waits: loop, peers and storage are handed in. Every function is for the loop's thread.
 *
 *   create -> start ... close -> closed() -> destroy
 *
 * A node asks the coordinators (LDR_PEER_COORDINATOR) for map and definitions, joins by itself and sends
 * heartbeats; without them it goes on with what it has. */
#ifndef LDR_NODE_H
#define LDR_NODE_H
#include "env/env.h"
#include "node/vault.h"
#include "ring/ring.h"
#include "rpc/rpc.h"

struct ldr_node_opts {
    const char *cluster; /* "" = the one that it finds */
    const char *address; /* data plane, "host:port", as others reach it */
    const char *zone;    /* "" = none */
    const char *build;   /* told to the coordinators, for people who renew nodes in turn; NULL = "" */
    uint32_t weight;     /* 0 = 100 */
    /* Times in microseconds; 0 = the default in brackets. */
    uint64_t pull_every_us;      /* [200 ms] */
    uint64_t heartbeat_every_us; /* [1 s] */
    uint64_t scrub_every_us;     /* each replica so often [24 h] */
    uint64_t write_timeout_us;   /* longest wait for a quorum [5 s] */
    uint64_t lag_bound_us;       /* reads are refused beyond it [2 s] */
    uint64_t skew_bound_us;      /* of the clock against the others [500 ms] */
    bool serve_at_once;          /* gives times that are ahead of its clock, too, though others refuse them */
    uint64_t copy_bytes_s;       /* of moves: received per second [64 MiB] */
    uint64_t tomb_grace_us;      /* tombstones are kept at least so long [10 days] */
    uint64_t collect_every_us;   /* each replica's tombstones are looked through so often [10 min, at most a
                                    20th of it] */
    bool gathers;                /* the transport calls its server's flush: small lookups wait for it */
    uint32_t max_writes;         /* client writes under way; more get LDR_E_BUSY [4096] */
    size_t max_write_bytes;      /* memory of those [256 MiB] */
    struct ldr_loop loop;
    struct ldr_peers peers;
    struct ldr_vault vault;
    const struct ldr_heap *heap; /* NULL = malloc */
    const struct ldr_log *log;   /* may be NULL */
};
struct ldr_node;
/* LDR_E_NOMEM, LDR_E_INVALID. Everything in o but texts is borrowed until destroy. */
int ldr_node_create(const struct ldr_node_opts *o, struct ldr_node **out, struct ldr_err *err);
/* Opens what the vault has and goes to work. started: 0 = serves what it can; else the node is to be closed
 * (LDR_E_CORRUPT: its own records; LDR_E_CONFLICT: it belongs to another cluster). */
void ldr_node_start(struct ldr_node *n, void (*started)(void *ctx, int code, const struct ldr_err *err),
                    void *ctx);
/* Answers what is under way (LDR_E_CLOSED), ends calls and timers; closed() when nothing of it is left. Every
 * call and vault operation must still end. */
void ldr_node_close(struct ldr_node *n, void (*closed)(void *ctx), void *ctx);
void ldr_node_destroy(struct ldr_node *n); /* after closed(), or never started; NULL is fine */

/* To plug into a transport: serves every message of the data plane. */
struct ldr_server ldr_node_server(struct ldr_node *n);
/* Where the others are: for transports that need addresses. NULL before the first map. Valid until the next
 * callback. */
const struct ldr_map *ldr_node_map(const struct ldr_node *n);
/* Called when the map changed (for the transport); before start. */
void ldr_node_on_map(struct ldr_node *n, void (*fn)(void *ctx, const struct ldr_map *m), void *ctx);
/* A hint that map or definitions of these versions exist (change notices): asks at once. */
void ldr_node_hint(struct ldr_node *n, uint64_t map_version, uint64_t defs_version);

/* For metrics, logs and tests. */
struct ldr_node_status {
    uint32_t id; /* 0 = has not joined yet */
    uint64_t incarnation;
    uint64_t map_version, defs_version;
    bool coordinators;       /* one answered within three heartbeats */
    bool skewed;             /* refuses writes: its clock is off, or nobody has confirmed it yet */
    int64_t hlc_us, skew_us; /* against the median of the others */
    int64_t hold_us;         /* what its wall clock is ahead of the time that it goes by */
    uint32_t replicas, replicas_ready;
    uint32_t owed, answering; /* replicas that are to answer reads by the map; of them, those that do now */
    uint64_t max_lag_us, max_lag_facts;
    uint32_t writes_open, requests_open; /* client writes; other requests that wait for the vault */
    size_t write_bytes_open;
};
/* Counters that only rise: X(name, help). */
#define LDR_NODE_COUNTERS(X)                                      \
    X(writes, "client writes acknowledged")                       \
    X(writes_failed, "client writes refused or failed")           \
    X(writes_in_doubt, "client writes whose outcome is unknown")  \
    X(facts_written, "facts of acknowledged client writes")       \
    X(lookups, "lookup requests")                                 \
    X(points, "points looked up")                                 \
    X(reads_refused, "reads refused because of lag")              \
    X(stale, "requests refused because of their epoch")           \
    X(asofs, "as-of pages")                                       \
    X(scans, "scan pages")                                        \
    X(pulls, "pull rounds from a peer that ended well")           \
    X(pulls_failed, "pull rounds from a peer that failed")        \
    X(pulled_facts, "facts received by pulling")                  \
    X(scrubs, "scrub rounds")                                     \
    X(scrub_differing, "buckets that differed")                   \
    X(scrub_fetched, "facts and tombstones fetched by scrubbing") \
    X(copied_bytes, "bytes received by moves")                    \
    X(splits, "replicas split or merged")                         \
    X(log_trims, "times a change log was shortened")              \
    X(tombs_collected, "tombstones collected")                    \
    X(damaged, "replicas filled anew because their bytes were bad")
struct ldr_node_counters {
#define X(name, help) uint64_t name;
    LDR_NODE_COUNTERS(X)
#undef X
};
void ldr_node_status(const struct ldr_node *n, struct ldr_node_status *out);
const struct ldr_node_counters *ldr_node_counters(const struct ldr_node *n);
/* One replica after another: what heartbeats report. */
void ldr_node_replicas(const struct ldr_node *n, void (*fn)(void *ctx, const struct ldr_msg_replica *r),
                       void *ctx);
#endif
