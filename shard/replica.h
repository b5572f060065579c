/* What replication asks of a shard, beside reading and writing: pages of facts and tombstones, hashes by
 * which two replicas find out where they differ, whole copies, cutting an arc in two, small records of the
 * node. Part of shard.h. Thread-safe unless said otherwise. */
#ifndef LDR_SHARD_REPLICA_H
#define LDR_SHARD_REPLICA_H
#include "shard/shard.h"

/* Every fact of the entity created at or before erase_us is gone; view 0: in all views of entity_id.
 * collected: all that is left of it is who it was of, 16 bytes: the key's hash BE64, a second hash BE64. */
struct ldr_tomb {
    uint32_t view, entity_id;
    struct ldr_slice key;
    int64_t erase_us;
    bool collected;
};
#define LDR_TOMB_PRINT_N 16
/* Where on the ring; 0 for a malformed one. */
static inline uint64_t ldr_tomb_hash(const struct ldr_tomb *t)
{
    if (t->collected)
        return t->key.n == LDR_TOMB_PRINT_N ? ldr_get_be64(t->key.p) : 0;
    return ldr_key_hash(t->key);
}

/* ---- Pages. Facts and tombstones with their bytes in the page's arena, so a page may move to another
 * thread. ---- */
struct ldr_page {
    struct ldr_arena arena;
    struct ldr_fact *facts; /* rows verified */
    struct ldr_tomb *tombs;
    size_t nfacts, ntombs;
    size_t bytes; /* of keys and rows, and LDR_PAGE_ITEM for each thing */
    size_t fact_cap, tomb_cap;
};
#define LDR_PAGE_ITEM 40
/* A page holds at most this much, whatever was asked for: one message takes it. */
#define LDR_PAGE_MAX (LDR_FRAME_MAX - (2u << 20))
void ldr_page_init(struct ldr_page *p);
void ldr_page_reset(struct ldr_page *p);
void ldr_page_close(struct ldr_page *p);
int ldr_page_add(struct ldr_page *p, const struct ldr_fact *f); /* copies; LDR_E_NOMEM */

/* What this shard took after after_seq: the whole facts and the tombstones that the change log names, and
 * perhaps some more facts of the same entities. Appends until max_bytes are reached (at least one entry of
 * the log is told). Facts that are gone since (erased, retired, of a dropped view) are not told. */
struct ldr_log_reach {
    uint64_t first_seq; /* the log reaches back to here: a smaller after_seq misses something */
    uint64_t upto_seq;  /* ask for what comes after this next */
    uint64_t head_seq;  /* of the shard, at the moment of the call */
    bool skipped;       /* an entry too large for a page was left out: only a comparison of hashes finds it */
};
int ldr_shard_log_page(struct ldr_shard *s, uint64_t after_seq, size_t max_bytes, struct ldr_page *page,
                       struct ldr_log_reach *reach, struct ldr_err *err);
/* Everything with a hash in lo..hi: tombstones first, then facts view by view. resume: empty at the start,
 * then what `next` got (reset first; opaque bytes, safe to take from anybody: LDR_E_INVALID). What is written
 * meanwhile may be told or not. */
int ldr_shard_range_page(struct ldr_shard *s, uint64_t lo, uint64_t hi, struct ldr_slice resume,
                         size_t max_bytes, struct ldr_page *page, struct ldr_buf *next, bool *done,
                         struct ldr_err *err);
/* A page of ldr_shard_scan: appends until max_bytes are reached. resume: empty at the start, then what `next`
 * got (opaque bytes, safe to take from anybody: LDR_E_INVALID). What is written meanwhile may be told or
 * not. */
int ldr_shard_scan_page(struct ldr_shard *s, const struct ldr_scan_opts *o, struct ldr_slice resume,
                        size_t max_bytes, struct ldr_page *page, struct ldr_buf *next, bool *done,
                        struct ldr_err *err);
