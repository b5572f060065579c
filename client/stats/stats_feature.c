/* Values of one feature into its sketches. */
#include <math.h>

#include "client/stats/stats.h"

void ldr_stats_init(struct ldr_feature_stats *f, unsigned type)
{
    memset(f, 0, sizeof *f);
    f->type = (uint8_t)type;
    f->min = INT64_MAX;
    f->max = INT64_MIN;
    ldr_distinct_init(&f->distinct);
    ldr_quantile_init(&f->quantile);
    ldr_top_init(&f->top);
}

void ldr_stats_close(struct ldr_feature_stats *f)
{
    ldr_quantile_close(&f->quantile);
}

static int text_cmp(struct ldr_slice a, const struct ldr_stats_text *b)
{
    return ldr_slice_cmp(a, ldr_slice(b->p, b->n));
}

static void text_set(struct ldr_stats_text *t, struct ldr_slice s)
{
    t->has = true;
    t->cut = s.n > LDR_STATS_TEXT;
    t->n = (uint32_t)(t->cut ? LDR_STATS_TEXT : s.n);
    if (t->n)
        memcpy(t->p, s.p, t->n);
}

static void add_text(struct ldr_feature_stats *f, struct ldr_slice s)
{
    if (!f->least.has || text_cmp(s, &f->least) < 0)
        text_set(&f->least, s);
    if (!f->greatest.has || text_cmp(s, &f->greatest) > 0)
        text_set(&f->greatest, s);
}

/* Place in the order, and the number; false for NaN. */
static bool order(const struct ldr_value *v, int64_t *at, double *number)
{
    switch (v->type) {
    case LDR_BOOL:
        *at = v->b;
        *number = v->b;
        return true;
    case LDR_FLOAT32:
        *number = (double)v->f32;
        *at = ldr_order_f64(*number);
        return !isnan(*number);
    case LDR_FLOAT64:
        *number = v->f64;
        *at = ldr_order_f64(*number);
        return !isnan(*number);
    default:
        *at = v->i;
        *number = (double)v->i;
        return true;
    }
}

static int add_ordered(struct ldr_feature_stats *f, const struct ldr_value *v)
{
    int64_t at;
    double number;
    if (!order(v, &at, &number))
        return 0;
    f->ordered++;
    f->min = at < f->min ? at : f->min;
    f->max = at > f->max ? at : f->max;
    if (f->type != LDR_TIMESTAMP)
        ldr_moments_add(&f->moments, number);
    return f->type == LDR_BOOL ? 0 : ldr_quantile_add(&f->quantile, at);
}

int ldr_stats_add(struct ldr_feature_stats *f, const struct ldr_value *v)
{
    if (v->null) {
        f->nulls++;
        return 0;
    }
    f->count++;
    if (ldr_type_is_list(v->type)) {
        ldr_distinct_add(&f->distinct, ldr_hash64_seed(v->s.p, v->s.n, v->count));
        return 0;
    }
    if (!ldr_type_is_fixed(v->type)) {
        uint64_t hash = ldr_hash64(v->s.p, v->s.n);
        ldr_distinct_add(&f->distinct, hash);
        ldr_top_add(&f->top, hash, v->s);
        add_text(f, v->s);
        return 0;
    }
    uint8_t bytes[8];
    int64_t i = v->type == LDR_BOOL ? v->b : v->i;
    if (v->type == LDR_FLOAT32) {
        uint32_t bits;
        memcpy(&bits, &v->f32, sizeof bits);
        i = bits;
    }
    memcpy(bytes, &i, sizeof bytes);
    uint64_t hash = ldr_hash64(bytes, sizeof bytes);
    ldr_distinct_add(&f->distinct, hash);
    ldr_top_add(&f->top, hash, ldr_slice(bytes, sizeof bytes));
    return add_ordered(f, v);
}

int ldr_stats_merge(struct ldr_feature_stats *into, const struct ldr_feature_stats *from)
{
    into->count += from->count;
    into->nulls += from->nulls;
    into->ordered += from->ordered;
    into->min = from->min < into->min ? from->min : into->min;
    into->max = from->max > into->max ? from->max : into->max;
    if (from->least.has &&
        (!into->least.has || text_cmp(ldr_slice(from->least.p, from->least.n), &into->least) < 0))
        into->least = from->least;
    if (from->greatest.has &&
        (!into->greatest.has || text_cmp(ldr_slice(from->greatest.p, from->greatest.n), &into->greatest) > 0))
        into->greatest = from->greatest;
    ldr_moments_merge(&into->moments, &from->moments);
    ldr_distinct_merge(&into->distinct, &from->distinct);
    ldr_top_merge(&into->top, &from->top);
    return ldr_quantile_merge(&into->quantile, &from->quantile);
}
