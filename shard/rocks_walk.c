#include "shard/rocks_walk.h"

#include "shard/rocks_options.h"

#define RETRY         32 /* every so many seeks, steps are given another chance */
#define READAHEAD     ((size_t)256 << 10)
#define READAHEAD_GAP ((uint64_t)16 << 10) /* reads that lie closer use most of what is read ahead */

int ldr_walk_seek(rocksdb_iterator_t *it, struct ldr_slice target, struct ldr_err *err)
{
    rocksdb_iter_seek(it, (const char *)target.p, target.n);
    return ldr_walk_here(it, err);
}

int ldr_walk_to(rocksdb_iterator_t *it, struct ldr_stride *st, struct ldr_slice target, struct ldr_err *err)
{
    unsigned limit = ++st->calls % RETRY == 0 ? LDR_STRIDE_MAX : st->limit;
    for (unsigned steps = 0; rocksdb_iter_valid(it); steps++) {
        if (ldr_slice_cmp(ldr_iter_key(it), target) >= 0) {
            if (steps * 2 > st->limit)
                st->limit = steps * 2 < LDR_STRIDE_MAX ? steps * 2 : LDR_STRIDE_MAX;
            return 1;
        }
        if (steps == limit) {
            st->limit /= 2;
            return ldr_walk_seek(it, target, err);
        }
        rocksdb_iter_next(it);
    }
    return ldr_rocks_iter_status(err, "reading", it);
}

void ldr_hash_range(struct ldr_hash_range *r, uint32_t view, uint64_t lo, uint64_t hi)
{
    ldr_put_be32(r->from, view);
    ldr_put_be64(r->from + 4, lo);
    r->to_n = 0;
    if (hi < UINT64_MAX) {
        ldr_put_be32(r->to, view);
        ldr_put_be64(r->to + 4, hi + 1);
        r->to_n = LDR_HK_PREFIX;
    } else if (view < UINT32_MAX) {
        ldr_put_be32(r->to, view + 1);
        r->to_n = 4;
    }
}

static const struct ldr_hash_range everything; /* its end is none */

uint64_t ldr_walk_bytes(struct ldr_shard *s, enum ldr_cf cf, const struct ldr_hash_range *r)
{
    static const char last[] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff";
    const char *from = (const char *)r->from, *to = r->to_n ? (const char *)r->to : last;
    size_t from_n = sizeof r->from, to_n = r->to_n ? r->to_n : sizeof last - 1;
    uint64_t bytes = 0;
    char *text = NULL;
    rocksdb_approximate_sizes_cf(s->db, s->cf[cf], 1, &from, &from_n, &to, &to_n, &bytes, &text);
    rocksdb_free(text); /* an estimate decides about speed only */
    return bytes;
}

rocksdb_readoptions_t *ldr_walk_options(struct ldr_shard *s, const struct ldr_snap *snap, enum ldr_cf cf,
                                        const struct ldr_hash_range *r, size_t reads)
{
    rocksdb_readoptions_t *ro = ldr_read_options(snap, LDR_READ_MERGE);
    if (!ro)
        return NULL;
    rocksdb_set_perf_level(
        rocksdb_disable); /* of this thread: nobody reads RocksDB's counters, each step pays for them */
    uint64_t bytes = ldr_walk_bytes(s, cf, r);
    const struct ldr_keep_read read = {ldr_walk_bytes(s, cf, &everything), bytes, ldr_cf_block(cf), reads,
                                       s->opts.cache_bytes};
    rocksdb_readoptions_set_fill_cache(ro, ldr_keep_decide(&s->keep[cf], &read));
    if (bytes / (reads ? reads : 1) < READAHEAD_GAP)
        rocksdb_readoptions_set_readahead_size(ro, READAHEAD);
    if (r->to_n)
        rocksdb_readoptions_set_iterate_upper_bound(ro, (const char *)r->to, r->to_n);
    return ro;
}
