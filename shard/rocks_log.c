#include "shard/pick.h"
#include "shard/shard_impl.h"

int ldr_shard_log_read(struct ldr_shard *s, uint64_t after_seq,
                       int (*fn)(void *ctx, const struct ldr_log_entry *e), void *ctx, struct ldr_err *err)
{
    if (after_seq == UINT64_MAX)
        return 0;
    int rc = 0;
    uint8_t from[8];
    ldr_put_be64(from, after_seq + 1);
    rocksdb_readoptions_t *ro = ldr_read_options(NULL, LDR_READ_SCAN);
    rocksdb_iterator_t *it = ldr_read_iter(s, LDR_CF_LOG, ro);
    rocksdb_iter_seek(it, (const char *)from, sizeof from);
    for (; rc == 0 && rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
        struct ldr_slice k = ldr_iter_key(it);
        bool malformed = k.n != 8;
        if (!malformed)
            rc = ldr_log_record_each(ldr_get_be64(k.p), ldr_iter_value(it), after_seq, fn, ctx, &malformed);
        if (malformed)
            rc = ldr_fail(err, LDR_E_CORRUPT, "shard %u: malformed record in the change log", s->opts.id);
    }
    if (rc == 0)
        rc = ldr_rocks_iter_status(err, "reading the change log", it);
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(ro);
    return rc;
}

/* write_mu held. Records end at their key: one that reaches beyond through_seq stays as a whole. */
static int trim(struct ldr_shard *s, uint64_t through_seq, struct ldr_err *err)
{
    uint8_t from[8] = {0}, to[8];
    ldr_put_be64(to, through_seq == UINT64_MAX ? through_seq : through_seq + 1);
    int rc = ldr_write_admit(s, 0, err);
    if (rc)
        return rc;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    rocksdb_writebatch_delete_range_cf(batch, s->cf[LDR_CF_LOG], (const char *)from, sizeof from,
                                       (const char *)to, sizeof to);
    rc = ldr_write_commit(s, batch, "trimming the change log", err);
    rocksdb_writebatch_destroy(batch);
    return rc;
}

int ldr_shard_log_trim(struct ldr_shard *s, uint64_t through_seq, struct ldr_err *err)
{
    ldr_err_clear(err);
    pthread_mutex_lock(&s->write_mu);
    int rc = trim(s, through_seq, err);
    pthread_mutex_unlock(&s->write_mu);
    return rc;
}

int ldr_log_drop(struct ldr_shard *s, struct ldr_err *err)
{
    rocksdb_readoptions_t *ro = ldr_read_options(NULL, LDR_READ_SCAN);
    rocksdb_iterator_t *it = ldr_read_iter(s, LDR_CF_LOG, ro);
    rocksdb_iter_seek_to_first(it);
    bool any = rocksdb_iter_valid(it);
    int rc = ldr_rocks_iter_status(err, "reading the change log", it);
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(ro);
    return rc == 0 && any ? trim(s, UINT64_MAX, err) : rc;
}
