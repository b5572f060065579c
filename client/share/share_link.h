/* share_link.h: calls to the socket of a folder from any thread, over a loop that is run by whoever
 * waits. Internal to client/. */
#ifndef LDR_CLIENT_SHARE_LINK_H
#define LDR_CLIENT_SHARE_LINK_H
#include "rpc/rpc.h"

struct ldr_share_link;
/* lost: a call has ended without an answer, on the loop: nobody is there, or nobody speaks. */
int ldr_share_link_create(const char *address, void (*lost)(void *ctx), void *ctx,
                          struct ldr_share_link **out, struct ldr_err *err);
void ldr_share_link_call(struct ldr_share_link *l, enum ldr_msg_type type, struct ldr_slice payload,
                         uint32_t timeout_ms, struct ldr_call *c);
void ldr_share_link_destroy(struct ldr_share_link *l); /* ends all calls (LDR_E_CLOSED). NULL is fine */
struct ldr_helm *ldr_share_link_helm(struct ldr_share_link *l); /* who waits for an answer waits there */
#endif
