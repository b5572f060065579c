/* A member on libraft's own files and sockets. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <raft/uv.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#include "coordinator/raft_impl.h"

#define UNHEARD_MS 3000   /* of what was sent to another member: then the connection is made anew */
#define LOOK_US    250000 /* after connecting began: libraft has a socket by then */
#define SYNS_MORE  1      /* connecting ends after 3 s */

struct files {
    int lock_fd;
    struct raft_io io;
    struct raft_uv_transport transport;
    int (*connect)(struct raft_uv_transport *t, struct raft_uv_connect *req, raft_id id, const char *address,
                   raft_uv_connect_cb cb); /* libraft's, behind ours */
    struct uv_loop_s *uv;
    const struct ldr_loop *loop;
    bool io_open, transport_open;
};

/* ---- Connections to other members. While the network is cut, the kernel repeats what was not acknowledged
 * ever seldomer, so after it has healed a member is heard of as much later again, up to two minutes. What is
 * begun anew every few seconds is heard soon. libraft begins anew what has ended. ---- */
struct connecting {
    struct raft_uv_connect req, *for_req;
    raft_uv_connect_cb cb;
    struct files *files;
    struct ldr_timer timer;
};

/* The option fails only where the kernel does not have it: then it takes longer. */
static void set_option(int fd, int option, int value)
{
    (void)setsockopt(fd, IPPROTO_TCP, option, &value, sizeof value);
}

static void shorten(uv_handle_t *h, void *arg)
{
    struct tcp_info info;
    socklen_t n = sizeof info;
    int fd;
    (void)arg;
    if (h->type == UV_TCP && uv_fileno(h, &fd) == 0 &&
        getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &n) == 0 && info.tcpi_state == TCP_SYN_SENT)
        set_option(fd, TCP_SYNCNT, SYNS_MORE);
}

/* Its socket is libraft's, and not told until it is connected: all of this loop's that connect are. */
static void still_connecting(struct ldr_timer *t)
{
    const struct connecting *c = t->owner;
    uv_walk(c->files->uv, shorten, NULL);
}

static void connected(struct raft_uv_connect *req, struct uv_stream_s *stream, int status)
{
    struct connecting *c = req->data;
    struct raft_uv_connect *for_req = c->for_req;
    raft_uv_connect_cb cb = c->cb;
    int fd;
    c->files->loop->timer_stop(c->files->loop->ctx, &c->timer);
    free(c);
    if (status == 0 && uv_fileno((uv_handle_t *)stream, &fd) == 0)
        set_option(fd, TCP_USER_TIMEOUT, UNHEARD_MS);
    cb(for_req, stream, status);
}

static int connect_to(struct raft_uv_transport *t, struct raft_uv_connect *req, raft_id id,
                      const char *address, raft_uv_connect_cb cb)
{
    struct files *f = (struct files *)(void *)((char *)t - offsetof(struct files, transport));
    struct connecting *c = ldr_calloc(NULL, 1, sizeof *c);
    if (!c)
        return RAFT_NOMEM;
    *c = (struct connecting){.for_req = req, .cb = cb, .files = f, .timer = {.fire = still_connecting}};
    c->req.data = c;
    c->timer.owner = c;
    int status = f->connect(t, &c->req, id, address, connected);
    if (status)
        free(c);
    else
        f->loop->timer_start(f->loop->ctx, &c->timer, LOOK_US);
    return status;
}

/* ---- Files ---- */

static int take_folder(struct files *f, const char *dir, struct ldr_err *err)
{
    char path[4096];
    if ((size_t)snprintf(path, sizeof path, "%s/LOCK", dir) >= sizeof path)
        return ldr_fail(err, LDR_E_INVALID, "the folder's name is too long");
    if (mkdir(dir, 0755) && errno != EEXIST)
        return ldr_fail(err, LDR_E_IO, "cannot make %s: %s", dir, strerror(errno));
    f->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (f->lock_fd < 0)
        return ldr_fail(err, LDR_E_IO, "cannot open %s: %s", path, strerror(errno));
    if (flock(f->lock_fd, LOCK_EX | LOCK_NB))
        return errno == EWOULDBLOCK ? ldr_fail(err, LDR_E_LOCKED, "another process has %s", dir)
                                    : ldr_fail(err, LDR_E_IO, "cannot lock %s: %s", path, strerror(errno));
    return 0;
}

static int begin(struct files *f, const struct ldr_consensus_opts *o, struct ldr_err *err)
{
    struct uv_loop_s *uv = ldr_uv_loop_handle(o->loop);
    int rc = take_folder(f, o->dir, err);
    if (rc)
        return rc;
    f->transport.version = 1;
    int status = raft_uv_tcp_init(&f->transport, uv);
    if (status)
        return ldr_fail(err, ldr_raft_code(status), "no transport: %s", raft_strerror(status));
    f->transport_open = true;
    f->uv = uv;
    f->loop = ldr_uv_loop_seam(o->loop);
    f->connect = f->transport.connect;
    f->transport.connect = connect_to;
    if (o->bind && strcmp(o->bind, o->address) != 0 && raft_uv_tcp_set_bind_address(&f->transport, o->bind))
        return ldr_fail(err, LDR_E_INVALID, "'%s' is nothing to listen on", o->bind);
    status = raft_uv_init(&f->io, uv, o->dir, &f->transport);
    if (status)
        return ldr_fail(err, ldr_raft_code(status), "cannot use %s: %s", o->dir, f->io.errmsg);
    f->io_open = true;
    raft_uv_set_auto_recovery(&f->io, false);
    raft_uv_set_disk_retry(&f->io, LDR_RAFT_RETRY_MS);
    return 0;
}

static void release(void *ctx)
{
    struct files *f = ctx;
    if (f->io_open)
        raft_uv_close(&f->io);
    if (f->transport_open)
        raft_uv_tcp_close(&f->transport);
    if (f->lock_fd >= 0)
        close(f->lock_fd);
    free(f);
}

int ldr_consensus_open(const struct ldr_consensus_opts *o, struct ldr_consensus **out, struct ldr_err *err)
{
    *out = NULL;
    ldr_err_clear(err);
    if (o->id == 0 || !ldr_address_valid(ldr_slice_str(o->address)))
        return ldr_fail(err, LDR_E_INVALID, "a member needs a number over 0 and an address");
    struct files *f = ldr_calloc(NULL, 1, sizeof *f);
    if (!f)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    f->lock_fd = -1;
    int rc = begin(f, o, err);
    if (rc) {
        release(f);
        return rc;
    }
    struct ldr_consensus_outside outside = {
        .loop = ldr_uv_loop_seam(o->loop), .io = &f->io, .release = release, .ctx = f};
    return ldr_consensus_open_on(o, &outside, out, err);
}
