/* Opening and closing a store. */
#include "client/store.h"

#include <stdlib.h>

#include "client/catalog/catalog.h"
#include "client/catalog/change.h"
#include "client/cluster/cluster_store.h"
#include "client/disk/files.h"
#include "client/disk/layout.h"
#include "client/share/share_guest.h"
#include "client/share/share_host.h"

#define MEMORY_DEFAULT      (UINT64_C(1) << 30)
#define LATEST_DEFAULT      (UINT64_C(256) << 20)
#define READ_MS_DEFAULT     10000u
#define WRITE_MS_DEFAULT    30000u
#define CACHE_DEFAULT       (UINT64_C(128) << 20)
#define WRITE_BUFFERS       (UINT64_C(256) << 20) /* all shards together */
#define WRITE_BUFFER        (UINT64_C(32) << 20)
#define WRITE_LEAST         (UINT64_C(4) << 20)
#define SHARE_LEAST         (UINT64_C(1) << 20) /* of a cache, for one shard */
#define FUTURE_DEFAULT      INT64_C(86400000000)
#define ERASE_GRACE_DEFAULT (10 * FUTURE_DEFAULT)

static void write_log(void *ctx, enum ldr_log_level level, const char *text)
{
    const struct ldr_store *s = ctx;
    s->opts.log(s->opts.log_ctx, (int)level, text);
}

static int take_options(struct ldr_store *s, const struct ldr_open_opts *opts, struct ldr_err *err)
{
    if (opts)
        s->opts = *opts;
    struct ldr_open_opts *o = &s->opts;
    if (o->shards > LDR_SHARDS_MAX)
        return ldr_fail(err, LDR_E_INVALID, "%u shards: 1 to %d are possible", o->shards, LDR_SHARDS_MAX);
    if (o->threads > 256)
        return ldr_fail(err, LDR_E_INVALID, "%u threads: at most 256 are possible", o->threads);
    if (o->future_us < -1 || o->future_us > LDR_TTL_MAX_US)
        return ldr_fail(err, LDR_E_INVALID, "future_us is out of range");
    if (o->erase_grace_us < -1 || o->erase_grace_us > LDR_TTL_MAX_US)
        return ldr_fail(err, LDR_E_INVALID, "erase_grace_us is out of range");
    o->erase_grace_us = o->erase_grace_us == 0  ? ERASE_GRACE_DEFAULT
                        : o->erase_grace_us < 0 ? 0
                                                : o->erase_grace_us;
    o->shards = o->shards ? o->shards : 1;
    o->memory_bytes = o->memory_bytes ? o->memory_bytes : MEMORY_DEFAULT;
    o->latest_bytes = o->latest_bytes ? o->latest_bytes : LATEST_DEFAULT;
    o->cache_bytes = o->cache_bytes ? o->cache_bytes : CACHE_DEFAULT;
    o->read_ms = o->read_ms ? o->read_ms : READ_MS_DEFAULT;
    o->write_ms = o->write_ms ? o->write_ms : WRITE_MS_DEFAULT;
    o->future_us = o->future_us == 0 ? FUTURE_DEFAULT : o->future_us < 0 ? 0 : o->future_us;
    if (o->log)
        s->log = (struct ldr_log){s, LDR_LOG_DEBUG, write_log};
    return 0;
}

static void destroy(struct ldr_store *s)
{
    ldr_cluster_close(s);
    ldr_host_destroy(s->host);
    for (uint32_t i = 0; s->shards && i < s->nshards; i++) {
        if (s->shards[i].shard)
            ldr_shard_close(s->shards[i].shard);
    }
    free(s->shards);
    ldr_catalog_release(s->catalog);
    ldr_registry_file_close(s->regfile);
    ldr_drops_close(&s->drops);
    ldr_stamp_file_close(s->stamps);
    ldr_ring_close(&s->ring);
    if (s->pool)
        ldr_pool_destroy(s->pool);
    ldr_layout_unlock(s->lock_fd);
    pthread_rwlock_destroy(&s->gate);
    pthread_mutex_destroy(&s->change);
    pthread_mutex_destroy(&s->catalog_lock);
    pthread_mutex_destroy(&s->backup);
    pthread_mutex_destroy(&s->async_lock);
    pthread_cond_destroy(&s->async_idle);
    ldr_own_close(&s->own);
    free(s->url);
    free(s->dir);
    free(s);
}

