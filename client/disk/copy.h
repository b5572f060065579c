/* copy.h: copying a store's files with their hashes, for backup and restore. Internal to client/. */
#ifndef LDR_CLIENT_COPY_H
#define LDR_CLIENT_COPY_H
#include "client/disk/manifest.h"

/* Makes a new or empty folder ready. *made: it did not exist. LDR_E_REFUSED when it holds something. */
int ldr_copy_target(const char *dir, bool *made, struct ldr_err *err);
/* Copies from/rel to to/rel, with the folders it needs, and tells hash and size of what was read. */
int ldr_copy_file(const char *from, const char *to, const char *rel, uint64_t *hash, uint64_t *size,
                  struct ldr_err *err);
/* Syncs the folders that hold the manifest's files, below dir. */
int ldr_copy_sync(const char *dir, const struct ldr_manifest *m, struct ldr_err *err);
/* restore.c: reads the manifest of a backup into an empty m and holds every file against it. LDR_E_NOT_FOUND:
 * not a backup; LDR_E_CORRUPT, LDR_E_FORMAT. */
int ldr_copy_prove(struct ldr_manifest *m, const char *dir, struct ldr_err *err);
/* After a failure: the folder as it was before. What cannot be removed stays. */
void ldr_copy_undo(const char *dir, bool made);
#endif
