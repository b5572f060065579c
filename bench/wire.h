/* What the load generator knows of a server: how to ask it for entities, and where an answer ends. One
 * request is under way on a connection at any time. */
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H
#include "bench/rows.h"
#include <stdbool.h>
#include <stdlib.h>

enum { ASK_MAX = 64 * 1024, BATCH_MAX = 100, KEY_TEXT = 16 };

/* How far an answer has been looked at. */
struct wire_at {
    size_t pos;
    uint32_t items;
    uint64_t sum; /* of all features of the rows so far */
};
struct wire {
    const char *name;
    /* Once, before any connection. where: what the command line says of the server. Returns the port. */
    int (*open)(const char *where, size_t batch);
    void (*greet)(int fd); /* each new connection, which still blocks; may be NULL */
    size_t (*ask)(uint8_t out[ASK_MAX], const uint64_t *entity, size_t n);
    /* The answer's length once all of it is in p[0, n), else 0. Adds up what it holds. */
    size_t (*take)(struct wire_at *at, const uint8_t *p, size_t n, size_t batch);
    /* A request that stores a row, and what it answers; NULL: somebody else loads it. */
    size_t (*put)(uint8_t *out, uint64_t entity, const struct row *r, const char **answer);
    bool empty; /* it has no rows: nothing to add up */
};
extern const struct wire wire_echo, wire_redis_get, wire_redis_hmget, wire_memcached, wire_larder, wire_http;

_Noreturn void bench_die(const char *what, const char *why);
void wire_send_all(int fd, const void *p, size_t n); /* blocking */
void wire_recv_all(int fd, void *p, size_t n);

static inline uint64_t row_sum(uint64_t entity)
{
    struct row r;
    uint8_t packed[ROW_PACKED_MAX];
    row_make(&r, entity, 0);
    row_pack(&r, packed);
    return row_read(packed);
}
#endif
