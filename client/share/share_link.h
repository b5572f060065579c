/* share_link.h: calls to the socket of a folder from any thread, over a loop with a thread of its own.
 * Internal to client/. */
#ifndef LDR_CLIENT_SHARE_LINK_H
#define LDR_CLIENT_SHARE_LINK_H
#include "rpc/rpc.h"

struct ldr_share_link;
/* lost: a call has ended without an answer, on the loop's thread: nobody is there, or nobody speaks. */
int ldr_share_link_create(const char *address, void (*lost)(void *ctx), void *ctx,
                          struct ldr_share_link **out, struct ldr_err *err);
void ldr_share_link_call(struct ldr_share_link *l, enum ldr_msg_type type, struct ldr_slice payload,
                         uint32_t timeout_ms, struct ldr_call *c);
void ldr_share_link_destroy(struct ldr_share_link *l); /* ends all calls (LDR_E_CLOSED). NULL is fine */
#endif
