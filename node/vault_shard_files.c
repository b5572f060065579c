/* Small files of the storage, replaced as a whole: u32 check of the rest, u32 version, body. And the notes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/vault_shard_impl.h"

#define FILE_VERSION 1
#define FILE_BYTES   ((size_t)LDR_SNAPSHOT_MAX + (1u << 20))
#define NOTES        "notes"

static int file_fail(struct ldr_err *err, const char *what, const char *path)
{
    int e = errno, code = e == ENOENT                  ? LDR_E_NOT_FOUND
                          : e == ENOSPC || e == EDQUOT ? LDR_E_NOSPACE
                                                       : LDR_E_IO;
    char text[128];
    return ldr_fail(err, code, "%s %s: %s", what, path, strerror_r(e, text, sizeof text));
}

char *vfile_join(const char *dir, const char *name)
{
    size_t n = strlen(dir) + strlen(name) + 2;
    char *path = ldr_alloc(NULL, n);
    if (path)
        snprintf(path, n, "%s/%s", dir, name);
    return path;
}

bool vfile_exists(const char *dir, const char *name)
{
    struct stat st;
    char *path = vfile_join(dir, name);
    bool there = path && stat(path, &st) == 0;
    ldr_release(NULL, path);
    return there;
}

int vfile_mkdir(const char *path, struct ldr_err *err)
{
    return mkdir(path, 0777) == 0 || errno == EEXIST ? 0 : file_fail(err, "making folder", path);
}

static int sync_parent(const char *path, struct ldr_err *err)
{
    char *dir = vfile_join(path, "..");
    if (!dir)
        return ldr_fail(err, LDR_E_NOMEM, "syncing a folder: out of memory");
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = fd >= 0 && fsync(fd) == 0 ? 0 : file_fail(err, "syncing", dir);
    if (fd >= 0)
        close(fd);
    ldr_release(NULL, dir);
    return rc;
}

/* Of folders. */
int vfile_rename(const char *from, const char *to, struct ldr_err *err)
{
    return rename(from, to) == 0 ? sync_parent(to, err) : file_fail(err, "renaming", from);
}

int vfile_lock(const char *dir, int *fd, struct ldr_err *err)
{
    char *path = vfile_join(dir, "LOCK");
    if (!path)
        return ldr_fail(err, LDR_E_NOMEM, "locking %s: out of memory", dir);
    int rc = 0;
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0)
        rc = file_fail(err, "opening", path);
    else if (flock(*fd, LOCK_EX | LOCK_NB) != 0)
        rc = errno == EWOULDBLOCK
                 ? ldr_fail(err, LDR_E_LOCKED, "%s is in use by another process: one node a folder", dir)
                 : file_fail(err, "locking", path);
    ldr_release(NULL, path);
    return rc;
}

static int read_all(int fd, const char *path, struct ldr_buf *out, struct ldr_err *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return file_fail(err, "reading", path);
    if (st.st_size < 0 || (uint64_t)st.st_size > FILE_BYTES)
        return ldr_fail(err, LDR_E_CORRUPT, "%s is too large", path);
    size_t n = (size_t)st.st_size, got = 0;
    uint8_t *p = ldr_buf_reserve(out, n + 1);
    if (!p)
        return ldr_fail(err, out->err, "reading %s: %s", path, ldr_code_text(out->err));
    while (got < n) {
        ssize_t k = read(fd, p + got, n - got);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return k < 0 ? file_fail(err, "reading", path)
                         : ldr_fail(err, LDR_E_IO, "reading %s: it got shorter", path);
        got += (size_t)k;
    }
    out->n += n;
    return 0;
}

