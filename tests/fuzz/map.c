/* links: ring
 * Any bytes as a map and as a command to the coordinators; the map also with its checksum put right. What
 * decodes is valid and has one encoding. */
#include <stdlib.h>

#include "ring/ring.h"

static void as_map(struct ldr_slice bytes)
{
    struct ldr_map m;
    struct ldr_buf b;
    if (ldr_map_decode(&m, NULL, bytes))
        return;
    ldr_buf_init(&b, NULL, 0);
    LDR_ASSERT(ldr_map_validate(&m, NULL) == 0);
    LDR_ASSERT(ldr_map_encode(&m, &b) == 0 && ldr_slice_eq(ldr_buf_slice(&b), bytes));
    ldr_buf_close(&b);
    ldr_map_close(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ldr_map_command c;
    struct ldr_err err;
    struct ldr_buf b;
    as_map(ldr_slice(data, size));
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_put(&b, data, size);
    ldr_buf_u32(&b, ldr_check32(b.p, b.n));
    as_map(ldr_buf_slice(&b));
    ldr_buf_reset(&b);
    if (ldr_map_command_decode(ldr_slice(data, size), &c, &err) == 0)
        LDR_ASSERT(ldr_map_command_encode(&c, &b) == 0 && b.n == size);
    ldr_buf_close(&b);
    return 0;
}
