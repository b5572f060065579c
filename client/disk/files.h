/* files.h: whole files and folders with the durability that a store needs. Internal to client/. Paths are
 * malloc'ed. */
#ifndef LDR_CLIENT_FILES_H
#define LDR_CLIENT_FILES_H
#include "base/base.h"

/* The one place where errno becomes a code: ENOSPC, EDQUOT -> NOSPACE; ENOMEM -> NOMEM; ENOENT -> NOT_FOUND;
 * the rest IO. Fills err with "WHAT PATH: reason". */
int ldr_file_fail(struct ldr_err *err, int errnum, const char *what, const char *path);
#ifdef __clang_analyzer__ /* never 0 */
#define ldr_file_fail(...) (ldr_file_fail(__VA_ARGS__), LDR_E_IO)
#endif

char *ldr_path_join(const char *dir, const char *name); /* dir/name; NULL = no memory; release with free */
char *ldr_path_number(const char *dir, const char *name, uint64_t n); /* dir/name/n */

/* The whole of a file into buf (appended). LDR_E_TOO_BIG over max bytes. */
int ldr_file_read(const char *path, size_t max, struct ldr_buf *out, struct ldr_err *err);
/* Makes path hold exactly these bytes, or leaves it as it was: temporary file, fsync, rename, fsync of the
 * folder. */
int ldr_file_replace(const char *path, struct ldr_slice bytes, bool sync, struct ldr_err *err);
int ldr_file_write_all(int fd, const void *p, size_t n, uint64_t at); /* pwrite until done; 0 or errno */
int ldr_dir_sync(const char *path, struct ldr_err *err);
int ldr_dir_sync_parent(const char *path, struct ldr_err *err); /* of a file or folder just made or renamed */
/* One folder. Fine when it is there already. */
int ldr_dir_make(const char *path, struct ldr_err *err);
/* Names in a folder, sorted, without . and ..; *names and each of its n entries are malloc'ed. */
int ldr_dir_list(const char *path, char ***names, size_t *n, struct ldr_err *err);
void ldr_dir_list_free(char **names, size_t n);
/* 0 = there and not a folder or not empty; 1 = missing; 2 = empty folder; negative = error. */
int ldr_dir_vacant(const char *path, struct ldr_err *err);
/* A folder and all below; missing is fine. Symbolic links are removed, never followed. */
int ldr_dir_remove(const char *path, struct ldr_err *err);

/* Copies one file, syncs the copy, and hashes what was read. hash and size may be NULL. */
int ldr_file_copy(const char *from, const char *to, bool sync, uint64_t *hash, uint64_t *size,
                  struct ldr_err *err);
int ldr_file_hash(const char *path, uint64_t *hash, uint64_t *size, struct ldr_err *err);
/* Calls fn(ctx, path relative to root) for every regular file below root, sorted. Anything but files and
 * folders is an error. Non-zero from fn stops and is returned. */
int ldr_dir_walk(const char *root, int (*fn)(void *ctx, const char *rel, struct ldr_err *err), void *ctx,
                 struct ldr_err *err);
#endif
