#include "client/disk/registry_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/disk/files.h"
#include "client/disk/registry_record.h"

#define LOG_BYTES_MAX (UINT64_C(1) << 32)
#define SNAPSHOT_AT   (4u << 20) /* bytes of log that call for a snapshot */

struct ldr_registry_file {
    char *dir, *log_path, *snap_path;
    int fd; /* of the log */
    bool no_sync;
    bool broken; /* what the log holds is unknown: nothing more until it is read again */
    const struct ldr_log *log;
    uint64_t index; /* of the last record */
    uint64_t size;  /* of the log */
    struct ldr_senders senders;
};

bool ldr_registry_file_ran(const struct ldr_registry_file *f, uint64_t client, uint64_t seq,
                           uint64_t *version)
{
    return ldr_senders_find(&f->senders, client, seq, version);
}

/* ---- Replay ---- */

struct replay {
    const char *log_path, *snap_path;
    struct ldr_registry *registry;
    struct ldr_drops drops; /* deleted and not yet noted as dropped */
    uint64_t index;
    size_t end; /* of the good part of the log */
    bool torn;
    struct ldr_senders senders;
};

static int corrupt(struct ldr_err *err, int code, const char *path, size_t at, const char *why)
{
    return ldr_fail(err, code, "%s: at byte %zu: %s", path, at, why);
}

static int replay_snapshot(struct replay *p, struct ldr_err *err)
{
    struct ldr_buf b;
    struct ldr_err missing = {0};
    ldr_buf_init(&b, NULL, (size_t)LDR_SNAPSHOT_MAX + (1u << 20));
    int rc = ldr_file_read(p->snap_path, (size_t)LDR_SNAPSHOT_MAX + LDR_REGSNAP_HEAD + 4, &b, &missing);
    if (rc == LDR_E_NOT_FOUND) {
        rc = ldr_registry_create(NULL, &p->registry);
        if (rc)
            ldr_fail(err, rc, "out of memory");
        goto out;
    }
    if (rc) {
        ldr_fail(err, rc, "%s", missing.message);
        goto out;
    }
    const char *why;
    size_t at;
    struct ldr_slice payload;
    rc = ldr_regsnap_read(ldr_buf_slice(&b), &p->index, &payload, &why, &at);
    if (rc) {
        corrupt(err, rc, p->snap_path, at, why);
        goto out;
    }
    rc = ldr_registry_restore(NULL, payload, &p->registry);
    if (rc)
        corrupt(err, rc, p->snap_path, at, "the definitions in it cannot be read");
out:
    ldr_buf_close(&b);
    return rc;
}

/* Ids of today's views, for seeing which one a command deleted. */
static int view_ids(const struct ldr_registry *r, struct ldr_drops *out)
{
    const struct ldr_defs *d = ldr_registry_defs(r);
    int rc = 0;
    out->n = 0;
    for (uint32_t i = 0; !rc && i < d->nviews; i++)
        rc = ldr_drops_add(out, d->views[i].about.id);
    return rc;
}

static int replay_command(struct replay *p, struct ldr_slice command, int64_t at_us, struct ldr_drops *ids)
{
    struct ldr_err why;
    int rc = ldr_registry_step(p->registry, command, at_us, NULL, &why);
    if (rc)
        return rc == LDR_E_NOMEM ? rc : LDR_E_CORRUPT;
    uint32_t now = ldr_registry_defs(p->registry)->nviews;
    for (uint32_t i = 0; !rc && now < ids->n && i < ids->n; i++) {
        if (!ldr_registry_view_by_id(p->registry, ids->views[i]))
            rc = ldr_drops_add(&p->drops, ids->views[i]);
    }
    return rc || now == ids->n ? rc : view_ids(p->registry, ids);
}

static int replay_sent(struct replay *p, const struct ldr_record *r, struct ldr_drops *ids)
{
    struct ldr_sender from;
    int rc = ldr_sender_read(r, &from);
    if (!rc && r->kind == LDR_RECORD_SENT) {
        struct ldr_slice command =
            ldr_slice(r->payload.p + LDR_SENDER_BYTES, r->payload.n - LDR_SENDER_BYTES);
        rc = replay_command(p, command, r->at_us, ids);
        from.version = ldr_registry_version(p->registry);
    }
    if (!rc)
        ldr_senders_note(&p->senders, &from);
    return rc;
}

