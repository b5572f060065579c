/* The rejects file: appears with the first reject, is gone when there is none. */
#include "client/ingest/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int io_error(const struct ldr_reject_file *r, struct ldr_err *err)
{
    return ldr_fail(err, errno == ENOSPC ? LDR_E_NOSPACE : LDR_E_IO, "rejects file %s: %s", r->path,
                    strerror(errno));
}

static bool same_file(int fd, const struct stat *st)
{
    struct stat in;
    return fd >= 0 && fstat(fd, &in) == 0 && in.st_dev == st->st_dev && in.st_ino == st->st_ino;
}

/* An existing path: a plain file of an earlier run goes, anything else (/dev/null, a pipe) is written to. */
static int open_existing(struct ldr_reject_file *r, int in_fd, const struct stat *st, struct ldr_err *err)
{
    if (S_ISREG(st->st_mode) && same_file(in_fd, st))
        return ldr_fail(err, LDR_E_INVALID, "rejects file %s: is the input itself", r->path);
    int fd = open(r->path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return io_error(r, err);
    if (!S_ISREG(st->st_mode)) {
        r->fd = fd;
        return 0;
    }
    close(fd);
    return unlink(r->path) == 0 ? 0 : io_error(r, err);
}

int ldr_reject_open(struct ldr_reject_file *r, const char *path, int in_fd, struct ldr_err *err)
{
    *r = (struct ldr_reject_file){.path = path, .fd = -1};
    struct stat st;
    if (stat(path, &st) == 0)
        return open_existing(r, in_fd, &st, err);
    if (errno != ENOENT)
        return io_error(r, err);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return io_error(r, err);
    close(fd);
    return unlink(path) == 0 ? 0 : io_error(r, err);
}

static int write_all(struct ldr_reject_file *r, struct ldr_slice s, struct ldr_err *err)
{
    while (s.n) {
        ssize_t n = write(r->fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_error(r, err);
        s = ldr_slice(s.p + n, s.n - (size_t)n);
    }
    return 0;
}

int ldr_reject_write(struct ldr_reject_file *r, struct ldr_slice header, struct ldr_slice lines,
                     struct ldr_err *err)
{
    if (lines.n == 0)
        return 0;
    if (!r->begun) {
        if (r->fd < 0)
            r->fd = open(r->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (r->fd < 0)
            return io_error(r, err);
        r->begun = true;
        int rc = write_all(r, header, err);
        if (rc)
            return rc;
    }
    return write_all(r, lines, err);
}

int ldr_reject_close(struct ldr_reject_file *r, struct ldr_err *err)
{
    int fd = r->fd;
    r->fd = -1;
    return fd >= 0 && close(fd) != 0 ? io_error(r, err) : 0;
}
