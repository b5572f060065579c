#include <stdlib.h>
#include <unistd.h>

#include "shard/files.h"
#include "shard/marker.h"
#include "shard/rocks_open.h"
#include "shard/rocks_options.h"
#include "shard/rocks_tomb.h"
#include "shard/views.h"
#include "shard/write_queue.h"

#define CACHE_BYTES  ((size_t)64 << 20)
#define LATEST_BYTES ((size_t)256 << 20)
#define WRITE_BUFFER ((size_t)32 << 20)
#define MIN_FREE     ((uint64_t)64 << 20)
#define BUFFER_LEAST ((size_t)64 << 10)

/* Fills in the defaults and makes what needs no file. */
static int shard_create(const struct ldr_shard_opts *o, struct ldr_shard **out)
{
    struct ldr_shard *s = ldr_calloc(NULL, 1, sizeof *s);
    if (!s)
        return LDR_E_NOMEM;
    s->lock_fd = -1;
    pthread_mutex_init(&s->write_mu, NULL);
    pthread_rwlockattr_t attr; /* a steady stream of readers must not keep an ingest out for ever */
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&s->gate, &attr);
    pthread_rwlockattr_destroy(&attr);
    pthread_mutex_init(&s->views_mu, NULL);
    s->opts = *o;
    if (!s->opts.cache_bytes)
        s->opts.cache_bytes = CACHE_BYTES;
    if (!s->opts.latest_bytes)
        s->opts.latest_bytes = LATEST_BYTES;
    if (!s->opts.write_buffer_bytes)
        s->opts.write_buffer_bytes = WRITE_BUFFER;
    if (s->opts.write_buffer_bytes < BUFFER_LEAST)
        s->opts.write_buffer_bytes = BUFFER_LEAST;
    if (!s->opts.min_free_bytes) {
        uint64_t buffers = 2 * (uint64_t)s->opts.write_buffer_bytes;
        s->opts.min_free_bytes = buffers > MIN_FREE ? buffers : MIN_FREE;
    }
    s->marker_ns = o->clock.mono_ns(o->clock.ctx);
    s->dir = strdup(o->dir);
    s->opts.dir = s->dir;
    *out = s;
    int rc = s->dir ? ldr_views_open(s) : LDR_E_NOMEM;
    if (rc == 0)
        rc = ldr_tombs_create(&s->tombs);
    if (rc == 0)
        rc = ldr_latest_create(s->opts.latest_bytes, &s->table);
    if (rc == 0)
        rc = ldr_write_queue_create(!s->opts.no_sync, &s->queue);
    return rc;
}

/* Memory only: the database is closed, the lock is kept until the very end. */
static void shard_destroy(struct ldr_shard *s)
{
    ldr_options_destroy(s);
    ldr_write_queue_destroy(s->queue);
    ldr_latest_destroy(s->table);
    ldr_tombs_destroy(s->tombs);
    ldr_views_close(s);
    pthread_mutex_destroy(&s->views_mu);
    pthread_rwlock_destroy(&s->gate);
    pthread_mutex_destroy(&s->write_mu);
    ldr_files_unlock(s->lock_fd);
    free(s->dir);
    ldr_release(NULL, s);
}

static void db_close(struct ldr_shard *s)
{
    if (!s->db)
        return;
    rocksdb_cancel_all_background_work(s->db, 1);
    for (int i = 0; i < LDR_CF_COUNT; i++)
        rocksdb_column_family_handle_destroy(s->cf[i]); /* before the database: it asserts so */
    rocksdb_close(s->db);
    s->db = NULL;
}

static int in_dir(const struct ldr_shard *s, const char *name, char **out, struct ldr_err *err)
{
    *out = ldr_files_join(s->dir, name);
    return *out ? 0 : ldr_fail(err, LDR_E_NOMEM, "opening shard %u: out of memory", s->opts.id);
}

/* The folder, its lock, its marker. *m says what the database must hold; seq 0: it may still have to be made.
 */
static int dir_open(struct ldr_shard *s, struct ldr_marker *m, struct ldr_err *err)
{
    char *lock = NULL, *current = NULL;
    int rc = in_dir(s, "LOCK", &lock, err);
    if (rc == 0)
        rc = in_dir(s, "db/CURRENT", &current, err);
    if (rc)
        goto out;
    if (!ldr_files_exist(s->dir)) {
        rc = s->opts.create ? ldr_files_mkdir(s->dir, err)
                            : ldr_fail(err, LDR_E_NOT_FOUND, "there is no shard at %s", s->dir);
        if (rc)
            goto out;
    }
    rc = ldr_files_lock(lock, &s->lock_fd, err);
    if (rc)
        goto out;
    bool db = ldr_files_exist(current);
    rc = ldr_marker_get(s->dir, m, err);
    if (rc == LDR_E_NOT_FOUND) {
        if (db) {
            rc = ldr_fail(err, LDR_E_CORRUPT, "%s/%s is missing: nothing proves that no write is lost",
                          s->dir, LDR_MARKER_NAME);
            goto out;
        }
        memset(m, 0, sizeof *m);
        rc = s->opts.create ? ldr_random_bytes(&m->incarnation, sizeof m->incarnation)
                            : ldr_fail(err, LDR_E_NOT_FOUND, "there is no shard at %s", s->dir);
        if (rc == 0)
            rc = ldr_marker_put(s->dir, m, err);
    } else if (rc == 0 && !db) {
        if (m->seq > 0)
            rc = ldr_fail(err, LDR_E_CORRUPT, "%s/db is missing or incomplete", s->dir);
        else if (!s->opts.create) /* a crash interrupted its making */
            rc = ldr_fail(err, LDR_E_NOT_FOUND, "there is no shard at %s", s->dir);
    }
out:
    ldr_release(NULL, current);
    ldr_release(NULL, lock);
    return rc;
}

