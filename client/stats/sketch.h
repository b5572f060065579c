/* sketch.h: what a column of any length is like, in fixed memory. Each sketch is exact while it is small, can
 * be merged (so that parts may be read apart), and gives the same answer for the same parts in the same
 * order. Internal to client/. */
#ifndef LDR_CLIENT_SKETCH_H
#define LDR_CLIENT_SKETCH_H
#include "base/base.h"

/* ---- How many different values: HyperLogLog ----
 * P. Flajolet, E. Fusy, O. Gandouet, F. Meunier, "HyperLogLog: the analysis of a near-optimal cardinality
 * estimation algorithm", AofA 2007; estimated as in O. Ertl, "New cardinality estimation algorithms for
 * HyperLogLog sketches", arXiv:1702.01284, section 3. Standard error 1.04 / sqrt(4096) = 1.6 %. Exact up to
 * LDR_DISTINCT_EXACT values. */
#define LDR_DISTINCT_BITS  12
#define LDR_DISTINCT_CELLS (1u << LDR_DISTINCT_BITS)
#define LDR_DISTINCT_SLOTS (LDR_DISTINCT_CELLS / 8)
#define LDR_DISTINCT_EXACT (LDR_DISTINCT_SLOTS / 4 * 3)
struct ldr_distinct {
    bool estimates;
    uint32_t n; /* hashes in set, while it is exact */
    union {
        uint64_t set[LDR_DISTINCT_SLOTS]; /* open addressing; 0 = free */
        uint8_t cells[LDR_DISTINCT_CELLS];
    };
};
void ldr_distinct_init(struct ldr_distinct *d);
void ldr_distinct_add(struct ldr_distinct *d, uint64_t hash); /* hash: ldr_hash64 of the value */
void ldr_distinct_merge(struct ldr_distinct *into, const struct ldr_distinct *from);
uint64_t ldr_distinct_count(const struct ldr_distinct *d);

/* ---- Quantiles: KLL ----
 * Z. Karnin, K. Lang, E. Liberty, "Optimal quantile approximation in streams", FOCS 2016, arXiv:1603.05346.
 * Items are int64; other orders are mapped to it (ldr_order_f64). The rank of an answer is off by less than 1
 * % of n (99 times of 100). Exact up to LDR_QUANTILE_EXACT items. The random choices come from a fixed seed.
 */
#define LDR_QUANTILE_EXACT  512
#define LDR_QUANTILE_LEVELS 60
struct ldr_quantile_level {
    int64_t *items;
    uint32_t n, cap;
};
struct ldr_quantile {
    uint64_t count;
    uint64_t state; /* of the random choices */
    uint32_t nlevels;
    struct ldr_quantile_level levels[LDR_QUANTILE_LEVELS]; /* an item of level i stands for 2^i */
};
void ldr_quantile_init(struct ldr_quantile *q);
void ldr_quantile_close(struct ldr_quantile *q);
int ldr_quantile_add(struct ldr_quantile *q, int64_t item); /* LDR_E_NOMEM */
int ldr_quantile_merge(struct ldr_quantile *into, const struct ldr_quantile *from);
/* The item of rank ceil(p * count), at least 1 (nearest rank), for each of n ascending p. count must not be
 * 0. */
int ldr_quantile_get(const struct ldr_quantile *q, const double *p, size_t n, int64_t *out);
/* Doubles in the order of int64, and back; not for NaN. */
static inline int64_t ldr_order_f64(double v)
{
    int64_t i;
    memcpy(&i, &v, sizeof i);
    return i < 0 ? i ^ INT64_MAX : i;
}
static inline double ldr_order_f64_back(int64_t i)
{
    double v;
    i = i < 0 ? i ^ INT64_MAX : i;
    memcpy(&v, &i, sizeof v);
    return v;
}

/* ---- The most frequent values: Space-Saving ----
 * A. Metwally, D. Agrawal, A. El Abbadi, "Efficient computation of frequent and top-k elements in data
 * streams", ICDT 2005; merged as in P. Agarwal et al., "Mergeable summaries", PODS 2012. A value's true count
 * lies in count - error .. count; exact while there are at most LDR_TOP_CELLS values. */
#define LDR_TOP_CELLS 64
#define LDR_TOP_BYTES 48 /* of a value that are kept to show it */
struct ldr_top_cell {
    uint64_t hash, count, error;
    uint32_t len; /* of the whole value */
    uint8_t value[LDR_TOP_BYTES];
};
struct ldr_top {
    uint32_t n;
    uint32_t hand;      /* where the search for a least cell goes on */
    uint64_t least;     /* no count is below it, when all cells are taken */
    uint8_t index[256]; /* open addressing by hash: cell + 1; 0 = free */
    struct ldr_top_cell cells[LDR_TOP_CELLS];
};
void ldr_top_init(struct ldr_top *t);
void ldr_top_add(struct ldr_top *t, uint64_t hash, struct ldr_slice value);
void ldr_top_merge(struct ldr_top *into, const struct ldr_top *from);
/* The cells, most frequent first (then by value); at most max. Pointers are into t. */
size_t ldr_top_list(const struct ldr_top *t, const struct ldr_top_cell **out, size_t max);

/* ---- Mean and variance: B. P. Welford, Technometrics 4 (1962); merged as in T. F. Chan, G. H. Golub, R. J.
 * LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", COMPSTAT 1982. ----
 */
struct ldr_moments {
    uint64_t n;
    double mean, m2;
};
static inline void ldr_moments_add(struct ldr_moments *m, double v)
{
    double d = v - m->mean;
    m->n++;
    m->mean += d / (double)m->n;
    m->m2 += d * (v - m->mean);
}
void ldr_moments_merge(struct ldr_moments *into, const struct ldr_moments *from);
double ldr_moments_stddev(const struct ldr_moments *m); /* of the sample (n - 1); NaN below two values */
#endif
