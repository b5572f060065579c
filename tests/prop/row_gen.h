/* Random schemas, values and rows for the property tests of feature/. One seed, one sequence. */
#ifndef LDR_TESTS_ROW_GEN_H
#define LDR_TESTS_ROW_GEN_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "feature/feature.h"

struct gen {
    uint64_t state;
    struct ldr_arena *a;
};

static inline uint64_t gen_u64(struct gen *g)
{
    uint64_t z = (g->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
static inline uint32_t gen_below(struct gen *g, uint32_t n)
{
    return (uint32_t)(gen_u64(g) % n);
}

/* Few distinct values, many edges: ties and neighbours are what orders break on. */
static inline int64_t gen_int(struct gen *g, int64_t min, int64_t max)
{
    switch (gen_below(g, 6)) {
    case 0:
        return min;
    case 1:
        return max;
    case 2:
        return (int64_t)gen_below(g, 5) - 2;
    case 3: {
        int64_t shifted = (int64_t)(gen_u64(g) >> gen_below(g, 64));
        return shifted < min ? min : shifted > max ? max : shifted;
    }
    default:
        return (int64_t)((uint64_t)min + gen_u64(g) % ((uint64_t)max - (uint64_t)min));
    }
}

static inline double gen_f64(struct gen *g)
{
    static const double edges[] = {
        0.0, -0.0, 1.0, -1.0, 5e-324, 1.7976931348623157e308, __builtin_inf(), -__builtin_inf()};
    double v;
    uint64_t bits = gen_u64(g);
    if (gen_below(g, 2))
        return edges[gen_below(g, 8)];
    memcpy(&v, &bits, sizeof v);
    return gen_below(g, 10) ? v : ldr_f64_canonical(__builtin_nan(""));
}

static inline float gen_f32(struct gen *g)
{
    static const float edges[] = {
        0.0f, -0.0f, 1.0f, -1.0f, 1e-45f, 3.4028235e38f, __builtin_inff(), -__builtin_inff()};
    float v;
    uint32_t bits = (uint32_t)gen_u64(g);
    if (gen_below(g, 2))
        return edges[gen_below(g, 8)];
    memcpy(&v, &bits, sizeof v);
    return gen_below(g, 10) ? v : ldr_f32_canonical(__builtin_nanf(""));
}

static inline struct ldr_slice gen_bytes(struct gen *g, bool utf8)
{
    static const char *const pieces[] = {
        "a", "b", "\"", "\\", ",", "\n", "\x01", "\xc3\xa9", "\xf0\x9f\x90\xbe", " ", "]"};
    uint32_t n = gen_below(g, 4) ? gen_below(g, 6) : gen_below(g, 60);
    uint8_t *p = ldr_arena_alloc(g->a, 4 * (size_t)n + 1);
    size_t len = 0;
    assert_non_null(p);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t k = gen_below(g, 13);
        if (!utf8) {
            p[len++] = k < 6 ? (uint8_t)(k / 2 * 127) : (uint8_t)gen_u64(g);
        } else if (k >= 11) {
            p[len++] = k == 11 ? 0 : 'z';
        } else {
            memcpy(p + len, pieces[k], strlen(pieces[k]));
            len += strlen(pieces[k]);
        }
    }
    return ldr_slice(p, len);
}

static inline struct ldr_value gen_scalar(struct gen *g, unsigned type)
{
    struct ldr_value v = {.type = (uint8_t)type};
    switch (type) {
    case LDR_BOOL:
        v.b = gen_below(g, 2);
        break;
    case LDR_INT32:
        v.i = gen_int(g, INT32_MIN, INT32_MAX);
        break;
    case LDR_INT64:
        v.i = gen_int(g, INT64_MIN, INT64_MAX);
        break;
    case LDR_TIMESTAMP:
        v.i = gen_int(g, LDR_TIME_MIN_US, LDR_TIME_MAX_US);
        break;
    case LDR_FLOAT32:
        v.f32 = gen_f32(g);
        break;
    case LDR_FLOAT64:
        v.f64 = gen_f64(g);
        break;
    default:
        v.s = gen_bytes(g, type == LDR_STRING);
    }
    return v;
}

static inline struct ldr_value gen_value(struct gen *g, unsigned type)
{
    if (!ldr_type_is_list(type))
        return gen_scalar(g, type);
    struct ldr_list_builder b;
    struct ldr_value out;
    ldr_list_builder_init(&b, type, NULL);
    for (uint32_t n = gen_below(g, 5); n-- > 0;) {
        struct ldr_value e = gen_scalar(g, ldr_type_element(type));
        assert_int_equal(ldr_list_builder_add(&b, &e), 0);
    }
    assert_int_equal(ldr_list_builder_value(&b, g->a, &out), 0);
    ldr_list_builder_close(&b);
    return out;
}

static inline uint8_t gen_type(struct gen *g)
{
    return (uint8_t)((gen_below(g, 3) ? 0 : LDR_LIST) | (LDR_BOOL + gen_below(g, 8)));
}

/* The first `known` of the slots of `full`, as an older version of it. */
static inline struct ldr_schema *gen_older(struct gen *g, const struct ldr_schema *full, uint32_t known)
{
    const char **names = ldr_arena_calloc(g->a, full->ncols, sizeof *names);
    uint8_t *types = ldr_arena_calloc(g->a, full->ncols, 1);
    bool *dropped = ldr_arena_calloc(g->a, full->ncols, sizeof *dropped);
    struct ldr_schema *s;
    for (uint32_t i = 0; i < known; i++) {
        names[i] = full->cols[i].name;
        types[i] = full->cols[i].type;
        dropped[i] = full->cols[i].dropped;
    }
    assert_int_equal(ldr_schema_build(g->a, 7, known, names, types, dropped, 0, NULL, 0, 0, &s), 0);
    return s;
}

static inline struct ldr_schema *gen_schema(struct gen *g, uint32_t max_cols, bool drops)
{
    uint32_t n = gen_below(g, max_cols + 1);
    const char **names = ldr_arena_calloc(g->a, n, sizeof *names);
    uint8_t *types = ldr_arena_calloc(g->a, n, 1);
    bool *dropped = ldr_arena_calloc(g->a, n, sizeof *dropped);
    struct ldr_schema *s;
    for (uint32_t i = 0; i < n; i++) {
        names[i] = ldr_arena_printf(g->a, "%c%u", 'a' + (int)gen_below(g, 26), i);
        types[i] = gen_type(g);
        dropped[i] = drops && !gen_below(g, 6);
    }
    assert_int_equal(ldr_schema_build(g->a, 7, n, names, types, dropped, 0, NULL, 0, 0, &s), 0);
    return s;
}

static inline struct ldr_value *gen_values(struct gen *g, const struct ldr_schema *s, uint32_t nulls_in_8)
{
    struct ldr_value *v = ldr_arena_calloc(g->a, s->ncols, sizeof *v);
    for (uint32_t i = 0; i < s->ncols; i++)
        v[i] = gen_below(g, 8) < nulls_in_8 ? ldr_value_null(s->cols[i].type) : gen_value(g, s->cols[i].type);
    return v;
}

static inline struct ldr_slice gen_row(struct gen *g, const struct ldr_schema *s, const struct ldr_value *v)
{
    struct ldr_buf b;
    struct ldr_slice out;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_row_encode(s, v, &b), 0);
    assert_int_equal(ldr_arena_slice(g->a, ldr_buf_slice(&b), &out), 0);
    ldr_buf_close(&b);
    return out;
}

/* Same bits, not just the same order: -0.0 is not 0.0. */
static inline bool gen_same(const struct ldr_value *a, const struct ldr_value *b)
{
    if (a->type != b->type || a->null != b->null)
        return false;
    if (a->null)
        return true;
    if (a->type == LDR_BOOL)
        return a->b == b->b;
    if (a->type == LDR_FLOAT32)
        return memcmp(&a->f32, &b->f32, sizeof a->f32) == 0 || (a->f32 != a->f32 && b->f32 != b->f32);
    if (a->type == LDR_FLOAT64)
        return memcmp(&a->f64, &b->f64, sizeof a->f64) == 0 || (a->f64 != a->f64 && b->f64 != b->f64);
    if (ldr_type_is_fixed(a->type))
        return a->i == b->i;
    return a->count == b->count && ldr_slice_eq(a->s, b->s);
}
#endif
