/* stats.h: what the history of one feature is like. Internal to client/stats/. */
#ifndef LDR_CLIENT_STATS_H
#define LDR_CLIENT_STATS_H
#include "client/stats/sketch.h"
#include "client/table.h"
#include "feature/feature.h"

#define LDR_STATS_TEXT 256 /* bytes of a least or greatest text that are kept */

struct ldr_stats_text {
    bool has, cut;
    uint32_t n;
    uint8_t p[LDR_STATS_TEXT];
};
struct ldr_feature_stats {
    uint8_t type;
    uint64_t count, nulls; /* values; nulls and facts older than the feature */
    uint64_t ordered;      /* values that have a place in the order: all numbers but NaN, times, bools */
    int64_t min, max;      /* of those, as order numbers */
    struct ldr_stats_text least, greatest; /* of strings and bytes */
    struct ldr_moments moments;
    struct ldr_distinct distinct;
    struct ldr_quantile quantile;
    struct ldr_top top;
};
void ldr_stats_init(struct ldr_feature_stats *f, unsigned type);
void ldr_stats_close(struct ldr_feature_stats *f);
int ldr_stats_add(struct ldr_feature_stats *f, const struct ldr_value *v); /* null too; LDR_E_NOMEM */
int ldr_stats_merge(struct ldr_feature_stats *into, const struct ldr_feature_stats *from);
/* The table: feature, type, count, nulls, distinct, min, max, mean, stddev, p01, p25, p50, p75, p99, top.
 * count: values; nulls: the other facts. NaN counts as a value and has no part in min to p99; mean and stddev
 * (of the sample) are those of numbers and, as the share of true, of bools; top: "VALUE (COUNT), ...", "~"
 * before a count that is an estimate. */
struct ldr_table *ldr_stats_table(void);
int ldr_stats_row(const struct ldr_feature_stats *f, const char *name, struct ldr_table *t);
#endif
