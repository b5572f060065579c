/* cluster_cache.h: a cluster's map and definitions on disk, for a client that starts while no coordinator
 * answers. Internal to client/. One file for each list of coordinators, replaced as a whole, checksummed;
 * nothing is lost with it. Not for two threads at once; other processes may use the same folder. */
#ifndef LDR_CLIENT_CLUSTER_CACHE_H
#define LDR_CLIENT_CLUSTER_CACHE_H
#include "registry/registry.h"
#include "ring/ring.h"

#define LDR_CACHE_FILES_MAX 16 /* in a folder; the one that was written longest ago goes */
#define LDR_CACHE_BYTES_MAX (LDR_FRAME_MAX + LDR_TEXT_MAX)

struct ldr_cluster_cache;
/* dir NULL: $XDG_CACHE_HOME/larder, else $HOME/.cache/larder. Nothing is made on disk yet. *out is NULL, and
 * 0 returned, when dir is "" (switched off) or there is no such place. LDR_E_NOMEM, LDR_E_TOO_BIG. */
int ldr_cluster_cache_open(const char *dir, const char *addresses, struct ldr_cluster_cache **out);
void ldr_cluster_cache_close(struct ldr_cluster_cache *c); /* NULL is fine */
const char *ldr_cluster_cache_path(const struct ldr_cluster_cache *c);
/* What was saved last. LDR_E_NOT_FOUND: nothing; LDR_E_CORRUPT, LDR_E_FORMAT (of a newer version),
 * LDR_E_TOO_BIG: to be ignored; err names the file. On failure nothing needs a close. saved_us: when. */
int ldr_cluster_cache_load(struct ldr_cluster_cache *c, struct ldr_map *map, struct ldr_registry **registry,
                           int64_t *saved_us, struct ldr_err *err);
/* Writes nothing when the file holds the same already. Folders are made as needed (mode 0700, the file 0600).
 */
int ldr_cluster_cache_save(struct ldr_cluster_cache *c, const struct ldr_map *map,
                           const struct ldr_registry *registry, int64_t now_us, struct ldr_err *err);
#endif
