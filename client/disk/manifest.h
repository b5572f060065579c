/* manifest.h: what a backup holds, file by file. Internal to client/. Text, one line each:
 *
 *   larder-backup 1
 *   <hash, 16 hex digits> <bytes> <path relative to the backup>
 *   end <number of files> <hash of all lines before this one, 16 hex digits>
 *
 * It is written last, so a backup without one is not a backup. */
#ifndef LDR_CLIENT_MANIFEST_H
#define LDR_CLIENT_MANIFEST_H
#include "base/base.h"

#define LDR_MANIFEST "MANIFEST"

struct ldr_manifest_file {
    const char *path;
    uint64_t hash, size;
};
struct ldr_manifest {
    struct ldr_arena arena;
    struct ldr_manifest_file *files;
    size_t n, cap;
};
void ldr_manifest_init(struct ldr_manifest *m);
void ldr_manifest_close(struct ldr_manifest *m);
int ldr_manifest_add(struct ldr_manifest *m, const char *path, uint64_t hash,
                     uint64_t size); /* LDR_E_NOMEM, _TOO_BIG */
int ldr_manifest_write(const struct ldr_manifest *m, const char *dir, bool sync, struct ldr_err *err);
/* Reads dir/MANIFEST into an empty m. LDR_E_NOT_FOUND, LDR_E_CORRUPT, LDR_E_FORMAT. Paths are safe to join:
 * no "..", nothing absolute. */
int ldr_manifest_read(struct ldr_manifest *m, const char *dir, struct ldr_err *err);
#endif
