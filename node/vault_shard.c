#include "node/vault_shard_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define QUEUE_WRITES 4096
#define QUEUE_BYTES  ((size_t)256 << 20)
#define MIN_FREE     ((uint64_t)64 << 20)

struct vreplica *vault_find(struct ldr_vault_shard *v, uint32_t shard)
{
    for (struct vreplica *r = v->slots[shard % VSLOTS]; r; r = r->next)
        if (r->shard == shard)
            return r;
    return NULL;
}

struct vreplica *vault_add(struct ldr_vault_shard *v, uint32_t shard)
{
    struct vreplica *r = ldr_calloc(NULL, 1, sizeof *r);
    LDR_ASSERT(r);
    r->shard = shard;
    r->last_write = &r->writes;
    r->next = v->slots[shard % VSLOTS];
    v->slots[shard % VSLOTS] = r;
    return r;
}

void vault_forget(struct ldr_vault_shard *v, struct vreplica *r)
{
    struct vreplica **at = &v->slots[r->shard % VSLOTS];
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    ldr_release(NULL, r);
}

/* ---- tasks. Memory for one is a few hundred bytes: without it the process ends. ---- */

struct vtask *vault_task(struct ldr_vault_shard *v, struct ldr_vault_op *op, void (*run)(struct vtask *t))
{
    struct vtask *t = ldr_calloc(NULL, 1, sizeof *t);
    LDR_ASSERT(t);
    ldr_err_clear(&op->err);
    t->v = v;
    t->op = op;
    t->run = run;
    t->defs = v->defs;
    if (t->defs)
        atomic_fetch_add(&t->defs->refs, 1);
    ldr_page_init(&t->page);
    ldr_buf_init(&t->buf, NULL, 0);
    ldr_buf_init(&t->buf2, NULL, 0);
    v->tasks++;
    return t;
}

void vault_release(struct vtask *t)
{
    struct vreplica *r = t->r;
    t->r = NULL;
    if (!r)
        return;
    if (t->alone)
        r->exclusive = false;
    if (--r->refs == 0 && r->waiting) {
        struct vtask *w = r->waiting;
        r->waiting = NULL;
        r->refs++;
        vault_submit(w);
    } else if (r->refs == 0 && !r->s && !r->exclusive) {
        vault_forget(t->v, r);
    }
}

void vault_end(struct vtask *t)
{
    struct ldr_vault_shard *v = t->v;
    struct ldr_vault_op *op = t->op;
    int code = t->code;
    if (code)
        op->err.code = code;
    if ((code == LDR_E_IO || code == LDR_E_READ_ONLY) && v->opts.broken)
        v->opts.broken(v->opts.broken_ctx, code, op->err.message);
    vault_release(t); /* first: done may start the next operation on the replica */
    op->done(op, code);
    vdefs_release(t->defs);
    ldr_page_close(&t->page);
    ldr_buf_close(&t->buf);
    ldr_buf_close(&t->buf2);
    ldr_release(NULL, t->extra);
    ldr_release(NULL, t);
    v->tasks--;
}

void ldr_vault_shard_queues(const struct ldr_vault_shard *v, uint32_t *tasks, size_t *write_bytes)
{
    *tasks = v->tasks;
    *write_bytes = v->queued_bytes;
}

static void back_on_loop(struct ldr_job *job)
{
    struct vtask *t = (struct vtask *)(void *)job;
    if (t->after)
        t->after(t);
    else
        vault_end(t);
}

static void on_pool(struct ldr_job *job)
{
    struct vtask *t = (struct vtask *)(void *)job;
    if (t->run)
        t->run(t);
    t->job.run = back_on_loop;
    ldr_uv_loop_post(t->v->opts.loop, &t->job); /* the last touch: it may be gone at once */
}

void vault_submit(struct vtask *t)
{
    t->job.run = on_pool;
    ldr_pool_submit(t->v->opts.pool, &t->job);
}

