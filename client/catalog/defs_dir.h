/* defs_dir.h: the definition files of a folder. Internal to client/. */
#ifndef LDR_CLIENT_DEFS_DIR_H
#define LDR_CLIENT_DEFS_DIR_H
#include "registry/registry.h"

/* Reads every *.yaml and *.yml below dir, sorted by path, into the arena. Names that start with a dot are
 * passed over; symbolic links are followed, but no folder is entered twice. LDR_E_INVALID when there is no
 * such file or folder, LDR_E_TOO_BIG, LDR_E_IO. */
int ldr_defs_dir_read(struct ldr_arena *a, const char *dir, struct ldr_def_file **files, uint32_t *n,
                      struct ldr_err *err);
#endif
