/* Making a load count, all or nothing.
 *
 * RocksDB takes all tables of one family in at one moment, but each family by itself. So a record in the meta
 * family says that the files in DIR/bulk/load count; what is left to do then depends on nothing but those
 * files: tables    RocksDB links them into its folder, makes that durable in its manifest, then unlinks ours.
 * Ours that are gone are in; ours that share their inode with a live table are in; the others are not. (A
 * table may be offered twice when a compaction was faster than the unlinking: that changes nothing, history
 * has only one value for a key, and latest cannot have moved on, since nobody writes while the record is
 * there.) batches   are puts of fixed bytes: once more does no harm. Then the record is removed, then the
 * files. Files without a record are the remains of a load that never counted. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shard/files.h"
#include "shard/rocks_bulk.h"

#define INTENT         LDR_META_BULK "intent"
#define INTENT_VERSION 1
#define TABLES_MAX     4096 /* of one part */

/* ---- the record: u32 check of the rest, u32 version, u32 view, u8 log, u32 parts, for each u32 history, u32
 * latest, u8 batch ---- */

static int intent_encode(const struct ldr_bulk_plan *plan, struct ldr_buf *out)
{
    ldr_buf_u32(out, 0);
    ldr_buf_u32(out, INTENT_VERSION);
    ldr_buf_u32(out, plan->view);
    ldr_buf_u8(out, plan->log);
    ldr_buf_u32(out, plan->nparts);
    for (uint32_t i = 0; i < plan->nparts; i++) {
        ldr_buf_u32(out, plan->part[i].history);
        ldr_buf_u32(out, plan->part[i].latest);
        ldr_buf_u8(out, plan->part[i].batch);
    }
    if (out->err == 0)
        ldr_put_le32(out->p, ldr_check32(out->p + 4, out->n - 4));
    return out->err;
}

static int intent_decode(struct ldr_slice in, struct ldr_bulk_plan *plan)
{
    struct ldr_cursor c = ldr_cursor(in);
    memset(plan, 0, sizeof *plan);
    uint32_t check = ldr_cursor_u32(&c);
    if (c.err || ldr_check32(in.p + 4, in.n - 4) != check)
        return LDR_E_CORRUPT;
    if (ldr_cursor_u32(&c) != INTENT_VERSION)
        return LDR_E_FORMAT;
    plan->view = ldr_cursor_u32(&c);
    plan->log = ldr_cursor_u8(&c) != 0;
    plan->nparts = ldr_cursor_u32(&c);
    if (plan->nparts > LDR_BULK_PARTS_MAX)
        return LDR_E_CORRUPT;
    for (uint32_t i = 0; i < plan->nparts; i++) {
        plan->part[i].history = ldr_cursor_u32(&c);
        plan->part[i].latest = ldr_cursor_u32(&c);
        plan->part[i].batch = ldr_cursor_u8(&c) != 0;
        if (plan->part[i].history > TABLES_MAX || plan->part[i].latest > TABLES_MAX)
            return LDR_E_CORRUPT;
    }
    return ldr_cursor_end(&c);
}

static int intent_put(struct ldr_shard *s, const struct ldr_bulk_plan *plan, struct ldr_err *err)
{
    struct ldr_buf bytes;
    ldr_buf_init(&bytes, NULL, 0);
    int rc = intent_encode(plan, &bytes);
    if (rc) {
        ldr_fail(err, rc, "loading facts: %s", ldr_code_text(rc));
    } else {
        rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
        rocksdb_writebatch_put_cf(batch, s->cf[LDR_CF_META], INTENT, strlen(INTENT), (const char *)bytes.p,
                                  bytes.n);
        rc = ldr_write_commit(s, batch, "announcing a load", err);
        rocksdb_writebatch_destroy(batch);
    }
    ldr_buf_close(&bytes);
    return rc;
}

static int intent_clear(struct ldr_shard *s, struct ldr_err *err)
{
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    rocksdb_writebatch_delete_cf(batch, s->cf[LDR_CF_META], INTENT, strlen(INTENT));
    int rc = ldr_write_commit(s, batch, "closing a load", err);
    rocksdb_writebatch_destroy(batch);
    return rc;
}

/* 1 with *plan, 0 when there is none, or an error. */
static int intent_get(struct ldr_shard *s, struct ldr_bulk_plan *plan, struct ldr_err *err)
{
    char *text = NULL;
    size_t n;
    char *value = rocksdb_get_cf(s->db, s->ro_point, s->cf[LDR_CF_META], INTENT, strlen(INTENT), &n, &text);
    if (text)
        return ldr_rocks_fail(err, "looking for an interrupted load", text);
    if (!value)
        return 0;
    int rc = intent_decode(ldr_slice(value, n), plan);
    rocksdb_free(value);
    return rc ? ldr_fail(err, rc, "the record of an interrupted load: %s", ldr_code_text(rc)) : 1;
}

