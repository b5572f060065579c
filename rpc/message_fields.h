/* What the passes over the message list share: sizes. Macros that take expanded field lists are variadic,
 * since those hold commas. */
#ifndef LDR_RPC_MESSAGE_FIELDS_H
#define LDR_RPC_MESSAGE_FIELDS_H
#include "rpc/message.h"

/* Bytes that a field takes at least: all of it, or its length or count. */
#define LDR_MIN_u8    1
#define LDR_MIN_u16   2
#define LDR_MIN_u32   4
#define LDR_MIN_u64   8
#define LDR_MIN_i32   4
#define LDR_MIN_i64   8
#define LDR_MIN_bytes 4
#define LDR_MIN_text  4
#define LDR_MIN_list  4

/* ldr_min_X: bytes that an item or message takes at least, as an early build sent it. In items LATER is not
 * defined: they cannot grow. */
#define F(kind, field)    +LDR_MIN_##kind
#define LIST(item, field) +LDR_MIN_list
enum {
#define X(item, fields) ldr_min_msg_##item = 0 fields,
    LDR_ITEM_LIST(X)
#undef X
#define LATER(kind, field, value)
#define X(NAME, name, number, req, rep) ldr_min_##name##_req = 0 req, ldr_min_##name##_rep = 0 rep,
        LDR_MSG_LIST(X)
#undef X
};
#undef F
#undef LIST
#undef LATER

/* Bytes that its later fields take at least. */
#define F(kind, field)
#define LIST(item, field)
#define LATER(kind, field, value) +LDR_MIN_##kind
enum {
#define X(NAME, name, number, req, rep) ldr_more_##name##_req = 0 req, ldr_more_##name##_rep = 0 rep,
    LDR_MSG_LIST(X)
#undef X
};
#undef F
#undef LIST
#undef LATER
#endif
