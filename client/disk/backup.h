/* backup.h: the steps of a backup, for the process that has the folder and for one that asks it. Internal to
 * client/. */
#ifndef LDR_CLIENT_BACKUP_H
#define LDR_CLIENT_BACKUP_H
#include "client/store.h"

/* The store as of one moment in a folder beside its files; what was there before is removed. */
int ldr_backup_freeze(struct ldr_store *s, const char *image, struct ldr_err *err);
void ldr_backup_thaw(struct ldr_store *s, const char *image);
/* Copies an image to an empty folder. whole (may be NULL) is asked last, before the manifest makes a backup
 * of it. */
int ldr_backup_copy(const char *image, const char *dir, int (*whole)(void *ctx, struct ldr_err *err),
                    void *ctx, struct ldr_err *err);
#endif
