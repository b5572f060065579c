/* shard/: one RocksDB instance that holds the facts of one arc of the hash ring: history, latest values,
 * tombstones and the change log, written in one atomic batch. Thread-safe unless said otherwise.
 * docs/format.md has the bytes. */
#ifndef LDR_SHARD_H
#define LDR_SHARD_H
#include "env/env.h"
#include "feature/feature.h"

struct ldr_shard;
struct ldr_snap; /* a frozen view of one shard */

struct ldr_shard_opts {
    const char *dir;
    uint32_t id;
    uint64_t arc_lo, arc_hi;   /* inclusive; a fact outside is refused (LDR_E_INVALID) */
    bool any_arc;              /* take the arc of the shard that is there, whatever arc_lo..hi say */
    bool create;               /* make it when it is not there; else LDR_E_NOT_FOUND */
    bool no_sync;              /* skip fsync: for tests and rebuildable loads only */
    bool no_log;               /* nobody pulls from this shard: keep no change log, only its seq */
    size_t cache_bytes;        /* block cache; 0 = 64 MiB */
    size_t latest_bytes;       /* in-memory table of latest rows; 0 = 256 MiB */
    size_t write_buffer_bytes; /* 0 = 32 MiB */
    uint64_t min_free_bytes;   /* writes are refused (LDR_E_NOSPACE) with less disk free; 0 = max(64 MiB, 2
                                  write buffers) */
    struct ldr_clock clock;
    struct ldr_pool *pool;     /* borrowed: for bulk loads; may be NULL (then in the calling thread) */
    const struct ldr_log *log; /* borrowed; may be NULL */
};
/* Whether this process may open shards at all: not when it was forked off from one that had
 * (LDR_E_UNSUPPORTED).
 */
int ldr_shard_allowed(struct ldr_err *err);
/* LDR_E_LOCKED, _CORRUPT, _FORMAT, _IO, _NOSPACE with detail. Finishes or undoes a bulk load that a crash
 * interrupted. */
int ldr_shard_open(const struct ldr_shard_opts *o, struct ldr_shard **out, struct ldr_err *err);
void ldr_shard_close(struct ldr_shard *s); /* no call may be under way */

/* Tells the shard about a view (new, or changed: more columns, other ttl or retention): before its first
 * write or read. The schema is copied. entity_id scopes tombstones "of all views". */
int ldr_shard_set_view(struct ldr_shard *s, const struct ldr_schema *schema, uint32_t entity_id);
int ldr_shard_drop_view(struct ldr_shard *s, uint32_t view,
                        struct ldr_err *err); /* removes all its data, durably */

/* ---- Writing ---- */
struct ldr_write_result {
    uint64_t
        facts; /* taken (a repetition of a known fact is counted here too unless it was seen to be one) */
    uint64_t duplicates; /* seen to be in the store already; nothing written */
    uint64_t erased;     /* refused: created at or before a tombstone of their entity */
    uint64_t ties;       /* seen: same entity, event and created time as another fact, other values */
    uint64_t seq;        /* of the change log after this write */
};
/* Writes facts (any views, any order, repetitions allowed) in one atomic, durable batch; calls from several
 * threads share one fsync. Rows must be verified. LDR_E_BUSY when the queue is full, _NOSPACE, _READ_ONLY
 * after an earlier write error; err->in_doubt is set when the outcome is unknown. */
int ldr_shard_write(struct ldr_shard *s, const struct ldr_fact *facts, size_t n, struct ldr_write_result *res,
                    struct ldr_err *err);
/* The same for very many facts of one view, by building sorted tables and ingesting them: atomic as a whole,
 * durable when it returns. Facts come in chunks so that the caller's threads can fill them apart; the memory
 * stays the caller's and may be reordered. Takes about 24 bytes a fact of its own besides. */
struct ldr_fact_chunk {
    struct ldr_fact *facts;
    size_t n;
};
int ldr_shard_load(struct ldr_shard *s, uint32_t view, struct ldr_fact_chunk *chunks, size_t nchunks,
                   struct ldr_write_result *res, struct ldr_err *err);
