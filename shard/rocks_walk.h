/* Moving an iterator forward to the next place of interest: stepping costs about 0.25 us a fact, seeking as
 * much as a dozen steps, and nobody knows the gap beforehand. So steps are tried as long as they have paid
 * off lately. */
#ifndef LDR_SHARD_ROCKS_WALK_H
#define LDR_SHARD_ROCKS_WALK_H
#include "shard/pick.h"
#include "shard/shard_impl.h"

/* What was learnt about gaps of one kind (within an entity, between entities). Start with LDR_STRIDE. */
struct ldr_stride {
    unsigned limit; /* steps before a seek */
    unsigned calls;
};
#define LDR_STRIDE_MAX 16
#define LDR_STRIDE     ((struct ldr_stride){.limit = LDR_STRIDE_MAX})

/* The iterator stands at or before the first key >= target, or is at its end. Moves it there. 1 = it stands
 * on a key >= target, 0 = there is none, or an error. */
int ldr_walk_to(rocksdb_iterator_t *it, struct ldr_stride *st, struct ldr_slice target, struct ldr_err *err);
/* The same by a seek, from anywhere. */
int ldr_walk_seek(rocksdb_iterator_t *it, struct ldr_slice target, struct ldr_err *err);
/* 1 or 0 like these, for where the iterator stands now. */
static inline int ldr_walk_here(rocksdb_iterator_t *it, struct ldr_err *err)
{
    return rocksdb_iter_valid(it) ? 1 : ldr_rocks_iter_status(err, "reading", it);
}

/* Where an entity's history (all keys that start with lk) ends. out holds lk.n + LDR_HK_END bytes. */
#define LDR_HK_END 9
static inline size_t ldr_hk_end(uint8_t *out, struct ldr_slice lk)
{
    memcpy(out, lk.p, lk.n);
    memset(out + lk.n, 0xff, LDR_HK_END); /* the ninth byte is the origin, 0 or 1 */
    return lk.n + LDR_HK_END;
}

/* Bounds of one view, or of the hashes lo..hi in it: keys in [from, to). */
struct ldr_hash_range {
    uint8_t from[LDR_HK_PREFIX], to[LDR_HK_PREFIX];
    size_t to_n; /* 0: no end */
};
void ldr_hash_range(struct ldr_hash_range *r, uint32_t view, uint64_t lo, uint64_t hi);

/* Bytes in tables within the range, roughly; 0 when unknown. */
uint64_t ldr_walk_bytes(struct ldr_shard *s, enum ldr_cf cf, const struct ldr_hash_range *r);

/* For many reads of a family in ascending order within the range: read-ahead when they lie close together,
 * blocks kept in the cache when that pays (keep.h). *r must outlive the iterator. NULL when out of memory. */
rocksdb_readoptions_t *ldr_walk_options(struct ldr_shard *s, const struct ldr_snap *snap, enum ldr_cf cf,
                                        const struct ldr_hash_range *r, size_t reads);
#endif
