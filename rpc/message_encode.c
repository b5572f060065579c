/* Encoding in two passes over the same fields: how long, then the bytes, so that there is one check for room
 * and the writing is straight-line code. */
#include "rpc/message_fields.h"
#include "rpc/message_shape.h"

/* ---- Sizes. Past LDR_PAYLOAD_MAX a sum is just "too big": it stops growing there, so it cannot overflow.
 * ---- */
static inline size_t size_bytes(struct ldr_slice s, size_t max)
{
    return s.n <= max ? s.n : LDR_PAYLOAD_MAX + 1;
}

/* Fixed parts are in the minimum already. */
#define SIZE_u8(field)
#define SIZE_u16(field)
#define SIZE_u32(field)
#define SIZE_u64(field)
#define SIZE_i32(field)
#define SIZE_i64(field)
#define SIZE_bytes(field) n += size_bytes(m->field, LDR_PAYLOAD_MAX);
#define SIZE_text(field)  n += size_bytes(m->field, LDR_TEXT_MAX);
#define F(kind, field)    SIZE_##kind(field)
#define LIST(item, field)                                               \
    for (uint32_t i = 0; i < m->n_##field && n <= LDR_PAYLOAD_MAX; i++) \
        n += size_msg_##item(&m->field[i]);
#define LATER(kind, field, value)                 \
    if (LDR_MSG_SHAPE != LDR_MSG_SHAPE_EARLIER) { \
        n += LDR_MIN_##kind;                      \
        SIZE_##kind(field)                        \
    }
#define SIZE(t, ...)                                       \
    static inline size_t size_##t(const struct ldr_##t *m) \
    {                                                      \
        size_t n = ldr_min_##t;                            \
        (void)m;                                           \
        __VA_ARGS__ return n;                              \
    }
#define X(item, fields) SIZE(msg_##item, fields)
LDR_ITEM_LIST(X)
#undef X
#define X(NAME, name, number, req, rep) SIZE(name##_req, req) SIZE(name##_rep, rep)
LDR_MSG_LIST(X)
#undef X
#undef F
#undef LIST
#undef LATER

/* ---- Bytes. ---- */
static inline uint8_t *put_u8(uint8_t *p, uint8_t v)
{
    *p = v;
    return p + 1;
}
static inline uint8_t *put_u16(uint8_t *p, uint16_t v)
{
    ldr_put_le16(p, v);
    return p + 2;
}
static inline uint8_t *put_u32(uint8_t *p, uint32_t v)
{
    ldr_put_le32(p, v);
    return p + 4;
}
static inline uint8_t *put_u64(uint8_t *p, uint64_t v)
{
    ldr_put_le64(p, v);
    return p + 8;
}
static inline uint8_t *put_i32(uint8_t *p, int32_t v)
{
    return put_u32(p, (uint32_t)v);
}
static inline uint8_t *put_i64(uint8_t *p, int64_t v)
{
    return put_u64(p, (uint64_t)v);
}
static inline uint8_t *put_bytes(uint8_t *p, struct ldr_slice s)
{
    p = put_u32(p, (uint32_t)s.n);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p + s.n;
}
static inline uint8_t *put_text(uint8_t *p, struct ldr_slice s)
{
    return put_bytes(p, s);
}

#define F(kind, field) p = put_##kind(p, m->field);
#define LIST(item, field)                       \
    p = put_u32(p, m->n_##field);               \
    for (uint32_t i = 0; i < m->n_##field; i++) \
        p = put_msg_##item(p, &m->field[i]);
#define LATER(kind, field, value)               \
    if (LDR_MSG_SHAPE != LDR_MSG_SHAPE_EARLIER) \
        p = put_##kind(p, m->field);
#define PUT(t, ...)                                                     \
    static inline uint8_t *put_##t(uint8_t *p, const struct ldr_##t *m) \
    {                                                                   \
        __VA_ARGS__ return p;                                           \
    }
#define ENCODE(t)                                                      \
    int ldr_##t##_encode(const struct ldr_##t *m, struct ldr_buf *out) \
    {                                                                  \
        size_t n = size_##t(m) + LDR_MSG_SHAPE_MORE;                   \
        if (n > LDR_PAYLOAD_MAX)                                       \
            return LDR_E_TOO_BIG;                                      \
        uint8_t *p = ldr_buf_reserve(out, n);                          \
        if (!p)                                                        \
            return out->err;                                           \
        uint8_t *end = ldr_msg_shape_more(put_##t(p, m));              \
        LDR_ASSERT(end == p + n);                                      \
        out->n += n;                                                   \
        return 0;                                                      \
    }
#define X(item, fields) PUT(msg_##item, fields)
LDR_ITEM_LIST(X)
#undef X
#define X(NAME, name, number, req, rep) \
    PUT(name##_req, req) PUT(name##_rep, rep) ENCODE(name##_req) ENCODE(name##_rep)
LDR_MSG_LIST(X)
#undef X
ENCODE(msg_error)

_Static_assert((int)LDR_LOOKUP_REP_HEAD == (int)ldr_min_lookup_rep &&
                   (int)LDR_ANSWER_HEAD == (int)ldr_min_msg_answer && ldr_more_lookup_rep == 0,
               "the heads are all but the answers, all but the row");
bool ldr_msg_in_place(void)
{
    return LDR_MSG_SHAPE_MORE == 0;
}
void ldr_lookup_rep_head(uint8_t p[LDR_LOOKUP_REP_HEAD], const struct ldr_lookup_rep *m)
{
    put_u32(put_u64(p, m->defs), m->n_answers);
}
void ldr_msg_answer_head(uint8_t p[LDR_ANSWER_HEAD], const struct ldr_msg_answer *m)
{
    put_u32(put_i64(put_i64(put_u8(p, m->flags), m->event_us), m->created_us), (uint32_t)m->row.n);
}
