/* Facts in any order -> references dealt into buckets by hash. A bucket's references, facts and rows fit a
 * core's cache when it is sorted and walked. */
#include "shard/rocks_bulk.h"
#include "shard/write_group.h"

#define BUCKET_FACTS 4096
#define BUCKETS_MAX  8192
#define SLICE_FACTS  16384
#define SLICES_MAX   64

struct dealing {
    struct ldr_bulk *b;
    size_t *chunk_at; /* number of facts before each chunk, and the end */
    size_t nslices;
    size_t *counts; /* per slice and bucket, then the next place there */
    struct slice {
        uint64_t bytes;
        int rc;
        struct ldr_err err;
    } *slices;
};

static void slice_bounds(const struct dealing *d, size_t i, size_t *from, size_t *to)
{
    size_t per = d->b->n / d->nslices, rest = d->b->n % d->nslices;
    *from = i * per + (i < rest ? i : rest);
    *to = *from + per + (i < rest);
}

/* The chunk that holds fact number i (i < n). */
static size_t chunk_of(const struct dealing *d, size_t i)
{
    size_t lo = 0, hi = d->b->nchunks;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (d->chunk_at[mid] <= i)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

/* A run of facts of one chunk, from fact number *from up to `to` at most; moves *from behind it. */
static const struct ldr_fact *next_run(const struct dealing *d, size_t *from, size_t to, size_t *chunk,
                                       size_t *n)
{
    while (d->chunk_at[*chunk + 1] <= *from)
        ++*chunk;
    size_t in_chunk = *from - d->chunk_at[*chunk];
    const struct ldr_fact *facts = d->b->chunks[*chunk].facts + in_chunk;
    *n = d->b->chunks[*chunk].n - in_chunk;
    if (*n > to - *from)
        *n = to - *from;
    *from += *n;
    return facts;
}

/* All that can be told without touching the key: that it has this hash is checked once for each entity. */
static int check_fact(const struct ldr_bulk *b, const struct ldr_fact *f, struct ldr_err *err)
{
    const struct ldr_shard_opts *o = &b->s->opts;
    if (f->view != b->view->schema->view_id)
        return ldr_fail(err, LDR_E_INVALID, "a fact of view %u in a load of view %u", f->view,
                        b->view->schema->view_id);
    if (f->hash < o->arc_lo || f->hash > o->arc_hi || f->key.n > LDR_KEY_MAX || f->row.n > LDR_ROW_MAX ||
        f->event_us < LDR_TIME_MIN_US || f->event_us > LDR_TIME_MAX_US || f->created_us < LDR_TIME_MIN_US ||
        f->created_us > LDR_TIME_MAX_US)
        return ldr_fact_admit(b->s, f, err); /* which says what is wrong */
    return 0;
}

static int count_slice(void *ctx, size_t i, unsigned worker)
{
    struct dealing *d = ctx;
    struct slice *slice = &d->slices[i];
    size_t from, to, n, *counts = d->counts + i * d->b->buckets.n;
    (void)worker;
    slice_bounds(d, i, &from, &to);
    for (size_t chunk = from < to ? chunk_of(d, from) : 0; from < to;) {
        const struct ldr_fact *f = next_run(d, &from, to, &chunk, &n);
        for (size_t k = 0; k < n; k++) {
            slice->rc = check_fact(d->b, &f[k], &slice->err);
            if (slice->rc)
                return slice->rc;
            slice->bytes += f[k].key.n + f[k].row.n;
            counts[ldr_bucket_of(&d->b->buckets, f[k].hash)]++;
        }
    }
    return 0;
}

static int deal_slice(void *ctx, size_t i, unsigned worker)
{
    struct dealing *d = ctx;
    size_t from, to, n, *next = d->counts + i * d->b->buckets.n;
    (void)worker;
    slice_bounds(d, i, &from, &to);
    for (size_t chunk = from < to ? chunk_of(d, from) : 0; from < to;) {
        const struct ldr_fact *f = next_run(d, &from, to, &chunk, &n);
        for (size_t k = 0; k < n; k++)
            d->b->refs[next[ldr_bucket_of(&d->b->buckets, f[k].hash)]++] =
                (struct ldr_ref){f[k].hash, ldr_desc64(f[k].event_us), (uintptr_t)&f[k]};
    }
    return 0;
}

static int deal(struct dealing *d, struct ldr_err *err)
{
    struct ldr_bulk *b = d->b;
    struct ldr_pool *pool = b->s->opts.pool;
    int rc = ldr_each(pool, d->nslices, count_slice, d);
    for (size_t i = 0; i < d->nslices; i++) {
        b->bytes += d->slices[i].bytes;
        if (rc && d->slices[i].rc) { /* the first in the order of the facts */
            if (err)
                *err = d->slices[i].err;
            return d->slices[i].rc;
        }
    }
    if (rc)
        return rc;
    ldr_buckets_starts(&b->buckets, d->nslices, d->counts, b->starts);
    return ldr_each(pool, d->nslices, deal_slice, d);
}

int ldr_bulk_deal(struct ldr_bulk *b, struct ldr_err *err)
{
    struct dealing d = {.b = b};
    int rc = LDR_E_NOMEM;
    d.chunk_at = ldr_calloc(NULL, b->nchunks + 1, sizeof *d.chunk_at);
    if (!d.chunk_at)
        goto out;
    for (size_t i = 0; i < b->nchunks; i++)
        d.chunk_at[i + 1] = d.chunk_at[i] + b->chunks[i].n;
    b->n = d.chunk_at[b->nchunks];
    d.nslices = b->n / SLICE_FACTS + 1;
    if (d.nslices > SLICES_MAX)
        d.nslices = SLICES_MAX;
    b->buckets = ldr_buckets_plan(b->s->opts.arc_lo, b->s->opts.arc_hi, b->n, BUCKET_FACTS, BUCKETS_MAX);
    d.slices = ldr_calloc(NULL, d.nslices, sizeof *d.slices);
    d.counts = ldr_calloc(NULL, d.nslices * b->buckets.n, sizeof *d.counts);
    b->starts = ldr_calloc(NULL, (size_t)b->buckets.n + 1, sizeof *b->starts);
    b->refs = b->n < SIZE_MAX / sizeof *b->refs ? ldr_alloc(NULL, b->n * sizeof *b->refs) : NULL;
    if (d.slices && d.counts && b->starts && b->refs)
        rc = deal(&d, err);
out:
    if (rc == LDR_E_NOMEM)
        ldr_fail(err, rc, "loading %zu facts: out of memory", b->n);
    ldr_release(NULL, d.counts);
    ldr_release(NULL, d.slices);
    ldr_release(NULL, d.chunk_at);
    return rc;
}

void ldr_bulk_deal_close(struct ldr_bulk *b)
{
    ldr_release(NULL, b->refs);
    ldr_release(NULL, b->starts);
}
