#include "client/disk/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_CHUNK (1u << 20) /* also the unit of the chained hash: never change it */

int(ldr_file_fail)(struct ldr_err *err, int errnum, const char *what, const char *path)
{
    int code = LDR_E_IO;
    if (errnum == ENOSPC || errnum == EDQUOT)
        code = LDR_E_NOSPACE;
    else if (errnum == ENOMEM)
        code = LDR_E_NOMEM;
    else if (errnum == ENOENT)
        code = LDR_E_NOT_FOUND;
    char text[128];
    return ldr_fail(err, code, "%s %s: %s", what, path, strerror_r(errnum, text, sizeof text));
}

char *ldr_path_join(const char *dir, const char *name)
{
    char *out;
    return asprintf(&out, "%s/%s", dir, name) < 0 ? NULL : out;
}

char *ldr_path_number(const char *dir, const char *name, uint64_t n)
{
    char *out;
    return asprintf(&out, "%s/%s/%llu", dir, name, (unsigned long long)n) < 0 ? NULL : out;
}

int ldr_file_read(const char *path, size_t max, struct ldr_buf *out, struct ldr_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ldr_file_fail(err, errno, "cannot open", path);
    int rc = 0;
    size_t total = 0;
    for (;;) {
        uint8_t *p = ldr_buf_reserve(out, 65536);
        if (!p) {
            rc = ldr_fail(err, out->err, "cannot read %s: out of memory", path);
            break;
        }
        ssize_t n = read(fd, p, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            rc = ldr_file_fail(err, errno, "cannot read", path);
            break;
        }
        if (n == 0)
            break;
        total += (size_t)n;
        if (total > max) {
            rc = ldr_fail(err, LDR_E_TOO_BIG, "%s is larger than %zu bytes", path, max);
            break;
        }
        out->n += (size_t)n;
    }
    close(fd);
    return rc;
}

int ldr_file_write_all(int fd, const void *p, size_t n, uint64_t at)
{
    const uint8_t *b = p;
    while (n) {
        ssize_t w = pwrite(fd, b, n, (off_t)at);
        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            return w < 0 ? errno : EIO;
        b += w;
        n -= (size_t)w;
        at += (uint64_t)w;
    }
    return 0;
}

int ldr_dir_sync(const char *path, struct ldr_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ldr_file_fail(err, errno, "cannot open", path);
    int rc = fsync(fd) ? ldr_file_fail(err, errno, "cannot sync", path) : 0;
    close(fd);
    return rc;
}

int ldr_dir_sync_parent(const char *path, struct ldr_err *err)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return ldr_dir_sync(".", err);
    if (slash == path)
        return ldr_dir_sync("/", err);
    char *dir = strndup(path, (size_t)(slash - path));
    if (!dir)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int rc = ldr_dir_sync(dir, err);
    free(dir);
    return rc;
}

int ldr_file_replace(const char *path, struct ldr_slice bytes, bool sync, struct ldr_err *err)
{
    char *temp;
    if (asprintf(&temp, "%s.tmp", path) < 0)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int rc = 0, fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        rc = ldr_file_fail(err, errno, "cannot create", temp);
        goto out;
    }
    int e = ldr_file_write_all(fd, bytes.p, bytes.n, 0);
    if (!e && sync && fsync(fd))
        e = errno;
    if (close(fd) && !e)
        e = errno;
    if (!e && rename(temp, path))
        e = errno;
    if (e) {
        rc = ldr_file_fail(err, e, "cannot write", temp);
        unlink(temp);
        goto out;
    }
    if (sync)
        rc = ldr_dir_sync_parent(path, err);
out:
    free(temp);
    return rc;
}

int ldr_dir_make(const char *path, struct ldr_err *err)
{
    if (mkdir(path, 0777) == 0)
        return 0;
    int e = errno;
    struct stat st;
    if (e == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return 0;
    return ldr_file_fail(err, e, "cannot create the folder", path);
}

/* Reads what is left of `from` in chunks, hashes it, and writes it to `to` (-1 = nowhere). 0 or errno. */
static int pump(int from, int to, uint64_t *hash, uint64_t *size)
{
    uint8_t *chunk = malloc(COPY_CHUNK);
    if (!chunk)
        return ENOMEM;
    uint64_t h = 0, total = 0;
    int e = 0;
    for (bool end = false; !end && !e;) {
        size_t n = 0;
        while (n < COPY_CHUNK) { /* whole chunks, so that the hash does not depend on how read() splits */
            ssize_t r = read(from, chunk + n, COPY_CHUNK - n);
            if (r < 0 && errno == EINTR)
                continue;
            if (r < 0)
                e = errno;
            end = r == 0;
            if (r <= 0)
                break;
            n += (size_t)r;
        }
        if (e || n == 0)
            break;
        h = ldr_hash64_seed(chunk, n, h);
        if (to >= 0)
            e = ldr_file_write_all(to, chunk, n, total);
        total += n;
    }
    free(chunk);
    if (hash)
        *hash = h;
    if (size)
        *size = total;
    return e;
}

int ldr_file_hash(const char *path, uint64_t *hash, uint64_t *size, struct ldr_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ldr_file_fail(err, errno, "cannot open", path);
    int e = pump(fd, -1, hash, size);
    close(fd);
    return e ? ldr_file_fail(err, e, "cannot read", path) : 0;
}

int ldr_file_copy(const char *from, const char *to, bool sync, uint64_t *hash, uint64_t *size,
                  struct ldr_err *err)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    if (in < 0)
        return ldr_file_fail(err, errno, "cannot open", from);
    int rc = 0, out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (out < 0) {
        rc = ldr_file_fail(err, errno, "cannot create", to);
        goto close_in;
    }
    int e = pump(in, out, hash, size);
    if (!e && sync && fsync(out))
        e = errno;
    if (close(out) && !e)
        e = errno;
    if (e)
        rc = ldr_file_fail(err, e, "cannot copy to", to);
close_in:
    close(in);
    return rc;
}
