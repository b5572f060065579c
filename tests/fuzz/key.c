/* links: feature
 * Any bytes as an entity key: what decodes encodes back to the same bytes. */
#include "feature/feature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t all[] = {LDR_STRING, LDR_INT64, LDR_BOOL, LDR_BYTES, LDR_INT32, LDR_TIMESTAMP};
    if (size < 1)
        return 0;
    uint32_t n = 1 + data[0] % 6;
    struct ldr_value parts[6];
    struct ldr_arena a;
    struct ldr_buf out;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&out, NULL, 0);
    struct ldr_slice key = {data + 1, size - 1};
    if (ldr_key_decode(key, all, n, &a, parts) == 0 && key.n <= LDR_KEY_MAX) {
        int rc = ldr_key_encode(parts, n, &out);
        LDR_ASSERT(rc == LDR_E_TOO_BIG || (rc == 0 && ldr_slice_eq(key, ldr_buf_slice(&out))));
    }
    ldr_buf_close(&out);
    ldr_arena_close(&a);
    return 0;
}
