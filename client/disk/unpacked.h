/* unpacked.h: a backup laid open for reading, without a change to the backup itself: opening a database
 * writes into its folder, so one shard at a time is copied to a folder of its own. Internal to client/. One
 * thread at a time. */
#ifndef LDR_CLIENT_UNPACKED_H
#define LDR_CLIENT_UNPACKED_H
#include "client/catalog/catalog.h"
#include "client/disk/manifest.h"

struct ldr_unpacked {
    const char *backup; /* borrowed */
    char *dir;          /* where shards are unpacked */
    int lock_fd;
    bool made;               /* dir was not there before */
    struct ldr_store *store; /* clock, log and threads */
    struct ldr_manifest manifest;
    struct ldr_ring ring;
    struct ldr_catalog *catalog;
    struct ldr_shard *shard; /* the one that is open, or NULL */
};
/* Proves every file first. work_dir NULL: the backup's name with ".unpacked". What an earlier run left there
 * is thrown away. Close it also after a failure. LDR_E_LOCKED: another process works there. */
int ldr_unpacked_open(struct ldr_unpacked *u, struct ldr_store *s, const char *backup, const char *work_dir,
                      struct ldr_err *err);
/* Opens shard i of u->ring into u->shard, the one before is closed and removed. Facts of views that were
 * deleted before the backup are not in it. */
int ldr_unpacked_shard(struct ldr_unpacked *u, uint32_t i, struct ldr_err *err);
/* Bytes of the files of shard i, or of all shards. */
uint64_t ldr_unpacked_bytes(const struct ldr_unpacked *u, uint32_t i);
uint64_t ldr_unpacked_bytes_all(const struct ldr_unpacked *u);
void ldr_unpacked_close(struct ldr_unpacked *u); /* removes what was unpacked */
#endif
