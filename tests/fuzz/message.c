/* links: rpc
 * The first byte selects a message, the rest are its bytes: what decodes has those bytes and prints.
 */
#include "rpc/rpc.h"

/* More may stand behind a message, which a later build knows; less, when an earlier one made it. */
static void same_front(struct ldr_slice a, struct ldr_slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    LDR_ASSERT(n == 0 || memcmp(a.p, b.p, n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ldr_arena a;
    struct ldr_buf b;
    struct ldr_err err;
    if (size == 0)
        return 0;
    size_t k = data[0] % (2 * ldr_msg_count + 1);
    struct ldr_slice bytes = {data + 1, size - 1};
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    if (k == 2 * ldr_msg_count) {
        struct ldr_msg_error m;
        LDR_ASSERT(ldr_msg_error_fill(LDR_E_STALE, bytes, &err) == LDR_E_STALE);
        if (ldr_msg_error_decode(bytes, &a, &m) == 0) {
            LDR_ASSERT(ldr_msg_error_encode(&m, &b) == 0);
            same_front(bytes, ldr_buf_slice(&b));
            LDR_ASSERT(ldr_msg_error_print(&m, &b) == 0);
        }
    } else {
        const struct ldr_msg_codec *c = k % 2 ? &ldr_msg_all[k / 2].rep : &ldr_msg_all[k / 2].req;
        void *m = ldr_arena_calloc(&a, 1, c->size);
        LDR_ASSERT(m);
        if (c->decode(bytes, &a, m) == 0) {
            LDR_ASSERT(c->encode(m, &b) == 0);
            same_front(bytes, ldr_buf_slice(&b));
            LDR_ASSERT(c->print(m, &b) == 0);
        }
    }
    ldr_buf_close(&b);
    ldr_arena_close(&a);
    return 0;
}
