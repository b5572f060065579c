/* The one include of RocksDB's C interface. */
#ifndef LDR_SHARD_ROCKS_API_H
#define LDR_SHARD_ROCKS_API_H
#include <rocksdb/c.h>
#endif
