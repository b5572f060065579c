/* The messages as structs, with their encoders, decoders and printers; all made from message_list.h.
 *
 * For a message NAME: enum LDR_MSG_NAME, struct ldr_name_req and ldr_name_rep. For an item: struct
 * ldr_msg_item. bytes and text are slices; a list `things` is `things` and `n_things`.
 *
 * encode appends to `out`; on failure (LDR_E_TOO_BIG: a field or the whole over its maximum; LDR_E_NOMEM) out
 * is as long as before. decode borrows slices from the bytes and takes lists from the arena; LDR_E_CORRUPT,
 * LDR_E_TOO_BIG, LDR_E_NOMEM; *m is then not to be used. print appends one line for people, long parts
 * shortened.
 *
 * Bytes behind the last field are what a later build added: decode skips them. Fields that an earlier build
 * did not send get their values from the list. */
#ifndef LDR_RPC_MESSAGE_H
#define LDR_RPC_MESSAGE_H
#include "base/base.h"
#include "rpc/message_list.h"

/* Also of what stands in front of a payload (rpc/frame.h). */
#define LDR_FRAME_HEAD  24
#define LDR_PAYLOAD_MAX (LDR_FRAME_MAX - LDR_FRAME_HEAD)

enum ldr_msg_type {
#define X(NAME, name, number, req, rep) LDR_MSG_##NAME = (number),
    LDR_MSG_LIST(X)
#undef X
};

#define LDR_C_u8       uint8_t
#define LDR_C_u16      uint16_t
#define LDR_C_u32      uint32_t
#define LDR_C_u64      uint64_t
#define LDR_C_i32      int32_t
#define LDR_C_i64      int64_t
#define LDR_C_bytes    struct ldr_slice
#define LDR_C_text     struct ldr_slice
#define F(kind, field) LDR_C_##kind field;
#define LIST(item, field)         \
    struct ldr_msg_##item *field; \
    uint32_t n_##field;
#define LATER(kind, field, value) LDR_C_##kind field;
#define X(item, fields)     \
    struct ldr_msg_##item { \
        fields              \
    };
LDR_ITEM_LIST(X)
#undef X
#define X(NAME, name, number, req, rep) \
    struct ldr_##name##_req {           \
        req                             \
    };                                  \
    struct ldr_##name##_rep {           \
        rep                             \
    };
LDR_MSG_LIST(X)
#undef X
#undef F
#undef LIST
#undef LATER

#define LDR_MSG_CODEC(t)                                                                  \
    int ldr_##t##_encode(const struct ldr_##t *m, struct ldr_buf *out);                   \
    int ldr_##t##_decode(struct ldr_slice bytes, struct ldr_arena *a, struct ldr_##t *m); \
    int ldr_##t##_print(const struct ldr_##t *m, struct ldr_buf *out);
#define X(NAME, name, number, req, rep) LDR_MSG_CODEC(name##_req) LDR_MSG_CODEC(name##_rep)
LDR_MSG_LIST(X)
#undef X
LDR_MSG_CODEC(msg_error)

/* Parts of an answer to LOOKUP, for whoever has its rows at their place already: what stands before the first
 * answer, and before the row of each. Together they are what ldr_lookup_rep_encode makes. */
#define LDR_LOOKUP_REP_HEAD 12
#define LDR_ANSWER_HEAD     21
bool ldr_msg_in_place(void); /* true, but in a test that speaks as a later build (message_shape.h) */
void ldr_lookup_rep_head(uint8_t p[LDR_LOOKUP_REP_HEAD], const struct ldr_lookup_rep *m);
void ldr_msg_answer_head(uint8_t p[LDR_ANSWER_HEAD], const struct ldr_msg_answer *m);

/* The same by number, for code that serves all messages alike. */
struct ldr_msg_codec {
    size_t size; /* of the struct */
    int (*encode)(const void *m, struct ldr_buf *out);
    int (*decode)(struct ldr_slice bytes, struct ldr_arena *a, void *m);
    int (*print)(const void *m, struct ldr_buf *out);
};
struct ldr_msg_about {
    enum ldr_msg_type type;
    const char *name;
    struct ldr_msg_codec req, rep;
};
extern const struct ldr_msg_about ldr_msg_all[];
extern const size_t ldr_msg_count;
const struct ldr_msg_about *ldr_msg_find(unsigned type); /* NULL = no such message */
const char *ldr_msg_name(unsigned type);                 /* "LOOKUP"; "UNKNOWN" */

/* ---- Failures. ---- */
/* err as the payload of a failed answer. leader may be NULL. */
int ldr_msg_error_put(const struct ldr_err *err, uint64_t map_version, const char *leader,
                      struct ldr_buf *out);
/* Fills err (NULL is fine) from an answer that failed with `code`, whatever its payload holds; returns code.
 */
int ldr_msg_error_fill(int code, struct ldr_slice payload, struct ldr_err *err);
#endif
