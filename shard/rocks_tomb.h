/* The tomb family. Two kinds of entries:
 *   scope u8 (enum ldr_tomb_scope) | id BE32 | hash BE64 | entity key      erase LE64 | seq LE64
 *   scope + 2                      | id BE32 | hash BE64 | second BE64     erase LE64         (collected)
 * seq is the place in the change log that names it. Shard format 1 had none: eight bytes, and no collected
 * ones. An entity has one of the two in each scope and id. */
#ifndef LDR_SHARD_ROCKS_TOMB_H
#define LDR_SHARD_ROCKS_TOMB_H
#include "shard/shard_impl.h"
#include "shard/tomb.h"

#define LDR_TOMB_KEY_HEAD  13
#define LDR_TOMB_COLLECTED 2 /* added to the scope */
#define LDR_TOMB_KEY_MAX   (LDR_TOMB_KEY_HEAD + LDR_KEY_MAX)
#define LDR_TOMB_GRAVE_N   (LDR_TOMB_KEY_HEAD + 8)

struct ldr_tomb_entry {
    struct ldr_tomb_id who;
    bool collected;
    struct ldr_slice key; /* of the entity; empty when collected */
    int64_t erase_us;
    uint64_t seq; /* UINT64_MAX = not on record */
};
int ldr_tomb_parse(struct ldr_slice key, struct ldr_slice value, struct ldr_tomb_entry *out); /* _CORRUPT */
/* Keys; out holds LDR_TOMB_KEY_HEAD + key.n, LDR_TOMB_GRAVE_N bytes. */
size_t ldr_tomb_key(uint8_t *out, uint8_t scope, uint32_t id, uint64_t hash, struct ldr_slice key);
size_t ldr_grave_key(uint8_t out[LDR_TOMB_GRAVE_N], const struct ldr_tomb_id *who);
void ldr_batch_put_tomb(struct ldr_shard *s, rocksdb_writebatch_t *batch, const struct ldr_tomb_id *who,
                        struct ldr_slice key, int64_t erase_us, uint64_t seq);
void ldr_batch_put_grave(struct ldr_shard *s, rocksdb_writebatch_t *batch, const struct ldr_tomb_id *who,
                         int64_t erase_us);
/* Removes whichever of the two is there, by looking for it. */
int ldr_batch_remove_tomb(struct ldr_shard *s, rocksdb_writebatch_t *batch, const struct ldr_tomb_id *who,
                          struct ldr_err *err);
int ldr_tombs_load(struct ldr_shard *s, struct ldr_err *err);
void ldr_tombs_tell(struct ldr_shard *s); /* their number, after a change */
struct ldr_tomb ldr_tomb_told(struct ldr_slice disk_key, const struct ldr_tomb_entry *e); /* slices into it */
#endif