void vault_refuse(struct vtask *t, int code, const char *why)
{
    t->code = ldr_fail(&t->op->err, code, "%s", why);
    t->after = NULL;
    t->job.run = back_on_loop;
    ldr_uv_loop_post(t->v->opts.loop, &t->job);
}

void vault_on(struct vtask *t, uint32_t shard)
{
    struct vreplica *r = vault_find(t->v, shard);
    if (r && r->exclusive) {
        vault_refuse(t, LDR_E_BUSY, "the replica is being opened, closed or cut");
    } else if (!r || !r->s) {
        vault_refuse(t, LDR_E_NOT_FOUND, "the replica is not open here");
    } else {
        t->r = r;
        r->refs++;
        vault_submit(t);
    }
}

void vault_alone(struct vtask *t, struct vreplica *r)
{
    if (r->exclusive) {
        vault_refuse(t, LDR_E_BUSY, "the replica is being opened, closed or cut");
        return;
    }
    t->r = r;
    t->alone = true;
    r->exclusive = true;
    if (r->refs > 0) {
        r->waiting = t;
        return;
    }
    r->refs++;
    vault_submit(t);
}

char *vault_path(const struct ldr_vault_shard *v, uint32_t shard, const char *suffix)
{
    char name[48];
    snprintf(name, sizeof name, "shards/%u%s", shard, suffix);
    return vfile_join(v->dir, name);
}

struct ldr_shard_opts vault_shard_opts(const struct ldr_vault_shard *v, uint32_t shard, const char *dir)
{
    return (struct ldr_shard_opts){
        .dir = dir,
        .id = shard,
        .any_arc = true,
        .no_sync = v->opts.no_sync,
        .cache_bytes = v->opts.cache_bytes,
        .latest_bytes = v->opts.latest_bytes,
        .write_buffer_bytes = v->opts.write_buffer_bytes,
        .min_free_bytes = v->opts.min_free_bytes,
        .clock = ldr_clock_system(),
        .log = v->opts.log,
    };
}

/* ---- figures ---- */

static int vault_stats(void *ctx, uint32_t shard, struct ldr_vault_stats *out)
{
    struct vreplica *r = vault_find(ctx, shard);
    struct ldr_shard_stats st;
    memset(out, 0, sizeof *out);
    if (!r || !r->s || r->exclusive)
        return LDR_E_NOT_FOUND;
    int rc = ldr_shard_stats(r->s, &st);
    if (rc)
        return rc;
    *out = (struct ldr_vault_stats){.facts = st.history_facts,
                                    .bytes = st.disk_bytes,
                                    .table_rows = st.table_rows,
                                    .table_bytes = st.table_bytes,
                                    .table_hits = st.table_hits,
                                    .table_misses = st.table_misses,
                                    .head_seq = st.seq,
                                    .memtable_bytes = st.memtable_bytes,
                                    .cache_bytes = st.cache_bytes,
                                    .compaction_owed_bytes = st.compaction_owed_bytes,
                                    .compactions = st.compactions,
                                    .level0_files = st.level0_files,
                                    .writes_stopped = st.writes_stopped,
                                    .tombs_kept = st.tombs_kept,
                                    .tombs_collected = st.tombs_collected};
    return 0;
}

static void vault_space(void *ctx, struct ldr_vault_space *out)
{
    const struct ldr_vault_shard *v = ctx;
    struct statvfs s;
    memset(out, 0, sizeof *out);
    if (statvfs(v->dir, &s) != 0) { /* a disk that does not answer takes no writes */
        out->full = true;
        return;
    }
    uint64_t total = (uint64_t)s.f_blocks * s.f_frsize;
    uint64_t keep = v->opts.min_free_bytes ? v->opts.min_free_bytes : MIN_FREE;
    out->free = (uint64_t)s.f_bavail * s.f_frsize;
    out->used = total - (uint64_t)s.f_bfree * s.f_frsize;
    out->full = out->free < keep;
}

/* ---- creation ---- */

