/* rpc/: what crosses between processes: the messages, and the seams through which they travel. The production
 * transports (libuv for data, nng for control) and the simulator's network stand behind the same two seams,
 * so the code on both sides runs unchanged in either. */
#ifndef LDR_RPC_H
#define LDR_RPC_H
#include "env/env.h"
#include "rpc/message.h"

/* ---- Calling. One request, one answer: done() is called exactly once, on the loop, never inside the call.
 * Embedded by the caller, alive until then. code: 0, the server's LDR_E_*, or the transport's own:
 * LDR_E_UNAVAILABLE (not connected or the connection broke: for a write the outcome is in doubt unless
 * *never_sent), LDR_E_TIMEOUT. payload: the answer, or, when the server failed, its ldr_msg_error; borrowed
 * until done returns. ---- */
struct ldr_call {
    void (*done)(struct ldr_call *c, int code, struct ldr_slice payload);
    void *owner;
    bool never_sent; /* filled: the request certainly did not reach the other side */
    void *impl[4];   /* the transport's */
};
#define LDR_PEER_COORDINATOR 0 /* `to` of a call: any live coordinator, the leader when it is known */
struct ldr_peers {
    void *ctx;
    /* to: node id of the map, or LDR_PEER_COORDINATOR. The payload is copied. Never fails directly:
     * everything comes through done. */
    void (*call)(void *ctx, uint32_t to, enum ldr_msg_type type, struct ldr_slice payload,
                 uint32_t timeout_ms, struct ldr_call *c);
};

/* ---- Serving. A handler answers each request exactly once, now or later, on the loop. ---- */
struct ldr_reply {
    /* May be called inside serve. code 0 with the answer, or LDR_E_* with an encoded ldr_msg_error (or
     * nothing). Copies the payload; the reply is gone afterwards. */
    void (*send)(struct ldr_reply *r, int code, struct ldr_slice payload);
    /* Where an answer may be made at its place on the way out, instead of being copied there: bytes appended
     * to this buffer (and nothing before them changed), then sent by `send` before serve or flush returns.
     * What else is sent drops them. NULL, here or returned: there is no such place. */
    struct ldr_buf *(*room)(struct ldr_reply *r);
    void *impl[2];
    uint32_t deadline_ms; /* what the caller still waits for, at arrival; 0 = unknown */
    uint64_t arrived_us;  /* monotonic; 0 = unknown */
};
struct ldr_server {
    void *ctx;
    /* The payload is borrowed until serve returns. */
    void (*serve)(void *ctx, enum ldr_msg_type type, struct ldr_slice payload, struct ldr_reply *r);
    /* After some calls of serve, before the loop waits: what the handler has let gather is answered now.
     * NULL: it lets nothing gather. */
    void (*flush)(void *ctx);
};

/* ---- The two planes. ---- */
#include "rpc/control.h"
#include "rpc/data.h"

#include "rpc/http.h" /* health checks and metrics */
#endif
