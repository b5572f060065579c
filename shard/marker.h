/* DIR/MARKER: what must be in the database at least. A removed write-ahead log opens without a complaint, so
 * the shard keeps beside the database how far it had been durable. Text: larder shard 1 incarnation
 * 0123456789abcdef seq 4711              newest RocksDB sequence number known to be durable copy 0 1: made by
 * a checkpoint; whoever opens it first takes a new incarnation check 89abcdef        ldr_check32 of the bytes
 * above */
#ifndef LDR_SHARD_MARKER_H
#define LDR_SHARD_MARKER_H
#include "base/base.h"

#define LDR_MARKER_NAME   "MARKER"
#define LDR_MARKER_FORMAT 1
struct ldr_marker {
    uint64_t incarnation;
    uint64_t seq;
    bool copy;
};
int ldr_marker_put(const char *dir, const struct ldr_marker *m, struct ldr_err *err);
int ldr_marker_get(const char *dir, struct ldr_marker *m,
                   struct ldr_err *err); /* _NOT_FOUND, _CORRUPT, _FORMAT, _IO */
#endif
