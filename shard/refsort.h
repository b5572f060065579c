/* Sorting very many things by (hash, descending time) through small references. Hashes are spread evenly, so
 * the first pass deals into buckets by hash range, apart in each thread; a bucket then fits a core's cache
 * and is sorted by more digits there. Linear in the number of things, whatever the data. Pure: no locks, no
 * allocation. */
#ifndef LDR_SHARD_REFSORT_H
#define LDR_SHARD_REFSORT_H
#include "env/env.h"

struct ldr_ref {
    uint64_t hash;
    uint64_t desc;  /* ldr_desc64(time) */
    uint64_t where; /* the caller's */
};

/* By (hash, desc), equal ones in the order they had. scratch holds n. */
void ldr_refs_sort(struct ldr_ref *r, size_t n, struct ldr_ref *scratch);

/* Buckets over the hashes lo..hi: a bucket's hashes are all below those of the next. */
struct ldr_buckets {
    uint64_t lo;
    unsigned shift;
    uint32_t n;
};
/* About n / per things in each; at most max. */
struct ldr_buckets ldr_buckets_plan(uint64_t lo, uint64_t hi, size_t n, size_t per, uint32_t max);
static inline uint32_t ldr_bucket_of(const struct ldr_buckets *b, uint64_t hash)
{
    return (uint32_t)((hash - b->lo) >> b->shift);
}
/* counts[slice * b->n + bucket] -> where that slice's first thing of that bucket goes, buckets in order,
 * slices in order within a bucket. starts gets b->n + 1 places. Returns the total. */
size_t ldr_buckets_starts(const struct ldr_buckets *b, size_t nslices, size_t *counts, size_t *starts);

/* ldr_pool_each, or a plain loop when there is no pool or nothing to share. */
int ldr_each(struct ldr_pool *pool, size_t n, int (*fn)(void *ctx, size_t i, unsigned worker), void *ctx);
static inline unsigned ldr_each_width(const struct ldr_pool *pool)
{
    return pool ? ldr_pool_width(pool) : 1;
}
#endif
