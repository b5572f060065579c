/* The storage of a node as its core sees it: replicas of shards, and the node's own small records. In
 * production RocksDB on a pool of threads, in the simulator a model that forgets what was not synced.
 *
 * Asynchronous calls take a struct that the caller embeds and keeps, with everything that it points to, until
 * done() is called: exactly once, on the loop, never inside the call. Results are borrowed until done
 * returns. Synchronous calls are for the loop's thread and must be quick.
 *
 * Calls on one replica may overlap and end in any order, except the exclusive ones (close, drop, split,
 * merge, install): these wait for those under way, and what comes until they are done gets LDR_E_BUSY. A
 * replica is named by its shard. LDR_E_NOT_FOUND: it is not open.
 *
 * Facts and tombstones are those of the messages (rpc/message.h); fact.flags bit 0 = stamped. The vault
 * computes hashes and checks rows against the definitions that it was given; whatever comes from a disk is
 * verified before it is handed out (LDR_E_CORRUPT). */
#ifndef LDR_NODE_VAULT_H
#define LDR_NODE_VAULT_H
#include "feature/feature.h"
#include "rpc/rpc.h"

struct ldr_vault_op {
    void (*done)(struct ldr_vault_op *op, int code); /* 0 or LDR_E_*, detail in op->err */
    void *owner;                                     /* the caller's */
    struct ldr_err err;
    void *impl[4]; /* the vault's */
};

/* What a replica is when it is open. */
struct ldr_vault_about {
    uint64_t lo, hi; /* its arc, both ends included */
    /* Of this replica's log: random when made, installed or rebuilt. A log is never continued under another
     * one, so (incarnation, seq) names a place in it for ever. A split gives the child
     * ldr_vault_child_incarnation of the parent's, and the parent's sequence numbers. */
    uint64_t incarnation;
    uint64_t head_seq; /* of the last thing in the log */
    /* Of an installed copy: which place in its source's log it stands for; incarnation 0 = not a copy. */
    uint64_t origin_incarnation, origin_seq;
};
static inline uint64_t ldr_vault_child_incarnation(uint64_t parent, uint32_t child)
{
    uint8_t b[12];
    ldr_put_le64(b, parent);
    ldr_put_le32(b + 8, child);
    return ldr_hash64(b, sizeof b) | 1;
}

/* open: one that is on disk (fine when it is open: about is filled). create: a new empty one with the arc
 * lo..hi; fine when it is there already and empty or of this arc. close: its data stays. drop: with all its
 * data; fine when it is not there. */
struct ldr_vault_open {
    struct ldr_vault_op op;
    uint32_t shard;
    uint64_t lo, hi;              /* create only */
    struct ldr_vault_about about; /* out */
};
/* Durable when done says 0: all of it or, after a failure, perhaps some of it (op.err.in_doubt says whether
 * any of it may be there). Tombstones first, then facts; facts under a tombstone are refused (erased), also
 * when they come later. Repeating is harmless. LDR_E_NOSPACE (nothing was written), LDR_E_BUSY (a full
 * queue), LDR_E_INVALID (outside the arc, a row that is none, an unknown view; nothing was written),
 * LDR_E_READ_ONLY and LDR_E_IO (the replica takes no more writes until it is opened again). */
struct ldr_vault_write {
    struct ldr_vault_op op;
    uint32_t shard;
    const struct ldr_msg_fact *facts;
    const struct ldr_msg_tomb *tombs;
    uint32_t nfacts, ntombs;
    uint64_t taken, duplicates, erased, ties; /* out: facts; erased: refused, and removed by the tombstones */
    uint64_t head_seq;                        /* out */
};
struct ldr_vault_asof {
    struct ldr_vault_op op;
    uint32_t shard, view;
    int64_t ttl_us;
    const struct ldr_msg_probe *probes; /* in (hash, key, t descending) order; else LDR_E_INVALID */
    uint32_t nprobes;
    size_t max_bytes;               /* of rows; at least one probe is answered */
    uint32_t answered;              /* out: probes [0, answered) */
    const struct ldr_msg_hit *hits; /* out: in order of probes; hit.probe counts from 0 */
    uint32_t nhits;
};
struct ldr_vault_scan {
    struct ldr_vault_op op;
    uint32_t shard, view;
    bool ascending;
    const struct ldr_slice *key; /* NULL = all */
    int64_t from_us, to_us;
    uint64_t hash_lo, hash_hi; /* inclusive */
    struct ldr_slice resume;   /* "" = start; may come from anybody: LDR_E_INVALID */
    size_t max_bytes;
    bool done;                        /* out */
    struct ldr_slice next;            /* out: resume of the next page */
    const struct ldr_msg_fact *facts; /* out */
    uint32_t nfacts;
};
/* What the replica took after after_seq, as whole facts and tombstones (perhaps with more facts of the same
 * entities; without those that are gone since). */