/* The whole file into out, which was empty; the body starts at byte 8. LDR_E_NOT_FOUND. */
int vfile_read(const char *dir, const char *name, struct ldr_buf *out, struct ldr_err *err)
{
    char *path = vfile_join(dir, name);
    if (!path)
        return ldr_fail(err, LDR_E_NOMEM, "reading a file: out of memory");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int rc = fd < 0 ? file_fail(err, "reading", path) : read_all(fd, path, out, err);
    if (fd >= 0)
        close(fd);
    if (rc == 0 && (out->n < 8 || ldr_check32(out->p + 4, out->n - 4) != ldr_get_le32(out->p)))
        rc = ldr_fail(err, LDR_E_CORRUPT, "%s fails its checksum", path);
    if (rc == 0 && ldr_get_le32(out->p + 4) != FILE_VERSION)
        rc = ldr_fail(err, LDR_E_FORMAT, "%s: version %u is not known here", path, ldr_get_le32(out->p + 4));
    ldr_release(NULL, path);
    return rc;
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return -1;
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

int vfile_write(const char *dir, const char *name, struct ldr_slice body, bool sync, struct ldr_err *err)
{
    char *path = vfile_join(dir, name), *fresh = path ? vfile_join(path, "") : NULL;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, FILE_BYTES);
    ldr_buf_u32(&b, 0);
    ldr_buf_u32(&b, FILE_VERSION);
    ldr_buf_put(&b, body.p, body.n);
    int rc = 0, fd = -1;
    if (!fresh || b.err) {
        rc = ldr_fail(err, LDR_E_NOMEM, "writing a file: out of memory");
    } else {
        ldr_put_le32(b.p, ldr_check32(b.p + 4, b.n - 4));
        fresh[strlen(fresh) - 1] = '~'; /* "name~" */
        fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        if (fd < 0 || write_all(fd, b.p, b.n) != 0 || (sync && fsync(fd) != 0))
            rc = file_fail(err, "writing", fresh);
        if (fd >= 0 && close(fd) != 0 && rc == 0)
            rc = file_fail(err, "writing", fresh);
        if (rc == 0 && rename(fresh, path) != 0)
            rc = file_fail(err, "renaming", fresh);
        if (rc == 0 && sync) {
            fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (fd < 0 || fsync(fd) != 0)
                rc = file_fail(err, "syncing", dir);
            if (fd >= 0)
                close(fd);
        }
    }
    ldr_buf_close(&b);
    ldr_release(NULL, fresh);
    ldr_release(NULL, path);
    return rc;
}

/* ---- the node's own notes: all in memory, all in one file: for each text key, bytes value ---- */

static struct vnote *note_find(const struct ldr_vault_shard *v, const char *key)
{
    for (uint32_t i = 0; i < v->nnotes; i++)
        if (strcmp(v->notes[i].key, key) == 0)
            return &v->notes[i];
    return NULL;
}

static int note_set(struct ldr_vault_shard *v, const char *key, struct ldr_slice value)
{
    struct vnote *n = note_find(v, key);
    if (value.n == 0) {
        if (n) {
            ldr_release(NULL, n->p);
            *n = v->notes[--v->nnotes];
        }
        return 0;
    }
    uint8_t *p = ldr_alloc(NULL, value.n);
    if (!p)
        return LDR_E_NOMEM;
    memcpy(p, value.p, value.n);
    if (!n) {
        struct vnote *more = ldr_resize(NULL, v->notes, (v->nnotes + 1) * sizeof *more);
        if (!more) {
            ldr_release(NULL, p);
            return LDR_E_NOMEM;
        }
        v->notes = more;
        n = &v->notes[v->nnotes++];
        memset(n, 0, sizeof *n);
        snprintf(n->key, sizeof n->key, "%s", key);
    }
    ldr_release(NULL, n->p);
    n->p = p;
    n->n = value.n;
    return 0;
}

int vnotes_load(struct ldr_vault_shard *v, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, FILE_BYTES);
    char *dir = vfile_join(v->dir, "node");
    int rc =
        dir ? vfile_read(dir, NOTES, &b, err) : ldr_fail(err, LDR_E_NOMEM, "reading notes: out of memory");
    if (rc == 0) {
        struct ldr_cursor c = ldr_cursor(ldr_slice(b.p + 8, b.n - 8));
        while (rc == 0 && !c.err && ldr_cursor_left(&c) > 0) {
            char key[LDR_VAULT_NOTE_KEY_MAX + 1] = "";
            struct ldr_slice k = ldr_cursor_bytes(&c, LDR_VAULT_NOTE_KEY_MAX);
            struct ldr_slice value = ldr_cursor_bytes(&c, LDR_FRAME_MAX);
            memcpy(key, k.p, k.n);
            if (!c.err && note_set(v, key, value) != 0)
                rc = ldr_fail(err, LDR_E_NOMEM, "reading notes: out of memory");
        }
        if (rc == 0 && c.err)
            rc = ldr_fail(err, LDR_E_CORRUPT, "%s/%s is malformed", dir, NOTES);
    }
    ldr_buf_close(&b);
    ldr_release(NULL, dir);
    if (rc == LDR_E_NOT_FOUND) {
        ldr_err_clear(err);
        return 0;
    }
    return rc;
}