/* Of a store that a child inherited: its memory, as far as nobody else's threads had it in their hands. The
 * lock stays with the process that opened it; this copy of its descriptor must not keep it longer. */
static void forget(struct ldr_store *s)
{
    ldr_layout_forget(s->lock_fd);
    if (s->host)
        ldr_host_forget(s->host);
    s->lock_fd = -1;
}

static struct ldr_store *allocate(const char *url, const char *dir)
{
    struct ldr_store *s = ldr_calloc(NULL, 1, sizeof *s);
    if (!s)
        return NULL;
    s->lock_fd = -1;
    /* A steady stream of writers must not keep a backup or a deletion waiting for ever. */
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&s->gate, &attr);
    pthread_rwlockattr_destroy(&attr);
    pthread_mutex_init(&s->change, NULL);
    pthread_mutex_init(&s->catalog_lock, NULL);
    pthread_mutex_init(&s->backup, NULL);
    pthread_mutex_init(&s->async_lock, NULL);
    pthread_cond_init(&s->async_idle, NULL);
    LDR_ASSERT(url && dir);
    s->url = strdup(url);
    s->dir = strdup(dir);
    if (!s->url || !s->dir || ldr_own_init(&s->own)) {
        destroy(s);
        return NULL;
    }
    return s;
}

static int open_registry(struct ldr_store *s, bool fresh, struct ldr_err *err)
{
    struct ldr_registry *registry;
    char *dir = ldr_path_join(s->dir, "registry");
    int rc = dir ? 0 : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!rc && fresh)
        rc = ldr_dir_make(dir, err);
    if (!rc)
        rc = ldr_registry_file_open(dir, fresh, s->opts.no_sync, &s->log, &s->regfile, &registry, &s->drops,
                                    err);
    free(dir);
    if (rc)
        return rc;
    if (fresh && ldr_registry_version(registry) > 0) {
        /* Not an interrupted creation: a store in use has lost its FORMAT, and the ring may be lost as well.
         */
        ldr_registry_destroy(registry);
        return ldr_fail(
            err, LDR_E_CORRUPT,
            "%s holds definitions, but its FORMAT file is missing. If nothing else is, write \"larder 1\" "
            "into it; else restore a backup",
            s->dir);
    }
    rc = ldr_catalog_create(registry, &s->catalog, err);
    if (!rc)
        atomic_store(&s->version, s->catalog->version);
    return rc;
}

static int open_ring(struct ldr_store *s, bool fresh, struct ldr_err *err)
{
    int rc = ldr_layout_ring_read(s->dir, &s->ring, err);
    if (rc == LDR_E_NOT_FOUND && fresh) {
        ldr_err_clear(err);
        rc = ldr_ring_init_even(&s->ring, NULL, s->opts.shards);
        if (rc)
            return ldr_fail(err, rc, "out of memory");
        rc = ldr_layout_ring_write(s->dir, &s->ring, !s->opts.no_sync, err);
    } else if (rc == LDR_E_NOT_FOUND) {
        rc = ldr_fail(err, LDR_E_CORRUPT, "%s/ring is missing: it says which shard holds what", s->dir);
    }
    if (rc)
        return rc;
    s->nshards = s->ring.n;
    s->opts.shards = s->nshards;
    s->shards = ldr_calloc(NULL, s->nshards, sizeof *s->shards);
    if (!s->shards)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    for (uint32_t i = 0; i < s->nshards; i++) {
        const struct ldr_ring_arc *a = &s->ring.arcs[i];
        s->shards[i] = (struct ldr_store_shard){.id = a->shard, .lo = a->lo, .hi = a->hi};
    }
    return 0;
}

static size_t share(size_t total, uint32_t n, size_t least)
{
    size_t one = total / n;
    return one < least ? least : one;
}

struct open_shards {
    struct ldr_store *s;
    bool fresh;
    struct ldr_err *errs; /* one a shard */
};