struct ldr_vault_log {
    struct ldr_vault_op op;
    uint32_t shard;
    uint64_t after_seq;
    size_t max_bytes;                 /* at least one entry is told */
    uint64_t first_seq;               /* out: an after_seq less than this misses something */
    uint64_t upto_seq, head_seq;      /* out */
    bool skipped;                     /* out: something too large was left out: compare hashes */
    const struct ldr_msg_fact *facts; /* out */
    const struct ldr_msg_tomb *tombs; /* out */
    uint32_t nfacts, ntombs;
};
/* Collects tombstones (ldr_shard_collect): those erased before before_us that the log names at or before
 * through_seq. Their facts stay refused; the log does not tell them any more; ranges and hashes do. */
struct ldr_vault_collect {
    struct ldr_vault_op op;
    uint32_t shard;
    int64_t before_us;
    uint64_t through_seq;
    uint64_t collected; /* out */
};
/* Where on the ring the entity of a tombstone is; 0 for a malformed one. */
static inline uint64_t ldr_vault_tomb_hash(const struct ldr_msg_tomb *t)
{
    if (t->flags & 1)
        return t->key.n == 16 ? ldr_get_be64(t->key.p) : 0;
    return ldr_key_hash(t->key);
}
struct ldr_vault_trim {
    struct ldr_vault_op op;
    uint32_t shard;
    uint64_t through_seq;
};
/* Order-independent hashes of all facts and tombstones in `buckets` equal parts of lo..hi; what retention may
 * remove at now_us does not count. */
struct ldr_vault_hashes {
    struct ldr_vault_op op;
    uint32_t shard;
    uint64_t lo, hi;
    uint32_t buckets;
    int64_t now_us;
    uint64_t head_seq;      /* out: at or before the moment the hashes stand for */
    const uint64_t *hashes; /* out */
};
/* Everything in lo..hi, as stored: tombstones first. */
struct ldr_vault_range {
    struct ldr_vault_op op;
    uint32_t shard;
    uint64_t lo, hi;
    struct ldr_slice resume; /* "" = start; may come from anybody */
    size_t max_bytes;
    bool done;             /* out */
    struct ldr_slice next; /* out */
    const struct ldr_msg_fact *facts;
    const struct ldr_msg_tomb *tombs;
    uint32_t nfacts, ntombs;
};
/* ---- Copies: begin makes a checkpoint; its files are read piece by piece; end removes it. A vault removes
 * copies that are left over when it opens. ---- */
struct ldr_vault_copy_begin {
    struct ldr_vault_op op;
    uint32_t shard;
    uint64_t copy;                    /* out: never used again in the life of this process */
    uint64_t incarnation, seq;        /* out: what it is a copy of */
    const struct ldr_msg_file *files; /* out */
    uint32_t nfiles;
};
struct ldr_vault_copy_read {
    struct ldr_vault_op op;
    uint64_t copy;
    uint32_t file; /* its place in files */
    uint64_t offset;
    uint32_t length;
    struct ldr_slice data; /* out: exactly length bytes */
};
struct ldr_vault_copy_end {
    struct ldr_vault_op op;
    uint64_t copy; /* fine when it is gone */
};
/* Receiving: begin (throws away an unfinished one), put pieces in any order, finish with the arc: cuts away
 * what is outside, makes it durable under a new incarnation, opens it. Until finish is done the replica is
 * not there. A replica of that shard must not be open. */
struct ldr_vault_install_begin {
    struct ldr_vault_op op;
    uint32_t shard;
};
struct ldr_vault_install_put {
    struct ldr_vault_op op;
    uint32_t shard;
    struct ldr_slice name, data; /* the name may come from anybody */
    uint64_t offset;
};
/* finish: struct ldr_vault_open */

/* Splits the replica: it keeps lo..hi, child gets child_lo..child_hi, both with log, cursors (notes) and
 * tombstones; both open afterwards. Fine to repeat after a crash or when it was done. */
struct ldr_vault_split {
    struct ldr_vault_op op;
    uint32_t shard, child;
    uint64_t lo, hi, child_lo, child_hi;
    struct ldr_vault_about about, child_about; /* out */
};
/* other 0: only the arc grows. Else the replica's arc grows to lo..hi, it takes over all that `other` holds
 * (through its log, so that peers see it), and `other` is dropped. Fine to repeat after a crash or when it
 * was done. */
struct ldr_vault_merge {
    struct ldr_vault_op op;
    uint32_t shard, other;
    uint64_t lo, hi;
    struct ldr_vault_about about; /* out */
};
/* Small records. shard 0: the node's own. All of one call are put at one moment, durably; an empty value
 * removes. Those of a replica go with it: a child has its parent's, a copy those of its source. */
