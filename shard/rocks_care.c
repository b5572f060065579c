/* Checkpoint, compaction, figures. */
#include <stdlib.h>

#include "shard/files.h"
#include "shard/marker.h"
#include "shard/shard_impl.h"

static int flush_all(struct ldr_shard *s, struct ldr_err *err)
{
    rocksdb_flushoptions_t *fo = rocksdb_flushoptions_create();
    rocksdb_flushoptions_set_wait(fo, 1);
    int rc = 0;
    for (int i = 0; i < LDR_CF_COUNT && rc == 0; i++) { /* one by one: C has no flush of several */
        char *text = NULL;
        rocksdb_flush_cf(s->db, fo, s->cf[i], &text);
        rc = ldr_rocks_fail(err, "flushing", text);
    }
    rocksdb_flushoptions_destroy(fo);
    return rc;
}

/* Hard links of the tables and a copy of the rest. No writer is under way: the log holds nothing that the
 * tables lack. */
static int copy_locked(struct ldr_shard *s, const char *dir, const char *db, struct ldr_copy_origin *origin,
                       struct ldr_err *err)
{
    int rc = flush_all(s, err);
    if (rc)
        return rc;
    if (origin)
        *origin = (struct ldr_copy_origin){s->incarnation, atomic_load(&s->seq)};
    char *text = NULL;
    rocksdb_checkpoint_t *c = rocksdb_checkpoint_object_create(s->db, &text);
    rc = ldr_rocks_fail(err, "making a checkpoint", text);
    if (rc)
        return rc;
    text = NULL;
    rocksdb_checkpoint_create(c, db, 0, &text);
    rc = ldr_rocks_fail(err, "making a checkpoint", text);
    rocksdb_checkpoint_object_destroy(c);
    struct ldr_marker m = {
        .incarnation = s->incarnation, .seq = rocksdb_get_latest_sequence_number(s->db), .copy = true};
    return rc ? rc : ldr_marker_put(dir, &m, err); /* last: a folder without it is refused */
}

int ldr_shard_checkpoint(struct ldr_shard *s, const char *dir, struct ldr_err *err)
{
    return ldr_shard_copy(s, dir, NULL, err);
}

int ldr_shard_copy(struct ldr_shard *s, const char *dir, struct ldr_copy_origin *origin, struct ldr_err *err)
{
    ldr_err_clear(err);
    if (ldr_files_exist(dir))
        return ldr_fail(err, LDR_E_EXISTS, "%s exists already", dir);
    char *db = ldr_files_join(dir, "db");
    if (!db)
        return ldr_fail(err, LDR_E_NOMEM, "making a checkpoint: out of memory");
    int rc = flush_all(s, err); /* most of the work, while writes go on */
    if (rc)
        goto out;
    rc = ldr_files_mkdir(dir, err);
    if (rc)
        goto out;
    pthread_mutex_lock(&s->write_mu);
    rc = copy_locked(s, dir, db, origin, err);
    pthread_mutex_unlock(&s->write_mu);
    if (rc) {
        ldr_files_remove_flat(db);
        ldr_files_remove_flat(dir);
    }
out:
    ldr_release(NULL, db);
    return rc;
}

int ldr_shard_compact(struct ldr_shard *s, struct ldr_err *err)
{
    ldr_err_clear(err);
    int rc = flush_all(s, err);
    if (rc)
        return rc;
    rocksdb_compactoptions_t *co = rocksdb_compactoptions_create();
    rocksdb_compactoptions_set_exclusive_manual_compaction(co, 0);
    rocksdb_compactoptions_set_bottommost_level_compaction(co,
                                                           2); /* also what lies in the last level already */
    for (int i = 0; i < LDR_CF_COUNT; i++)
        rocksdb_compact_range_cf_opt(s->db, s->cf[i], co, NULL, 0, NULL, 0);
    rocksdb_compactoptions_destroy(co);
    char *bg = rocksdb_property_value(s->db, "rocksdb.background-errors");
    if (bg && strcmp(bg, "0") != 0) /* compaction has no other way to say so */
        rc = ldr_fail(err, LDR_E_IO, "compacting: %s background errors", bg);
    if (bg)
        rocksdb_free(bg);
    return rc;
}

static uint64_t property(struct ldr_shard *s, enum ldr_cf cf, const char *name)
{
    uint64_t v = 0;
    return rocksdb_property_int_cf(s->db, s->cf[cf], name, &v) == 0 ? v : 0;
}

static uint64_t level0_files(struct ldr_shard *s, enum ldr_cf cf)
{
    char *text = rocksdb_property_value_cf(s->db, s->cf[cf], "rocksdb.num-files-at-level0"); /* text only */
    uint64_t n = text ? strtoull(text, NULL, 10) : 0;
    if (text)
        rocksdb_free(text);
    return n;
}

int ldr_shard_stats(struct ldr_shard *s, struct ldr_shard_stats *out)
{
    memset(out, 0, sizeof *out);
    out->history_facts = property(s, LDR_CF_HISTORY, "rocksdb.estimate-num-keys");
    out->latest_rows = property(s, LDR_CF_LATEST, "rocksdb.estimate-num-keys");
    out->seq = atomic_load(&s->seq);
    out->incarnation = s->incarnation;
    char *db = ldr_files_join(s->dir, "db");
    if (!db)
        return LDR_E_NOMEM;
    out->disk_bytes = ldr_files_usage(db);
    ldr_release(NULL, db);
    for (int i = 0; i < LDR_CF_COUNT; i++) {
        enum ldr_cf cf = (enum ldr_cf)i;
        out->memtable_bytes += property(s, cf, "rocksdb.cur-size-all-mem-tables");
        out->memory_bytes += property(s, cf, "rocksdb.estimate-table-readers-mem");
        out->compaction_owed_bytes += property(s, cf, "rocksdb.estimate-pending-compaction-bytes");
        out->level0_files += level0_files(s, cf);
    }
    out->compactions = property(s, LDR_CF_HISTORY, "rocksdb.num-running-compactions"); /* of all families */
    out->writes_stopped = property(s, LDR_CF_HISTORY, "rocksdb.is-write-stopped") != 0;
    out->cache_bytes = rocksdb_cache_get_usage(s->cache);
    out->memory_bytes += out->memtable_bytes + out->cache_bytes;
    out->tombs_kept = atomic_load(&s->tombs_kept);
    out->tombs_collected = atomic_load(&s->tombs_collected);
    struct ldr_latest_stats t;
    ldr_latest_stats(s->table, &t);
    out->table_rows = t.rows;
    out->table_bytes = t.bytes;
    out->table_hits = t.hits;
    out->table_misses = t.misses;
    out->memory_bytes += t.bytes;
    return 0;
}
