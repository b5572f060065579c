/* cluster.h: the far side of a store: the map and definitions as last heard, and the engine that brings
 * requests to the replicas that hold what they ask for. Internal to client/cluster/.
 *
 * Map and definitions are immutable and counted by references, as the catalog is; a refresh swaps them.
 * Nothing here needs a coordinator once both are there. */
#ifndef LDR_CLIENT_CLUSTER_H
#define LDR_CLIENT_CLUSTER_H
#include "client/cluster/cluster_cache.h"
#include "client/cluster/cluster_pace.h"
#include "client/cluster/cluster_store.h"
#include "client/cluster/stamp_judge.h"
#include "rpc/rpc.h"

#define LDR_CLUSTER_PAGE_MS    30000u /* for one page of a join or scan, all attempts together */
#define LDR_CLUSTER_ATTEMPT_MS 2000u
#define LDR_CLUSTER_LONG_MS    600000u /* checks, compactions */

/* Coordinators: waits for one of them to answer. */
struct ldr_cluster_control {
    void *ctx;
    int (*ask)(void *ctx, enum ldr_msg_type type, struct ldr_slice payload, uint32_t timeout_ms,
               struct ldr_buf *answer, struct ldr_err *err);
};

struct ldr_map_ref {
    _Atomic unsigned refs;
    struct ldr_map map;
};

struct ldr_guest;
struct ldr_remote {
    struct ldr_store *store;
    const struct ldr_remote_ops *ops; /* ldr_cluster_ops, unless connect sets others */
    struct ldr_guest *guest;          /* not a cluster: a folder that another process has (share_guest.h) */
    struct ldr_peers peers;
    struct ldr_helm *helm; /* of the loop behind peers; NULL: it runs by itself */
    struct ldr_cluster_control control;
    void (*map_news)(void *ctx, const struct ldr_map *map); /* addresses may have changed; under `refresh` */
    void *news_ctx;
    struct ldr_cluster_cache *cache; /* NULL: nothing is kept on disk. Under `refresh` */
    void *net;                       /* behind peers and control */
    void (*net_close)(void *net);
    uint64_t client_id;
    uint64_t command_seq;     /* under commands */
    _Atomic int64_t token_us; /* HLC of our latest write */
    _Atomic int64_t stamp_us; /* latest time of acceptance handed out */

    pthread_mutex_t commands; /* one at a time */
    pthread_mutex_t refresh;  /* one at a time */
    pthread_mutex_t map_lock;
    struct ldr_map_ref *map;
    struct ldr_pace pace;

    _Atomic uint64_t defs_seen; /* newest version of the definitions that an answer told of */
    _Atomic uint64_t heard_us;  /* mono, of the last answer of a coordinator; 0 = none yet */

    pthread_t watcher;
    bool watching;
    pthread_mutex_t watch_lock;
    pthread_cond_t watch_cond;
    bool stop, news; /* under watch_lock */
};

extern const struct ldr_remote_ops ldr_cluster_ops;

/* The map as last heard; give it back. Never NULL after opening. */
struct ldr_map_ref *ldr_cluster_map(struct ldr_remote *r);
void ldr_cluster_map_release(struct ldr_map_ref *m);
/* Asks the coordinators for a newer map and newer definitions; publishes what comes and keeps it on disk. 0
 * also when nothing is newer. Waits that long, and for the refresh of another thread. */
int ldr_cluster_refresh(struct ldr_remote *r, bool strict, uint32_t timeout_ms, struct ldr_err *err);
#define LDR_CLUSTER_CONTROL_MS 5000u
/* Tells the watcher that something newer was heard of. Any thread. */
void ldr_cluster_news(struct ldr_remote *r);
/* The same, when these versions are newer than what is known. */
void ldr_cluster_heard(struct ldr_remote *r, uint64_t map_version, uint64_t defs_version);
static inline uint64_t ldr_cluster_mono_us(const struct ldr_remote *r)
{
    return r->store->clock.mono_ns(r->store->clock.ctx) / 1000;
}

