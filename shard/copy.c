/* Files of a copy, apart from RocksDB: listing, reading, receiving. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/files.h"
#include "shard/marker.h"
#include "shard/shard.h"

#define NAME_MAX_BYTES 200
#define DB             "db/"

static bool plain(struct ldr_slice name)
{
    if (name.n == 0 || name.n > NAME_MAX_BYTES || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        uint8_t c = name.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '.' &&
            c != '-' && c != '_')
            return false;
    }
    return true;
}

bool ldr_copy_name_valid(struct ldr_slice name)
{
    size_t head = sizeof DB - 1;
    if (ldr_slice_eq(name, ldr_slice_str(LDR_MARKER_NAME)))
        return true;
    return name.n > head && memcmp(name.p, DB, head) == 0 && plain(ldr_slice(name.p + head, name.n - head));
}

static char *path_of(const char *dir, const char *name, struct ldr_err *err)
{
    if (!ldr_copy_name_valid(ldr_slice_str(name))) {
        ldr_fail(err, LDR_E_INVALID, "not a name of a file in a copy");
        return NULL;
    }
    char *path = ldr_files_join(dir, name);
    if (!path)
        ldr_fail(err, LDR_E_NOMEM, "files of a copy: out of memory");
    return path;
}

static int code_of(const struct ldr_err *err)
{
    return err->code;
}

static int tell(const char *dir, const char *name, int (*fn)(void *ctx, const char *name, uint64_t size),
                void *ctx, struct ldr_err *err)
{
    struct stat st;
    char *path = path_of(dir, name, err);
    if (!path)
        return code_of(err);
    int rc = stat(path, &st) == 0 ? 0 : ldr_files_fail(err, "looking at", path, errno);
    ldr_release(NULL, path);
    return rc ? rc : fn(ctx, name, (uint64_t)st.st_size);
}

int ldr_copy_files(const char *dir, int (*fn)(void *ctx, const char *name, uint64_t size), void *ctx,
                   struct ldr_err *err)
{
    struct ldr_err own;
    err = err ? err : &own;
    ldr_err_clear(err);
    char *db = ldr_files_join(dir, "db");
    if (!db)
        return ldr_fail(err, LDR_E_NOMEM, "files of a copy: out of memory");
    DIR *d = opendir(db);
    int rc = d ? 0 : ldr_files_fail(err, "opening folder", db, errno);
    while (rc == 0) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (!e) {
            rc = errno ? ldr_files_fail(err, "reading folder", db, errno) : 0;
            break;
        }
        if (e->d_name[0] == '.' || strcmp(e->d_name, "LOCK") == 0)
            continue;
        char name[sizeof DB + sizeof e->d_name];
        snprintf(name, sizeof name, DB "%s", e->d_name);
        rc = tell(dir, name, fn, ctx, err);
    }
    if (d)
        closedir(d);
    ldr_release(NULL, db);
    return rc ? rc : tell(dir, LDR_MARKER_NAME, fn, ctx, err);
}

int ldr_copy_read(const char *dir, const char *name, uint64_t offset, size_t n, struct ldr_buf *out,
                  struct ldr_err *err)
{
    struct ldr_err own;
    err = err ? err : &own;
    ldr_err_clear(err);
    char *path = path_of(dir, name, err);
    if (!path)
        return code_of(err);
    int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        rc = ldr_files_fail(err, "reading", path, errno);
    else if (offset > (uint64_t)st.st_size || n > (uint64_t)st.st_size - offset)
        rc = ldr_fail(err, LDR_E_INVALID, "%s has %llu bytes", path, (unsigned long long)st.st_size);
    uint8_t *p = rc ? NULL : ldr_buf_reserve(out, n);
    if (rc == 0 && !p)
        rc = ldr_fail(err, out->err, "reading %s: %s", path, ldr_code_text(out->err));
    for (size_t got = 0; rc == 0 && got < n;) {
        ssize_t k = pread(fd, p + got, n - got, (off_t)(offset + got));
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            rc = ldr_files_fail(err, "reading", path, k < 0 ? errno : EIO);
        else
            got += (size_t)k;
    }
    if (rc == 0)
        out->n += n;
    if (fd >= 0)
        close(fd);
    ldr_release(NULL, path);
    return rc;
}

int ldr_copy_receive(const char *dir, struct ldr_err *err)
{
    ldr_err_clear(err);
    ldr_copy_remove(dir);
    char *db = ldr_files_join(dir, "db");
    if (!db)
        return ldr_fail(err, LDR_E_NOMEM, "files of a copy: out of memory");
    int rc = ldr_files_mkdir(dir, err);
    if (rc == 0)
        rc = ldr_files_mkdir(db, err);
    ldr_release(NULL, db);
    return rc;
}

int ldr_copy_put(const char *dir, const char *name, uint64_t offset, struct ldr_slice bytes,
                 struct ldr_err *err)
{
    struct ldr_err own;
    err = err ? err : &own;
    ldr_err_clear(err);
    char *path = path_of(dir, name, err);
    if (!path)
        return code_of(err);
    int rc = 0, fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        rc = ldr_files_fail(err, "writing", path, errno);
    for (size_t done = 0; rc == 0 && done < bytes.n;) {
        ssize_t k = pwrite(fd, bytes.p + done, bytes.n - done, (off_t)(offset + done));
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            rc = ldr_files_fail(err, "writing", path, errno);
        else
            done += (size_t)k;
    }
    if (fd >= 0 && close(fd) != 0 && rc == 0)
        rc = ldr_files_fail(err, "writing", path, errno);
    ldr_release(NULL, path);
    return rc;
}

struct finishing {
    const char *dir;
    struct ldr_err *err;
};
static int sync_file(void *ctx, const char *name, uint64_t size)
{
    const struct finishing *x = ctx;
    (void)size;
    char *path = path_of(x->dir, name, x->err);
    if (!path)
        return code_of(x->err);
    int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0)
        rc = ldr_files_fail(x->err, "syncing", path, errno);
    if (fd >= 0)
        close(fd);
    ldr_release(NULL, path);
    return rc;
}

/* The folder that holds dir. */
static int sync_above(const char *dir, struct ldr_err *err)
{
    const char *slash = strrchr(dir, '/');
    size_t n = slash ? (size_t)(slash - dir) : 0;
    char *above = ldr_alloc(NULL, n + 2);
    if (!above)
        return ldr_fail(err, LDR_E_NOMEM, "files of a copy: out of memory");
    memcpy(above, slash ? dir : ".", slash ? n : 1);
    above[slash ? n : 1] = '\0';
    int rc = ldr_files_sync_dir(n || !slash ? above : "/", err);
    ldr_release(NULL, above);
    return rc;
}