/* Tombstone: every fact of the entity created at or before erase_us is gone, arrived or not, in one view, or
 * (view 0) in all views of entity_id, views declared later too. *erased counts the history facts removed (may
 * be NULL). */
int ldr_shard_erase(struct ldr_shard *s, uint32_t view, uint32_t entity_id, struct ldr_slice key,
                    int64_t erase_us, uint64_t *erased, struct ldr_err *err);

/* ---- Point reads. Rows are copied into `scratch` (appended) and verified: corrupt bytes give LDR_E_CORRUPT.
 * Answers' slices point into scratch and are valid until it changes. ---- */
struct ldr_answer {
    bool found;
    bool stamped;
    int64_t event_us, created_us;
    struct ldr_slice row;
};
struct ldr_point {
    uint32_t view;
    uint64_t hash; /* ldr_key_hash(key) */
    struct ldr_slice key;
};
int ldr_shard_latest(struct ldr_shard *s, const struct ldr_point *p, struct ldr_buf *scratch,
                     struct ldr_answer *out, struct ldr_err *err);
int ldr_shard_latest_many(struct ldr_shard *s, const struct ldr_point *p, size_t n, struct ldr_buf *scratch,
                          struct ldr_answer *out, struct ldr_err *err);
/* The same for points of many shards, s[i] that of point i: what one read touches is fetched while others are
 * served, whichever shard it is of. Where all rows were in memory they lie one behind the other, each behind
 * `gap` bytes that are the caller's to fill. A failure is that of point *failed. */
int ldr_shards_latest(struct ldr_shard *const *s, const struct ldr_point *p, size_t n, size_t gap,
                      struct ldr_buf *scratch, struct ldr_answer *out, size_t *failed, struct ldr_err *err);
/* Starts fetching what a read of the newest row of this entity will touch: first its slot, then, some tenths
 * of a microsecond later, its row. For whoever knows early what will be read. Takes no lock. */
void ldr_shard_ahead_slot(const struct ldr_shard *s, uint32_t view, uint64_t hash);
void ldr_shard_ahead_row(const struct ldr_shard *s, uint32_t view, uint64_t hash);
int ldr_shard_asof(struct ldr_shard *s, const struct ldr_snap *snap, const struct ldr_point *p,
                   const struct ldr_asof *q, struct ldr_buf *scratch, struct ldr_answer *out,
                   struct ldr_err *err); /* snap NULL = now */

/* ---- Many as-of reads of one view in one pass ---- */
int ldr_snap_create(struct ldr_shard *s, struct ldr_snap **out, struct ldr_err *err);
void ldr_snap_destroy(struct ldr_snap *snap);
struct ldr_probe {
    uint64_t hash;
    struct ldr_slice key;
    int64_t t_us;
    int64_t known_at_us;
    uint64_t tag; /* the caller's: spine row */
};
/* Probes sorted by ldr_probe_cmp: (hash, key, t descending). One iterator moves forward through history; from
 * one probe to the next it steps or seeks, whichever is cheaper. emit is called for each probe that has an
 * answer, in probe order; the fact's slices are valid in the call; the row is verified. Non-zero from emit
 * stops and is returned. Several threads may run disjoint runs of probes on one snapshot. */
int ldr_probe_cmp(const struct ldr_probe *a, const struct ldr_probe *b);
/* Sorts by ldr_probe_cmp, fast, on the pool's threads (NULL: in the calling one). Needs another n probes of
 * memory while it runs. LDR_E_NOMEM: the probes are all there, in any order. */
int ldr_probe_sort(struct ldr_probe *p, size_t n, struct ldr_pool *pool);
int ldr_shard_asof_sorted(struct ldr_shard *s, const struct ldr_snap *snap, uint32_t view, int64_t ttl_us,
                          const struct ldr_probe *probes, size_t n,
                          int (*emit)(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f),
                          void *ctx, struct ldr_err *err);