static int replay_record(struct replay *p, const struct ldr_record *r, struct ldr_drops *ids,
                         const char **why)
{
    *why = "a record that this version does not know";
    if (r->kind == LDR_RECORD_DROPPED && r->payload.n == 4) {
        ldr_drops_remove(&p->drops, ldr_get_le32(r->payload.p));
        return 0;
    }
    bool sent = r->kind == LDR_RECORD_SENT || r->kind == LDR_RECORD_RAN;
    if (r->kind != LDR_RECORD_COMMAND && !sent)
        return LDR_E_FORMAT;
    *why = "a command that cannot be repeated";
    if (sent)
        return replay_sent(p, r, ids);
    return replay_command(p, r->payload, r->at_us, ids);
}

static int replay_log(struct replay *p, struct ldr_slice file, struct ldr_err *err)
{
    const char *why;
    uint64_t last;
    int rc = ldr_reglog_head_read(file, &last, &why);
    if (rc)
        return corrupt(err, rc, p->log_path, 0, why);
    if (last > p->index)
        return corrupt(err, LDR_E_CORRUPT, p->log_path, 0, "the snapshot that this log follows is missing");
    struct ldr_drops ids = {0};
    rc = view_ids(p->registry, &ids);
    p->end = LDR_REGLOG_HEAD;
    while (!rc) {
        struct ldr_record r;
        size_t n = 0;
        enum ldr_record_state st = ldr_record_read(file, p->end, &r, &n, &why);
        p->torn = st == LDR_RECORD_TORN;
        if (st == LDR_RECORD_END || p->torn)
            break;
        if (st == LDR_RECORD_BAD)
            rc = LDR_E_CORRUPT;
        else if (r.index != last + 1) {
            why = "records are missing or out of order";
            rc = LDR_E_CORRUPT;
        } else if (r.index > p->index)
            rc = replay_record(p, &r, &ids, &why);
        if (!rc) {
            last = r.index;
            p->end += n;
        }
    }
    ldr_drops_close(&ids);
    if (rc)
        return rc == LDR_E_NOMEM ? ldr_fail(err, rc, "out of memory")
                                 : corrupt(err, rc, p->log_path, p->end, why);
    if (last > p->index)
        p->index = last;
    else if (last < p->index)
        return corrupt(err, LDR_E_CORRUPT, p->log_path, p->end, "the log ends before the snapshot does");
    return 0;
}

static void replay_close(struct replay *p)
{
    if (p->registry)
        ldr_registry_destroy(p->registry);
    p->registry = NULL;
    ldr_drops_close(&p->drops);
}

/* Reads both files. LDR_E_NOT_FOUND: there is no log. */
static int replay(struct replay *p, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, (size_t)LOG_BYTES_MAX);
    int rc = ldr_file_read(p->log_path, (size_t)LOG_BYTES_MAX, &b, err);
    if (!rc)
        rc = replay_snapshot(p, err);
    if (!rc)
        rc = replay_log(p, ldr_buf_slice(&b), err);
    ldr_buf_close(&b);
    return rc;
}

/* ---- The open file ---- */

/* senders (NULL: none): remembered in the records right behind the head. *size (may be NULL): of all. */
static int begin_log(const char *path, uint64_t base, const struct ldr_senders *senders, uint64_t *size,
                     bool sync, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    int rc = ldr_reglog_head_write(&b, base);
    if (!rc && senders)
        rc = ldr_senders_write(senders, base + 1, &b);
    if (size)
        *size = b.n;
    rc = rc ? ldr_fail(err, rc, "out of memory") : ldr_file_replace(path, ldr_buf_slice(&b), sync, err);
    ldr_buf_close(&b);
    return rc;
}

