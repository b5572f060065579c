/* What the files of the serving side share: uv_server.c (connections), uv_serve.c (requests). */
#ifndef LDR_RPC_UV_SERVE_H
#define LDR_RPC_UV_SERVE_H
#include <stdatomic.h>

#include "rpc/rpc.h"
#include "rpc/uv_conn.h"

struct request {
    struct ldr_reply reply;
    struct shard *shard;
    struct peer *peer; /* NULL = the connection is gone */
    struct request *prev, *next;
    uint64_t id;
    uint16_t type;
};

struct shard { /* what of the server is on one loop */
    struct wire wire;
    struct ldr_data_server *server;
    struct ldr_uv_loop *loop; /* never changes, so that any thread may post to it */
    struct ldr_job opening, closing;
    struct request *open; /* whose connection is gone */
    struct request *spare;
    uint32_t n_spare;
    bool served;                                /* something since the handler was last flushed */
    atomic_uint_fast64_t frames_in, frames_out; /* changed by this loop alone */
};

struct ldr_data_server {
    struct ldr_server handler;
    void (*hello)(void *ctx, struct ldr_hello_rep *rep);
    void *hello_ctx;
    void (*answered)(void *ctx, unsigned type, int code, uint64_t took_us);
    void *answered_ctx;
    char cluster[LDR_NAME_MAX + 1];
    union stream listener; /* a handle on the first loop */
    int port;
    uint32_t connections_max;
    size_t n_shards, turn;
    atomic_size_t shards_left;
    atomic_uint_fast64_t connections, accepted, refused, broken;
    void (*closed)(void *owner);
    void *closed_owner;
    struct ldr_job closed_job;
    struct shard shards[];
};

struct peer { /* one connection */
    struct conn conn;
    struct request *requests;
    uint32_t outstanding;
    bool greeted;
    uint64_t since_ms;
};

static inline struct shard *shard_of(struct conn *c)
{
    return c->wire->owner;
}
/* A figure that one thread alone changes, and others look at. */
static inline void count_one(atomic_uint_fast64_t *n)
{
    atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + 1, memory_order_relaxed);
}
#define COUNT(s, what) atomic_fetch_add_explicit(&(s)->what, 1, memory_order_relaxed)

/* ---- uv_serve.c ---- */
void serve_frame(struct conn *c, const struct ldr_frame *f);
void serve_relieved(struct conn *c);      /* whose answers are taken may ask again */
void serve_orphan(struct peer *p);        /* the connection is gone, its requests are not */
bool serve_turn(struct wire *w);          /* before the loop waits */
void serve_spares_free(struct shard *sh); /* nothing is under way */

/* ---- uv_server.c ---- */
void shard_gone(struct shard *sh); /* maybe: its handles are closed and its requests answered */
#endif