int ldr_copy_finish(const char *dir, struct ldr_err *err)
{
    struct ldr_err own;
    struct finishing x = {dir, err ? err : &own};
    int rc = ldr_copy_files(dir, sync_file, &x, x.err);
    char *db = ldr_files_join(dir, "db");
    if (rc == 0 && !db)
        rc = ldr_fail(x.err, LDR_E_NOMEM, "files of a copy: out of memory");
    if (rc == 0)
        rc = ldr_files_sync_dir(db, x.err);
    if (rc == 0)
        rc = ldr_files_sync_dir(dir, x.err);
    if (rc == 0)
        rc = sync_above(dir, x.err);
    ldr_release(NULL, db);
    return rc;
}

void ldr_copy_remove(const char *dir)
{
    /* db.tmp: a checkpoint in the making, left by a process that was killed meanwhile */
    static const char *const inside[] = {"bulk/load", "bulk", "db", "db.tmp"};
    /* Without its marker nobody takes what is left for a shard. */
    char *marker = ldr_files_join(dir, LDR_MARKER_NAME);
    if (marker)
        unlink(marker);
    ldr_release(NULL, marker);
    for (size_t i = 0; i < sizeof inside / sizeof inside[0]; i++) {
        char *path = ldr_files_join(dir, inside[i]);
        if (path)
            ldr_files_remove_flat(path);
        ldr_release(NULL, path);
    }
    ldr_files_remove_flat(dir);
}
