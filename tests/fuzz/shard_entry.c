/* links: shard
 * Any bytes as a record of the change log, as a key of history (with and without a value) and as a value of
 * latest. Nothing is read outside of them; a key that parses is written again as it was. */
#include "shard/pick.h"
#include "shard/shard_impl.h"

struct seen {
    uint64_t seq, after;
};
static int entry(void *ctx, const struct ldr_log_entry *e)
{
    struct seen *s = ctx;
    LDR_ASSERT(e->seq > s->seq && e->seq > s->after && e->count > 0);
    s->seq = e->seq;
    volatile uint64_t touched = ldr_hash64(e->key.p, e->key.n);
    (void)touched;
    return 0;
}

static void log_record(struct ldr_slice bytes)
{
    bool malformed = false;
    uint64_t first = bytes.n >= 8 ? ldr_get_le64(bytes.p) : 0;
    for (uint64_t n = 0; n < 4; n++) {
        struct seen s = {.after = first + n / 2};
        LDR_ASSERT(ldr_log_record_each(first + n, bytes, s.after, entry, &s, &malformed) == 0);
        LDR_ASSERT(malformed || s.seq == first + n || first + n <= s.after);
    }
}

static void history(struct ldr_slice key, struct ldr_slice value)
{
    struct ldr_hist_key k;
    struct ldr_fact f;
    uint8_t again[LDR_HK_MAX];
    if (ldr_hist_key_parse(key, &k) == 0) {
        LDR_ASSERT(k.lk.n + LDR_HK_TRAILER == key.n && k.lk.n == LDR_HK_PREFIX + k.key.n);
        LDR_ASSERT(k.event_us == ldr_hk_event(key));
    }
    if (ldr_hist_fact(key, value, &f) == 0) {
        LDR_ASSERT(f.key.n <= LDR_KEY_MAX && f.row.n <= value.n);
        LDR_ASSERT(ldr_slice_eq(ldr_slice(again, ldr_hk_write(again, &f)), key));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ldr_latest_row row;
    struct ldr_slice all = ldr_slice(data, size);
    log_record(all);
    history(all, ldr_slice(data, 0));
    if (size > 0 && data[0] < size)
        history(ldr_slice(data + 1, data[0]), ldr_slice(data + 1 + data[0], size - 1 - data[0]));
    if (ldr_latest_value_parse(all, &row) == 0)
        LDR_ASSERT(row.row.n == size - LDR_LV_HEAD);
    return 0;
}
