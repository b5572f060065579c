#ifndef LDR_SHARD_ROCKS_OPEN_H
#define LDR_SHARD_ROCKS_OPEN_H
#include "shard/marker.h"
#include "shard/shard_impl.h"

/* rocks_meta.c: the shard's own record, made when it is not there yet; seq of the change log; a copy's new
 * incarnation. LDR_E_FORMAT, _CORRUPT, _INVALID (another shard's id or arc). write_mu held. */
int ldr_meta_open(struct ldr_shard *s, const struct ldr_marker *m, struct ldr_err *err);
/* Puts the shard's own record, with this arc. */
void ldr_meta_record(struct ldr_shard *s, rocksdb_writebatch_t *batch, uint64_t lo, uint64_t hi);
/* To be called by whoever puts bytes of the newest format into a batch: the record says so from the same
 * moment on, and an older program refuses the shard. */
int ldr_meta_upgrade(struct ldr_shard *s, rocksdb_writebatch_t *batch, struct ldr_err *err);
/* ldr_shard_open, for adopting: `prepare` runs once all is loaded, write_mu held, before the marker says
 * that the shard is no copy any more; only called for a copy. */
struct ldr_adoption {
    int (*prepare)(struct ldr_shard *s, const struct ldr_adoption *a, struct ldr_err *err);
    uint64_t incarnation; /* 0: a random one */
};
int ldr_shard_open_adopting(const struct ldr_shard_opts *o, const struct ldr_adoption *a,
                            struct ldr_shard **out, struct ldr_err *err);
#endif