/* For scans over several shards: the place behind a page that ends with one of them; the entity of a place,
 * borrowed from it (LDR_E_INVALID). */
int ldr_scan_resume(const struct ldr_page *page, struct ldr_buf *next);
int ldr_scan_resume_key(struct ldr_slice resume, struct ldr_slice *key);
/* Hashes of the facts and tombstones in each of `buckets` equal parts of lo..hi. Two shards with the same
 * content get the same hashes, whatever the order, batching and schema versions of their writes; what
 * retention may remove at now_us (0 = this shard's clock) does not count, whether it has been removed or not:
 * so replicas must be asked for the same now_us. Of a fact everything counts: view, key, times, whether
 * stamped, values. out has `buckets` entries. LDR_E_CORRUPT when a row fails its checksum. */
#define LDR_BUCKETS_MAX 65536
int ldr_shard_hashes(struct ldr_shard *s, uint64_t lo, uint64_t hi, uint32_t buckets, int64_t now_us,
                     uint64_t *out, struct ldr_err *err);

/* ---- Writing for replication ---- */
/* Tombstones, then facts; all durable when it returns 0. After a failure some may have been taken: to do it
 * again is harmless. res->erased counts facts refused and facts removed. Tombstones of views that are not (or
 * no longer) declared are passed over. */
int ldr_shard_merge(struct ldr_shard *s, const struct ldr_fact *facts, size_t nfacts,
                    const struct ldr_tomb *tombs, size_t ntombs, struct ldr_write_result *res,
                    struct ldr_err *err);
/* Collects tombstones: of those with an erase time before before_us that the change log names at or before
 * through_seq nothing is kept but what refuses late facts: an erase time and 128 bits of the key. They are
 * not told by the log any more, whatever it still names; pages of ranges and hashes go on to tell them, and
 * the hashes are the same before and after. So it may be done once every replica has pulled past them.
 * *collected: how many. A failure leaves some collected. */
int ldr_shard_collect(struct ldr_shard *s, int64_t before_us, uint64_t through_seq, uint64_t *collected,
                      struct ldr_err *err);
/* Many writes of one thread that share syncs, as those of several threads do. Each has its own outcome. */
struct ldr_write_call {
    const struct ldr_fact *facts;
    size_t n;
    struct ldr_write_result res;
    int rc;
    struct ldr_err err;
};
void ldr_shard_write_calls(struct ldr_shard *s, struct ldr_write_call *calls, size_t n);

/* ---- Small records of the node's own (cursors, states): durable when put returns. All notes of one call are
 * put at one moment; a value without bytes removes. A copy and a child carry the notes of their source. ----
 */
#define LDR_NOTE_KEY_MAX   64
#define LDR_NOTE_VALUE_MAX (1u << 20)
struct ldr_note {
    const char *key;
    struct ldr_slice value;
};
int ldr_shard_note_put(struct ldr_shard *s, const struct ldr_note *notes, size_t n, struct ldr_err *err);
int ldr_shard_note_get(struct ldr_shard *s, const char *key, struct ldr_buf *out,
                       struct ldr_err *err); /* appends; LDR_E_NOT_FOUND */

/* ---- Copies ----
 * A copy is a folder made by a checkpoint: MARKER and db/. Its files may be carried elsewhere one by one.
 * Whoever adopts it gets a shard with the content, change log, sequence numbers and notes of the source at
 * that moment, under an incarnation of its own: peers keep their cursors by incarnation, so no cursor into
 * the source's log is ever used on the copy's, which goes its own way from here. The log is kept, not
 * restarted: it holds what the source still owed to its peers, so the copy can pay when the source is gone. A
 * peer that never pulled from the copy starts at first_seq if it was a peer of the source, else it compares
 * hashes. Where the copy came from stays on record, and is the adopter's first cursor into the source's log.
 */
