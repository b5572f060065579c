/* links: registry
 * Any bytes as a registry command and as a snapshot: an error leaves the state as it was, a state survives
 * its snapshot. */
#include "registry/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ldr_registry *r, *copy;
    struct ldr_err err;
    struct ldr_buf snap;
    struct ldr_slice bytes = {data, size};
    ldr_buf_init(&snap, NULL, 0);
    LDR_ASSERT(ldr_registry_create(NULL, &r) == 0);
    uint64_t before = ldr_registry_hash(r);
    int rc = ldr_registry_step(r, bytes, 7, NULL, &err);
    LDR_ASSERT(rc == 0 || ldr_registry_hash(r) == before);
    LDR_ASSERT(ldr_registry_snapshot(r, &snap) == 0);
    LDR_ASSERT(ldr_registry_restore(NULL, ldr_buf_slice(&snap), &copy) == 0);
    LDR_ASSERT(ldr_registry_hash(copy) == ldr_registry_hash(r));
    ldr_registry_destroy(copy);
    ldr_registry_destroy(r);
    if (ldr_registry_restore(NULL, bytes, &r) == 0)
        ldr_registry_destroy(r);
    ldr_buf_close(&snap);
    return 0;
}
