/* Cell i < 64 holds the value i. Above, each power of two [2^e, 2^(e+1)) has 64 cells of 2^(e-6) values. */
#include "base/hist.h"

#include <string.h>

#define SUB_BITS 6

static unsigned cell_of(uint64_t ns)
{
    if (ns < LDR_HIST_SUB) {
        return (unsigned)ns;
    }
    unsigned e = 63u - (unsigned)__builtin_clzll(ns);
    unsigned cell =
        (e - SUB_BITS + 1) * LDR_HIST_SUB + (unsigned)((ns >> (e - SUB_BITS)) & (LDR_HIST_SUB - 1));
    return cell < LDR_HIST_CELLS ? cell : LDR_HIST_CELLS - 1;
}

static uint64_t upper_edge(unsigned cell)
{
    if (cell < LDR_HIST_SUB) {
        return cell;
    }
    unsigned shift = cell / LDR_HIST_SUB - 1;
    uint64_t sub = LDR_HIST_SUB + cell % LDR_HIST_SUB;
    return ((sub + 1) << shift) - 1;
}

void ldr_hist_init(struct ldr_hist *h)
{
    memset(h, 0, sizeof(*h));
}

void ldr_hist_add(struct ldr_hist *h, uint64_t ns)
{
    if (h->count == 0 || ns < h->min_ns) {
        h->min_ns = ns;
    }
    if (ns > h->max_ns) {
        h->max_ns = ns;
    }
    h->count++;
    h->sum_ns += ns;
    h->cell[cell_of(ns)]++;
}

void ldr_hist_merge(struct ldr_hist *into, const struct ldr_hist *from)
{
    if (from->count == 0) {
        return;
    }
    if (into->count == 0 || from->min_ns < into->min_ns) {
        into->min_ns = from->min_ns;
    }
    if (from->max_ns > into->max_ns) {
        into->max_ns = from->max_ns;
    }
    into->count += from->count;
    into->sum_ns += from->sum_ns;
    for (unsigned i = 0; i < LDR_HIST_CELLS; i++) {
        into->cell[i] += from->cell[i];
    }
}

uint64_t ldr_hist_quantile(const struct ldr_hist *h, double q)
{
    if (h->count == 0) {
        return 0;
    }
    if (!(q > 0)) {
        return h->min_ns;
    }
    uint64_t rank = q >= 1 ? h->count : (uint64_t)(q * (double)h->count);
    if (rank < h->count && (double)rank < q * (double)h->count) {
        rank++;
    }
    uint64_t seen = 0;
    for (unsigned i = 0; i < LDR_HIST_CELLS - 1; i++) {
        seen += h->cell[i];
        if (seen >= rank && seen > 0) {
            uint64_t edge = upper_edge(i);
            return edge < h->max_ns ? edge : h->max_ns;
        }
    }
    return h->max_ns; /* the last cell also holds everything beyond the range */
}

uint64_t ldr_hist_at_most(const struct ldr_hist *h, uint64_t ns)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < LDR_HIST_CELLS - 1 && upper_edge(i) <= ns; i++)
        n += h->cell[i];
    return n;
}

double ldr_hist_mean(const struct ldr_hist *h)
{
    return h->count ? (double)h->sum_ns / (double)h->count : 0;
}
