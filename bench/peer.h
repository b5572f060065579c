/* What a bench asks of every system; what a bench does not call may be NULL. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H
#include "bench/rows.h"
#include <stdbool.h>

struct peer {
    const char *name;
    void *(*open)(const char *dir);
    void (*load)(void *db, uint64_t entities);  /* rows of entity 0..n-1, durable when it returns */
    uint64_t (*get)(void *db, uint64_t entity); /* reads all features of one entity */
    uint64_t (*get_many)(void *db, const uint64_t *entity, size_t n); /* the same for a batch */
    void (*put)(void *db, uint64_t entity, uint64_t version); /* durable when it returns; from any thread */
    void (*close)(void *db);
};
extern const struct peer peer_disk, peer_array, peer_larder, peer_lmdb, peer_rocksdb, peer_sqlite, peer_redis,
    peer_postgres;
_Noreturn void bench_die(const char *what, const char *why);
#endif
