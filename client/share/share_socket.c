#include "client/share/share_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/disk/files.h"
#include "client/disk/layout.h"

#define PATH_BYTES sizeof((struct sockaddr_un *)0)->sun_path

int ldr_share_socket_open(struct ldr_share_socket *s, const char *dir, struct ldr_err *err)
{
    s->dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (s->dir_fd < 0)
        return ldr_file_fail(err, errno, "cannot open", dir);
    /* Absolute: the process may change its working folder. */
    char *full = realpath(dir, NULL);
    if (full && strlen(full) + sizeof "/" LDR_LAYOUT_SOCKET <= PATH_BYTES)
        snprintf(s->address, sizeof s->address, "unix:%s/%s", full, LDR_LAYOUT_SOCKET);
    else
        snprintf(s->address, sizeof s->address, "unix:/proc/self/fd/%d/%s", s->dir_fd, LDR_LAYOUT_SOCKET);
    free(full);
    return 0;
}

void ldr_share_socket_close(struct ldr_share_socket *s)
{
    if (s->dir_fd >= 0)
        close(s->dir_fd);
    s->dir_fd = -1;
}

void ldr_share_socket_remove(const struct ldr_share_socket *s)
{
    unlinkat(s->dir_fd, LDR_LAYOUT_SOCKET, 0); /* what stays is found dead by whoever connects */
}

int ldr_share_socket_allowed(const struct ldr_share_socket *s)
{
    bool refused = faccessat(s->dir_fd, LDR_LAYOUT_SOCKET, R_OK | W_OK, AT_EACCESS) && errno == EACCES;
    return refused ? LDR_E_REFUSED : 0;
}
