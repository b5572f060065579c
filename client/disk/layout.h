/* layout.h: the folder of a store: what stands where, who has it open, and of which format it is. Internal to
 * client/.
 *
 *   FORMAT      "larder 1\n", written last when a store is made: without it there is no store yet
 *   LOCK        flock; holds the process number of who has it, and " shared" when others may join
 *   socket      where who has it answers the others (share_host.h); only while it is open
 *   ring        which shard holds which arc; fixed when the store is made
 *   stamp       bound of the times of acceptance (stamp.h)
 *   registry/   definitions (registry_file.h)
 *   shards/N/   facts, one RocksDB each
 *   copy.tmp/   only while a backup is taken; guest.tmp/ the same, for another process
 *   RESTORING   only while a restore has not finished */
#ifndef LDR_CLIENT_LAYOUT_H
#define LDR_CLIENT_LAYOUT_H
#include "base/base.h"
#include "ring/ring.h"

#define LDR_STORE_FORMAT      "larder 1\n"
#define LDR_LAYOUT_COPY       "copy.tmp"
#define LDR_LAYOUT_RESTORE    "RESTORING"
#define LDR_LAYOUT_GUEST_COPY "guest.tmp"
#define LDR_LAYOUT_SOCKET     "socket"

/* The DIR of "local:DIR". LDR_E_INVALID, or LDR_E_UNSUPPORTED for "cluster:". */
int ldr_layout_url(const char *url, const char **dir, struct ldr_err *err);
/* Takes the lock of a store's folder, or of one that may become a store. *fresh: it is not (wholly) made yet.
 * The folder is created unless must_exist. shared: others are told that they will be served. LDR_E_LOCKED,
 * _NOT_FOUND, _REFUSED (holds something else), _FORMAT, _CORRUPT. */
int ldr_layout_lock(const char *dir, bool must_exist, bool shared, int *lock_fd, bool *fresh,
                    struct ldr_err *err);
/* Who took the lock last, as it says itself: a hint. *pid 0: it is not known. */
void ldr_layout_holder(const char *dir, long *pid, bool *shared);
void ldr_layout_unlock(int lock_fd); /* -1 is fine */
void ldr_layout_forget(int lock_fd); /* in a child after fork: the parent keeps its lock */
/* Makes a store of the folder: the last step. */
int ldr_layout_seal(const char *dir, bool sync, struct ldr_err *err);
/* Reads FORMAT: 0, LDR_E_NOT_FOUND, LDR_E_FORMAT, LDR_E_CORRUPT. */
int ldr_layout_format(const char *dir, struct ldr_err *err);

int ldr_layout_ring_write(const char *dir, const struct ldr_ring *ring, bool sync, struct ldr_err *err);
/* LDR_E_NOT_FOUND when there is none. */
int ldr_layout_ring_read(const char *dir, struct ldr_ring *ring, struct ldr_err *err);
#endif
