/* A store whose facts are in a cluster: map and definitions as last heard, and who keeps them fresh. */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "client/catalog/catalog.h"
#include "client/cluster/cluster.h"
#include "client/cluster/cluster_store.h"

#define WATCH_SECONDS 2     /* between questions for news, when nobody tells */
#define STRICT_MS     2000u /* then what a follower knows will do */
#define REACH_MS      1000u /* then what is on disk will do, when not one coordinator can be reached */
#define OPEN_MS       5000u /* for all of it, unless the caller says */
#define FOLLOWER_MS   1500u /* the same, when some can be, and say nothing */

/* ---- Map ---- */

struct ldr_map_ref *ldr_cluster_map(struct ldr_remote *r)
{
    pthread_mutex_lock(&r->map_lock);
    struct ldr_map_ref *m = r->map;
    atomic_fetch_add(&m->refs, 1);
    pthread_mutex_unlock(&r->map_lock);
    return m;
}

void ldr_cluster_map_release(struct ldr_map_ref *m)
{
    if (!m || atomic_fetch_sub(&m->refs, 1) != 1)
        return;
    ldr_map_close(&m->map);
    free(m);
}

static int take_map(struct ldr_remote *r, struct ldr_slice bytes, struct ldr_err *err)
{
    struct ldr_map_ref *m = ldr_calloc(NULL, 1, sizeof *m);
    if (!m)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    atomic_init(&m->refs, 1);
    int rc = ldr_map_decode(&m->map, NULL, bytes);
    if (rc) {
        free(m);
        return ldr_fail(err, rc, "the coordinator's shard map does not read: %s", ldr_code_text(rc));
    }
    pthread_mutex_lock(&r->map_lock);
    struct ldr_map_ref *old = r->map;
    bool newer = !old || m->map.version > old->map.version;
    if (newer)
        r->map = m;
    pthread_mutex_unlock(&r->map_lock);
    if (newer && r->map_news)
        r->map_news(r->news_ctx, &m->map);
    ldr_cluster_map_release(newer ? old : m);
    return 0;
}

static int take_defs(struct ldr_remote *r, struct ldr_slice bytes, struct ldr_err *err)
{
    struct ldr_registry *registry;
    struct ldr_catalog *c;
    int rc = ldr_registry_restore(NULL, bytes, &registry);
    if (rc)
        return ldr_fail(err, rc, "the coordinator's definitions do not read: %s", ldr_code_text(rc));
    rc = ldr_catalog_create(registry, &c, err);
    if (rc)
        return rc;
    struct ldr_store *s = r->store;
    if (!s->catalog) {
        s->catalog = c;
        atomic_store(&s->version, c->version);
    } else if (c->version > s->catalog->version) { /* changed under r->refresh only */
        ldr_catalog_publish(s, c);
    } else {
        ldr_catalog_release(c);
    }
    return 0;
}

/* Without it a later start needs a coordinator: nothing that a caller must hear of. */
static void keep(struct ldr_remote *r)
{
    struct ldr_err why;
    if (r->cache && ldr_cluster_cache_save(r->cache, &r->map->map, r->store->catalog->registry,
                                           r->store->clock.now_us(r->store->clock.ctx), &why))
        ldr_logf(&r->store->log, LDR_LOG_INFO, "the map is not kept on disk: %s", why.message);
}

int ldr_cluster_refresh(struct ldr_remote *r, bool strict, uint32_t timeout_ms, struct ldr_err *err)
{
    struct ldr_buf out, in;
    struct ldr_arena arena;
    ldr_buf_init(&out, NULL, LDR_FRAME_MAX);
    ldr_buf_init(&in, NULL, LDR_FRAME_MAX);
    ldr_arena_init(&arena, NULL, 4096);
    pthread_mutex_lock(&r->refresh);
    struct ldr_state_req q = {.have_map = r->map ? r->map->map.version : 0,
                              .have_defs = r->store->catalog ? r->store->catalog->version : 0,
                              .strict = strict};
    struct ldr_state_rep a;
    int rc = ldr_state_req_encode(&q, &out);
    rc = rc ? ldr_fail(err, rc, "out of memory")
            : r->control.ask(r->control.ctx, LDR_MSG_STATE, ldr_buf_slice(&out), timeout_ms, &in, err);
    if (!rc && (rc = ldr_state_rep_decode(ldr_buf_slice(&in), &arena, &a)) != 0)
        ldr_fail(err, rc, "the coordinator's answer is not one: %s", ldr_code_text(rc));
    if (!rc && a.map.n)
        rc = take_map(r, a.map, err);
    if (!rc && a.defs.n)
        rc = take_defs(r, a.defs, err);
    if (!rc && (!r->map || !r->store->catalog))
        rc = ldr_fail(err, LDR_E_CORRUPT, "the coordinator sent no map or no definitions");
    if (!rc)
        atomic_store(&r->heard_us, ldr_cluster_mono_us(r));
    if (!rc && (a.map.n || a.defs.n))
        keep(r);
    pthread_mutex_unlock(&r->refresh);
    ldr_arena_close(&arena);
    ldr_buf_close(&out);
    ldr_buf_close(&in);
    return rc;
}

