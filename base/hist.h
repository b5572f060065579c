/* Latency histogram: log-linear, 1 ns to about 18 minutes, relative error at most 1/64, fixed memory, no
 * allocation. One writer; merge to combine threads. */
#ifndef LDR_BASE_HIST_H
#define LDR_BASE_HIST_H
#include <stdint.h>
#define LDR_HIST_SUB   64
#define LDR_HIST_CELLS (LDR_HIST_SUB * 36)
struct ldr_hist {
    uint64_t count, sum_ns, min_ns, max_ns;
    uint64_t cell[LDR_HIST_CELLS];
};
void ldr_hist_init(struct ldr_hist *h);
void ldr_hist_add(struct ldr_hist *h, uint64_t ns);
void ldr_hist_merge(struct ldr_hist *into, const struct ldr_hist *from);
uint64_t ldr_hist_quantile(const struct ldr_hist *h, double q); /* upper edge of the cell; 0 when empty */
/* How many values are surely at most ns: those of whole cells. */
uint64_t ldr_hist_at_most(const struct ldr_hist *h, uint64_t ns);
double ldr_hist_mean(const struct ldr_hist *h);
#endif
