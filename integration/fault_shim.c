/* A preload library that makes the disk fail. LARDER_SHIM="CALL:N:ERROR[:sticky]" with CALL one of write
 * fsync open rename any, N the first call to fail (counted over files below LARDER_SHIM_DIR), ERROR one of
 * ENOSPC EIO SHORT. SHORT writes half and then reports ENOSPC. Without "sticky" one call fails.
 * LARDER_SHIM_COUNT=FILE writes how many calls there were. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;
static char call_name[16], error_name[16], root[4096];
static long first_fail;
static int sticky;

__attribute__((constructor)) static void set_up(void)
{
    const char *spec = getenv("LARDER_SHIM"), *dir = getenv("LARDER_SHIM_DIR");
    char tail[16] = "";
    if (spec && dir &&
        sscanf(spec, "%15[^:]:%ld:%15[^:]:%15s", call_name, &first_fail, error_name, tail) >= 3) {
        sticky = strcmp(tail, "sticky") == 0;
        snprintf(root, sizeof root, "%s", dir);
    }
}

__attribute__((destructor)) static void tear_down(void)
{
    const char *path = getenv("LARDER_SHIM_COUNT");
    FILE *f = path ? fopen(path, "w") : NULL;
    if (f) {
        fprintf(f, "%ld\n", atomic_load(&calls));
        fclose(f);
    }
}

static int below_root(const char *path)
{
    return root[0] && path && strncmp(path, root, strlen(root)) == 0;
}

static int fd_below_root(int fd)
{
    char link[64], path[4096];
    if (!root[0])
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return 0;
    path[n] = 0;
    return below_root(path);
}

/* 0, or the errno to fail with */
static int fails(const char *what)
{
    if (strcmp(call_name, what) != 0 && strcmp(call_name, "any") != 0)
        return 0;
    long n = atomic_fetch_add(&calls, 1) + 1;
    if (n != first_fail && !(sticky && n > first_fail))
        return 0;
    return strcmp(error_name, "EIO") == 0 ? EIO : ENOSPC;
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

#define SHORT_ASKED (strcmp(error_name, "SHORT") == 0)

ssize_t write(int fd, const void *p, size_t n)
{
    ssize_t (*real)(int, const void *, size_t) = (ssize_t(*)(int, const void *, size_t))next("write");
    int e = fd_below_root(fd) ? fails("write") : 0;
    if (!e)
        return real(fd, p, n);
    if (SHORT_ASKED && n > 1)
        return real(fd, p, n / 2);
    errno = e;
    return -1;
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    ssize_t (*real)(int, const void *, size_t, off_t) =
        (ssize_t(*)(int, const void *, size_t, off_t))next("pwrite");
    int e = fd_below_root(fd) ? fails("write") : 0;
    if (!e)
        return real(fd, p, n, at);
    errno = e;
    return -1;
}

ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    return pwrite(fd, p, n, at);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
    ssize_t (*real)(int, const struct iovec *, int) =
        (ssize_t(*)(int, const struct iovec *, int))next("writev");
    int e = fd_below_root(fd) ? fails("write") : 0;
    if (!e)
        return real(fd, v, n);
    errno = e;
    return -1;
}

static int sync_call(const char *name, int fd)
{
    int (*real)(int) = (int (*)(int))next(name);
    int e = fd_below_root(fd) ? fails("fsync") : 0;
    if (!e)
        return real(fd);
    errno = e;
    return -1;
}

int fsync(int fd)
{
    return sync_call("fsync", fd);
}

int fdatasync(int fd)
{
    return sync_call("fdatasync", fd);
}

int sync_file_range(int fd, off64_t from, off64_t n, unsigned flags)
{
    int (*real)(int, off64_t, off64_t, unsigned) =
        (int (*)(int, off64_t, off64_t, unsigned))next("sync_file_range");
    return real(fd, from, n, flags);
}

static int open_mode(const char *name, const char *path, int flags, mode_t mode)
{
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))next(name);
    int e = (flags & (O_CREAT | O_WRONLY | O_RDWR)) && below_root(path) ? fails("open") : 0;
    if (!e)
        return real(path, flags, mode);
    errno = e;
    return -1;
}

int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return open_mode("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return open_mode("open64", path, flags, mode);
}

int rename(const char *from, const char *to)
{
    int (*real)(const char *, const char *) = (int (*)(const char *, const char *))next("rename");
    int e = below_root(from) ? fails("rename") : 0;
    if (!e)
        return real(from, to);
    errno = e;
    return -1;
}
