/* The as-of rule on an iterator over history, in one place: point reads, sorted reads, checks, recomputing
 * latest. */
#ifndef LDR_SHARD_PICK_H
#define LDR_SHARD_PICK_H
#include "shard/rocks_api.h"

#include "shard/layout.h"

/* A history key taken apart; slices point into it. */
struct ldr_hist_key {
    struct ldr_slice lk; /* view | hash | entity key: what stands before the trailer, and the key of latest */
    uint32_t view;
    uint64_t hash;
    struct ldr_slice key;
    int64_t event_us;
    bool stamped;
    int64_t created_us; /* declared facts only */
    uint64_t vhash;
};
int ldr_hist_key_parse(struct ldr_slice hk, struct ldr_hist_key *out); /* LDR_E_CORRUPT */
/* Key and value of one history entry as a fact; slices point into them. The row is not verified.
 * LDR_E_CORRUPT. */
int ldr_hist_fact(struct ldr_slice hk, struct ldr_slice value, struct ldr_fact *out);
/* Value of a latest entry; LDR_E_CORRUPT. The row is not verified. */
struct ldr_latest_row;
int ldr_latest_value_parse(struct ldr_slice value, struct ldr_latest_row *out);

static inline struct ldr_slice ldr_iter_key(const rocksdb_iterator_t *it)
{
    size_t n;
    const char *p = rocksdb_iter_key(it, &n);
    return ldr_slice(p, n);
}
static inline struct ldr_slice ldr_iter_value(const rocksdb_iterator_t *it)
{
    size_t n;
    const char *p = rocksdb_iter_value(it, &n);
    return ldr_slice(p, n);
}
/* Is hk a history key of the entity whose latest key is lk? */
static inline bool ldr_hk_of(struct ldr_slice hk, struct ldr_slice lk)
{
    return hk.n == lk.n + LDR_HK_TRAILER && memcmp(hk.p, lk.p, lk.n) == 0;
}
/* Event time of a history key of at least LDR_HK_TRAILER bytes. */
static inline int64_t ldr_hk_event(struct ldr_slice hk)
{
    return ldr_desc64_back(ldr_get_be64(hk.p + hk.n - LDR_HK_TRAILER));
}

/* The chosen fact. The row is a verified copy in `buf` (reset by each pick), so it outlives the iterator's
 * next step. */
struct ldr_pick {
    int64_t event_us, created_us;
    bool stamped;
    uint64_t vhash;
    struct ldr_buf buf;
};
void ldr_pick_init(struct ldr_pick *p);
void ldr_pick_close(struct ldr_pick *p);

/* Makes f the pick when it beats the one so far (have: there is one, of the same event time); event_us is the
 * caller's. LDR_E_CORRUPT when the row fails its checksum, LDR_E_NOMEM. */
int ldr_pick_offer(struct ldr_pick *p, const struct ldr_schema *schema, const struct ldr_fact *f, bool have);
/* The iterator stands on a history key of entity lk. Consumes all facts with that event time; of those with
 * created_us in [created_min, created_max] the greatest by (created, values) is the pick. 1 = picked; 0 =
 * none was admissible; or LDR_E_CORRUPT, _IO, _NOMEM with err. Afterwards the iterator stands on the first
 * key behind the group (or is at its end, without error). */
int ldr_pick_group(rocksdb_iterator_t *it, const struct ldr_schema *schema, struct ldr_slice lk,
                   int64_t created_min, int64_t created_max, struct ldr_pick *p, struct ldr_err *err);
/* The iterator stands on the first history key of entity lk at or behind ~t (that is: event <= t), on a key
 * of another entity, or at its end. Walks groups, newest first, down to event time `floor` (inclusive). Same
 * results. */
int ldr_pick_walk(rocksdb_iterator_t *it, const struct ldr_schema *schema, struct ldr_slice lk,
                  int64_t floor_us, int64_t created_min, int64_t created_max, struct ldr_pick *p,
                  struct ldr_err *err);
/* Where to seek for "event <= t": out holds lk.n + 8 bytes; returns the length. */
static inline size_t ldr_hk_seek(uint8_t *out, struct ldr_slice lk, int64_t t_us)
{
    memcpy(out, lk.p, lk.n);
    ldr_put_be64(out + lk.n, ldr_desc64(t_us));
    return lk.n + 8;
}
#endif
