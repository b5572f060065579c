/* The output file: written beside its place, renamed when complete. */
#include "client/output_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int io_error(const struct ldr_output_file *o, struct ldr_err *err)
{
    return ldr_fail(err, errno == ENOSPC ? LDR_E_NOSPACE : LDR_E_IO, "%s: %s", o->path, strerror(errno));
}

static char *print_name(const char *target, int number)
{
    size_t n = strlen(target) + 48;
    char *text = ldr_alloc(NULL, n);
    if (text)
        snprintf(text, n, "%s.%ld-%d.part", target, (long)getpid(), number);
    return text;
}

/* A new file beside the target, with the permissions that the target has or would get. */
static int open_temp(struct ldr_output_file *o, const struct stat *old, struct ldr_err *err)
{
    for (int i = 0; i < 100; i++) {
        ldr_release(NULL, o->temp);
        o->temp = print_name(o->target, i);
        if (!o->temp)
            return ldr_fail(err, LDR_E_NOMEM, "out of memory");
        o->fd = open(o->temp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (o->fd >= 0 || errno != EEXIST)
            break;
    }
    if (o->fd < 0) {
        int rc = io_error(o, err);
        ldr_release(NULL, o->temp);
        o->temp = NULL; /* not ours to remove */
        return rc;
    }
    o->own_fd = true;
    if (old && fchmod(o->fd, old->st_mode & 07777) != 0)
        return io_error(o, err);
    return 0;
}

int ldr_output_open(struct ldr_output_file *o, const char *path, struct ldr_err *err)
{
    *o = (struct ldr_output_file){.path = path, .fd = -1};
    if (!path || strcmp(path, "-") == 0) {
        o->path = "standard output";
        o->fd = STDOUT_FILENO;
        return 0;
    }
    struct stat st;
    bool there = stat(path, &st) == 0;
    if (there && S_ISDIR(st.st_mode))
        return ldr_fail(err, LDR_E_INVALID, "%s: is a folder, expected a file", path);
    if (there && !S_ISREG(st.st_mode)) {
        o->fd = open(path, O_WRONLY | O_CLOEXEC);
        o->own_fd = true;
        return o->fd >= 0 ? 0 : io_error(o, err);
    }
    char *real = there ? realpath(path, NULL) : NULL; /* through links, so that the link stays */
    const char *target = real ? real : path;
    size_t n = strlen(target) + 1;
    o->target = ldr_alloc(NULL, n);
    if (o->target)
        memcpy(o->target, target, n);
    free(real);
    if (!o->target)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    return open_temp(o, there ? &st : NULL, err);
}

int ldr_output_write(struct ldr_output_file *o, struct ldr_slice s, struct ldr_err *err)
{
    while (s.n) {
        ssize_t n = write(o->fd, s.p, s.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_error(o, err);
        s = ldr_slice(s.p + n, s.n - (size_t)n);
    }
    return 0;
}

int ldr_output_commit(struct ldr_output_file *o, struct ldr_err *err)
{
    if (o->own_fd) {
        int fd = o->fd;
        o->fd = -1;
        o->own_fd = false;
        if (close(fd) != 0)
            return io_error(o, err);
    }
    if (o->temp) {
        if (rename(o->temp, o->target) != 0)
            return io_error(o, err);
        ldr_release(NULL, o->temp);
        o->temp = NULL;
    }
    return 0;
}

void ldr_output_close(struct ldr_output_file *o)
{
    if (o->own_fd)
        close(o->fd);
    if (o->temp)
        unlink(o->temp);
    ldr_release(NULL, o->temp);
    ldr_release(NULL, o->target);
    *o = (struct ldr_output_file){.fd = -1};
}