void ldr_cluster_known(struct ldr_remote *r, uint64_t *map_version, uint64_t *age_us)
{
    struct ldr_map_ref *m = ldr_cluster_map(r);
    uint64_t heard = atomic_load(&r->heard_us), now = ldr_cluster_mono_us(r);
    *map_version = m->map.version;
    *age_us = heard == 0 ? UINT64_MAX : now > heard ? now - heard : 0;
    ldr_cluster_map_release(m);
}

bool ldr_cluster_behind(struct ldr_remote *r, uint64_t knew)
{
    return r->guest && atomic_load(&r->defs_seen) > knew;
}

/* ---- The watcher ---- */

void ldr_cluster_news(struct ldr_remote *r)
{
    pthread_mutex_lock(&r->watch_lock);
    r->news = true;
    pthread_cond_signal(&r->watch_cond);
    pthread_mutex_unlock(&r->watch_lock);
}

void ldr_cluster_heard(struct ldr_remote *r, uint64_t map_version, uint64_t defs_version)
{
    pthread_mutex_lock(&r->map_lock);
    bool newer = !r->map || map_version > r->map->map.version;
    pthread_mutex_unlock(&r->map_lock);
    if (newer || defs_version > atomic_load(&r->store->version))
        ldr_cluster_news(r);
}

/* Asks every two seconds and whenever somebody heard of something newer. Without coordinators all goes on
 * with what is known. */
static void *watch(void *ctx)
{
    struct ldr_remote *r = ctx;
    bool silent = false;
    for (;;) {
        struct timespec at;
        clock_gettime(CLOCK_MONOTONIC, &at);
        at.tv_sec += WATCH_SECONDS;
        pthread_mutex_lock(&r->watch_lock);
        while (!r->stop && !r->news &&
               pthread_cond_timedwait(&r->watch_cond, &r->watch_lock, &at) != ETIMEDOUT)
            ;
        bool stop = r->stop;
        r->news = false;
        pthread_mutex_unlock(&r->watch_lock);
        if (stop)
            return NULL;
        struct ldr_err why;
        bool failed = ldr_cluster_refresh(r, false, LDR_CLUSTER_CONTROL_MS, &why) != 0;
        if (failed && !silent)
            ldr_logf(&r->store->log, LDR_LOG_WARN, "no coordinator answers; going on with map %llu: %s",
                     (unsigned long long)r->map->map.version, why.message);
        silent = failed;
    }
}

static int start_watch(struct ldr_remote *r, struct ldr_err *err)
{
    if (pthread_create(&r->watcher, NULL, watch, r))
        return ldr_fail(err, LDR_E_NOMEM, "cannot start a thread");
    r->watching = true;
    return 0;
}

static void stop_watch(struct ldr_remote *r)
{
    if (!r->watching)
        return;
    pthread_mutex_lock(&r->watch_lock);
    r->stop = true;
    pthread_cond_signal(&r->watch_cond);
    pthread_mutex_unlock(&r->watch_lock);
    pthread_join(r->watcher, NULL);
    r->watching = false;
}

/* ---- Opening ---- */

const struct ldr_remote_ops ldr_cluster_ops = {
    .latest = ldr_cluster_latest,
    .asof = ldr_cluster_asof,
    .asof_sorted = ldr_cluster_asof_sorted,
    .scan = ldr_cluster_scan,
    .write = ldr_cluster_write,
    .load = ldr_cluster_load,
    .erase = ldr_cluster_erase,
    .check = ldr_cluster_check,
    .stats = ldr_cluster_stats,
    .compact = ldr_cluster_compact,
};

void ldr_cluster_close(struct ldr_store *s)
{
    struct ldr_remote *r = s->remote;
    if (!r)
        return;
    stop_watch(r);
    if (r->net_close)
        r->net_close(r->net);
    ldr_cluster_map_release(r->map);
    ldr_cluster_cache_close(r->cache);
    pthread_mutex_destroy(&r->commands);
    pthread_mutex_destroy(&r->refresh);
    pthread_mutex_destroy(&r->map_lock);
    pthread_mutex_destroy(&r->watch_lock);
    pthread_cond_destroy(&r->watch_cond);
    free(r);
    s->remote = NULL;
}