struct ldr_copy_origin {
    uint64_t incarnation, seq; /* of the source at that moment */
};
/* A checkpoint that says what it is of. */
int ldr_shard_copy(struct ldr_shard *s, const char *dir, struct ldr_copy_origin *origin, struct ldr_err *err);
/* Files of a copy in an order that puts MARKER last; names are relative ("db/000123.sst"). Non-zero from fn
 * stops. */
int ldr_copy_files(const char *dir, int (*fn)(void *ctx, const char *name, uint64_t size), void *ctx,
                   struct ldr_err *err);
bool ldr_copy_name_valid(struct ldr_slice name); /* may stand in a copy: names come from the wire */
int ldr_copy_read(const char *dir, const char *name, uint64_t offset, size_t n, struct ldr_buf *out,
                  struct ldr_err *err); /* appends exactly n bytes, or LDR_E_NOT_FOUND, _INVALID, _IO */
/* Receiving: begin (an unfinished folder of that name is thrown away), put in any order, finish (all on disk
 * when it returns). */
int ldr_copy_receive(const char *dir, struct ldr_err *err);
int ldr_copy_put(const char *dir, const char *name, uint64_t offset, struct ldr_slice bytes,
                 struct ldr_err *err);
int ldr_copy_finish(const char *dir, struct ldr_err *err);
void ldr_copy_remove(const char *dir); /* a copy, or a closed shard, with all that is in it */
/* Makes a copy a shard of its own: opens it with a random incarnation, cuts away what is outside
 * o->arc_lo..hi (which must lie in the source's arc), closes it. Afterwards ldr_shard_open takes it. May be
 * repeated until it succeeds; fine when it was done before. */
int ldr_shard_adopt(const struct ldr_shard_opts *o, struct ldr_err *err);
int ldr_shard_origin(struct ldr_shard *s, struct ldr_copy_origin *out,
                     struct ldr_err *err); /* LDR_E_NOT_FOUND: not a copy */

/* ---- Splitting ----
 * Makes the shard `child` in child->dir out of one end of s's arc (child->arc_lo..hi, which must be a proper
 * prefix or suffix), then narrows s to the rest, durably. No other call on s may be under way. Both keep the
 * log and the notes; sequence numbers go on in both; the child's incarnation is ldr_child_incarnation of its
 * parent's. So a peer whose cursor into the parent's log is (incarnation, seq) has the cursor
 * (ldr_child_incarnation(incarnation, child), seq) into the child's. That is safe because a child has told
 * nobody anything before its parent is narrow, and is never made again after that. A crash at any point
 * leaves s whole (call again: the child is made anew) or narrow with the child complete (call again: nothing
 * is left to do). LDR_E_CORRUPT when s is narrow and the child is not there. */
int ldr_shard_split(struct ldr_shard *s, const struct ldr_shard_opts *child, struct ldr_err *err);
uint64_t ldr_child_incarnation(uint64_t parent_incarnation, uint32_t child_id);

/* ---- Merging ----
 * s takes over what `other` holds and its arc grows to lo..hi, which must be both arcs and may be more; other
 * NULL: the arc only grows. All that was taken over stands in the log of s, behind what its peers have pulled
 * so far: they get from there what their own half of `other` may have lacked. The arc grows last, so after a
 * crash, or a failure, s has its old arc and other is whole: call again. Then what had come over is cut away
 * first and told anew, since a peer may have passed by it in the log. When s has that arc already, nothing is
 * left to do. Other is not changed; that it goes is the caller's. No other call on either may be under way.
 * LDR_E_NOSPACE: before anything is copied, when it might not fit. LDR_E_INVALID: other arcs. */
int ldr_shard_absorb(struct ldr_shard *s, struct ldr_shard *other, uint64_t lo, uint64_t hi,
                     struct ldr_err *err);
/* Views that have data here or were declared. */
int ldr_shard_views(struct ldr_shard *s, int (*fn)(void *ctx, uint32_t view, uint32_t entity_id), void *ctx);
void ldr_shard_arc(struct ldr_shard *s, uint64_t *lo, uint64_t *hi);
#endif