/* ---- Scans ---- */
struct ldr_scan_opts {
    uint32_t view;
    const struct ldr_slice *key; /* NULL = all entities, in (hash, key) order */
    int64_t from_us, to_us;      /* event time, inclusive; INT64_MIN / INT64_MAX = all */
    bool ascending;              /* facts of one entity oldest first (event, created); else newest first */
    uint64_t hash_lo, hash_hi;   /* inclusive; 0, UINT64_MAX = all: for splitting among threads */
};
/* Calls fn for each fact (slices valid in the call, rows verified); non-zero stops and is returned. */
int ldr_shard_scan(struct ldr_shard *s, const struct ldr_snap *snap, const struct ldr_scan_opts *o,
                   int (*fn)(void *ctx, const struct ldr_fact *f), void *ctx, struct ldr_err *err);
/* Distinct entity keys of a view in (hash, key) order. */
int ldr_shard_entities(struct ldr_shard *s, const struct ldr_snap *snap, uint32_t view,
                       int (*fn)(void *ctx, uint64_t hash, struct ldr_slice key), void *ctx,
                       struct ldr_err *err);

/* ---- Care ---- */
struct ldr_shard_stats {
    uint64_t history_facts; /* estimate */
    uint64_t latest_rows;   /* estimate */
    uint64_t disk_bytes;
    uint64_t memory_bytes;                                      /* caches, memtables, table readers */
    uint64_t table_rows, table_bytes, table_hits, table_misses; /* in-memory latest table */
    uint64_t memtable_bytes, cache_bytes; /* of memory_bytes: RocksDB's memtables and its block cache */
    uint64_t compaction_owed_bytes;       /* estimate of what compaction still has to rewrite */
    uint64_t compactions, level0_files;   /* running now; tables that no compaction has taken yet */
    bool writes_stopped;                  /* until compaction has caught up */
    uint64_t seq;
    uint64_t incarnation;
    uint64_t tombs_kept, tombs_collected;
};
int ldr_shard_stats(struct ldr_shard *s, struct ldr_shard_stats *out);
struct ldr_check_report {
    uint64_t facts, entities, latest;
    uint64_t tombstones;   /* collected ones, too */
    uint64_t bad_rows;     /* checksum or layout wrong */
    uint64_t latest_wrong; /* latest != argmax(history), missing or left over */
    uint64_t repaired;
};
/* Reads everything, verifies every checksum, holds latest against history. problem() gets one line each (at
 * most 100). repair rewrites latest from history; what is corrupt in history cannot be repaired here and
 * stays reported. 0 when it could look everywhere (see the report for what it found); LDR_E_CORRUPT when
 * RocksDB itself cannot read on. */
int ldr_shard_check(struct ldr_shard *s, bool repair, struct ldr_check_report *rep,
                    void (*problem)(void *ctx, const char *text), void *ctx, struct ldr_err *err);
int ldr_shard_checkpoint(struct ldr_shard *s, const char *dir,
                         struct ldr_err *err); /* dir must not exist; consistent */
int ldr_shard_compact(struct ldr_shard *s,
                      struct ldr_err *err); /* drops what retention and erasure have freed */

/* ---- Change log: what peers pull ---- */
enum ldr_log_kind { LDR_LOG_FACTS = 1, LDR_LOG_TOMBSTONE = 2, LDR_LOG_DROP_VIEW = 3 };
struct ldr_log_entry {
    uint64_t seq; /* rises by `count` (at least 1) */
    enum ldr_log_kind kind;
    uint32_t view; /* 0: all views of entity_id (tombstones) */
    uint32_t entity_id;
    struct ldr_slice key;
    int64_t from_us, to_us; /* event times touched; tombstone: to_us = erase time */
    uint32_t count;         /* facts */
};
int ldr_shard_log_read(struct ldr_shard *s, uint64_t after_seq,
                       int (*fn)(void *ctx, const struct ldr_log_entry *e), void *ctx, struct ldr_err *err);
int ldr_shard_log_trim(struct ldr_shard *s, uint64_t through_seq, struct ldr_err *err);
#include "shard/replica.h"
#endif
