/* Decoding. `rest` is what the fields still to come take at least: a constant everywhere, so that one check
 * at the start covers all fixed fields and each length is checked once, against what remains beyond those. */
#include "rpc/message_fields.h"

struct in {
    const uint8_t *p, *end; /* end: of what the current struct may take */
    struct ldr_arena *a;
};

#define GET_u8(field) \
    m->field = *p;    \
    p += 1;
#define GET_u16(field)          \
    m->field = ldr_get_le16(p); \
    p += 2;
#define GET_u32(field)          \
    m->field = ldr_get_le32(p); \
    p += 4;
#define GET_u64(field)          \
    m->field = ldr_get_le64(p); \
    p += 8;
#define GET_i32(field)                   \
    m->field = (int32_t)ldr_get_le32(p); \
    p += 4;
#define GET_i64(field)                   \
    m->field = (int64_t)ldr_get_le64(p); \
    p += 8;
#define GET_bytes(field)                           \
    m->field.n = ldr_get_le32(p);                  \
    p += 4;                                        \
    if (m->field.n > (size_t)(in->end - p) - rest) \
        return LDR_E_CORRUPT;                      \
    m->field.p = p;                                \
    p += m->field.n;
#define GET_text(field)            \
    GET_bytes(field);              \
    if (m->field.n > LDR_TEXT_MAX) \
        return LDR_E_TOO_BIG;
#define F(kind, field)      \
    rest -= LDR_MIN_##kind; \
    GET_##kind(field)
#define LIST(item, field)                                                                \
    rest -= LDR_MIN_list;                                                                \
    m->n_##field = ldr_get_le32(p);                                                      \
    p += 4;                                                                              \
    if (m->n_##field > ((size_t)(in->end - p) - rest) / ldr_min_msg_##item)              \
        return LDR_E_CORRUPT;                                                            \
    m->field = NULL;                                                                     \
    if (m->n_##field > 0) {                                                              \
        m->field = ldr_arena_alloc(in->a, m->n_##field * sizeof(struct ldr_msg_##item)); \
        if (!m->field)                                                                   \
            return LDR_E_NOMEM;                                                          \
        struct in part = {p, in->end - rest, in->a};                                     \
        for (uint32_t i = 0; i < m->n_##field; i++) {                                    \
            int rc = get_msg_##item(&part, &m->field[i]);                                \
            if (rc)                                                                      \
                return rc;                                                               \
        }                                                                                \
        p = part.p;                                                                      \
    }
#define FIRST_u8(value)    (value)
#define FIRST_u16(value)   (value)
#define FIRST_u32(value)   (value)
#define FIRST_u64(value)   (value)
#define FIRST_i32(value)   (value)
#define FIRST_i64(value)   (value)
#define FIRST_bytes(value) ((struct ldr_slice){NULL, (value)})
#define FIRST_text(value)  FIRST_bytes(value)
/* Nothing is left: the sender did not know it. Part of it is nothing that a sender makes. */
#define LATER(kind, field, value)                        \
    if (p == in->end) {                                  \
        m->field = FIRST_##kind(value);                  \
    } else if ((size_t)(in->end - p) < LDR_MIN_##kind) { \
        return LDR_E_CORRUPT;                            \
    } else {                                             \
        GET_##kind(field)                                \
    }
/* An item that is read leaves in->p after itself. */
#define GET(t, ...)                                             \
    static inline int get_##t(struct in *in, struct ldr_##t *m) \
    {                                                           \
        size_t rest = ldr_min_##t;                              \
        const uint8_t *p = in->p;                               \
        if (rest > (size_t)(in->end - p))                       \
            return LDR_E_CORRUPT;                               \
        __VA_ARGS__ in->p = p;                                  \
        return 0;                                               \
    }
#define DECODE(t)                                                                        \
    int ldr_##t##_decode(struct ldr_slice bytes, struct ldr_arena *a, struct ldr_##t *m) \
    {                                                                                    \
        static const uint8_t none;                                                       \
        if (bytes.n > LDR_PAYLOAD_MAX)                                                   \
            return LDR_E_TOO_BIG;                                                        \
        struct in in = {bytes.n ? bytes.p : &none, NULL, a};                             \
        in.end = in.p + bytes.n;                                                         \
        return get_##t(&in, m); /* and what is left, a later build knows */              \
    }
#define X(item, fields) GET(msg_##item, fields)
LDR_ITEM_LIST(X)
#undef X
#define X(NAME, name, number, req, rep) \
    GET(name##_req, req) GET(name##_rep, rep) DECODE(name##_req) DECODE(name##_rep)
LDR_MSG_LIST(X)
#undef X
DECODE(msg_error)
