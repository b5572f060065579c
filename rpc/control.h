/* The control plane: the same messages over nng request/reply, and notices over publish/subscribe. What is
 * rare and may wait, but must find whoever answers. */
#ifndef LDR_RPC_CONTROL_H
#define LDR_RPC_CONTROL_H
#include "env/env.h"
#include "rpc/message.h"

struct ldr_peers;
struct ldr_server;

#define LDR_CONTROL_ADDRESSES_MAX 32

/* ---- Server. serve is called on the loop; replies may be sent from any thread. ---- */
struct ldr_control_server;
struct ldr_control_server_options {
    const char *listen; /* "host:port"; port 0 = any free one */
    struct ldr_uv_loop *loop;
    const struct ldr_server *server; /* copied */
    uint32_t contexts;               /* requests at work at one time; more wait unread [64] */
};
int ldr_control_server_create(const struct ldr_control_server_options *o, struct ldr_control_server **out,
                              struct ldr_err *err);
int ldr_control_server_port(const struct ldr_control_server *s);
/* On the loop. closed() comes on the loop when every request has been answered (into nothing). */
void ldr_control_server_close(struct ldr_control_server *s, void (*closed)(void *owner), void *owner);

/* ---- Calls, from any thread, waiting. ---- */
struct ldr_control;
int ldr_control_create(const char *const *addresses, size_t n, struct ldr_control **out, struct ldr_err *err);
void ldr_control_destroy(struct ldr_control *c); /* no call is running any more */
/* One more coordinator to try; a known one is fine. LDR_E_TOO_BIG: there are LDR_CONTROL_ADDRESSES_MAX. */
int ldr_control_learn(struct ldr_control *c, const char *address);
/* From now on this client finds the other coordinators by itself: after a call that went well, at most every
 * ten seconds (every second while it knows one only), it asks whoever answered where they all are. notices
 * (may be NULL) is told where they publish changes; on the thread of that call. Before the first call. */
void ldr_control_find(struct ldr_control *c, void (*notices)(void *ctx, const char *address), void *ctx);
/* How many coordinators are known. */
size_t ldr_control_known(struct ldr_control *c);
/* Tries one coordinator after the other, the last good one first, and follows their word on who leads, until
 * one answers or the time is over. A request whose fate is unknown is sent again, except MEMBER: all others
 * may run twice (COMMAND is recognized by its client and seq). 0 and the answer appended, or LDR_E_*;
 * err->in_doubt: it may have run. UNAVAILABLE: nobody could be reached. */
int ldr_control_call(struct ldr_control *c, enum ldr_msg_type type, struct ldr_slice payload,
                     uint32_t timeout_ms, struct ldr_buf *answer, struct ldr_err *err);

/* ---- The same as peers of a loop: the node's and the data plane's LDR_PEER_COORDINATOR. ---- */
struct ldr_control_peers;
int ldr_control_peers_create(struct ldr_control *c, struct ldr_uv_loop *loop, struct ldr_control_peers **out);
struct ldr_peers ldr_control_peers_seam(struct ldr_control_peers *p);
/* Every call has ended (calls end by their deadlines). Waits for the threads. */
void ldr_control_peers_destroy(struct ldr_control_peers *p);

/* ---- Notices: "there is a newer map or newer definitions". Hints only: any may be lost, asking STATE tells.
 * ---- */
struct ldr_notices;
int ldr_notices_publish_on(const char *listen, struct ldr_notices **out, struct ldr_err *err);
int ldr_notices_port(const struct ldr_notices *n);
void ldr_notices_publish(struct ldr_notices *n, uint64_t map_version, uint64_t defs_version); /* any thread */
/* changed() is called on the loop. */
int ldr_notices_subscribe(const char *const *addresses, size_t n, struct ldr_uv_loop *loop,
                          void (*changed)(void *ctx, uint64_t map_version, uint64_t defs_version), void *ctx,
                          struct ldr_notices **out, struct ldr_err *err);
/* One more publisher to listen to; a known one is fine. Of many the one learned first is given up. Any
 * thread. */
int ldr_notices_learn(struct ldr_notices *n, const char *address);
void ldr_notices_close(struct ldr_notices *n); /* a subscriber's: on its loop; nothing is called any more */
#endif
