/* place.h: where the facts of an arc are: in a shard of this process, or behind the network. Internal to
 * client/. The shard's own calls say what each function does (shard/shard.h); the local way costs one
 * foreseeable branch. */
#ifndef LDR_CLIENT_PLACE_H
#define LDR_CLIENT_PLACE_H
#include "shard/shard.h"

struct ldr_remote;
/* The far side of a place. Any thread; calls wait. An arc is the caller's cut of the ring and need not be
 * that of any one shard over there. Snapshots are not frozen there: what is read is what stands when it is
 * read. */
struct ldr_remote_ops {
    /* fresh: enum ldr_fresh (larder.h); a shard of this process is always strict */
    int (*latest)(struct ldr_remote *r, const struct ldr_point *p, size_t n, int fresh,
                  struct ldr_buf *scratch, struct ldr_answer *out, struct ldr_err *err);
    int (*asof)(struct ldr_remote *r, const struct ldr_point *p, size_t n, const struct ldr_asof *q,
                int fresh, struct ldr_buf *scratch, struct ldr_answer *out, struct ldr_err *err);
    int (*asof_sorted)(struct ldr_remote *r, uint32_t view, int64_t ttl_us, int fresh,
                       const struct ldr_probe *probes, size_t n,
                       int (*emit)(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f), void *ctx,
                       struct ldr_err *err);
    int (*scan)(struct ldr_remote *r, const struct ldr_scan_opts *o, int fresh,
                int (*fn)(void *ctx, const struct ldr_fact *f), void *ctx, struct ldr_err *err);
    /* load: very many facts in chunks; write: n facts. Failures may leave some of them written:
     * err->in_doubt. */
    int (*write)(struct ldr_remote *r, const struct ldr_fact *facts, size_t n, struct ldr_write_result *res,
                 struct ldr_err *err);
    int (*load)(struct ldr_remote *r, uint32_t view, struct ldr_fact_chunk *chunks, size_t nchunks,
                struct ldr_write_result *res, struct ldr_err *err);
    int (*erase)(struct ldr_remote *r, uint32_t view, uint32_t entity_id, struct ldr_slice key,
                 int64_t erase_us, uint64_t *erased, struct ldr_err *err);
    int (*check)(struct ldr_remote *r, bool repair, struct ldr_check_report *rep,
                 void (*problem)(void *ctx, const char *text), void *ctx, struct ldr_err *err);
    int (*stats)(struct ldr_remote *r, struct ldr_shard_stats *out);
    int (*compact)(struct ldr_remote *r, struct ldr_err *err);
};

struct ldr_store_shard {
    struct ldr_shard *shard; /* NULL: it is far away */
    const struct ldr_remote_ops *ops;
    struct ldr_remote *remote;
    uint32_t id;
    uint64_t lo, hi; /* its arc, inclusive; shards[] of a store is in arc order and covers everything */
};

static inline int ldr_place_latest(const struct ldr_store_shard *h, const struct ldr_point *p, size_t n,
                                   int fresh, struct ldr_buf *scratch, struct ldr_answer *out,
                                   struct ldr_err *err)
{
    if (!h->shard)
        return h->ops->latest(h->remote, p, n, fresh, scratch, out, err);
    return n == 1 ? ldr_shard_latest(h->shard, p, scratch, out, err)
                  : ldr_shard_latest_many(h->shard, p, n, scratch, out, err);
}
static inline int ldr_place_asof(const struct ldr_store_shard *h, const struct ldr_point *p,
                                 const struct ldr_asof *q, int fresh, struct ldr_buf *scratch,
                                 struct ldr_answer *out, struct ldr_err *err)
{
    return h->shard ? ldr_shard_asof(h->shard, NULL, p, q, scratch, out, err)
                    : h->ops->asof(h->remote, p, 1, q, fresh, scratch, out, err);
}
/* *out stays NULL for a far place. */
static inline int ldr_place_snap(const struct ldr_store_shard *h, struct ldr_snap **out, struct ldr_err *err)
{
    *out = NULL;
    return h->shard ? ldr_snap_create(h->shard, out, err) : 0;
}
static inline int
ldr_place_asof_sorted(const struct ldr_store_shard *h, const struct ldr_snap *snap, uint32_t view,
                      int64_t ttl_us, int fresh, const struct ldr_probe *probes, size_t n,
                      int (*emit)(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f), void *ctx,
                      struct ldr_err *err)
{
    return h->shard ? ldr_shard_asof_sorted(h->shard, snap, view, ttl_us, probes, n, emit, ctx, err)
                    : h->ops->asof_sorted(h->remote, view, ttl_us, fresh, probes, n, emit, ctx, err);
}
static inline int ldr_place_scan(const struct ldr_store_shard *h, const struct ldr_snap *snap,
                                 const struct ldr_scan_opts *o, int fresh,
                                 int (*fn)(void *ctx, const struct ldr_fact *f), void *ctx,
                                 struct ldr_err *err)
{
    return h->shard ? ldr_shard_scan(h->shard, snap, o, fn, ctx, err)
                    : h->ops->scan(h->remote, o, fresh, fn, ctx, err);
}
static inline int ldr_place_write(const struct ldr_store_shard *h, const struct ldr_fact *facts, size_t n,
                                  struct ldr_write_result *res, struct ldr_err *err)
{
    return h->shard ? ldr_shard_write(h->shard, facts, n, res, err)
                    : h->ops->write(h->remote, facts, n, res, err);
}
static inline int ldr_place_load(const struct ldr_store_shard *h, uint32_t view,
                                 struct ldr_fact_chunk *chunks, size_t nchunks, struct ldr_write_result *res,
                                 struct ldr_err *err)
{
    return h->shard ? ldr_shard_load(h->shard, view, chunks, nchunks, res, err)
                    : h->ops->load(h->remote, view, chunks, nchunks, res, err);
}
static inline int ldr_place_erase(const struct ldr_store_shard *h, uint32_t view, uint32_t entity_id,
                                  struct ldr_slice key, int64_t erase_us, uint64_t *erased,
                                  struct ldr_err *err)
{
    return h->shard ? ldr_shard_erase(h->shard, view, entity_id, key, erase_us, erased, err)
                    : h->ops->erase(h->remote, view, entity_id, key, erase_us, erased, err);
}
static inline int ldr_place_check(const struct ldr_store_shard *h, bool repair, struct ldr_check_report *rep,
                                  void (*problem)(void *ctx, const char *text), void *ctx,
                                  struct ldr_err *err)
{
    return h->shard ? ldr_shard_check(h->shard, repair, rep, problem, ctx, err)
                    : h->ops->check(h->remote, repair, rep, problem, ctx, err);
}
static inline int ldr_place_stats(const struct ldr_store_shard *h, struct ldr_shard_stats *out)
{
    return h->shard ? ldr_shard_stats(h->shard, out) : h->ops->stats(h->remote, out);
}
static inline int ldr_place_compact(const struct ldr_store_shard *h, struct ldr_err *err)
{
    return h->shard ? ldr_shard_compact(h->shard, err) : h->ops->compact(h->remote, err);
}
#endif