int vault_note_get(void *ctx, uint32_t shard, const char *key, struct ldr_buf *out)
{
    struct ldr_vault_shard *v = ctx;
    if (shard == 0) {
        const struct vnote *n = note_find(v, key);
        return n ? ldr_buf_put(out, n->p, n->n) : LDR_E_NOT_FOUND;
    }
    struct vreplica *r = vault_find(v, shard);
    if (!r || !r->s || r->exclusive)
        return LDR_E_NOT_FOUND;
    return ldr_shard_note_get(r->s, key, out, NULL);
}

static void put_replica(struct vtask *t)
{
    const struct ldr_vault_notes *op = (const void *)t->op;
    struct ldr_note *list = ldr_calloc(NULL, op->n + 1u, sizeof *list);
    if (!list) {
        t->code = ldr_fail(&t->op->err, LDR_E_NOMEM, "writing notes: out of memory");
        return;
    }
    for (uint32_t i = 0; i < op->n; i++)
        list[i] = (struct ldr_note){op->list[i].key, op->list[i].value};
    t->code = ldr_shard_note_put(t->r->s, list, op->n, &t->op->err);
    ldr_release(NULL, list);
}

static void put_node(struct vtask *t)
{
    char *dir = vfile_join(t->v->dir, "node");
    t->code = dir ? vfile_write(dir, NOTES, ldr_buf_slice(&t->buf), !t->v->opts.no_sync, &t->op->err)
                  : ldr_fail(&t->op->err, LDR_E_NOMEM, "writing notes: out of memory");
    ldr_release(NULL, dir);
}

/* In memory when they are on disk. */
static void put_node_after(struct vtask *t)
{
    const struct ldr_vault_notes *op = (const void *)t->op;
    t->v->putting_notes = false;
    for (uint32_t i = 0; i < op->n && t->code == 0; i++) {
        int rc = note_set(t->v, op->list[i].key, op->list[i].value);
        LDR_ASSERT(rc == 0); /* what is on disk must be told */
    }
    vault_end(t);
}

static const struct ldr_vault_note *in_op(const struct ldr_vault_notes *op, const char *key)
{
    for (uint32_t i = 0; i < op->n; i++)
        if (strcmp(op->list[i].key, key) == 0)
            return &op->list[i];
    return NULL;
}

static void put_one(struct ldr_buf *b, const char *key, struct ldr_slice value)
{
    if (value.n > 0) {
        ldr_buf_bytes(b, ldr_slice_str(key));
        ldr_buf_bytes(b, value);
    }
}

void vault_note_put(void *ctx, struct ldr_vault_notes *op)
{
    struct ldr_vault_shard *v = ctx;
    struct vtask *t = vault_task(v, &op->op, op->shard ? put_replica : put_node);
    for (uint32_t i = 0; i < op->n; i++) {
        size_t n = strlen(op->list[i].key);
        if (n == 0 || n > LDR_VAULT_NOTE_KEY_MAX ||
            op->list[i].value.n > (op->shard ? LDR_VAULT_NOTE_VALUE_MAX : LDR_FRAME_MAX)) {
            vault_refuse(t, LDR_E_INVALID, "a note's name or value is too long");
            return;
        }
    }
    if (op->shard) {
        vault_on(t, op->shard);
        return;
    }
    if (v->putting_notes) {
        vault_refuse(t, LDR_E_BUSY, "notes are being written");
        return;
    }
    for (uint32_t i = 0; i < v->nnotes; i++)
        if (!in_op(op, v->notes[i].key))
            put_one(&t->buf, v->notes[i].key, ldr_slice(v->notes[i].p, v->notes[i].n));
    for (uint32_t i = 0; i < op->n; i++)
        put_one(&t->buf, op->list[i].key, op->list[i].value);
    if (t->buf.err) {
        vault_refuse(t, t->buf.err, "writing notes: out of memory");
        return;
    }
    v->putting_notes = true;
    t->after = put_node_after;
    vault_submit(t);
}
