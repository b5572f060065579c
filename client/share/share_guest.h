/* share_guest.h: a store whose folder another process has: a far store that asks that process over the socket
 * in the folder, and takes the folder over when it ends. Internal to client/.
 *
 *   GUEST --a request fails, the lock is free--> HOLDER (opens the folder inside itself, answers itself and
 *     ^                          |                       the other guests, until it is closed)
 *     '---- somebody else has it '
 */
#ifndef LDR_CLIENT_SHARE_GUEST_H
#define LDR_CLIENT_SHARE_GUEST_H
#include "client/cluster/cluster.h"
#include "client/share/share_link.h"
#include "client/share/share_socket.h"

struct ldr_guest {
    struct ldr_remote *remote;
    const char *url; /* the far store's */
    char *dir;
    struct ldr_open_opts opts; /* as the caller gave them */
    struct ldr_clock clock;
    struct ldr_share_socket socket;
    struct ldr_share_link *link;
    _Atomic(struct ldr_store *) inner; /* NULL: a guest; else the folder, opened here. Set once */
    pthread_t thread;                  /* takes the folder over */
    bool started;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;  /* the thread: suspect or stop */
    pthread_cond_t news;  /* an attempt to take over has ended */
    bool suspect, stop;
    struct ldr_err why; /* why the last attempt to open the folder here failed; code 0: it did not */
};

/* The folder is locked by somebody else. *err holds why it could not be opened here. */
int ldr_guest_open(const char *url, const char *dir, const struct ldr_open_opts *opts, struct ldr_clock clock,
                   struct ldr_store **out, struct ldr_err *err);
/* One request, waiting; asked again, whoever has the folder by then, until the time is over. The answer is
 * appended. */
int ldr_guest_ask(struct ldr_guest *g, enum ldr_msg_type type, struct ldr_slice payload, uint32_t timeout_ms,
                  struct ldr_buf *answer, struct ldr_err *err);
/* Says of a request that failed for want of an answer who did not answer. Returns the code for it. */
int ldr_guest_explain(struct ldr_guest *g, int rc, struct ldr_err *err);
/* See ldr_backup. */
int ldr_guest_backup(struct ldr_guest *g, const char *dir, struct ldr_err *err);
/* See ldr_store_stamp. */
int ldr_guest_stamp(struct ldr_guest *g, int64_t *stamp_us, struct ldr_err *err);
extern const struct ldr_remote_ops ldr_guest_ops;
#endif
