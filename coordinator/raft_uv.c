/* A member on libraft's own files and sockets. */
#include <errno.h>
#include <fcntl.h>
#include <raft/uv.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/raft_impl.h"

struct files {
    int lock_fd;
    struct raft_io io;
    struct raft_uv_transport transport;
    bool io_open, transport_open;
};

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
