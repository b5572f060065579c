/* links: client_static
 * Any bytes as the registry's log and as its snapshot, also with the checks of the first head put right.
 * Reading ends, at the end of the bytes or at the first record that is not whole; what reads is written again
 * as it was. */
#include "client/disk/registry_record.h"

static void as_log(struct ldr_slice file)
{
    const char *why = NULL;
    struct ldr_record r;
    struct ldr_buf b;
    uint64_t base;
    size_t n;
    if (ldr_reglog_head_read(file, &base, &why)) {
        LDR_ASSERT(why);
        return;
    }
    ldr_buf_init(&b, NULL, 0);
    LDR_ASSERT(ldr_reglog_head_write(&b, base) == 0);
    size_t at = LDR_REGLOG_HEAD;
    while (ldr_record_read(file, at, &r, &n, &why) == LDR_RECORD_GOOD) {
        LDR_ASSERT(n >= LDR_RECORD_HEAD + LDR_RECORD_TAIL && n <= file.n - at);
        LDR_ASSERT(ldr_record_write(&b, &r) == 0);
        at += n;
    }
    LDR_ASSERT(b.n == at && ldr_slice_eq(ldr_buf_slice(&b), ldr_slice(file.p, at)));
    ldr_buf_close(&b);
}

static void as_snapshot(struct ldr_slice file)
{
    const char *why = NULL;
    struct ldr_slice payload;
    struct ldr_buf b;
    uint64_t index;
    size_t at;
    if (ldr_regsnap_read(file, &index, &payload, &why, &at)) {
        LDR_ASSERT(why);
        return;
    }
    ldr_buf_init(&b, NULL, 0);
    LDR_ASSERT(ldr_regsnap_write(&b, index, payload) == 0);
    LDR_ASSERT(ldr_slice_eq(ldr_buf_slice(&b), file));
    ldr_buf_close(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ldr_buf b;
    struct ldr_slice all = ldr_slice(data, size);
    as_log(all);
    as_snapshot(all);
    /* a good head with whatever follows */
    ldr_buf_init(&b, NULL, 0);
    LDR_ASSERT(ldr_reglog_head_write(&b, 7) == 0);
    struct ldr_record r = {.kind = 1, .index = 8, .at_us = 9, .payload = all};
    LDR_ASSERT(ldr_record_write(&b, &r) == 0);
    ldr_buf_put(&b, data, size);
    as_log(ldr_buf_slice(&b));
    ldr_buf_close(&b);
    return 0;
}
