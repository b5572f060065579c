/* Sketches to the table that people read. */
#include <math.h>

#include "client/stats/stats.h"

#define TOP_SHOWN 5

struct ldr_table *ldr_stats_table(void)
{
    static const char *const columns[] = {"feature", "type", "count", "nulls",  "distinct",
                                          "min",     "max",  "mean",  "stddev", "p01",
                                          "p25",     "p50",  "p75",   "p99",    "top"};
    struct ldr_table *t = NULL;
    return ldr_table_make(columns, sizeof columns / sizeof columns[0], &t) ? NULL : t;
}

/* An order number as the value that it stands for. */
static void put_ordered(const struct ldr_feature_stats *f, int64_t at, struct ldr_table *t)
{
    switch (f->type) {
    case LDR_BOOL:
        ldr_table_bool(t, at != 0);
        break;
    case LDR_FLOAT32:
    case LDR_FLOAT64:
        ldr_table_f64(t, ldr_order_f64_back(at));
        break;
    case LDR_TIMESTAMP:
        ldr_table_time(t, at);
        break;
    default:
        ldr_table_i64(t, at);
    }
}

static bool ordered_type(unsigned type)
{
    return !ldr_type_is_list(type) && ldr_type_is_fixed(type);
}

/* Whole characters of a text, and "..." when there was more. */
static void show_text(struct ldr_slice s, bool cut, struct ldr_buf *out)
{
    size_t n = 0;
    while (n < s.n) {
        size_t k = ldr_utf8_char(s.p + n, s.n - n);
        if (k == 0)
            break;
        n += k;
    }
    ldr_buf_put(out, s.p, n);
    if (cut || n < s.n)
        ldr_buf_puts(out, "...");
}

static void show_bytes(struct ldr_slice s, bool cut, struct ldr_buf *out)
{
    struct ldr_value v = {.type = LDR_BYTES, .s = s};
    ldr_value_format(&v, out);
    if (cut)
        ldr_buf_puts(out, "...");
}

static void put_text(const struct ldr_feature_stats *f, const struct ldr_stats_text *x, struct ldr_table *t)
{
    if (!x->has) {
        ldr_table_null(t, LDR_STRING);
        return;
    }
    struct ldr_buf text;
    ldr_buf_init(&text, NULL, 0);
    (f->type == LDR_STRING ? show_text : show_bytes)(ldr_slice(x->p, x->n), x->cut, &text);
    ldr_table_slice(t, ldr_buf_slice(&text));
    ldr_buf_close(&text);
}

static void put_ends(const struct ldr_feature_stats *f, struct ldr_table *t)
{
    if (!ordered_type(f->type)) {
        put_text(f, &f->least, t);
        put_text(f, &f->greatest, t);
    } else if (f->ordered == 0) {
        ldr_table_null(t, f->type);
        ldr_table_null(t, f->type);
    } else {
        put_ordered(f, f->min, t);
        put_ordered(f, f->max, t);
    }
}

static void put_moments(const struct ldr_feature_stats *f, struct ldr_table *t)
{
    double stddev = ldr_moments_stddev(&f->moments);
    if (f->moments.n)
        ldr_table_f64(t, f->moments.mean);
    else
        ldr_table_null(t, LDR_FLOAT64);
    if (f->moments.n > 1)
        ldr_table_f64(t, stddev);
    else
        ldr_table_null(t, LDR_FLOAT64);
}

static int put_quantiles(const struct ldr_feature_stats *f, struct ldr_table *t)
{
    static const double p[5] = {0.01, 0.25, 0.5, 0.75, 0.99};
    int64_t at[5];
    if (f->quantile.count == 0) {
        for (int i = 0; i < 5; i++)
            ldr_table_null(t, ordered_type(f->type) ? f->type : LDR_FLOAT64);
        return 0;
    }
    int rc = ldr_quantile_get(&f->quantile, p, 5, at);
    for (int i = 0; rc == 0 && i < 5; i++)
        put_ordered(f, at[i], t);
    return rc;
}

static void show_value(const struct ldr_feature_stats *f, const struct ldr_top_cell *c, struct ldr_buf *out)
{
    size_t n = c->len < LDR_TOP_BYTES ? c->len : LDR_TOP_BYTES;
    bool cut = c->len > LDR_TOP_BYTES;
    if (f->type == LDR_STRING) {
        show_text(ldr_slice(c->value, n), cut, out);
        return;
    }
    if (f->type == LDR_BYTES) {
        show_bytes(ldr_slice(c->value, n), cut, out);
        return;
    }
    struct ldr_value v = {.type = f->type};
    memcpy(&v.i, c->value, sizeof v.i);
    if (f->type == LDR_BOOL) {
        v.b = c->value[0] != 0;
    } else if (f->type == LDR_FLOAT32) {
        uint32_t bits = (uint32_t)v.i;
        memcpy(&v.f32, &bits, sizeof bits);
    }
    ldr_value_format(&v, out);
}

/* Values whose count is mostly known for sure; in a column of all different values there are none. */
static void put_top(const struct ldr_feature_stats *f, struct ldr_table *t)
{
    const struct ldr_top_cell *cells[TOP_SHOWN];
    size_t n = ldr_top_list(&f->top, cells, TOP_SHOWN);
    struct ldr_buf text;
    ldr_buf_init(&text, NULL, 0);
    for (size_t i = 0; i < n; i++) {
        const struct ldr_top_cell *c = cells[i];
        if (c->error > c->count / 2)
            continue;
        ldr_buf_puts(&text, text.n ? ", " : "");
        show_value(f, c, &text);
        ldr_buf_printf(&text, " (%s%llu)", c->error ? "~" : "", (unsigned long long)c->count);
    }
    if (text.n)
        ldr_table_slice(t, ldr_buf_slice(&text));
    else
        ldr_table_null(t, LDR_STRING);
    ldr_buf_close(&text);
}

int ldr_stats_row(const struct ldr_feature_stats *f, const char *name, struct ldr_table *t)
{
    ldr_table_begin_row(t);
    ldr_table_text(t, name);
    ldr_table_text(t, ldr_type_name(f->type));
    ldr_table_u64(t, f->count);
    ldr_table_u64(t, f->nulls);
    ldr_table_u64(t, ldr_distinct_count(&f->distinct));
    put_ends(f, t);
    put_moments(f, t);
    int rc = put_quantiles(f, t);
    put_top(f, t);
    return rc;
}
