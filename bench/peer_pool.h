/* Connections to a server that runs beside the bench: a thread takes one for a request and gives it back, so
 * that a round does not pay for connecting again. */
#ifndef BENCH_PEER_POOL_H
#define BENCH_PEER_POOL_H
#include "bench/peer.h"
#include <pthread.h>

enum { POOL_MAX = 256 };
struct pool {
    pthread_mutex_t lock;
    int n;
    void *idle[POOL_MAX];
};
/* NULL: there is none at rest, make one. */
static inline void *pool_take(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    void *c = p->n ? p->idle[--p->n] : NULL;
    pthread_mutex_unlock(&p->lock);
    return c;
}
static inline void pool_give(struct pool *p, void *connection)
{
    pthread_mutex_lock(&p->lock);
    if (p->n == POOL_MAX)
        bench_die("pool", "more connections than writers");
    p->idle[p->n++] = connection;
    pthread_mutex_unlock(&p->lock);
}
#endif
