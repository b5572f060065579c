/* The codec by message number. The wrappers exist because a call through a pointer of another type is
 * undefined. */
#include "rpc/message.h"

#define WRAP(t)                                                                 \
    static int encode_##t(const void *m, struct ldr_buf *out)                   \
    {                                                                           \
        return ldr_##t##_encode(m, out);                                        \
    }                                                                           \
    static int decode_##t(struct ldr_slice bytes, struct ldr_arena *a, void *m) \
    {                                                                           \
        return ldr_##t##_decode(bytes, a, m);                                   \
    }                                                                           \
    static int print_##t(const void *m, struct ldr_buf *out)                    \
    {                                                                           \
        return ldr_##t##_print(m, out);                                         \
    }
#define X(NAME, name, number, req, rep) WRAP(name##_req) WRAP(name##_rep)
LDR_MSG_LIST(X)
#undef X

#define CODEC(t) {sizeof(struct ldr_##t), encode_##t, decode_##t, print_##t}
const struct ldr_msg_about ldr_msg_all[] = {
#define X(NAME, name, number, req, rep) {LDR_MSG_##NAME, #NAME, CODEC(name##_req), CODEC(name##_rep)},
    LDR_MSG_LIST(X)
#undef X
};
const size_t ldr_msg_count = sizeof ldr_msg_all / sizeof ldr_msg_all[0];

enum place {
#define X(NAME, name, number, req, rep) PLACE_##NAME,
    LDR_MSG_LIST(X)
#undef X
};
/* Every request is looked up: place + 1 by number. */
static const uint8_t places[] = {
#define X(NAME, name, number, req, rep) [number] = PLACE_##NAME + 1,
    LDR_MSG_LIST(X)
#undef X
};

const struct ldr_msg_about *ldr_msg_find(unsigned type)
{
    unsigned place = type < sizeof places ? places[type] : 0;
    return place ? &ldr_msg_all[place - 1] : NULL;
}

const char *ldr_msg_name(unsigned type)
{
    const struct ldr_msg_about *m = ldr_msg_find(type);
    return m ? m->name : "UNKNOWN";
}
