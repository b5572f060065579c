/* links: node
 * The first byte picks a record of the node, the rest are its bytes; also with the check put right. What
 * decodes has one encoding. */
#include "node/held.h"
#include "node/record.h"

static void one(uint8_t kind, struct ldr_slice bytes)
{
    struct ldr_node_record node;
    struct ldr_rep_record rep;
    struct ldr_held held;
    struct ldr_buf again;
    int64_t bound;
    int rc;
    ldr_buf_init(&again, NULL, 0);
    switch (kind & 3) {
    case 0:
        rc = ldr_node_record_decode(bytes, &node);
        LDR_ASSERT(rc || ldr_node_record_encode(&node, &again) == 0);
        break;
    case 1:
        rc = ldr_hlc_record_decode(bytes, &bound);
        LDR_ASSERT(rc || ldr_hlc_record_encode(bound, &again) == 0);
        break;
    case 2:
        rc = ldr_rep_record_decode(bytes, &rep);
        LDR_ASSERT(rc || ldr_rep_record_encode(&rep, &again) == 0);
        break;
    default:
        ldr_held_init(&held, NULL);
        rc = ldr_held_decode(&held, bytes);
        LDR_ASSERT(rc || ldr_held_encode(&held, &again) == 0);
        ldr_held_close(&held);
    }
    LDR_ASSERT(rc || ldr_slice_eq(ldr_buf_slice(&again), bytes));
    ldr_buf_close(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ldr_buf sealed;
    if (size == 0)
        return 0;
    one(data[0], ldr_slice(data + 1, size - 1));
    ldr_buf_init(&sealed, NULL, 0);
    ldr_buf_put(&sealed, data + 1, size - 1);
    ldr_buf_u32(&sealed, ldr_check32(sealed.p, sealed.n));
    one(data[0], ldr_buf_slice(&sealed));
    ldr_buf_close(&sealed);
    return 0;
}
