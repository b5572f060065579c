#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/files.h"
#include "shard/rocks_bulk.h"

#define TABLE_BYTES ((uint64_t)1 << 30) /* a new table is begun beyond it */
#define BATCH_BYTES ((size_t)4 << 20)
#define FRAME_HEAD  8
#define FRAME_MAX   (2 * (size_t)LDR_ROW_MAX + BATCH_BYTES)

char *ldr_bulk_dir(const struct ldr_shard *s)
{
    return ldr_files_join(s->dir, "bulk/load");
}

void ldr_bulk_table_name(char name[LDR_BULK_NAME], enum ldr_cf cf, uint32_t part, uint32_t i)
{
    snprintf(name, LDR_BULK_NAME, "%s-%u-%u.sst", cf == LDR_CF_HISTORY ? "history" : "latest", part, i);
}

void ldr_bulk_batch_name(char name[LDR_BULK_NAME], uint32_t part)
{
    if (part == LDR_BULK_PARTS_MAX)
        snprintf(name, LDR_BULK_NAME, "log.batch");
    else
        snprintf(name, LDR_BULK_NAME, "part-%u.batch", part);
}

/* ---- tables ---- */

static int table_begin(struct ldr_bulk_tables *t, struct ldr_err *err)
{
    char name[LDR_BULK_NAME], *text = NULL;
    ldr_bulk_table_name(name, t->cf, t->part, t->n);
    char *path = ldr_files_join(t->dir, name);
    if (!path)
        return ldr_fail(err, LDR_E_NOMEM, "writing a table: out of memory");
    if (!t->env)
        t->env = rocksdb_envoptions_create();
    t->writer = rocksdb_sstfilewriter_create(t->env, t->opts);
    rocksdb_sstfilewriter_open(t->writer, path, &text);
    ldr_release(NULL, path);
    t->n++;
    t->bytes = 0;
    return ldr_rocks_fail(err, "beginning a table", text);
}

int ldr_bulk_tables_put(struct ldr_bulk_tables *t, struct ldr_slice key, struct ldr_slice value,
                        struct ldr_err *err)
{
    char *text = NULL;
    if (t->writer && t->bytes > TABLE_BYTES) {
        int rc = ldr_bulk_tables_finish(t, err);
        if (rc)
            return rc;
    }
    if (!t->writer) {
        int rc = table_begin(t, err);
        if (rc)
            return rc;
    }
    t->bytes += key.n + value.n;
    rocksdb_sstfilewriter_put(t->writer, (const char *)key.p, key.n, (const char *)value.p, value.n, &text);
    return text ? ldr_rocks_fail(err, "writing a table", text) : 0;
}

int ldr_bulk_tables_finish(struct ldr_bulk_tables *t, struct ldr_err *err)
{
    char *text = NULL;
    if (!t->writer)
        return 0;
    rocksdb_sstfilewriter_finish(t->writer, &text); /* syncs it */
    rocksdb_sstfilewriter_destroy(t->writer);
    t->writer = NULL;
    return ldr_rocks_fail(err, "finishing a table", text);
}

void ldr_bulk_tables_close(struct ldr_bulk_tables *t)
{
    if (t->writer)
        rocksdb_sstfilewriter_destroy(t->writer);
    if (t->env)
        rocksdb_envoptions_destroy(t->env);
    t->writer = NULL;
    t->env = NULL;
}

/* ---- batches ---- */

rocksdb_writebatch_t *ldr_bulk_batches_get(struct ldr_bulk_batches *b)
{
    if (!b->batch)
        b->batch = rocksdb_writebatch_create();
    return b->batch;
}

static int write_all(int fd, const void *p, size_t n)
{
    for (const char *at = p; n > 0;) {
        ssize_t w = write(fd, at, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0)
            return -1;
        at += w;
        n -= (size_t)w;
    }
    return 0;
}