/* ---- tables ---- */

struct inodes {
    struct inode {
        dev_t dev;
        ino_t ino;
    } *list;
    size_t n;
};

/* The files that RocksDB counts as live, in any family. */
static int live_inodes(struct ldr_shard *s, struct inodes *out, struct ldr_err *err)
{
    const rocksdb_livefiles_t *files = rocksdb_livefiles(s->db);
    int count = rocksdb_livefiles_count(files), rc = 0;
    out->n = 0;
    out->list = ldr_calloc(NULL, (size_t)count + 1, sizeof *out->list);
    if (!out->list)
        rc = ldr_fail(err, LDR_E_NOMEM, "finishing a load: out of memory");
    for (int i = 0; i < count && rc == 0; i++) {
        const char *name = rocksdb_livefiles_name(files, i);
        char in_db[64];
        snprintf(in_db, sizeof in_db, "db/%s", name[0] == '/' ? name + 1 : name);
        char *path = ldr_files_join(s->dir, in_db);
        struct stat st;
        if (!path)
            rc = ldr_fail(err, LDR_E_NOMEM, "finishing a load: out of memory");
        else if (stat(path, &st) == 0)
            out->list[out->n++] = (struct inode){st.st_dev, st.st_ino};
        else if (errno != ENOENT) /* a compaction may have removed it just now */
            rc = ldr_files_fail(err, "looking at", path, errno);
        ldr_release(NULL, path);
    }
    rocksdb_livefiles_destroy(files);
    return rc;
}

static bool is_live(const struct inodes *live, const struct stat *st)
{
    for (size_t i = 0; i < live->n; i++)
        if (live->list[i].dev == st->st_dev && live->list[i].ino == st->st_ino)
            return true;
    return false;
}

/* The table is still to be taken in. A path that cannot be looked at waits too: taking it in will tell. */
static bool waits(void *ctx, const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? !is_live(ctx, &st) : errno != ENOENT;
}

struct paths {
    char **list;
    size_t n, cap;
};

static void paths_close(struct paths *p)
{
    for (size_t i = 0; i < p->n; i++)
        ldr_release(NULL, p->list[i]);
    ldr_release(NULL, p->list);
}

static int list_waiting(const struct ldr_bulk_plan *plan, const char *dir, enum ldr_cf cf,
                        struct inodes *live, struct paths *out, struct ldr_err *err)
{
    for (uint32_t i = 0; i < plan->nparts; i++)
        out->cap += cf == LDR_CF_HISTORY ? plan->part[i].history : plan->part[i].latest;
    out->list = ldr_calloc(NULL, out->cap + 1, sizeof *out->list);
    if (!out->list)
        return ldr_fail(err, LDR_E_NOMEM, "finishing a load: out of memory");
    for (uint32_t i = 0; i < plan->nparts; i++) {
        uint32_t n = cf == LDR_CF_HISTORY ? plan->part[i].history : plan->part[i].latest;
        for (uint32_t k = 0; k < n; k++) {
            char name[LDR_BULK_NAME];
            ldr_bulk_table_name(name, cf, i, k);
            char *path = ldr_files_join(dir, name);
            if (!path)
                return ldr_fail(err, LDR_E_NOMEM, "finishing a load: out of memory");
            if (waits(live, path))
                out->list[out->n++] = path;
            else
                ldr_release(NULL, path);
        }
    }
    return 0;
}

static int ingest(struct ldr_shard *s, const struct ldr_bulk_plan *plan, const char *dir, enum ldr_cf cf,
                  struct inodes *live, struct ldr_err *err)
{
    struct paths waiting = {0};
    int rc = list_waiting(plan, dir, cf, live, &waiting, err);
    if (rc == 0 && waiting.n > 0) {
        char *text = NULL;
        rocksdb_ingestexternalfileoptions_t *o = rocksdb_ingestexternalfileoptions_create();
        rocksdb_ingestexternalfileoptions_set_move_files(o, 1);
        rocksdb_ingest_external_file_cf(s->db, s->cf[cf], (const char *const *)waiting.list, waiting.n, o,
                                        &text);
        rocksdb_ingestexternalfileoptions_destroy(o);
        rc = ldr_rocks_fail(err, "taking in a load's tables", text);
    }
    paths_close(&waiting);
    return rc;
}