static int open_shard(void *ctx, size_t i, unsigned worker)
{
    struct open_shards *job = ctx;
    struct ldr_store *s = job->s;
    struct ldr_store_shard *sh = &s->shards[i];
    (void)worker;
    char *dir = ldr_path_number(s->dir, "shards", sh->id);
    if (!dir)
        return ldr_fail(&job->errs[i], LDR_E_NOMEM, "out of memory");
    uint64_t buffer = WRITE_BUFFERS / s->nshards;
    buffer = buffer > WRITE_BUFFER ? WRITE_BUFFER : buffer < WRITE_LEAST ? WRITE_LEAST : buffer;
    struct ldr_shard_opts o = {
        .dir = dir,
        .id = sh->id,
        .arc_lo = sh->lo,
        .arc_hi = sh->hi,
        .create = job->fresh,
        .no_sync = s->opts.no_sync,
        .no_log = true, /* an embedded store has no peers */
        .cache_bytes = share(s->opts.cache_bytes, s->nshards, SHARE_LEAST),
        .latest_bytes = share(s->opts.latest_bytes, s->nshards, SHARE_LEAST),
        .write_buffer_bytes = buffer,
        .clock = s->clock,
        .pool = s->pool,
        .log = s->opts.log ? &s->log : NULL,
    };
    int rc = ldr_shard_open(&o, &sh->shard, &job->errs[i]);
    if (rc == LDR_E_NOT_FOUND)
        rc = ldr_fail(&job->errs[i], LDR_E_CORRUPT, "%s is missing: its facts are lost without it", dir);
    else if (rc)
        ldr_fail_context(&job->errs[i], rc, "%s", dir);
    free(dir);
    return rc;
}

static int open_shards(struct ldr_store *s, bool fresh, struct ldr_err *err)
{
    int rc = 0;
    char *dir = ldr_path_join(s->dir, "shards");
    struct open_shards job = {s, fresh, ldr_calloc(NULL, s->nshards, sizeof(struct ldr_err))};
    if (!dir || !job.errs)
        rc = ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!rc && fresh)
        rc = ldr_dir_make(dir, err);
    if (!rc) {
        rc = ldr_pool_each(s->pool, s->nshards, open_shard, &job);
        for (uint32_t i = 0; rc && err && i < s->nshards; i++) {
            if (job.errs[i].code) {
                *err = job.errs[i];
                break;
            }
        }
    }
    if (!rc && fresh && !s->opts.no_sync)
        rc = ldr_dir_sync(dir, err);
    free(job.errs);
    free(dir);
    return rc;
}

/* What a crash may have left behind: a backup in the making, facts of deleted views, the note of a finished
 * restore. */
static void clean_up(struct ldr_store *s)
{
    static const char *const left[] = {LDR_LAYOUT_COPY, LDR_LAYOUT_GUEST_COPY, LDR_LAYOUT_RESTORE};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        struct ldr_err why;
        char *path = ldr_path_join(s->dir, left[i]);
        if (path && ldr_dir_remove(path, &why))
            ldr_logf(&s->log, LDR_LOG_WARN, "cannot clean up: %s", why.message);
        free(path);
    }
    ldr_change_finish_drops(s);
}

static int open_parts(struct ldr_store *s, bool *busy, struct ldr_err *err)
{
    bool fresh;
    int rc = ldr_layout_lock(s->dir, s->opts.must_exist, !s->opts.exclusive, &s->lock_fd, &fresh, err);
    *busy = rc == LDR_E_LOCKED;
    if (rc)
        return rc;
    rc = ldr_pool_create(s->opts.threads, &s->pool);
    if (rc)
        return ldr_fail(err, rc, "cannot start threads: %s", ldr_code_text(rc));
    rc = open_registry(s, fresh, err);
    if (!rc)
        rc = open_ring(s, fresh, err);
    if (rc)
        return rc;
    char *stamp = ldr_path_join(s->dir, "stamp");
    rc = stamp ? ldr_stamp_file_open(stamp, fresh, s->opts.no_sync, s->clock, &s->log, &s->stamps, err)
               : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    free(stamp);
    if (!rc)
        rc = open_shards(s, fresh, err);
    if (!rc)
        rc = ldr_catalog_to_shards(s, s->catalog, NULL, err);
    if (!rc && fresh)
        rc = ldr_layout_seal(s->dir, !s->opts.no_sync, err);
    if (!rc)
        clean_up(s);
    if (!rc && !s->opts.exclusive)
        rc = ldr_host_create(s, &s->host, err);
    return rc;
}

