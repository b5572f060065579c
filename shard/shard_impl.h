/* Inside of a shard: for the files of this folder only. Reading order: layout.h, this, pick.h, then
 * rocks_open.c, rocks_write.c, rocks_read.c.
 *
 * Locks, outermost first; a thread may skip some but never goes back:
 *   write_mu   one at a time: a group of writes, a bulk load, an erasure, a dropped view. Readers never take
 * it. gate       shared around every RocksDB read's start (a get, a snapshot, making an iterator); exclusive
 * while an ingest makes history visible before latest. An iterator once made is a frozen view: no gate while
 * it moves. table      stripes of the latest table, one at a time, inside latest_table.c. views_mu   changes
 * to the view table. Looking a view up takes no lock. */
#ifndef LDR_SHARD_IMPL_H
#define LDR_SHARD_IMPL_H
#include <pthread.h>
#include <stdatomic.h>

#include "shard/keep.h"
#include "shard/latest_table.h"
#include "shard/layout.h"
#include "shard/rocks_api.h"
#include "shard/shard.h"

#define LDR_SHARD_FORMAT 2 /* of the database; 1: no collected tombstones */

enum ldr_cf {
    LDR_CF_DEFAULT,
    LDR_CF_HISTORY,
    LDR_CF_LATEST,
    LDR_CF_LOG,
    LDR_CF_META,
    LDR_CF_TOMB,
    LDR_CF_COUNT
};

/* A view as declared at one moment. Immutable; kept until the shard closes, since readers hold it without a
 * lock. */
struct ldr_view {
    struct ldr_schema *schema;
    uint32_t entity_id;
    struct ldr_arena arena;
    struct ldr_view *next_retired;
};
struct ldr_view_table;
struct ldr_write_queue;
struct ldr_tombs;

struct ldr_shard {
    struct ldr_shard_opts opts; /* dir and log as given, defaults filled in; dir is our copy */
    char *dir;                  /* holds db/, bulk/ (scratch of bulk loads, same file system), LOCK, MARKER */
    int lock_fd;
    uint64_t incarnation;
    uint32_t format; /* on disk; under write_mu. Goes up with the first bytes that need it */
    bool adopting;   /* open for ldr_shard_adopt: a copy of a wider arc will do */

    rocksdb_t *db;
    rocksdb_column_family_handle_t *cf[LDR_CF_COUNT];
    rocksdb_options_t *db_opts;
    rocksdb_options_t *cf_opts[LDR_CF_COUNT]; /* also what a sorted-table writer for that family must use */
    rocksdb_cache_t *cache;
    rocksdb_writeoptions_t *wo;      /* synced unless opts.no_sync */
    rocksdb_readoptions_t *ro_point; /* gets; iterators that stay in one entity (prefix_same_as_start) */

    pthread_mutex_t write_mu;
    pthread_rwlock_t gate;
    struct ldr_latest_table *table;
    struct ldr_keep keep[LDR_CF_COUNT];
    struct ldr_tombs *tombs;                      /* under write_mu */
    _Atomic uint64_t tombs_kept, tombs_collected; /* how many: for whoever only wants to know that */
    struct ldr_write_queue *queue;
    _Atomic uint64_t seq; /* of the change log; changed under write_mu */
    uint64_t open_seq;    /* as it was when the shard was opened */
    _Atomic int broken;   /* the LDR_E_* of the write error that made the shard read-only; 0 = fine */
    uint64_t marker_ns;   /* mono time of the last marker; under write_mu */
    bool unsynced;        /* writes are synced together, later: no marker until then; under write_mu */

    pthread_mutex_t views_mu;
    _Atomic(struct ldr_view_table *) views;
    struct ldr_view *retired_views;
    struct ldr_view_table *retired_tables;
};

/* ---- rocks_err.c: RocksDB's error texts to our codes ---- */
/* Maps and frees *text (from an errptr; NULL = no error, returns 0 and leaves err alone). `what`: "write
 * batch". */
