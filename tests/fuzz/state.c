/* links: coordinator
 * Any bytes as an envelope, as a command in an envelope, and as a snapshot: what fails leaves the state as it
 * was, and a state survives its snapshot. */
#include "coordinator/state.h"

static void survive(struct ldr_state *s)
{
    struct ldr_state *copy;
    struct ldr_buf b;
    uint64_t h, h2;
    ldr_buf_init(&b, NULL, 0);
    LDR_ASSERT(ldr_state_snapshot(s, &b) == 0);
    LDR_ASSERT(ldr_state_restore(NULL, ldr_buf_slice(&b), &copy) == 0);
    LDR_ASSERT(ldr_state_hash(s, &h) == 0 && ldr_state_hash(copy, &h2) == 0 && h == h2);
    ldr_state_destroy(copy);
    ldr_buf_close(&b);
}

static void run(struct ldr_state *s, uint64_t seq, struct ldr_slice command)
{
    struct ldr_envelope e = {.now_us = 5, .client = seq % 3, .seq = seq, .command = command};
    struct ldr_state_result r;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    LDR_ASSERT(ldr_envelope_encode(&e, &b) == 0);
    LDR_ASSERT(ldr_state_step(s, ldr_buf_slice(&b), &r) == 0);
    ldr_buf_close(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ldr_state *s;
    struct ldr_state_result r;
    LDR_ASSERT(ldr_state_create(NULL, &s) == 0);
    ldr_state_step(s, ldr_slice(data, size), &r);
    /* u8 length and command, again and again */
    for (size_t i = 0, seq = 1; i < size; i += data[i] + (size_t)1, seq++) {
        size_t n = data[i] < size - i - 1 ? data[i] : size - i - 1;
        run(s, seq, ldr_slice(data + i + 1, n));
    }
    survive(s);
    ldr_state_destroy(s);
    if (ldr_state_restore(NULL, ldr_slice(data, size), &s) == 0) {
        survive(s);
        ldr_state_destroy(s);
    }
    return 0;
}