static int open_log(struct ldr_registry_file *f, struct ldr_err *err)
{
    int fd = open(f->log_path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return ldr_file_fail(err, errno, "cannot open", f->log_path);
    if (f->fd >= 0)
        close(f->fd);
    f->fd = fd;
    return 0;
}

static int cut_torn(struct ldr_registry_file *f, size_t end, struct ldr_err *err)
{
    struct stat st;
    if (fstat(f->fd, &st))
        return ldr_file_fail(err, errno, "cannot look at", f->log_path);
    ldr_logf(f->log, LDR_LOG_WARN,
             "%s: %lld bytes of a command that was never acknowledged are cut off at byte %zu", f->log_path,
             (long long)st.st_size - (long long)end, end);
    if (ftruncate(f->fd, (off_t)end) || (!f->no_sync && fsync(f->fd)))
        return ldr_file_fail(err, errno, "cannot cut", f->log_path);
    return 0;
}

int ldr_registry_file_open(const char *dir, bool create, bool no_sync, const struct ldr_log *log,
                           struct ldr_registry_file **out, struct ldr_registry **registry,
                           struct ldr_drops *drops, struct ldr_err *err)
{
    *out = NULL;
    struct replay p = {0};
    struct ldr_registry_file *f = ldr_calloc(NULL, 1, sizeof *f);
    if (!f)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    f->fd = -1;
    f->no_sync = no_sync;
    f->log = log;
    f->dir = strdup(dir);
    f->log_path = ldr_path_join(dir, "log");
    f->snap_path = ldr_path_join(dir, "snapshot");
    int rc = f->dir && f->log_path && f->snap_path ? 0 : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (rc)
        goto fail;
    p.log_path = f->log_path;
    p.snap_path = f->snap_path;
    if (create && access(f->log_path, F_OK) && access(f->snap_path, F_OK)) {
        rc = begin_log(f->log_path, 0, NULL, NULL, !no_sync, err);
        if (rc)
            goto fail;
    }
    rc = replay(&p, err);
    if (rc == LDR_E_NOT_FOUND)
        rc = ldr_fail(err, LDR_E_CORRUPT, "%s is missing: the definitions of this store are lost without it",
                      f->log_path);
    if (!rc)
        rc = open_log(f, err);
    if (!rc && p.torn)
        rc = cut_torn(f, p.end, err);
    if (rc)
        goto fail;
    f->index = p.index;
    f->size = p.end;
    f->senders = p.senders;
    *out = f;
    *registry = p.registry;
    *drops = p.drops;
    return 0;
fail:
    replay_close(&p);
    ldr_registry_file_close(f);
    return rc;
}

void ldr_registry_file_close(struct ldr_registry_file *f)
{
    if (!f)
        return;
    if (f->fd >= 0)
        close(f->fd);
    free(f->dir);
    free(f->log_path);
    free(f->snap_path);
    free(f);
}

/* ---- Appending ---- */

/* After a failed append: back to what was there. When that is not certain, the file is broken and the outcome
 * in doubt. */
static int undo_append(struct ldr_registry_file *f, int rc, bool sync_failed, struct ldr_err *err)
{
    bool back = ftruncate(f->fd, (off_t)f->size) == 0 && (f->no_sync || fsync(f->fd) == 0);
    /* After a failed fsync the kernel may have dropped the pages: a second one that succeeds proves nothing.
     */
    if (back && !sync_failed)
        return rc;
    f->broken = true;
    ldr_fail_context(err, rc, "the outcome is unknown until the store is opened again");
    if (err)
        err->in_doubt = true;
    return rc;
}

int ldr_registry_file_append(struct ldr_registry_file *f, enum ldr_registry_record kind,
                             struct ldr_slice payload, int64_t at_us, bool sync, struct ldr_err *err)
{
    if (f->broken)
        return ldr_fail(err, LDR_E_READ_ONLY, "%s: an earlier write failed; open the store again",
                        f->log_path);
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, LDR_COMMAND_MAX + 4096);
    struct ldr_record r = {kind, f->index + 1, at_us, payload};
    int rc = ldr_record_write(&b, &r);
    if (rc) {
        ldr_fail(err, rc, "a command of %zu bytes cannot be logged", payload.n);
        goto out;
    }
    int e = ldr_file_write_all(f->fd, b.p, b.n, f->size);
    if (e || LDR_FAULT(registry_after_append)) {
        rc = ldr_file_fail(err, e ? e : EIO, "cannot append to", f->log_path);
        rc = undo_append(f, rc, false, err);
        goto out;
    }
    if (sync && !f->no_sync && fsync(f->fd)) {
        rc = ldr_file_fail(err, errno, "cannot sync", f->log_path);
        rc = undo_append(f, rc, true, err);
        goto out;
    }
    if (sync && LDR_FAULT(registry_after_sync)) {
        rc = ldr_file_fail(err, EIO, "cannot sync", f->log_path);
        rc = undo_append(f, rc, true, err);
        goto out;
    }
    f->size += b.n;
    f->index++;
out:
    ldr_buf_close(&b);
    return rc;
}

int ldr_registry_file_append_sent(struct ldr_registry_file *f, const struct ldr_sender *from,
                                  struct ldr_slice command, int64_t at_us, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    int rc = ldr_sender_command(&b, from, command);
    rc = rc ? ldr_fail(err, rc, "a command of %zu bytes cannot be logged", command.n)
            : ldr_registry_file_append(f, LDR_RECORD_SENT, ldr_buf_slice(&b), at_us, true, err);
    if (!rc)
        ldr_senders_note(&f->senders, from);
    ldr_buf_close(&b);
    return rc;
}