/* What was kept on disk. On failure nothing has changed, and *err says what the coordinators' failure was. */
static int take_kept(struct ldr_remote *r, const struct ldr_err *err)
{
    struct ldr_map_ref *m = ldr_calloc(NULL, 1, sizeof *m);
    struct ldr_registry *registry = NULL;
    struct ldr_err why;
    int64_t saved_us = 0;
    int rc = m ? ldr_cluster_cache_load(r->cache, &m->map, &registry, &saved_us, &why) : LDR_E_NOMEM;
    if (rc) {
        free(m);
        if (rc != LDR_E_NOT_FOUND && rc != LDR_E_NOMEM)
            ldr_logf(&r->store->log, LDR_LOG_WARN, "a map kept on disk is ignored: %s", why.message);
        return rc;
    }
    atomic_init(&m->refs, 1);
    rc = ldr_catalog_create(registry, &r->store->catalog, &why); /* takes the registry, also when it fails */
    if (rc) {
        ldr_cluster_map_release(m);
        return rc;
    }
    atomic_store(&r->store->version, r->store->catalog->version);
    r->map = m;
    if (r->map_news)
        r->map_news(r->news_ctx, &m->map);
    char text[LDR_TIME_TEXT];
    ldr_time_format(saved_us, text);
    ldr_logf(&r->store->log, LDR_LOG_WARN,
             "no coordinator answers; starting with map %llu and definitions %llu of %s from %s: %s",
             (unsigned long long)m->map.version, (unsigned long long)r->store->catalog->version, text,
             ldr_cluster_cache_path(r->cache), err->message);
    return 0;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* What is left of a time that began at `from_us`, and may be used in one go. */
static uint32_t left(struct ldr_remote *r, uint64_t from_us, uint32_t whole_ms, uint32_t most_ms)
{
    uint64_t spent = (ldr_cluster_mono_us(r) - from_us) / 1000;
    uint32_t rest = spent < whole_ms ? whole_ms - (uint32_t)spent : 1;
    return least(rest, most_ms);
}

/* Strictly, so that what others were told has happened is seen; while nobody leads, as somebody knows it;
 * when nobody answers at all, as it was when a client of this user last heard of it. */
static int first_state(struct ldr_remote *r, uint32_t open_ms, struct ldr_err *err)
{
    struct ldr_err why;
    uint64_t from = ldr_cluster_mono_us(r);
    bool kept = r->cache && access(ldr_cluster_cache_path(r->cache), R_OK) == 0;
    int rc;
    if (!kept) {
        rc = ldr_cluster_refresh(r, true, least(STRICT_MS, open_ms / 2 + 1), &why);
        if (rc)
            rc = ldr_cluster_refresh(r, false, left(r, from, open_ms, UINT32_MAX), &why);
    } else {
        rc = ldr_cluster_refresh(r, true, least(REACH_MS, open_ms), &why);
        if (rc && rc != LDR_E_UNAVAILABLE) {
            rc = ldr_cluster_refresh(r, true, left(r, from, open_ms, STRICT_MS - REACH_MS), &why);
            if (rc)
                rc = ldr_cluster_refresh(r, false, left(r, from, open_ms, FOLLOWER_MS), &why);
        }
    }
    if (!rc || (kept && take_kept(r, &why) == 0))
        return 0;
    if (rc == LDR_E_UNAVAILABLE || rc == LDR_E_TIMEOUT)
        return ldr_fail(err, rc, "%.800s: no coordinator answered within %.1f s", r->store->url,
                        (double)(ldr_cluster_mono_us(r) - from) / 1e6);
    if (err)
        *err = why;
    return rc;
}

int ldr_cluster_open(struct ldr_store *s,
                     int (*connect)(struct ldr_remote *r, void *ctx, struct ldr_err *err), void *ctx,
                     struct ldr_err *err)
{
    struct ldr_remote *r = ldr_calloc(NULL, 1, sizeof *r);
    const uint32_t open_ms = s->opts.open_ms;
    if (!r)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&r->commands, NULL);
    pthread_mutex_init(&r->refresh, NULL);
    pthread_mutex_init(&r->map_lock, NULL);
    pthread_mutex_init(&r->watch_lock, NULL);
    pthread_cond_init(&r->watch_cond, &attr);
    pthread_condattr_destroy(&attr);
    ldr_pace_init(&r->pace);
    r->store = s;
    r->ops = &ldr_cluster_ops;
    s->remote = r;
    int rc = ldr_random_bytes(&r->client_id, sizeof r->client_id);
    if (rc)
        ldr_fail(err, rc, "no random numbers");
    if (!rc)
        rc = connect(r, ctx, err);
    if (!rc)
        rc = r->guest ? ldr_cluster_refresh(r, true, open_ms ? open_ms : s->opts.read_ms, err)
                      : first_state(r, open_ms ? open_ms : OPEN_MS, err);
    if (!rc && r->map->map.nshards == 0)
        rc = ldr_fail(err, LDR_E_REFUSED, "the cluster has no shards yet: `larder cluster init` makes them");
    s->shards = rc ? NULL : ldr_calloc(NULL, 1, sizeof *s->shards);
    if (!rc && !s->shards)
        rc = ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!rc) {
        s->nshards = 1;
        s->shards[0] = (struct ldr_store_shard){.ops = r->ops, .remote = r, .hi = UINT64_MAX};
        rc = r->guest ? 0 : start_watch(r, err); /* a guest asks whenever it has to know */
    }
    return rc; /* what is there is closed with the store */
}