int ldr_rocks_fail(struct ldr_err *err, const char *what, char *text);
#ifdef __clang_analyzer__ /* never 0 */
#define ldr_rocks_fail(...) (ldr_rocks_fail(__VA_ARGS__), LDR_E_IO)
#endif
/* Status of an iterator: call it whenever rocksdb_iter_valid turns false. An iterator simply stops at a bad
 * block. */
int ldr_rocks_iter_status(struct ldr_err *err, const char *what, const rocksdb_iterator_t *it);

/* ---- rocks_views.c ---- */
/* NULL when the view was not declared (or was dropped). No lock. Valid until the shard closes. */
const struct ldr_view *ldr_view_get(struct ldr_shard *s, uint32_t view);
/* The same, with LDR_E_INVALID and a text for the caller of the public function. */
int ldr_view_need(struct ldr_shard *s, uint32_t view, const struct ldr_view **out, struct ldr_err *err);

/* ---- rocks_read.c ---- */
struct ldr_snap {
    struct ldr_shard *s;
    const rocksdb_snapshot_t *snap;
};
enum ldr_read_kind {
    LDR_READ_POINT, /* iterators stay within one (view, hash): prefix bloom filters are used, moving on ends
                       the iterator */
    LDR_READ_SCAN,  /* total order, read ahead, does not fill the block cache */
    LDR_READ_MERGE  /* total order, fills the cache: seeks and steps in turns */
};
/* snap may be NULL. NULL when out of memory. Destroy with rocksdb_readoptions_destroy after the iterator. */
rocksdb_readoptions_t *ldr_read_options(const struct ldr_snap *snap, enum ldr_read_kind kind);
/* Makes an iterator with the gate held for just that moment. Never NULL. */
rocksdb_iterator_t *ldr_read_iter(struct ldr_shard *s, enum ldr_cf cf, const rocksdb_readoptions_t *ro);
/* Brings what RocksDB has as the latest row of the fact's entity into the table, unless it is there. */
void ldr_latest_warm(struct ldr_shard *s, const struct ldr_fact *f);
/* Takes apart and verifies a value of the latest family; the row points into it. LDR_E_CORRUPT. */
int ldr_latest_verify(const struct ldr_view *v, struct ldr_slice value, struct ldr_latest_row *row,
                      struct ldr_err *err);

/* ---- rocks_write.c: for every writer, all with write_mu held ---- */
/* LDR_E_READ_ONLY after an earlier write error (LDR_E_CORRUPT when that had met corrupt data), LDR_E_NOSPACE
 * when fewer than the watermark + bytes are free. bytes 0: a small write that declares, removes or mends; a
 * quarter of the watermark is enough for it, so that a user can still make room when facts are refused. */
int ldr_write_admit(struct ldr_shard *s, uint64_t bytes, struct ldr_err *err);
/* Limits of one fact: sizes, times, arc, hash of the key. Needs no lock. */
int ldr_fact_admit(const struct ldr_shard *s, const struct ldr_fact *f, struct ldr_err *err);
/* Writes the batch durably. On failure the shard turns read-only and err->in_doubt is set. */
int ldr_write_commit(struct ldr_shard *s, rocksdb_writebatch_t *batch, const char *what, struct ldr_err *err);
/* Turns the shard read-only after a failed ingest and the like; returns code. */
int ldr_write_broken(struct ldr_shard *s, int code, struct ldr_err *err);
/* Entries of a batch; lk = view | hash | key. Rows are copied into the batch. */
void ldr_batch_put_history(struct ldr_shard *s, rocksdb_writebatch_t *batch, struct ldr_slice lk,
                           const struct ldr_fact *f);
void ldr_batch_put_latest(struct ldr_shard *s, rocksdb_writebatch_t *batch, struct ldr_slice lk,
                          const struct ldr_fact *f);