int ldr_vault_shard_create(const struct ldr_vault_shard_opts *o, struct ldr_vault_shard **out,
                           struct ldr_err *err)
{
    static const char *const folders[] = {"shards", "copies", "node"};
    struct ldr_vault_shard *v = ldr_calloc(NULL, 1, sizeof *v);
    ldr_err_clear(err);
    if (!v)
        return ldr_fail(err, LDR_E_NOMEM, "opening the storage: out of memory");
    v->opts = *o;
    v->lock_fd = -1;
    v->opts.queue_writes = o->queue_writes ? o->queue_writes : QUEUE_WRITES;
    v->opts.queue_bytes = o->queue_bytes ? o->queue_bytes : QUEUE_BYTES;
    v->dir = strdup(o->dir);
    int rc =
        v->dir ? vfile_mkdir(v->dir, err) : ldr_fail(err, LDR_E_NOMEM, "opening the storage: out of memory");
    if (rc == 0)
        rc = vfile_lock(v->dir, &v->lock_fd, err);
    for (size_t i = 0; i < sizeof folders / sizeof folders[0] && rc == 0; i++) {
        char *path = vfile_join(v->dir, folders[i]);
        rc = path ? vfile_mkdir(path, err) : ldr_fail(err, LDR_E_NOMEM, "opening the storage: out of memory");
        ldr_release(NULL, path);
    }
    if (rc == 0 && ldr_random_bytes(&v->next_copy, sizeof v->next_copy) != 0)
        rc = ldr_fail(err, LDR_E_IO, "opening the storage: no randomness");
    if (rc == 0)
        rc = vnotes_load(v, err);
    if (rc == 0)
        rc = vdefs_load(v, err);
    if (rc) {
        ldr_vault_shard_destroy(v);
        return rc;
    }
    vault_sweep(v);
    *out = v;
    return 0;
}

void ldr_vault_shard_destroy(struct ldr_vault_shard *v)
{
    if (!v)
        return;
    LDR_ASSERT(v->tasks == 0);
    for (size_t i = 0; i < VSLOTS; i++)
        while (v->slots[i]) {
            ldr_shard_close(v->slots[i]->s);
            vault_forget(v, v->slots[i]);
        }
    while (v->copies) {
        struct vcopy *c = v->copies;
        v->copies = c->next;
        ldr_copy_remove(c->dir);
        ldr_release(NULL, c->dir);
        ldr_arena_close(&c->arena);
        ldr_release(NULL, c->files);
        ldr_release(NULL, c);
    }
    vdefs_release(v->defs);
    for (uint32_t i = 0; i < v->nnotes; i++)
        ldr_release(NULL, v->notes[i].p);
    ldr_release(NULL, v->notes);
    vault_looking_close(&v->looking);
    if (v->lock_fd >= 0)
        close(v->lock_fd);
    free(v->dir);
    ldr_release(NULL, v);
}

struct ldr_vault ldr_vault_shard_seam(struct ldr_vault_shard *v)
{
    return (struct ldr_vault){
        .ctx = v,
        .list = vault_list,
        .note_get = vault_note_get,
        .defs_version = vault_defs_version,
        .lookup = vault_lookup,
        .ahead = vault_ahead,
        .stats = vault_stats,
        .space = vault_space,
        .open = vault_open,
        .create = vault_create,
        .close = vault_close,
        .drop = vault_drop,
        .write = vault_write,
        .asof = vault_asof,
        .scan = vault_scan,
        .log = vault_log,
        .trim = vault_trim,
        .collect = vault_collect,
        .hashes = vault_hashes,
        .range = vault_range,
        .copy_begin = vault_copy_begin,
        .copy_read = vault_copy_read,
        .copy_end = vault_copy_end,
        .install_begin = vault_install_begin,
        .install_put = vault_install_put,
        .install_finish = vault_install_finish,
        .split = vault_split,
        .merge = vault_merge,
        .note_put = vault_note_put,
        .set_defs = vault_set_defs,
        .check = vault_check,
        .compact = vault_compact,
    };
}