/* ---- Snapshots ---- */

bool ldr_registry_file_wants_snapshot(const struct ldr_registry_file *f)
{
    return !f->broken && f->size > SNAPSHOT_AT;
}

static int snapshot_bytes(const struct ldr_registry *registry, uint64_t index, struct ldr_buf *out,
                          struct ldr_err *err)
{
    struct ldr_buf payload;
    ldr_buf_init(&payload, NULL, LDR_SNAPSHOT_MAX);
    int rc = ldr_registry_snapshot(registry, &payload);
    if (!rc)
        rc = ldr_regsnap_write(out, index, ldr_buf_slice(&payload));
    ldr_buf_close(&payload);
    return rc ? ldr_fail(err, rc, "cannot write the definitions out: %s", ldr_code_text(rc)) : 0;
}

/* The snapshot beside its place, synced, renamed, folder synced. */
static int put_snapshot(const char *path, struct ldr_slice bytes, bool sync, struct ldr_err *err)
{
    char *temp;
    if (asprintf(&temp, "%s.tmp", path) < 0)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int rc = ldr_file_replace(temp, bytes, sync, err);
    if (!rc && LDR_FAULT(registry_before_rename))
        rc = ldr_file_fail(err, EIO, "cannot rename", temp);
    if (!rc && rename(temp, path))
        rc = ldr_file_fail(err, errno, "cannot rename", temp);
    if (!rc && sync)
        rc = ldr_dir_sync_parent(path, err);
    if (rc)
        unlink(temp);
    free(temp);
    return rc;
}

int ldr_registry_file_snapshot(struct ldr_registry_file *f, const struct ldr_registry *registry,
                               struct ldr_err *err)
{
    if (f->broken)
        return ldr_fail(err, LDR_E_READ_ONLY, "%s: an earlier write failed; open the store again",
                        f->log_path);
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, (size_t)LDR_SNAPSHOT_MAX + 4096);
    int rc = snapshot_bytes(registry, f->index, &b, err);
    if (!rc)
        rc = put_snapshot(f->snap_path, ldr_buf_slice(&b), !f->no_sync, err);
    /* From here on the old log is only a repetition: records up to the snapshot's index are passed over. */
    uint64_t size = LDR_REGLOG_HEAD;
    if (!rc)
        rc = begin_log(f->log_path, f->index, &f->senders, &size, !f->no_sync, err);
    ldr_buf_close(&b);
    struct stat now, open_one;
    if (fstat(f->fd, &open_one) || stat(f->log_path, &now) || now.st_ino != open_one.st_ino) {
        /* The log has another file now, also when only the sync of its folder failed. */
        int again = open_log(f, rc ? NULL : err);
        f->broken = again != 0;
        f->size = size;
        f->index += f->senders.n;
        rc = rc ? rc : again;
    }
    return rc;
}

int ldr_registry_file_copy(const struct ldr_registry_file *f, const struct ldr_registry *registry,
                           const char *dir, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, (size_t)LDR_SNAPSHOT_MAX + 4096);
    char *snap = ldr_path_join(dir, "snapshot"), *log = ldr_path_join(dir, "log");
    int rc = snap && log ? 0 : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!rc)
        rc = snapshot_bytes(registry, f->index, &b, err);
    if (!rc)
        rc = ldr_file_replace(snap, ldr_buf_slice(&b), !f->no_sync, err);
    if (!rc)
        rc = begin_log(log, f->index, NULL, NULL, !f->no_sync, err);
    free(snap);
    free(log);
    ldr_buf_close(&b);
    return rc;
}

int ldr_registry_file_check(const struct ldr_registry_file *f, const struct ldr_registry *registry,
                            struct ldr_err *err)
{
    struct replay p = {.log_path = f->log_path, .snap_path = f->snap_path};
    int rc = replay(&p, err);
    if (!rc && (p.torn || p.index != f->index || p.end != f->size))
        rc =
            ldr_fail(err, LDR_E_CORRUPT, "%s does not hold every command that was acknowledged", f->log_path);
    if (!rc && ldr_registry_hash(p.registry) != ldr_registry_hash(registry))
        rc = ldr_fail(err, LDR_E_CORRUPT, "%s: repeating the commands gives other definitions", f->log_path);
    replay_close(&p);
    return rc;
}