static int db_open(struct ldr_shard *s, bool create, struct ldr_err *err)
{
    /* RocksDB needs room to replay its log, and does not survive being without: ask first. */
    uint64_t free_bytes;
    int rc = ldr_files_free(s->dir, &free_bytes, err);
    if (rc)
        return rc;
    if (free_bytes < s->opts.min_free_bytes / 4)
        return ldr_fail(err, LDR_E_NOSPACE, "%s: %llu bytes free, opening needs %llu", s->dir,
                        (unsigned long long)free_bytes, (unsigned long long)s->opts.min_free_bytes / 4);
    char *path;
    rc = in_dir(s, "db", &path, err);
    if (rc)
        return rc;
    rc = ldr_files_mkdir(path, err);
    if (rc == 0) {
        char *text = NULL;
        ldr_options_create(s, create);
        s->db = rocksdb_open_column_families(s->db_opts, path, LDR_CF_COUNT, ldr_cf_names,
                                             (const rocksdb_options_t *const *)s->cf_opts, s->cf, &text);
        if (text)
            s->db = NULL;
        rc = ldr_rocks_fail(err, "opening the shard's database", text);
    }
    ldr_release(NULL, path);
    return rc;
}

/* Holds the marker against what is there. */
static int prove_complete(struct ldr_shard *s, const struct ldr_marker *m, struct ldr_err *err)
{
    uint64_t seq = rocksdb_get_latest_sequence_number(s->db);
    if (seq < m->seq)
        return ldr_fail(err, LDR_E_CORRUPT,
                        "%s: data is missing: %llu changes were durable, %llu are there (was a .log file "
                        "removed or cut?)",
                        s->dir, (unsigned long long)m->seq, (unsigned long long)seq);
    return 0;
}

int ldr_shard_open(const struct ldr_shard_opts *o, struct ldr_shard **out, struct ldr_err *err)
{
    return ldr_shard_open_adopting(o, NULL, out, err);
}

int ldr_shard_open_adopting(const struct ldr_shard_opts *o, const struct ldr_adoption *a,
                            struct ldr_shard **out, struct ldr_err *err)
{
    struct ldr_marker m;
    struct ldr_shard *s = NULL;
    if (o->arc_lo > o->arc_hi)
        return ldr_fail(err, LDR_E_INVALID, "shard %u: arc ends before it starts", o->id);
    int rc = shard_create(o, &s);
    if (rc) {
        ldr_fail(err, rc, "opening shard %u: %s", o->id, ldr_code_text(rc));
        goto fail;
    }
    s->adopting = a != NULL;
    rc = dir_open(s, &m, err);
    if (rc == 0)
        rc = db_open(s, m.seq == 0, err);
    if (rc == 0)
        rc = prove_complete(s, &m, err);
    if (rc)
        goto fail;
    pthread_mutex_lock(&s->write_mu);
    rc = ldr_meta_open(s, &m, err);
    s->open_seq = atomic_load(&s->seq);
    if (rc == 0)
        rc = ldr_tombs_load(s, err);
    if (rc == 0)
        rc = ldr_views_load(s, err);
    if (rc == 0)
        rc = ldr_bulk_recover(s, err);
    if (rc == 0 && a && m.copy)
        rc = a->prepare(s, a, err);
    if (rc == 0 && ldr_marker_write(s, err) != 0) {
        if (m.seq == 0 || m.copy)
            rc = err ? err->code : LDR_E_IO;
        else /* the old one still holds: a full disk may be opened for reading */
            ldr_logf(s->opts.log, LDR_LOG_WARN, "shard %u: at open: the marker could not be written", o->id);
    }
    /* Not needed for any answer, so no reason to refuse: a full or damaged disk may be opened for reading. */
    struct ldr_err trouble = {0};
    if (rc == 0 && s->opts.no_log && ldr_log_drop(s, &trouble) != 0)
        ldr_logf(s->opts.log, LDR_LOG_WARN, "shard %u: at open: %s", o->id, trouble.message);
    pthread_mutex_unlock(&s->write_mu);
    if (rc)
        goto fail;
    *out = s;
    return 0;
fail:
    if (s) {
        db_close(s);
        shard_destroy(s);
    }
    return rc;
}

void ldr_shard_close(struct ldr_shard *s)
{
    if (!s)
        return;
    struct ldr_err err;
    /* After a write error nobody knows what is durable; the old marker still holds. */
    if (!atomic_load(&s->broken)) {
        pthread_mutex_lock(&s->write_mu);
        if (ldr_marker_write(s, &err) != 0)
            ldr_logf(s->opts.log, LDR_LOG_WARN, "shard %u: at close: %s", s->opts.id, err.message);
        pthread_mutex_unlock(&s->write_mu);
    }
    db_close(s);
    shard_destroy(s);
}
