/* Listening: on TCP, or on a Unix socket, whose address is a path: "unix:PATH". */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "rpc/uv_conn.h"

#define BACKLOG 511

static const char scheme[] = "unix:";

const char *local_path(const char *address)
{
    return strncmp(address, scheme, sizeof scheme - 1) == 0 ? address + sizeof scheme - 1 : NULL;
}

bool local_fits(const char *path)
{
    return *path && strlen(path) < sizeof((struct sockaddr_un *)0)->sun_path;
}

static int local_bind(const char *path, int *out, struct ldr_err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (!local_fits(path))
        return ldr_fail(err, LDR_E_TOO_BIG, "a socket's path has 1 to %zu bytes, this one %zu",
                        sizeof a.sun_path - 1, strlen(path));
    memcpy(a.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    /* The name gets the mode that the socket has, so there is no moment at which others may connect. */
    if (fd < 0 || fchmod(fd, 0600) || bind(fd, (struct sockaddr *)&a, sizeof a)) {
        int e = errno;
        if (fd >= 0)
            close(fd);
        return ldr_fail(err, LDR_E_IO, "cannot listen on %s: %s", path, strerror(e));
    }
    *out = fd;
    return 0;
}

static int listen_local(union stream *s, const char *path, uv_connection_cb accepting, struct ldr_err *err)
{
    int fd = -1, rc = local_bind(path, &fd, err);
    if (rc)
        return rc;
    int e = uv_pipe_open(&s->pipe, fd);
    if (e)
        close(fd);
    else
        e = uv_listen(&s->stream, BACKLOG, accepting);
    if (e == 0)
        return 0;
    unlink(path);
    return ldr_fail(err, LDR_E_IO, "cannot listen on %s: %s", path, uv_strerror(e));
}

static int listen_tcp(union stream *s, const char *address, uv_connection_cb accepting, int *port,
                      struct ldr_err *err)
{
    struct sockaddr_storage a;
    int rc = address_resolve(address, &a, err);
    if (rc)
        return rc;
    int e = uv_tcp_bind(&s->tcp, (struct sockaddr *)&a, 0);
    if (e == 0)
        e = uv_listen(&s->stream, BACKLOG, accepting);
    if (e)
        return ldr_fail(err, LDR_E_IO, "cannot listen on %s: %s", address, uv_strerror(e));
    *port = address_port(&s->tcp);
    return 0;
}

int listen_on(union stream *s, uv_loop_t *uv, const char *address, uv_connection_cb accepting, int *port,
              struct ldr_err *err)
{
    const char *path = local_path(address);
    void *data = s->handle.data;
    if (path)
        uv_pipe_init(uv, &s->pipe, 0);
    else
        uv_tcp_init(uv, &s->tcp);
    s->handle.data = data;
    *port = 0;
    return path ? listen_local(s, path, accepting, err) : listen_tcp(s, address, accepting, port, err);
}