#define LDR_VAULT_NOTE_KEY_MAX   64
#define LDR_VAULT_NOTE_VALUE_MAX (1u << 20) /* of a replica; of the node: LDR_FRAME_MAX */
struct ldr_vault_note {
    const char *key;
    struct ldr_slice value;
};
struct ldr_vault_notes {
    struct ldr_vault_op op;
    uint32_t shard;
    const struct ldr_vault_note *list;
    uint32_t n;
};
/* Definitions: a registry snapshot (ldr_registry_restore) of that version. Kept durably, so that they are
 * there when the vault is opened again. Data of deleted views is dropped. An older version than the present
 * one: nothing happens. LDR_E_CORRUPT, _FORMAT. */
struct ldr_vault_defs {
    struct ldr_vault_op op;
    uint64_t version;
    struct ldr_slice snapshot;
};
struct ldr_vault_check {
    struct ldr_vault_op op;
    uint32_t shard;
    bool repair;
    struct ldr_check_rep report; /* out; problems are borrowed */
};
struct ldr_vault_compact {
    struct ldr_vault_op op;
    uint32_t shard;
};
struct ldr_vault_stats {
    uint64_t facts, bytes;                                      /* estimates */
    uint64_t table_rows, table_bytes, table_hits, table_misses; /* in-memory latest rows */
    uint64_t head_seq;
    uint64_t memtable_bytes, cache_bytes, compaction_owed_bytes, compactions, level0_files; /* shard.h */
    bool writes_stopped;
    uint64_t tombs_kept, tombs_collected;
};
struct ldr_vault_space {
    uint64_t used, free;
    bool full; /* under the watermark: writes are refused, reads and erasing go on */
};

/* Points of one or more shards at once. An unknown view: not found. */
struct ldr_vault_lookup {
    const struct ldr_msg_group *groups; /* of which shard and points count */
    uint32_t n_groups;
    const uint64_t *hashes;    /* of the points' keys */
    const struct ldr_asof *at; /* NULL: the newest fact; its ttl counts, that of the view does not */
    /* Rows are appended here and stay valid until it changes. They may stand one behind the other in the
     * order of the points, each behind `gap` bytes that are free to be written to: whoever looks may find
     * it so. */
    struct ldr_buf *rows;
    uint32_t gap;
    struct ldr_msg_answer *out; /* one for each point */
    uint32_t failed;            /* out: the group that a failure is about */
};

struct ldr_vault {
    void *ctx;
    /* ---- synchronous ---- */
    void (*list)(void *ctx, void (*fn)(void *arg, uint32_t shard), void *arg); /* what is on disk, whole */
    /* Appends; LDR_E_NOT_FOUND */
    int (*note_get)(void *ctx, uint32_t shard, const char *key, struct ldr_buf *out);
    uint64_t (*defs_version)(void *ctx); /* 0 = none yet */
    int (*lookup)(void *ctx, struct ldr_vault_lookup *q, struct ldr_err *err);
    /* Lookups of these groups will come: a chance to fetch what they need, in two steps with something else
     * to do in between. hashes: one a point. Nothing is checked yet. May be NULL. */
    void (*ahead)(void *ctx, const struct ldr_msg_group *groups, uint32_t n, const uint64_t *hashes,
                  bool rows);
    int (*stats)(void *ctx, uint32_t shard, struct ldr_vault_stats *out);
    void (*space)(void *ctx, struct ldr_vault_space *out);
    /* ---- asynchronous ---- */
    void (*open)(void *ctx, struct ldr_vault_open *op);
    void (*create)(void *ctx, struct ldr_vault_open *op);
    void (*close)(void *ctx, struct ldr_vault_open *op);
    void (*drop)(void *ctx, struct ldr_vault_open *op);
    void (*write)(void *ctx, struct ldr_vault_write *op);
    void (*asof)(void *ctx, struct ldr_vault_asof *op);
    void (*scan)(void *ctx, struct ldr_vault_scan *op);
    void (*log)(void *ctx, struct ldr_vault_log *op);
    void (*trim)(void *ctx, struct ldr_vault_trim *op);
    void (*collect)(void *ctx, struct ldr_vault_collect *op);
    void (*hashes)(void *ctx, struct ldr_vault_hashes *op);
    void (*range)(void *ctx, struct ldr_vault_range *op);
    void (*copy_begin)(void *ctx, struct ldr_vault_copy_begin *op);
    void (*copy_read)(void *ctx, struct ldr_vault_copy_read *op);
    void (*copy_end)(void *ctx, struct ldr_vault_copy_end *op);
    void (*install_begin)(void *ctx, struct ldr_vault_install_begin *op);
    void (*install_put)(void *ctx, struct ldr_vault_install_put *op);
    void (*install_finish)(void *ctx, struct ldr_vault_open *op);
    void (*split)(void *ctx, struct ldr_vault_split *op);
    void (*merge)(void *ctx, struct ldr_vault_merge *op);
    void (*note_put)(void *ctx, struct ldr_vault_notes *op);
    void (*set_defs)(void *ctx, struct ldr_vault_defs *op);
    void (*check)(void *ctx, struct ldr_vault_check *op);
    void (*compact)(void *ctx, struct ldr_vault_compact *op);
};
#endif