struct ldr_command_result {
    uint64_t map_version, defs_version, value; /* value: see the kinds of ldr_map_command */
};
/* A command of any kind; out may be NULL. Numbers of one client rise from call to call. In doubt when no
 * coordinator answered. */
int ldr_cluster_control_command(const struct ldr_cluster_control *control, uint64_t client, uint64_t seq,
                                const struct ldr_map_command *c, struct ldr_command_result *out,
                                struct ldr_err *err);
/* Coordinators over the network: "host:port,host:port". Gives *control, to be closed by
 * ldr_cluster_control_close. */
int ldr_cluster_control_open(const char *addresses, struct ldr_cluster_control *control, struct ldr_err *err);
void ldr_cluster_control_close(struct ldr_cluster_control *control); /* a zeroed one is fine */

/* ---- Errands: requests that find their way by hash ----
 *
 *   READY --send--> OUT --answer--> DONE
 *     ^              |
 *     '---failure----'   (another replica; a newer map first when the map was stale)
 *
 * A unit may be OUT twice, see cluster_pace.h; the first answer counts. */
struct ldr_unit {
    uint64_t lo, hi;    /* hashes that it touches: one shard has to hold both */
    uint64_t ready_us;  /* not before (mono) */
    uint64_t sent_us;   /* last */
    uint64_t second_us; /* while it is out: to be sent to another replica, too (mono) */
    size_t bytes;       /* of its request, about; 0 = few */
    uint16_t out;       /* attempts under way */
    uint16_t tries;     /* attempts that failed */
    uint32_t last_node; /* tried last */
    bool done;
    bool cut; /* its hashes lie in several shards now: the caller has to cut it anew */
};
struct ldr_errand {
    struct ldr_remote *remote;
    enum ldr_msg_type type;
    struct ldr_unit *units;
    size_t n;
    size_t window; /* units under way at once; 0 = all */
    bool merge;    /* units for one node travel together */
    size_t most;   /* ... so many at most; 0 = 4,096. Halved when an answer does not fit into a message */
    enum ldr_pace_kind pace;
    bool writes;       /* an attempt without an answer leaves the outcome in doubt */
    bool leader_first; /* the first replica in the map before the others: one replica's answers continue each
                          other */
    uint32_t attempt_ms, deadline_ms;
    uint32_t backoff_us; /* after the third failure of a unit, doubling; 0 = 20 ms */
    void *ctx;
    /* Encodes the request for these units, which go to one node. */
    int (*build)(struct ldr_errand *j, const struct ldr_map *map, const size_t *units, size_t n,
                 struct ldr_buf *out);
    /* Takes the answer, on the thread that runs the job. Units that are not to be asked again are set done by
     * the engine; failures end the job. */
    int (*finish)(struct ldr_errand *j, const size_t *units, size_t n, struct ldr_slice answer,
                  struct ldr_err *err);
    bool in_doubt; /* filled */
};
/* Runs until every unit is done. LDR_E_STALE: some units are `cut`, all others done. */
int ldr_errand_run(struct ldr_errand *j, struct ldr_err *err);

/* Storage shape of a view by its id; NULL when it was deleted. */
const struct ldr_schema *ldr_cluster_schema(const struct ldr_catalog *c, uint32_t view);
/* One request to each of some nodes, all at once. take is called for each answer, on this thread; it notes
 * what it needs. patience (NULL: until all have ended): how much longer to wait for more, 0 = not at all;
 * asked after each answer and when that time is over; without it, who is BUSY is asked again for five
 * seconds. LDR_E_NOMEM. */
int ldr_cluster_ask(struct ldr_remote *r, const uint32_t *nodes, const struct ldr_slice *payloads, size_t n,
                    enum ldr_msg_type type, uint32_t timeout_ms,
                    void (*take)(void *ctx, size_t i, int code, struct ldr_slice answer),
                    uint64_t (*patience_us)(void *ctx), void *ctx);
