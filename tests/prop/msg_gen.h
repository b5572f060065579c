/* Messages for tests, made from the list of messages like everything else: counted ones (every field the next
 * number, every text the next letter) for golden bytes, random ones for properties; and field by field
 * comparison. */
#ifndef LDR_TESTS_MSG_GEN_H
#define LDR_TESTS_MSG_GEN_H
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rpc/rpc.h"

struct gen {
    uint64_t state;
    struct ldr_arena *a;
    bool counted;
};

static inline uint64_t gen_next(struct gen *g)
{
    if (g->counted)
        return ++g->state;
    uint64_t z = (g->state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline struct ldr_slice gen_slice(struct gen *g)
{
    uint64_t r = gen_next(g);
    size_t n = g->counted ? r % 3 : r % 8 ? (r >> 8) % 20 : (r >> 8) % 3000;
    uint8_t *p = ldr_arena_alloc(g->a, n);
    assert_non_null(p);
    for (size_t i = 0; i < n; i++)
        p[i] = g->counted ? (uint8_t)('a' + r % 26) : (uint8_t)gen_next(g);
    return ldr_slice(p, n);
}

static inline uint32_t gen_count(struct gen *g)
{
    uint64_t r = gen_next(g);
    return g->counted ? 2 : r % 16 ? (uint32_t)((r >> 8) % 4) : (uint32_t)((r >> 8) % 40);
}

/* ---- gen_X fills a message, same_X compares two. ---- */
#define GEN_u8(f)     m->f = (uint8_t)gen_next(g)
#define GEN_u16(f)    m->f = (uint16_t)gen_next(g)
#define GEN_u32(f)    m->f = (uint32_t)gen_next(g)
#define GEN_u64(f)    m->f = gen_next(g)
#define GEN_i32(f)    m->f = -(int32_t)(gen_next(g) & 0x7fffffff)
#define GEN_i64(f)    m->f = -(int64_t)(gen_next(g) >> 1)
#define GEN_bytes(f)  m->f = gen_slice(g)
#define GEN_text(f)   m->f = gen_slice(g)
#define SAME_u8(f)    assert_int_equal(x->f, y->f)
#define SAME_u16(f)   assert_int_equal(x->f, y->f)
#define SAME_u32(f)   assert_int_equal(x->f, y->f)
#define SAME_u64(f)   assert_int_equal(x->f, y->f)
#define SAME_i32(f)   assert_int_equal(x->f, y->f)
#define SAME_i64(f)   assert_int_equal(x->f, y->f)
#define SAME_bytes(f) assert_true(ldr_slice_eq(x->f, y->f))
#define SAME_text(f)  assert_true(ldr_slice_eq(x->f, y->f))

#define F(kind, f) GEN_##kind(f);
#define LIST(item, f)                                                       \
    m->n_##f = gen_count(g);                                                \
    m->f = ldr_arena_calloc(g->a, m->n_##f, sizeof(struct ldr_msg_##item)); \
    assert_non_null(m->f);                                                  \
    for (uint32_t i = 0; i < m->n_##f; i++)                                 \
        gen_msg_##item(g, &m->f[i]);
#define LATER(kind, f, value) F(kind, f)
#define GEN(t, ...)                                     \
    static inline void gen_##t(struct gen *g, void *to) \
    {                                                   \
        struct ldr_##t *m = to;                         \
        __VA_ARGS__                                     \
    }
#define X(item, fields) GEN(msg_##item, fields)
LDR_ITEM_LIST(X)
#undef X
#define X(NAME, name, number, req, rep) GEN(name##_req, req) GEN(name##_rep, rep)
LDR_MSG_LIST(X)
#undef X
#undef F
#undef LIST
#undef LATER

#define F(kind, f) SAME_##kind(f);
#define LIST(item, f)                       \
    assert_int_equal(x->n_##f, y->n_##f);   \
    for (uint32_t i = 0; i < x->n_##f; i++) \
        same_msg_##item(&x->f[i], &y->f[i]);
#define LATER(kind, f, value) F(kind, f)
#define SAME(t, ...)                                          \
    static inline void same_##t(const void *a, const void *b) \
    {                                                         \
        const struct ldr_##t *x = a, *y = b;                  \
        __VA_ARGS__                                           \
    }
#define X(item, fields) SAME(msg_##item, fields)
LDR_ITEM_LIST(X)
#undef X
#define X(NAME, name, number, req, rep) SAME(name##_req, req) SAME(name##_rep, rep)
LDR_MSG_LIST(X)
#undef X
#undef F
#undef LIST
#undef LATER

/* How many fields of a kind came later. */
#define F(kind, f)
#define LIST(item, f)
#define LATER(kind, f, value) +1
enum {
#define X(NAME, name, number, req, rep) gen_later_##name##_req = 0 req, gen_later_##name##_rep = 0 rep,
    LDR_MSG_LIST(X)
#undef X
        gen_later_error = 0
};
#undef F
#undef LIST
#undef LATER

/* Requests and answers in the order of the list, then the payload of failures. */
struct gen_kind {
    const char *name;
    struct ldr_msg_codec codec;
    void (*fill)(struct gen *g, void *m);
    void (*same)(const void *a, const void *b);
    unsigned later; /* fields that an early build does not send */
};
static inline int gen_error_encode(const void *m, struct ldr_buf *out)
{
    return ldr_msg_error_encode(m, out);
}
static inline int gen_error_decode(struct ldr_slice bytes, struct ldr_arena *a, void *m)
{
    return ldr_msg_error_decode(bytes, a, m);
}
static inline int gen_error_print(const void *m, struct ldr_buf *out)
{
    return ldr_msg_error_print(m, out);
}
/* Kind number k, false past the last. */
static inline bool gen_kind(size_t k, struct gen_kind *out)
{
    static const struct {
        const char *name;
        void (*fill)(struct gen *g, void *m);
        void (*same)(const void *a, const void *b);
        unsigned later;
    } made[] = {
#define X(NAME, name, number, req, rep)                                          \
    {#NAME "_req", gen_##name##_req, same_##name##_req, gen_later_##name##_req}, \
        {#NAME "_rep", gen_##name##_rep, same_##name##_rep, gen_later_##name##_rep},
        LDR_MSG_LIST(X)
#undef X
            {"error", gen_msg_error, same_msg_error, gen_later_error},
    };
    static const struct ldr_msg_codec error = {sizeof(struct ldr_msg_error), gen_error_encode,
                                               gen_error_decode, gen_error_print};
    if (k >= sizeof made / sizeof made[0])
        return false;
    const struct ldr_msg_about *about = k / 2 < ldr_msg_count ? &ldr_msg_all[k / 2] : NULL;
    *out = (struct gen_kind){made[k].name,
                             !about       ? error
                             : k % 2 == 0 ? about->req
                                          : about->rep,
                             made[k].fill, made[k].same, made[k].later};
    return true;
}
#endif
