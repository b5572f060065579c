/* The few things a shard does with files itself, without RocksDB. Errors carry the path. */
#ifndef LDR_SHARD_FILES_H
#define LDR_SHARD_FILES_H
#include "base/base.h"

int ldr_files_fail(struct ldr_err *err, const char *what, const char *path, int errnum);
#ifdef __clang_analyzer__ /* never 0 */
#define ldr_files_fail(...) (ldr_files_fail(__VA_ARGS__), LDR_E_IO)
#endif
char *ldr_files_join(const char *dir, const char *name);    /* "dir/name", to be released; NULL = no memory */
int ldr_files_mkdir(const char *path, struct ldr_err *err); /* fine when it is there; the parent must exist */
bool ldr_files_exist(const char *path);
/* Replaces path by these bytes: all of them or the old ones, also after a crash. */
int ldr_files_replace(const char *path, struct ldr_slice bytes, struct ldr_err *err);
/* Whole file of at most max bytes; LDR_E_NOT_FOUND, LDR_E_TOO_BIG, LDR_E_IO. */
int ldr_files_read(const char *path, size_t max, struct ldr_buf *out, struct ldr_err *err);
int ldr_files_sync_dir(const char *path, struct ldr_err *err);
/* Exclusive lock, by process and by opener: LDR_E_LOCKED. *fd is to be closed. */
int ldr_files_lock(const char *path, int *fd, struct ldr_err *err);
void ldr_files_unlock(int fd); /* -1 is fine */
int ldr_files_free(const char *path, uint64_t *bytes,
                   struct ldr_err *err);     /* what a user may still write there */
uint64_t ldr_files_usage(const char *dir);   /* bytes of the plain files in it, as far as they can be seen */
void ldr_files_remove_flat(const char *dir); /* the folder and the plain files in it, as far as possible */
#endif
