/* Collecting tombstones: docs/adr/0024. What is left of one is an erase time under 128 bits of its key: it
 * goes on to refuse facts that come late, and the key itself is gone. */
#include "shard/pick.h"
#include "shard/rocks_open.h"
#include "shard/rocks_tomb.h"
#include "shard/rocks_walk.h"

#define BATCH 1024 /* tombstones that become durable together; writers wait meanwhile */

struct collecting {
    struct ldr_shard *s;
    int64_t before_us;
    uint64_t through_seq;
    uint8_t from[LDR_TOMB_KEY_MAX]; /* where the next batch begins */
    size_t from_n;
    struct ldr_tomb_id who[BATCH];
    uint32_t n;
    bool done;
};

/* The next batch: those that may go, up to BATCH of them. */
static int gather(struct collecting *c, rocksdb_writebatch_t *batch, struct ldr_err *err)
{
    struct ldr_shard *s = c->s;
    rocksdb_readoptions_t *ro = ldr_read_options(NULL, LDR_READ_SCAN);
    if (!ro)
        return ldr_fail(err, LDR_E_NOMEM, "collecting tombstones: out of memory");
    rocksdb_iterator_t *it = ldr_read_iter(s, LDR_CF_TOMB, ro);
    rocksdb_iter_seek(it, (const char *)c->from, c->from_n);
    int rc;
    c->n = 0;
    c->done = true;
    for (; (rc = ldr_walk_here(it, err)) == 1; rocksdb_iter_next(it)) {
        struct ldr_slice k = ldr_iter_key(it);
        struct ldr_tomb_entry e;
        if (ldr_tomb_parse(k, ldr_iter_value(it), &e) != 0) {
            rc = ldr_fail(err, LDR_E_CORRUPT, "shard %u: malformed tombstone", s->opts.id);
            break;
        }
        if (e.collected) { /* they stand behind all others */
            rc = 0;
            break;
        }
        uint64_t seq = e.seq == UINT64_MAX ? s->open_seq : e.seq; /* of format 1: from before this opening */
        if (e.erase_us >= c->before_us || seq > c->through_seq)
            continue;
        if (c->n == BATCH) {
            c->done = false;
            memcpy(c->from, k.p, k.n);
            c->from_n = k.n;
            rc = 0;
            break;
        }
        rocksdb_writebatch_delete_cf(batch, s->cf[LDR_CF_TOMB], (const char *)k.p, k.n);
        ldr_batch_put_grave(s, batch, &e.who, e.erase_us);
        c->who[c->n++] = e.who;
    }
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(ro);
    return rc;
}

/* write_mu held. */
static int collect(struct collecting *c, struct ldr_err *err)
{
    struct ldr_shard *s = c->s;
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    int rc = gather(c, batch, err);
    if (rc == 0 && c->n) {
        rc = ldr_write_admit(s, 0, err);
        if (rc == 0)
            rc = ldr_meta_upgrade(s, batch, err);
        if (rc == 0)
            rc = ldr_write_commit(s, batch, "collecting tombstones", err);
        for (uint32_t i = 0; i < c->n && rc == 0; i++)
            ldr_tombs_collected(s->tombs, &c->who[i]);
        ldr_tombs_tell(s);
    }
    rocksdb_writebatch_destroy(batch);
    return rc;
}

int ldr_shard_collect(struct ldr_shard *s, int64_t before_us, uint64_t through_seq, uint64_t *collected,
                      struct ldr_err *err)
{
    ldr_err_clear(err);
    *collected = 0;
    if (atomic_load(&s->tombs_kept) == 0)
        return 0;
    struct collecting *c = ldr_calloc(NULL, 1, sizeof *c);
    if (!c)
        return ldr_fail(err, LDR_E_NOMEM, "collecting tombstones: out of memory");
    c->s = s;
    c->before_us = before_us;
    c->through_seq = through_seq;
    int rc = 0;
    while (rc == 0 && !c->done) {
        pthread_mutex_lock(&s->write_mu);
        rc = collect(c, err);
        pthread_mutex_unlock(&s->write_mu);
        *collected += rc == 0 ? c->n : 0;
    }
    ldr_release(NULL, c);
    return rc;
}