/* ---- the steps behind the intent ---- */

static int fault(struct ldr_err *err, const char *where)
{
    return ldr_fail(err, LDR_E_IO, "loading facts: fault point %s", where);
}

/* With readers shut out: between these steps latest is not the best of history. */
static int take_in(struct ldr_shard *s, const struct ldr_bulk_plan *plan, const char *dir,
                   struct inodes *live, struct ldr_err *err)
{
    int rc = ingest(s, plan, dir, LDR_CF_HISTORY, live, err);
    if (rc)
        return rc;
    if (LDR_FAULT(bulk_after_history))
        return fault(err, "bulk_after_history");
    rc = ingest(s, plan, dir, LDR_CF_LATEST, live, err);
    for (uint32_t i = 0; i < plan->nparts && rc == 0; i++)
        if (plan->part[i].batch)
            rc = ldr_bulk_batches_apply(s, dir, i, err);
    return rc;
}

static int finish(struct ldr_shard *s, const struct ldr_bulk_plan *plan, const char *dir, bool after_crash,
                  void (*forget)(void *ctx), void *ctx, struct ldr_err *err)
{
    struct inodes live = {0};
    int rc = live_inodes(s, &live, err);
    if (rc == 0 && after_crash)
        rc = ldr_bulk_tails_restore(plan, dir, waits, &live, err);
    if (rc == 0) {
        pthread_rwlock_wrlock(&s->gate);
        rc = take_in(s, plan, dir, &live, err);
        forget(ctx); /* also when it failed: what the table has may be outdated */
        pthread_rwlock_unlock(&s->gate);
    }
    ldr_release(NULL, live.list);
    if (rc == 0 && plan->log)
        rc = ldr_bulk_batches_apply(s, dir, LDR_BULK_PARTS_MAX, err);
    if (rc == 0 && LDR_FAULT(bulk_after_log))
        rc = fault(err, "bulk_after_log");
    return rc ? rc : intent_clear(s, err);
}

int ldr_bulk_commit(struct ldr_shard *s, const struct ldr_bulk_plan *plan, void (*forget)(void *ctx),
                    void *ctx, struct ldr_err *err)
{
    char *dir = ldr_bulk_dir(s);
    if (!dir)
        return ldr_fail(err, LDR_E_NOMEM, "loading facts: out of memory");
    int rc = intent_put(s, plan, err);
    if (rc == 0) {
        if (LDR_FAULT(bulk_after_intent))
            rc = fault(err, "bulk_after_intent");
        else
            rc = finish(s, plan, dir, false, forget, ctx, err);
        if (rc) {
            if (err)
                err->in_doubt = true;
            ldr_write_broken(s, rc, err);
        }
    }
    ldr_release(NULL, dir);
    return rc;
}

static void forget_nothing(void *ctx)
{
    (void)ctx; /* the table is empty at open */
}

static int reload_seq(struct ldr_shard *s, struct ldr_err *err)
{
    char *text = NULL;
    size_t n;
    char *value =
        rocksdb_get_cf(s->db, s->ro_point, s->cf[LDR_CF_META], LDR_META_SEQ, strlen(LDR_META_SEQ), &n, &text);
    if (text)
        return ldr_rocks_fail(err, "reading the change log's place", text);
    if (value && n == 8)
        atomic_store(&s->seq, ldr_get_le64((const uint8_t *)value));
    rocksdb_free(value);
    return 0;
}

int ldr_bulk_recover(struct ldr_shard *s, struct ldr_err *err)
{
    struct ldr_bulk_plan plan = {0};
    char *dir = ldr_bulk_dir(s);
    if (!dir)
        return ldr_fail(err, LDR_E_NOMEM, "finishing a load: out of memory");
    int rc = intent_get(s, &plan, err);
    if (rc == 1) {
        ldr_logf(s->opts.log, LDR_LOG_INFO, "shard %u: finishing a load of view %u that was interrupted",
                 s->opts.id, plan.view);
        rc = finish(s, &plan, dir, true, forget_nothing, NULL, err);
        if (rc)
            ldr_fail_context(err, rc, "finishing an interrupted load");
        if (rc == LDR_E_NOT_FOUND) { /* a file that the record names */
            rc = LDR_E_CORRUPT;
            if (err)
                err->code = rc;
        }
        if (rc == 0)
            rc = reload_seq(s, err);
    }
    if (rc == 0 && ldr_files_exist(dir))
        ldr_files_remove_flat(dir);
    ldr_release(NULL, dir);
    return rc;
}
