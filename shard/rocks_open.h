#ifndef LDR_SHARD_ROCKS_OPEN_H
#define LDR_SHARD_ROCKS_OPEN_H
#include "shard/marker.h"
#include "shard/shard_impl.h"

/* rocks_meta.c: the shard's own record, made when it is not there yet; seq of the change log; a copy's new
 * incarnation. LDR_E_FORMAT, _CORRUPT, _INVALID (another shard's id or arc). write_mu held. */
int ldr_meta_open(struct ldr_shard *s, const struct ldr_marker *m, struct ldr_err *err);
int ldr_tombs_load(struct ldr_shard *s, struct ldr_err *err);
/* Key of the tomb family: scope u8 | id BE32 | hash BE64 | key; its value is the erase time LE64. */
#define LDR_TOMB_KEY_HEAD 13
size_t ldr_tomb_key(uint8_t *out, uint8_t scope, uint32_t id, uint64_t hash, struct ldr_slice key);
#endif