/* A process that must not have the folder may still ask whoever has it. */
static int may_have(const struct ldr_store *s, bool *busy, struct ldr_err *err)
{
    struct ldr_err why;
    int fd, rc = ldr_shard_allowed(&why);
    bool fresh;
    if (!rc)
        return 0;
    *busy = ldr_layout_lock(s->dir, true, true, &fd, &fresh, err) == LDR_E_LOCKED;
    if (*busy)
        return LDR_E_LOCKED;
    ldr_layout_unlock(fd);
    if (err)
        *err = why;
    return rc;
}

int ldr_store_open_far(const char *url, const char *dir, const struct ldr_open_opts *opts,
                       struct ldr_clock clock,
                       int (*connect)(struct ldr_remote *r, void *ctx, struct ldr_err *err), void *ctx,
                       struct ldr_store **out, struct ldr_err *err)
{
    *out = NULL;
    ldr_err_clear(err);
    struct ldr_store *s = allocate(url, dir);
    if (!s)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    s->clock = clock;
    int rc = take_options(s, opts, err);
    if (!rc && (rc = ldr_pool_create(s->opts.threads, &s->pool)) != 0)
        ldr_fail(err, rc, "cannot start threads: %s", ldr_code_text(rc));
    if (!rc)
        rc = ldr_cluster_open(s, connect, ctx, err);
    if (rc)
        destroy(s);
    else
        *out = s;
    return rc;
}

int ldr_store_open_here(const char *url, const char *dir, const struct ldr_open_opts *opts,
                        struct ldr_clock clock, struct ldr_store **out, bool *busy, struct ldr_err *err)
{
    *out = NULL;
    *busy = false;
    ldr_err_clear(err);
    struct ldr_store *s = allocate(url, dir);
    if (!s)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    s->clock = clock;
    int rc = take_options(s, opts, err);
    if (!rc)
        rc = may_have(s, busy, err);
    if (!rc)
        rc = open_parts(s, busy, err);
    if (rc)
        destroy(s);
    else
        *out = s;
    return rc;
}

int ldr_store_open(const char *url, const struct ldr_open_opts *opts, struct ldr_clock clock,
                   struct ldr_store **out, struct ldr_err *err)
{
    static const char far[] = "cluster:";
    if (url && strncmp(url, far, sizeof far - 1) == 0)
        return ldr_store_open_far(url, "", opts, clock, ldr_cluster_connect,
                                  (void *)(uintptr_t)(url + sizeof far - 1), out, err);
    const char *dir;
    bool busy = false;
    *out = NULL;
    ldr_err_clear(err);
    int rc = ldr_layout_url(url, &dir, err);
    if (!rc)
        rc = ldr_store_open_here(url, dir, opts, clock, out, &busy, err);
    if (rc == LDR_E_LOCKED && busy && !(opts && opts->exclusive))
        rc = ldr_guest_open(url, dir, opts, clock, out, err);
    return rc;
}

int ldr_open(const char *url, const struct ldr_open_opts *opts, struct ldr_store **out, struct ldr_err *err)
{
    return ldr_store_open(url, opts, ldr_clock_system(), out, err);
}

void ldr_close(struct ldr_store *s)
{
    if (!s)
        return;
    if (!ldr_own_here(&s->own)) {
        forget(s);
        return;
    }
    pthread_mutex_lock(&s->async_lock);
    while (s->async_pending)
        pthread_cond_wait(&s->async_idle, &s->async_lock);
    pthread_mutex_unlock(&s->async_lock);
    destroy(s);
}

int ldr_store_stamp(struct ldr_store *s, int64_t *stamp_us, struct ldr_err *err)
{
    return s->remote ? ldr_cluster_stamp(s->remote, stamp_us, err) : ldr_stamp_next(s->stamps, stamp_us, err);
}

int ldr_store_foreign(struct ldr_store *s, struct ldr_err *err)
{
    forget(s);
    return ldr_fail(
        err, LDR_E_CLOSED,
        "the store was opened by another process, which forked this one: close it and open it anew");
}

int ldr_store_refresh(struct ldr_store *s, struct ldr_err *err)
{
    return s->guest ? ldr_cluster_refresh(s->remote, true, s->opts.read_ms, err) : 0;
}
