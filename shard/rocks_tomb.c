#include "shard/rocks_tomb.h"

#include "shard/pick.h"
#include "shard/rocks_walk.h"

size_t ldr_tomb_key(uint8_t *out, uint8_t scope, uint32_t id, uint64_t hash, struct ldr_slice key)
{
    out[0] = scope;
    ldr_put_be32(out + 1, id);
    ldr_put_be64(out + 5, hash);
    if (key.n)
        memcpy(out + LDR_TOMB_KEY_HEAD, key.p, key.n);
    return LDR_TOMB_KEY_HEAD + key.n;
}

size_t ldr_grave_key(uint8_t out[LDR_TOMB_GRAVE_N], const struct ldr_tomb_id *who)
{
    ldr_tomb_key(out, who->scope + LDR_TOMB_COLLECTED, who->id, who->hash, ldr_slice("", 0));
    ldr_put_be64(out + LDR_TOMB_KEY_HEAD, who->second);
    return LDR_TOMB_GRAVE_N;
}

int ldr_tomb_parse(struct ldr_slice k, struct ldr_slice v, struct ldr_tomb_entry *out)
{
    if (k.n < LDR_TOMB_KEY_HEAD || k.n > LDR_TOMB_KEY_MAX || k.p[0] > LDR_TOMB_ENTITY + LDR_TOMB_COLLECTED)
        return LDR_E_CORRUPT;
    memset(out, 0, sizeof *out);
    out->collected = k.p[0] > LDR_TOMB_ENTITY;
    if (out->collected ? k.n != LDR_TOMB_GRAVE_N || v.n != 8 : v.n != 8 && v.n != 16)
        return LDR_E_CORRUPT;
    out->who.scope = out->collected ? k.p[0] - LDR_TOMB_COLLECTED : k.p[0];
    out->who.id = ldr_get_be32(k.p + 1);
    out->who.hash = ldr_get_be64(k.p + 5);
    out->key = ldr_slice(k.p + LDR_TOMB_KEY_HEAD, out->collected ? 0 : k.n - LDR_TOMB_KEY_HEAD);
    out->who.second = out->collected ? ldr_get_be64(k.p + LDR_TOMB_KEY_HEAD) : ldr_tomb_second(out->key);
    out->erase_us = (int64_t)ldr_get_le64(v.p);
    out->seq = v.n == 16 ? ldr_get_le64(v.p + 8) : UINT64_MAX;
    return 0;
}

struct ldr_tomb ldr_tomb_told(struct ldr_slice disk_key, const struct ldr_tomb_entry *e)
{
    bool view = e->who.scope == LDR_TOMB_VIEW;
    return (struct ldr_tomb){.view = view ? e->who.id : 0,
                             .entity_id = view ? 0 : e->who.id,
                             .key = e->collected ? ldr_slice(disk_key.p + 5, LDR_TOMB_PRINT_N) : e->key,
                             .erase_us = e->erase_us,
                             .collected = e->collected};
}

void ldr_batch_put_tomb(struct ldr_shard *s, rocksdb_writebatch_t *batch, const struct ldr_tomb_id *who,
                        struct ldr_slice key, int64_t erase_us, uint64_t seq)
{
    uint8_t k[LDR_TOMB_KEY_MAX], v[16];
    size_t n = ldr_tomb_key(k, who->scope, who->id, who->hash, key);
    ldr_put_le64(v, (uint64_t)erase_us);
    ldr_put_le64(v + 8, seq);
    rocksdb_writebatch_put_cf(batch, s->cf[LDR_CF_TOMB], (const char *)k, n, (const char *)v, sizeof v);
}

void ldr_batch_put_grave(struct ldr_shard *s, rocksdb_writebatch_t *batch, const struct ldr_tomb_id *who,
                         int64_t erase_us)
{
    uint8_t k[LDR_TOMB_GRAVE_N], v[8];
    ldr_grave_key(k, who);
    ldr_put_le64(v, (uint64_t)erase_us);
    rocksdb_writebatch_put_cf(batch, s->cf[LDR_CF_TOMB], (const char *)k, sizeof k, (const char *)v,
                              sizeof v);
}

int ldr_batch_remove_tomb(struct ldr_shard *s, rocksdb_writebatch_t *batch, const struct ldr_tomb_id *who,
                          struct ldr_err *err)
{
    uint8_t k[LDR_TOMB_GRAVE_N];
    ldr_grave_key(k, who);
    rocksdb_writebatch_delete_cf(batch, s->cf[LDR_CF_TOMB], (const char *)k, sizeof k);
    rocksdb_readoptions_t *ro = ldr_read_options(NULL, LDR_READ_MERGE);
    if (!ro)
        return ldr_fail(err, LDR_E_NOMEM, "erasing: out of memory");
    rocksdb_iterator_t *it = ldr_read_iter(s, LDR_CF_TOMB, ro);
    size_t head = ldr_tomb_key(k, who->scope, who->id, who->hash, ldr_slice("", 0));
    rocksdb_iter_seek(it, (const char *)k, head);
    int rc;
    for (; (rc = ldr_walk_here(it, err)) == 1; rocksdb_iter_next(it)) {
        struct ldr_slice at = ldr_iter_key(it);
        if (at.n < head || memcmp(at.p, k, head) != 0)
            break;
        if (ldr_tomb_second(ldr_slice(at.p + head, at.n - head)) == who->second)
            rocksdb_writebatch_delete_cf(batch, s->cf[LDR_CF_TOMB], (const char *)at.p, at.n);
    }
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(ro);
    return rc < 0 ? rc : 0;
}

void ldr_tombs_tell(struct ldr_shard *s)
{
    uint64_t kept, collected;
    ldr_tombs_count(s->tombs, &kept, &collected);
    atomic_store(&s->tombs_kept, kept);
    atomic_store(&s->tombs_collected, collected);
}

int ldr_tombs_load(struct ldr_shard *s, struct ldr_err *err)
{
    int rc = 0;
    rocksdb_readoptions_t *ro = ldr_read_options(NULL, LDR_READ_SCAN);
    if (!ro)
        return ldr_fail(err, LDR_E_NOMEM, "%s: out of memory for tombstones", s->dir);
    rocksdb_iterator_t *it = ldr_read_iter(s, LDR_CF_TOMB, ro);
    for (rocksdb_iter_seek_to_first(it); rc == 0 && rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
        struct ldr_tomb_entry e;
        if (ldr_tomb_parse(ldr_iter_key(it), ldr_iter_value(it), &e) != 0)
            rc = ldr_fail(err, LDR_E_CORRUPT, "%s: malformed tombstone", s->dir);
        else if (ldr_tombs_set(s->tombs, &e.who, e.erase_us, e.collected) != 0)
            rc = ldr_fail(err, LDR_E_NOMEM, "%s: out of memory for tombstones", s->dir);
    }
    if (rc == 0)
        rc = ldr_rocks_iter_status(err, "reading tombstones", it);
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(ro);
    ldr_tombs_tell(s);
    return rc;
}
