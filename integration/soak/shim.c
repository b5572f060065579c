/* A preload library whose faults are switched on and off while the process runs (shim.h): slow syncs, writes
 * that fail with EIO, a wall clock that is wrong. libraft writes by io_submit, which goes through syscall().
 */
#include "integration/soak/shim.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static struct shim_page *page; /* NULL: no faults */
static char folder[512];
static struct {
    ssize_t (*write)(int, const void *, size_t);
    ssize_t (*pwrite)(int, const void *, size_t, off_t);
    ssize_t (*writev)(int, const struct iovec *, int);
    int (*fsync)(int);
    int (*fdatasync)(int);
    int (*clock_gettime)(clockid_t, struct timespec *);
    long (*syscall)(long, ...);
} real;

static void *next(const char *name)
{
    void *p = dlsym(RTLD_NEXT, name);
    if (!p)
        abort();
    return p;
}

/* Pointers to functions and to data are of one size wherever dlsym is. */
#define FIND(name)                        \
    do {                                  \
        void *p = next(#name);            \
        memcpy(&real.name, &p, sizeof p); \
    } while (0)

__attribute__((constructor)) static void set_up(void)
{
    const char *file = getenv(SHIM_FILE), *dir = getenv(SHIM_FOLDER);
    FIND(write);
    FIND(pwrite);
    FIND(writev);
    FIND(fsync);
    FIND(fdatasync);
    FIND(clock_gettime);
    FIND(syscall);
    if (!file || !dir || strlen(dir) >= sizeof folder)
        return;
    int fd = open(file, O_RDWR | O_CLOEXEC);
    void *p = fd >= 0 ? mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (fd >= 0)
        close(fd);
    if (p == MAP_FAILED) {
        fprintf(stderr, "shim: %s cannot be mapped\n", file);
        abort();
    }
    memcpy(folder, dir, strlen(dir) + 1);
    page = p;
}

static enum shim_disk disk_of(int fd)
{
    char link[64], path[4096];
    enum shim_disk d = page ? (enum shim_disk)atomic_load(&page->disk) : SHIM_DISK_FINE;
    if (d == SHIM_DISK_FINE)
        return d;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0)
        return SHIM_DISK_FINE;
    path[n] = 0;
    return strncmp(path, folder, strlen(folder)) == 0 ? d : SHIM_DISK_FINE;
}
/* True: the call is to fail. */
static int fails(int fd, int syncs)
{
    int keep = errno;
    enum shim_disk d = disk_of(fd);
    if (d == SHIM_DISK_FAILS || (d == SHIM_DISK_SLOW && syncs))
        atomic_fetch_add(&page->hits, 1);
    if (d == SHIM_DISK_SLOW && syncs) {
        uint32_t ms = atomic_load(&page->slow_ms);
        struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
        nanosleep(&t, NULL);
    }
    errno = d == SHIM_DISK_FAILS ? EIO : keep;
    return d == SHIM_DISK_FAILS;
}

ssize_t write(int fd, const void *p, size_t n)
{
    return fails(fd, 0) ? -1 : real.write(fd, p, n);
}
ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    return fails(fd, 0) ? -1 : real.pwrite(fd, p, n, at);
}
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
    return pwrite(fd, p, n, at);
}
ssize_t writev(int fd, const struct iovec *v, int n)
{
    return fails(fd, 0) ? -1 : real.writev(fd, v, n);
}
int fsync(int fd)
{
    return fails(fd, 1) ? -1 : real.fsync(fd);
}
int fdatasync(int fd)
{
    return fails(fd, 1) ? -1 : real.fdatasync(fd);
}

int clock_gettime(clockid_t clock, struct timespec *t)
{
    int rc = real.clock_gettime(clock, t);
    int64_t shift = page && rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
                        ? atomic_load(&page->shift_us)
                        : 0;
    if (shift) {
        int64_t us = (int64_t)t->tv_sec * 1000000 + t->tv_nsec / 1000 + shift;
        t->tv_sec = us / 1000000;
        t->tv_nsec = us % 1000000 * 1000 + t->tv_nsec % 1000;
    }
    return rc;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone)
{
    struct timespec now;
    (void)zone; /* nobody has set one for decades */
    if (clock_gettime(CLOCK_REALTIME, &now))
        return -1;
    t->tv_sec = now.tv_sec;
    t->tv_usec = now.tv_nsec / 1000;
    return 0;
}

/* Of io_submit(context, n, requests). The loop of a coordinator is held up by a slow write, as it is by a
 * disk that the kernel waits for. */
static int submit_fails(long n, struct iocb **requests)
{
    int failing = 0;
    for (long i = 0; i < n; i++)
        failing |= (requests[i]->aio_lio_opcode == IOCB_CMD_PWRITE ||
                    requests[i]->aio_lio_opcode == IOCB_CMD_PWRITEV) &&
                   fails((int)requests[i]->aio_fildes, 1);
    return failing;
}

long syscall(long number, ...)
{
    long a[6];
    va_list ap;
    va_start(ap, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    if (number == SYS_io_submit && page && atomic_load(&page->disk) != SHIM_DISK_FINE) {
        struct iocb **requests;
        memcpy(&requests, &a[2], sizeof requests);
        if (submit_fails(a[1], requests)) {
            errno = EIO;
            return -1;
        }
    }
    return real.syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