/* Latest of one entity as argmax(history) says now, by reading history: 1 with *best (row copied into buf), 0
 * when it has no fact, or an error. For rare paths: erasure, repair, a stamp that got earlier. */
int ldr_latest_recompute(struct ldr_shard *s, const struct ldr_view *v, struct ldr_slice lk,
                         struct ldr_buf *buf, struct ldr_fact *best, struct ldr_err *err);

/* ---- tomb.c: tombstones in memory, with write_mu held ---- */
/* Latest erase time that covers this entity in this view (its own, or of the whole entity); INT64_MIN = none.
 * A fact with created_us <= it is refused. */
int64_t ldr_tomb_time(const struct ldr_tombs *t, uint32_t view, uint32_t entity_id, uint64_t hash,
                      struct ldr_slice key);
bool ldr_tomb_any(const struct ldr_tombs *t); /* false: no need to ask for each fact */

/* ---- log_record.c: one record of the log family holds the entries of one batch ---- */
struct ldr_log_record {
    struct ldr_buf bytes;
    uint64_t first; /* seq before the record */
    uint64_t last;  /* seq of its last entry: the record's key, big-endian */
    uint32_t n;
};
void ldr_log_record_init(struct ldr_log_record *r, uint64_t seq);
/* e->seq is ignored: it follows from the counts. A bulk load may write one entry with an empty key: some
 * facts of the view, any entity, event times from_us..to_us. Errors stay in r->bytes.err. */
void ldr_log_record_add(struct ldr_log_record *r, const struct ldr_log_entry *e);
/* Puts the record (not with no_log) and the new seq into the batch; after the batch is durable:
 * atomic_store(&s->seq, r->last). */
int ldr_log_record_put(struct ldr_shard *s, struct ldr_log_record *r, rocksdb_writebatch_t *batch);
void ldr_log_record_close(struct ldr_log_record *r);
/* With no_log, at open: removes what an earlier opening logged. write_mu held. */
int ldr_log_drop(struct ldr_shard *s, struct ldr_err *err);
/* Calls fn for the entries behind after_seq; its non-zero result stops and is returned. */
int ldr_log_record_each(uint64_t last, struct ldr_slice value, uint64_t after_seq,
                        int (*fn)(void *ctx, const struct ldr_log_entry *e), void *ctx, bool *malformed);

/* ---- meta family: "shard" (format, incarnation, id, arc), "seq", "view/" BE32 (entity id LE32), and for
 * bulk loads whatever starts with LDR_META_BULK. ---- */
#define LDR_META_SHARD "shard"
#define LDR_META_SEQ   "seq"
#define LDR_META_VIEW  "view/"
#define LDR_META_BULK  "bulk/"
/* "note/" and a name: the node's. "origin" (incarnation LE64, seq LE64): what a copy was made of. */
#define LDR_META_NOTE   "note/"
#define LDR_META_ORIGIN "origin"

/* An unfinished merge may have left facts outside the arc. */
#define LDR_META_MERGING "merging"

/* ---- rocks_arc.c ---- */
/* Cuts away all that is outside lo..hi, which becomes the arc, in one batch. batch: what else belongs to that
 * moment. write_mu held, nobody reads. */
int ldr_arc_narrow(struct ldr_shard *s, rocksdb_writebatch_t *batch, uint64_t lo, uint64_t hi,
                   struct ldr_err *err);

/* ---- rocks_marker.c ---- */
/* Writes DIR/MARKER: incarnation and the newest durable RocksDB sequence number, so that a deleted or cut
 * write-ahead log is seen at the next open. write_mu held. Called at close, by checkpoints, after bulk loads
 * and every few seconds of writing. */
int ldr_marker_write(struct ldr_shard *s, struct ldr_err *err);

/* ---- rocks_bulk_*.c ---- */
/* Called once at the end of open, with everything above usable and write_mu held: finishes or undoes what a
 * crash left. */
int ldr_bulk_recover(struct ldr_shard *s, struct ldr_err *err);
#endif
