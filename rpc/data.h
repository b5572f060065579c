/* The data plane: frames over TCP or a Unix socket, on libuv. Addresses are "host:port", "[v6]:port" or
 * "unix:PATH". */
#ifndef LDR_RPC_DATA_H
#define LDR_RPC_DATA_H
#include "env/env.h"
#include "rpc/message.h"
#include "rpc/proto.h"

struct ldr_call;
struct ldr_peers;
struct ldr_server;
struct ldr_reply;

enum ldr_role { LDR_ROLE_CLIENT, LDR_ROLE_NODE, LDR_ROLE_COORDINATOR, LDR_ROLE_TOOL };

/* 0 = the default in brackets. */
struct ldr_data_limits {
    uint32_t connections;   /* of a server; more are closed at once [1024] */
    uint32_t outstanding;   /* requests unanswered on one connection; then it is not read from [1024] */
    uint32_t frame_bytes;   /* [LDR_FRAME_MAX] */
    uint64_t partial_bytes; /* held in unfinished frames of all connections of a loop [256 MiB] */
    uint64_t unsent_bytes;  /* answers a connection does not take: no more requests are read [8 MiB] */
    uint64_t unsent_max;    /* ... and it is closed [128 MiB] */
    uint32_t hello_ms;      /* until HELLO has come [5000] */
    uint32_t half_ms;       /* a frame takes to come, from its first byte [30000] */
    uint32_t stall_ms;      /* without a byte taken while bytes wait [30000] */
    uint32_t idle_ms;       /* without a byte or a request; clients go after 2/5 of it [300000] */
};

/* ---- Server. ---- */
struct ldr_data_server;
struct ldr_data_server_options {
    const char *listen;  /* port 0 = any free one; a Unix socket is its owner's alone, and removed by the
                            caller */
    const char *cluster; /* others are refused at HELLO; "" = any */
    /* Connections are spread over these; serve is called on the loop of the connection. The first one
     * accepts. */
    struct ldr_uv_loop *const *loops;
    size_t n_loops;
    const struct ldr_server *server; /* copied */
    /* Fills in what HELLO answers (proto is there already). Any of the loops' threads. May be NULL. */
    void (*hello)(void *ctx, struct ldr_hello_rep *rep);
    void *hello_ctx;
    /* Told of each request that was answered, on the loop of its connection, with the time since it had come
     * (handed-over answers: until they were on the loop). May be NULL: then no clock is asked. */
    void (*answered)(void *ctx, unsigned type, int code, uint64_t took_us);
    void *answered_ctx;
    struct ldr_data_limits limits;
};
struct ldr_data_stats {
    uint64_t connections, accepted, refused, broken, frames_in, frames_out;
};
/* On the first loop's thread, or before the loops run. Resolves the name to listen on, waiting for it. */
int ldr_data_server_create(const struct ldr_data_server_options *o, struct ldr_data_server **out,
                           struct ldr_err *err);
int ldr_data_server_port(const struct ldr_data_server *s);
int ldr_data_server_descriptor(const struct ldr_data_server *s); /* of the listening socket */
void ldr_data_server_stats(const struct ldr_data_server *s, struct ldr_data_stats *out); /* any thread */
/* On the first loop's thread. Stops accepting and closes all connections; closed() comes on the first loop
 * when every request has been answered (into nothing) and all is freed. */
void ldr_data_server_close(struct ldr_data_server *s, void (*closed)(void *owner), void *owner);
/* reply->send may be called on any thread; on another one than the loop's the payload is copied once more. */

/* ---- Calls to many servers, from one loop. ---- */
struct ldr_data_peers;
struct ldr_data_peers_options {
    struct ldr_uv_loop *loop;
    const char *cluster, *name; /* copied. cluster "" = whatever the server says */
    enum ldr_role role;
    /* Address of a node, NULL = not known; borrowed until the next call. */
    const char *(*address)(void *ctx, uint32_t node);
    void *address_ctx;
    /* Whether a server at that address may say so of itself; else it is taken for unreachable. NULL: any may.
     */
    bool (*known)(void *ctx, const char *address, uint32_t node, uint64_t incarnation);
    void *known_ctx;
    const struct ldr_peers *control; /* takes the calls to LDR_PEER_COORDINATOR; copied. NULL: they fail */
    struct ldr_data_limits limits;   /* outstanding: more calls to one server end at once with LDR_E_BUSY */
};
int ldr_data_peers_create(const struct ldr_data_peers_options *o, struct ldr_data_peers **out);
struct ldr_peers ldr_data_peers_seam(struct ldr_data_peers *p);
/* As the seam's call, by address. */
void ldr_data_call(struct ldr_data_peers *p, const char *address, enum ldr_msg_type type,
                   struct ldr_slice payload, uint32_t timeout_ms, struct ldr_call *c);
/* Ends a call that has not ended, with LDR_E_CANCELLED, by its done() soon. */
void ldr_data_cancel(struct ldr_data_peers *p, struct ldr_call *c);
/* Ends all calls (LDR_E_CLOSED), then closed(), on the loop. */
void ldr_data_peers_close(struct ldr_data_peers *p, void (*closed)(void *owner), void *owner);

/* ---- Calls from any thread: a loop and its thread behind them. ---- */
struct ldr_rpc;
struct ldr_rpc_options {
    const char *cluster, *name;
    enum ldr_role role;
    struct ldr_data_limits limits;
};
int ldr_rpc_create(const struct ldr_rpc_options *o, struct ldr_rpc **out);
void ldr_rpc_destroy(struct ldr_rpc *r); /* no call is running any more */
/* One request, waiting for its answer. 0 and the answer appended, or LDR_E_*; then err says why and whether
 * the request may have been carried out (in_doubt: a server said so, or it was sent and no answer came). */
int ldr_rpc_call(struct ldr_rpc *r, const char *address, enum ldr_msg_type type, struct ldr_slice payload,
                 uint32_t timeout_ms, struct ldr_buf *answer, struct ldr_err *err);

/* Many at once. A group belongs to one thread; an ask, filled in by the caller, lives until its group is
 * closed. */
struct ldr_rpc_ask {
    const char *address;
    enum ldr_msg_type type;
    struct ldr_slice payload; /* borrowed until the ask is done */
    uint32_t timeout_ms;
    void *owner;
    /* results, once done */
    int code;
    bool done, never_sent;
    struct ldr_buf answer; /* of a failed one: its ldr_msg_error. Opened by start, closed with the group */
    struct ldr_rpc_ask_impl *impl;
};
struct ldr_rpc_group;
int ldr_rpc_group_create(struct ldr_rpc *r, struct ldr_rpc_group **out);
int ldr_rpc_start(struct ldr_rpc_group *g,
                  struct ldr_rpc_ask *ask); /* LDR_E_NOMEM, and then it is not started */
/* The next one that is done, each once; NULL: none in this time, or none is running. */
struct ldr_rpc_ask *ldr_rpc_next(struct ldr_rpc_group *g, uint64_t wait_us);
void ldr_rpc_group_close(struct ldr_rpc_group *g); /* what still runs is cancelled */
#endif
