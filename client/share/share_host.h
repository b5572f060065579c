/* share_host.h: a store of this process, served to the other processes that have its folder open (guests),
 * over a socket in the folder. Internal to client/. docs/adr/0026-shared-folder.md has the argument.
 *
 * The holder of the folder's lock has the store; nobody else looks at its files. So what a guest is told is
 * always of now, and a guest may repeat any request: facts are idempotent, commands are numbered. */
#ifndef LDR_CLIENT_SHARE_HOST_H
#define LDR_CLIENT_SHARE_HOST_H
#include "client/store.h"
#include "rpc/rpc.h"

struct ldr_host;
/* Listens; without a socket (a file system that has none) it is only told to the log, and nobody is served.
 * The lock of the folder is held. */
int ldr_host_create(struct ldr_store *s, struct ldr_host **out, struct ldr_err *err);
/* Removes the socket, refuses what comes from now on (LDR_E_CLOSED: guests ask again, elsewhere), waits for
 * the requests under way. NULL is fine. */
void ldr_host_destroy(struct ldr_host *h);
/* One request, from a guest or from this process: as ldr_server.serve. Points are answered inside the call.
 */
void ldr_host_serve(struct ldr_host *h, enum ldr_msg_type type, struct ldr_slice payload,
                    struct ldr_reply *reply);
/* In a child after fork: gives up its copy of the socket, and nothing else. */
void ldr_host_forget(struct ldr_host *h);
#endif
