#include "shard/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int(ldr_files_fail)(struct ldr_err *err, const char *what, const char *path, int errnum)
{
    int code = LDR_E_IO;
    if (errnum == ENOENT)
        code = LDR_E_NOT_FOUND;
    else if (errnum == ENOSPC || errnum == EDQUOT)
        code = LDR_E_NOSPACE;
    else if (errnum == ENOMEM)
        code = LDR_E_NOMEM;
    char text[128];
    return ldr_fail(err, code, "%s %s: %s", what, path, strerror_r(errnum, text, sizeof text));
}

char *ldr_files_join(const char *dir, const char *name)
{
    size_t a = strlen(dir), b = strlen(name);
    char *path = ldr_alloc(NULL, a + b + 2);
    if (!path)
        return NULL;
    int n = snprintf(path, a + b + 2, "%s/%s", dir, name);
    LDR_ASSERT(n >= 0 && (size_t)n == a + b + 1);
    return path;
}

int ldr_files_mkdir(const char *path, struct ldr_err *err)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return 0;
    return ldr_files_fail(err, "making folder", path, errno);
}

bool ldr_files_exist(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static int write_all(int fd, struct ldr_slice bytes)
{
    while (bytes.n > 0) {
        ssize_t n = write(fd, bytes.p, bytes.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        bytes = ldr_slice(bytes.p + n, bytes.n - (size_t)n);
    }
    return 0;
}

int ldr_files_replace(const char *path, struct ldr_slice bytes, struct ldr_err *err)
{
    size_t n = strlen(path);
    char *temp = ldr_alloc(NULL, n + 5);
    if (!temp)
        return ldr_fail(err, LDR_E_NOMEM, "writing %s: out of memory", path);
    memcpy(temp, path, n);
    memcpy(temp + n, ".new", 5);
    int rc = 0;
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        rc = ldr_files_fail(err, "writing", temp, errno);
        goto out;
    }
    if (write_all(fd, bytes) != 0 || fsync(fd) != 0)
        rc = ldr_files_fail(err, "writing", temp, errno);
    if (close(fd) != 0 && rc == 0)
        rc = ldr_files_fail(err, "writing", temp, errno);
    if (rc == 0 && rename(temp, path) != 0)
        rc = ldr_files_fail(err, "renaming to", path, errno);
    if (rc) {
        unlink(temp);
        goto out;
    }
    temp[n] = '\0'; /* the folder that holds it */
    char *slash = strrchr(temp, '/');
    if (slash)
        *slash = '\0';
    rc = ldr_files_sync_dir(slash ? temp : ".", err);
out:
    ldr_release(NULL, temp);
    return rc;
}

int ldr_files_read(const char *path, size_t max, struct ldr_buf *out, struct ldr_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ldr_files_fail(err, "reading", path, errno);
    int rc = 0;
    for (size_t total = 0; rc == 0;) {
        uint8_t chunk[1024];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = ldr_files_fail(err, "reading", path, errno);
        if (n <= 0)
            break;
        total += (size_t)n;
        if (total > max)
            rc = ldr_fail(err, LDR_E_TOO_BIG, "reading %s: more than %zu bytes", path, max);
        else if (ldr_buf_put(out, chunk, (size_t)n) != 0)
            rc = ldr_fail(err, out->err, "reading %s: %s", path, ldr_code_text(out->err));
    }
    close(fd);
    return rc;
}

int ldr_files_sync_dir(const char *path, struct ldr_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ldr_files_fail(err, "opening folder", path, errno);
    int rc = fsync(fd) == 0 ? 0 : ldr_files_fail(err, "syncing folder", path, errno);
    close(fd);
    return rc;
}

int ldr_files_lock(const char *path, int *fd, struct ldr_err *err)
{
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0)
        return ldr_files_fail(err, "opening", path, errno);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    int errnum = errno;
    close(*fd);
    *fd = -1;
    if (errnum == EWOULDBLOCK)
        return ldr_fail(err, LDR_E_LOCKED,
                        "%s is held by another opener: one process at a time may use a shard", path);
    return ldr_files_fail(err, "locking", path, errnum);
}

void ldr_files_unlock(int fd)
{
    if (fd < 0)
        return;
    flock(fd, LOCK_UN); /* closing alone would leave it to a child that was forked off meanwhile */
    close(fd);
}

int ldr_files_free(const char *path, uint64_t *bytes, struct ldr_err *err)
{
    struct statvfs v;
    if (statvfs(path, &v) != 0)
        return ldr_files_fail(err, "asking for the free space of", path, errno);
    *bytes = (uint64_t)v.f_bavail * v.f_frsize;
    return 0;
}

uint64_t ldr_files_usage(const char *dir)
{
    uint64_t total = 0;
    DIR *d = opendir(dir);
    if (!d)
        return 0;
    int fd = dirfd(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        struct stat st;
        if (fd >= 0 && fstatat(fd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            total += (uint64_t)st.st_size;
    }
    closedir(d);
    return total;
}

void ldr_files_remove_flat(const char *dir)
{
    DIR *d = opendir(dir);
    if (d) {
        int fd = dirfd(d);
        for (struct dirent *e; fd >= 0 && (e = readdir(d)) != NULL;)
            unlinkat(fd, e->d_name, 0); /* refuses folders, also . and .. */
        closedir(d);
    }
    rmdir(dir);
}
