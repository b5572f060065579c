/* Small durable writes: so many threads, one fact each at a time, on disk before the next. Systems in turn
 * within each round. usage: bench_write DIR WRITERS ROUNDS    prints "write METRIC SYSTEM VALUE UNIT" lines
 * for report.py. PostgreSQL takes part when BENCH_POSTGRES says how to connect to one. */
#include "bench/peer.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { PEERS = 6, WRITERS_MAX = 256, ENTITIES = 100000 };
#define ROUND_SECONDS 1.0

void bench_die(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

struct writer {
    pthread_t thread;
    const struct peer *peer;
    void *db;
    uint64_t seed, n;
    atomic_bool *stop;
};
static void *writer_main(void *arg)
{
    struct writer *w = arg;
    for (; !atomic_load_explicit(w->stop, memory_order_relaxed); w->n++)
        w->peer->put(w->db, mix(w->seed + w->n) % ENTITIES, w->seed + w->n);
    return NULL;
}

static double rate(const struct peer *p, void *db, int writers, uint64_t round)
{
    static struct writer w[WRITERS_MAX];
    atomic_bool stop = false;
    double began = seconds_now();
    uint64_t n = 0;
    for (int i = 0; i < writers; i++) {
        w[i] = (struct writer){
            .peer = p, .db = db, .seed = (round * WRITERS_MAX + (uint64_t)i) << 24, .stop = &stop};
        if (pthread_create(&w[i].thread, NULL, writer_main, &w[i]))
            bench_die("thread", "cannot start");
    }
    struct timespec pause = {.tv_sec = (time_t)ROUND_SECONDS};
    nanosleep(&pause, NULL);
    atomic_store(&stop, true);
    for (int i = 0; i < writers; i++) {
        pthread_join(w[i].thread, NULL);
        n += w[i].n;
    }
    return (double)n / (seconds_now() - began);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        bench_die("usage", "bench_write DIR WRITERS ROUNDS");
    static const struct peer *const peers[PEERS] = {&peer_disk,    &peer_larder, &peer_lmdb,
                                                    &peer_rocksdb, &peer_redis,  &peer_postgres};
    const int n_peers = getenv("BENCH_POSTGRES") ? PEERS : PEERS - 1;
    int writers = (int)strtol(argv[2], NULL, 10), rounds = (int)strtol(argv[3], NULL, 10);
    if (writers < 1 || writers > WRITERS_MAX)
        bench_die("usage", "1 to 256 writers");
    void *db[PEERS];
    for (int i = 0; i < n_peers; i++) {
        char dir[4096];
        snprintf(dir, sizeof dir, "%s/%s", argv[1], peers[i]->name);
        if (mkdir(dir, 0755))
            bench_die(dir, "cannot make the folder");
        db[i] = peers[i]->open(dir);
        if (peers[i]->load)
            peers[i]->load(db[i], ENTITIES);
    }
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < n_peers; i++) {
            int at = (i + r) % n_peers;
            printf("write one_fact_%d_writers %s %.0f /s\n", writers, peers[at]->name,
                   rate(peers[at], db[at], writers, (uint64_t)r + 1));
            fflush(stdout);
        }
    for (int i = 0; i < n_peers; i++)
        peers[i]->close(db[i]);
    return 0;
}