/* What a read as fresh as `fresh` (enum ldr_fresh) has to ask of the replicas that answer it. */
struct ldr_demand {
    bool strict;          /* they must have got as far as token_us; the token holds for shards whose epoch */
    int64_t token_us;     /* is not above map_version */
    uint64_t map_version; /* UINT64_MAX: whatever the epoch */
};
struct ldr_over { /* the shards of n points, or (points NULL) those from hash lo to hi */
    const struct ldr_point *points;
    size_t n;
    uint64_t lo, hi;
};
/* LDR_FRESH_STRICT: gets a token that is later than those of all writes to these shards that were
 * acknowledged before the call, to whomever. LDR_E_UNAVAILABLE: too few replicas answer. */
int ldr_cluster_demand(struct ldr_remote *r, int fresh, const struct ldr_over *over, uint64_t deadline_us,
                       struct ldr_demand *d, struct ldr_err *err);
int ldr_cluster_latest(struct ldr_remote *r, const struct ldr_point *p, size_t n, int fresh,
                       struct ldr_buf *scratch, struct ldr_answer *out, struct ldr_err *err);
int ldr_cluster_asof(struct ldr_remote *r, const struct ldr_point *p, size_t n, const struct ldr_asof *q,
                     int fresh, struct ldr_buf *scratch, struct ldr_answer *out, struct ldr_err *err);
int ldr_cluster_asof_sorted(struct ldr_remote *r, uint32_t view, int64_t ttl_us, int fresh,
                            const struct ldr_probe *probes, size_t n,
                            int (*emit)(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f),
                            void *ctx, struct ldr_err *err);
int ldr_cluster_scan(struct ldr_remote *r, const struct ldr_scan_opts *o, int fresh,
                     int (*fn)(void *ctx, const struct ldr_fact *f), void *ctx, struct ldr_err *err);
/* The same a page at a time, on any one thread at a time. o->key must stay. Definitions are those of the
 * moment of opening. *done: there is nothing behind this page; a page may be empty. Non-zero from fn ends the
 * scan and is returned. Close is fine with NULL. */
struct ldr_cluster_scan;
int ldr_cluster_scan_open(struct ldr_remote *r, const struct ldr_scan_opts *o, int fresh,
                          struct ldr_cluster_scan **out, struct ldr_err *err);
int ldr_cluster_scan_page(struct ldr_cluster_scan *s, int (*fn)(void *ctx, const struct ldr_fact *f),
                          void *ctx, bool *done, struct ldr_err *err);
void ldr_cluster_scan_close(struct ldr_cluster_scan *s);
int ldr_cluster_write(struct ldr_remote *r, const struct ldr_fact *facts, size_t n,
                      struct ldr_write_result *res, struct ldr_err *err);
int ldr_cluster_load(struct ldr_remote *r, uint32_t view, struct ldr_fact_chunk *chunks, size_t nchunks,
                     struct ldr_write_result *res, struct ldr_err *err);
struct ldr_tomb;
int ldr_cluster_erase_tomb(struct ldr_remote *r, const struct ldr_tomb *t, uint64_t *erased,
                           struct ldr_err *err);
int ldr_cluster_erase(struct ldr_remote *r, uint32_t view, uint32_t entity_id, struct ldr_slice key,
                      int64_t erase_us, uint64_t *erased, struct ldr_err *err);
int ldr_cluster_check(struct ldr_remote *r, bool repair, struct ldr_check_report *rep,
                      void (*problem)(void *ctx, const char *text), void *ctx, struct ldr_err *err);
int ldr_cluster_stats(struct ldr_remote *r, struct ldr_shard_stats *out);
int ldr_cluster_compact(struct ldr_remote *r, struct ldr_err *err);
#endif
