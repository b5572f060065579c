/* One record of the change log, value bytes, little-endian:
 *   u64 first (seq before the record), u32 entries, then for each
 *   u8 kind, u32 view, u32 entity, i64 from, i64 to, u32 count, u32 key length, key
 * Its key is the seq of the last entry, big-endian, so that a seek to after_seq + 1 finds the first record
 * that matters. */
#include "shard/shard_impl.h"

#define ENTRY_LEAST (1 + 4 + 4 + 8 + 8 + 4 + 4)

void ldr_log_record_init(struct ldr_log_record *r, uint64_t seq)
{
    memset(r, 0, sizeof *r);
    ldr_buf_init(&r->bytes, NULL, 0);
    ldr_buf_u64(&r->bytes, seq);
    ldr_buf_u32(&r->bytes, 0);
    r->first = r->last = seq;
}

void ldr_log_record_add(struct ldr_log_record *r, const struct ldr_log_entry *e)
{
    LDR_ASSERT(e->count > 0);
    ldr_buf_u8(&r->bytes, (uint8_t)e->kind);
    ldr_buf_u32(&r->bytes, e->view);
    ldr_buf_u32(&r->bytes, e->entity_id);
    ldr_buf_u64(&r->bytes, (uint64_t)e->from_us);
    ldr_buf_u64(&r->bytes, (uint64_t)e->to_us);
    ldr_buf_u32(&r->bytes, e->count);
    ldr_buf_bytes(&r->bytes, e->key);
    r->last += e->count;
    r->n++;
}

int ldr_log_record_put(struct ldr_shard *s, struct ldr_log_record *r, rocksdb_writebatch_t *batch)
{
    if (r->bytes.err)
        return r->bytes.err;
    LDR_ASSERT(r->n > 0);
    ldr_put_le32(r->bytes.p + 8, r->n);
    uint8_t key[8], seq[8];
    ldr_put_be64(key, r->last);
    ldr_put_le64(seq, r->last);
    if (!s->opts.no_log)
        rocksdb_writebatch_put_cf(batch, s->cf[LDR_CF_LOG], (const char *)key, sizeof key,
                                  (const char *)r->bytes.p, r->bytes.n);
    rocksdb_writebatch_put_cf(batch, s->cf[LDR_CF_META], LDR_META_SEQ, strlen(LDR_META_SEQ),
                              (const char *)seq, sizeof seq);
    return 0;
}

void ldr_log_record_close(struct ldr_log_record *r)
{
    ldr_buf_close(&r->bytes);
}

int ldr_log_record_each(uint64_t last, struct ldr_slice value, uint64_t after_seq,
                        int (*fn)(void *ctx, const struct ldr_log_entry *e), void *ctx, bool *malformed)
{
    struct ldr_cursor c = ldr_cursor(value);
    uint64_t seq = ldr_cursor_u64(&c);
    uint32_t n = ldr_cursor_count(&c, ENTRY_LEAST);
    *malformed = seq >= last;
    for (uint32_t i = 0; i < n && !*malformed; i++) {
        struct ldr_log_entry e = {0};
        uint8_t kind = ldr_cursor_u8(&c);
        e.view = ldr_cursor_u32(&c);
        e.entity_id = ldr_cursor_u32(&c);
        e.from_us = (int64_t)ldr_cursor_u64(&c);
        e.to_us = (int64_t)ldr_cursor_u64(&c);
        e.count = ldr_cursor_u32(&c);
        e.key = ldr_cursor_bytes(&c, LDR_KEY_MAX);
        *malformed =
            c.err || kind < LDR_LOG_FACTS || kind > LDR_LOG_DROP_VIEW || e.count == 0 || last - seq < e.count;
        if (*malformed)
            break;
        seq += e.count;
        e.seq = seq;
        e.kind = (enum ldr_log_kind)kind;
        int rc = seq > after_seq ? fn(ctx, &e) : 0;
        if (rc)
            return rc;
    }
    *malformed |= ldr_cursor_end(&c) != 0 || seq != last;
    return 0;
}