static int write_frame(struct ldr_bulk_batches *b, struct ldr_err *err)
{
    char name[LDR_BULK_NAME];
    ldr_bulk_batch_name(name, b->part);
    if (!b->fd_plus_1) {
        char *path = ldr_files_join(b->dir, name);
        if (!path)
            return ldr_fail(err, LDR_E_NOMEM, "writing a batch: out of memory");
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        int rc = fd < 0 ? ldr_files_fail(err, "writing", path, errno) : 0;
        ldr_release(NULL, path);
        if (rc)
            return rc;
        b->fd_plus_1 = fd + 1;
    }
    size_t n;
    const char *bytes = rocksdb_writebatch_data(b->batch, &n);
    LDR_ASSERT(n <= FRAME_MAX);
    uint8_t head[FRAME_HEAD];
    ldr_put_le32(head, ldr_check32(bytes, n));
    ldr_put_le32(head + 4, (uint32_t)n);
    int fd = b->fd_plus_1 - 1;
    if (write_all(fd, head, sizeof head) != 0 || write_all(fd, bytes, n) != 0)
        return ldr_files_fail(err, "writing", name, errno);
    rocksdb_writebatch_clear(b->batch);
    return 0;
}

int ldr_bulk_batches_pace(struct ldr_bulk_batches *b, struct ldr_err *err)
{
    size_t n = 0;
    if (b->batch)
        rocksdb_writebatch_data(b->batch, &n);
    return n > BATCH_BYTES ? write_frame(b, err) : 0;
}

int ldr_bulk_batches_finish(struct ldr_bulk_batches *b, struct ldr_err *err)
{
    int rc = 0;
    if (b->batch && rocksdb_writebatch_count(b->batch) > 0)
        rc = write_frame(b, err);
    if (rc == 0 && b->fd_plus_1 && b->sync && fsync(b->fd_plus_1 - 1) != 0)
        rc = ldr_files_fail(err, "syncing", "a batch of a load", errno);
    return rc;
}

void ldr_bulk_batches_close(struct ldr_bulk_batches *b)
{
    if (b->batch)
        rocksdb_writebatch_destroy(b->batch);
    if (b->fd_plus_1)
        close(b->fd_plus_1 - 1);
    b->batch = NULL;
    b->fd_plus_1 = 0;
}

static int read_all(int fd, void *p, size_t n)
{
    for (char *at = p; n > 0;) {
        ssize_t r = read(fd, at, n);
        if (r < 0 && errno == EINTR)
            continue;
        if (r <= 0)
            return -1;
        at += r;
        n -= (size_t)r;
    }
    return 0;
}

/* Reads one frame's batch into bytes. */
static int read_frame(int fd, uint64_t *left, struct ldr_buf *bytes)
{
    uint8_t head[FRAME_HEAD];
    if (*left < sizeof head || read_all(fd, head, sizeof head) != 0)
        return LDR_E_CORRUPT;
    *left -= sizeof head;
    uint32_t n = ldr_get_le32(head + 4);
    if (n > FRAME_MAX || *left < n)
        return LDR_E_CORRUPT;
    *left -= n;
    ldr_buf_reset(bytes);
    uint8_t *p = ldr_buf_reserve(bytes, n);
    if (!p)
        return bytes->err;
    bytes->n = n;
    return read_all(fd, p, n) == 0 && ldr_check32(p, n) == ldr_get_le32(head) ? 0 : LDR_E_CORRUPT;
}

static int apply_bytes(struct ldr_shard *s, const struct ldr_buf *bytes, struct ldr_err *err)
{
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create_from((const char *)bytes->p, bytes->n);
    int rc = ldr_write_commit(s, batch, "finishing a load", err);
    rocksdb_writebatch_destroy(batch);
    return rc;
}

int ldr_bulk_batches_apply(struct ldr_shard *s, const char *dir, uint32_t part, struct ldr_err *err)
{
    char name[LDR_BULK_NAME];
    ldr_bulk_batch_name(name, part);
    char *path = ldr_files_join(dir, name);
    if (!path)
        return ldr_fail(err, LDR_E_NOMEM, "finishing a load: out of memory");
    struct ldr_buf bytes;
    struct stat st;
    ldr_buf_init(&bytes, NULL, FRAME_MAX);
    int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0)
        rc = ldr_files_fail(err, "reading", path, errno);
    uint64_t left = rc ? 0 : (uint64_t)st.st_size;
    while (rc == 0 && left > 0) {
        rc = read_frame(fd, &left, &bytes);
        rc = rc ? ldr_fail(err, rc, "%s: %s", path, ldr_code_text(rc)) : apply_bytes(s, &bytes, err);
    }
    if (fd >= 0)
        close(fd);
    ldr_buf_close(&bytes);
    ldr_release(NULL, path);
    return rc;
}
