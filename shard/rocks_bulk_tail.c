/* The ends of a load's tables, as they were written. RocksDB notes in a table, at its end and in place, from
 * which moment on it counts, before that is certain; a table with such a note is not taken a second time. So
 * a load that is to be finished after a crash first puts back what was there. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/files.h"
#include "shard/rocks_bulk.h"

#define TAIL_NAME  "tables.tail"
#define TAIL_BYTES 8192 /* properties, index of blocks and footer are about 2 KB */
#define FILE_MAX   ((size_t)64 << 20)

/* File: u32 check of the rest; for each table u64 size, then its last bytes (TAIL_BYTES, or all when it is
 * smaller). */

static size_t tail_of(uint64_t size)
{
    return size < TAIL_BYTES ? (size_t)size : TAIL_BYTES;
}

static int fail_memory(struct ldr_err *err, int code)
{
    return ldr_fail(err, code, "keeping the ends of a load's tables: %s", ldr_code_text(code));
}

static int save_one(const char *path, struct ldr_buf *out, struct ldr_err *err)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int rc = ldr_files_fail(err, "reading", path, errno);
        if (fd >= 0)
            close(fd);
        return rc;
    }
    size_t n = tail_of((uint64_t)st.st_size);
    ldr_buf_u64(out, (uint64_t)st.st_size);
    uint8_t *p = ldr_buf_reserve(out, n);
    int rc = 0;
    if (!p)
        rc = fail_memory(err, out->err);
    else if (pread(fd, p, n, st.st_size - (off_t)n) != (ssize_t)n)
        rc = ldr_files_fail(err, "reading", path, errno ? errno : EIO);
    else
        out->n += n;
    close(fd);
    return rc;
}

static int restore_one(const char *path, struct ldr_slice tail, uint64_t size, struct ldr_err *err)
{
    struct stat st;
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int rc = 0;
    if (fd < 0 || fstat(fd, &st) != 0)
        rc = ldr_files_fail(err, "opening", path, errno);
    else if ((uint64_t)st.st_size != size)
        rc = ldr_fail(err, LDR_E_CORRUPT, "%s has not the size it was written with", path);
    else if (pwrite(fd, tail.p, tail.n, (off_t)(size - tail.n)) != (ssize_t)tail.n)
        rc = ldr_files_fail(err, "writing", path, errno ? errno : EIO);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* Calls fn for each table of the plan, always in the same order. */
static int each_table(const struct ldr_bulk_plan *plan, const char *dir,
                      int (*fn)(void *ctx, const char *path, struct ldr_err *err), void *ctx,
                      struct ldr_err *err)
{
    static const enum ldr_cf families[] = {LDR_CF_HISTORY, LDR_CF_LATEST};
    int rc = 0;
    for (int f = 0; f < 2; f++)
        for (uint32_t i = 0; i < plan->nparts; i++) {
            uint32_t n = f == 0 ? plan->part[i].history : plan->part[i].latest;
            for (uint32_t k = 0; k < n && rc == 0; k++) {
                char name[LDR_BULK_NAME];
                ldr_bulk_table_name(name, families[f], i, k);
                char *path = ldr_files_join(dir, name);
                rc = path ? fn(ctx, path, err) : fail_memory(err, LDR_E_NOMEM);
                ldr_release(NULL, path);
            }
        }
    return rc;
}

static int save_next(void *ctx, const char *path, struct ldr_err *err)
{
    return save_one(path, ctx, err);
}

int ldr_bulk_tails_save(const struct ldr_bulk_plan *plan, const char *dir, struct ldr_err *err)
{
    struct ldr_buf bytes;
    ldr_buf_init(&bytes, NULL, FILE_MAX);
    ldr_buf_u32(&bytes, 0);
    int rc = each_table(plan, dir, save_next, &bytes, err);
    char *path = ldr_files_join(dir, TAIL_NAME);
    if (rc == 0 && (!path || bytes.err))
        rc = fail_memory(err, bytes.err ? bytes.err : LDR_E_NOMEM);
    if (rc == 0) {
        ldr_put_le32(bytes.p, ldr_check32(bytes.p + 4, bytes.n - 4));
        rc = ldr_files_replace(path, ldr_buf_slice(&bytes), err);
    }
    ldr_release(NULL, path);
    ldr_buf_close(&bytes);
    return rc;
}

struct restoring {
    struct ldr_cursor c;
    bool (*waits)(void *ctx, const char *path);
    void *ctx;
};
static int restore_next(void *ctx, const char *path, struct ldr_err *err)
{
    struct restoring *r = ctx;
    uint64_t size = ldr_cursor_u64(&r->c);
    struct ldr_slice tail = ldr_cursor_take(&r->c, tail_of(size));
    if (r->c.err)
        return ldr_fail(err, LDR_E_CORRUPT, "the ends of a load's tables are cut off");
    return r->waits(r->ctx, path) ? restore_one(path, tail, size, err) : 0;
}

int ldr_bulk_tails_restore(const struct ldr_bulk_plan *plan, const char *dir,
                           bool (*waits)(void *ctx, const char *path), void *ctx, struct ldr_err *err)
{
    struct ldr_buf bytes;
    ldr_buf_init(&bytes, NULL, FILE_MAX);
    char *path = ldr_files_join(dir, TAIL_NAME);
    int rc = path ? ldr_files_read(path, FILE_MAX, &bytes, err) : fail_memory(err, LDR_E_NOMEM);
    if (rc == 0 && (bytes.n < 4 || ldr_check32(bytes.p + 4, bytes.n - 4) != ldr_get_le32(bytes.p)))
        rc = ldr_fail(err, LDR_E_CORRUPT, "%s fails its checksum", path);
    if (rc == 0) {
        struct restoring r = {ldr_cursor(ldr_slice(bytes.p + 4, bytes.n - 4)), waits, ctx};
        rc = each_table(plan, dir, restore_next, &r, err);
    }
    ldr_release(NULL, path);
    ldr_buf_close(&bytes);
    return rc;
}
