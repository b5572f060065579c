/* share_socket.h: the name of the socket in a store's folder. Internal to client/.
 *
 * A socket's path has 107 bytes at most; through a descriptor of the folder any folder is within reach. */
#ifndef LDR_CLIENT_SHARE_SOCKET_H
#define LDR_CLIENT_SHARE_SOCKET_H
#include "base/base.h"

struct ldr_share_socket {
    int dir_fd;
    char address[128]; /* "unix:PATH" */
};
int ldr_share_socket_open(struct ldr_share_socket *s, const char *dir, struct ldr_err *err);
void ldr_share_socket_close(struct ldr_share_socket *s);
/* Removes the name: under the folder's lock only. */
void ldr_share_socket_remove(const struct ldr_share_socket *s);
/* LDR_E_REFUSED: it is there, and this user may not connect. Else 0. */
int ldr_share_socket_allowed(const struct ldr_share_socket *s);
#endif
