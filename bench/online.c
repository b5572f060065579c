/* Lookups of one entity and of 100, one thread, uniform random; systems in turn within each round.
 * usage: bench_online DIR ENTITIES ROUNDS    prints "online METRIC SYSTEM VALUE UNIT" lines for
 * bench/report.py */
#include "bench/peer.h"
#include <stdlib.h>
#include <sys/stat.h>

enum { PEERS = 5, BATCH = 100 };

void bench_die(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

static uint64_t check_sum;

/* Lookups a second over about half a second; the entities are drawn before the clock starts. */
static double rate(const struct peer *p, void *db, uint64_t entities, uint64_t seed, size_t batch)
{
    enum { DRAWS = 1 << 16 };
    static uint64_t draw[DRAWS];
    for (size_t i = 0; i < DRAWS; i++)
        draw[i] = mix(seed + i) % entities;
    double began = seconds_now(), spent;
    uint64_t n = 0;
    size_t at = 0;
    do {
        for (int k = 0; k < 512 / (int)batch + 1; k++) {
            if (at + batch > DRAWS)
                at = 0;
            check_sum += batch == 1 ? p->get(db, draw[at]) : p->get_many(db, draw + at, batch);
            at += batch;
            n++;
        }
        spent = seconds_now() - began;
    } while (spent < 0.5);
    return (double)n / spent;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        bench_die("usage", "bench_online DIR ENTITIES ROUNDS");
    static const struct peer *const peers[PEERS] = {&peer_array, &peer_larder, &peer_lmdb, &peer_rocksdb,
                                                    &peer_sqlite};
    uint64_t entities = strtoull(argv[2], NULL, 10);
    int rounds = (int)strtol(argv[3], NULL, 10);
    void *db[PEERS];
    for (int i = 0; i < PEERS; i++) {
        char dir[4096];
        snprintf(dir, sizeof dir, "%s/%s", argv[1], peers[i]->name);
        if (mkdir(dir, 0755))
            bench_die(dir, "cannot make the folder");
        db[i] = peers[i]->open(dir);
        double began = seconds_now();
        peers[i]->load(db[i], entities);
        printf("online load_parsed_rows %s %.0f rows/s\n", peers[i]->name,
               (double)entities / (seconds_now() - began));
        fflush(stdout);
        for (uint64_t e = 0; e < entities; e++) /* warm: whatever caches it has hold what they can */
            check_sum += peers[i]->get(db[i], e);
    }
    /* the same rows in all: each system must give the array's sums */
    for (int i = 1; i < PEERS; i++)
        for (uint64_t e = 0; e < entities; e += 997)
            if (peers[i]->get(db[i], e) != peers[0]->get(db[0], e))
                bench_die(peers[i]->name, "answers differ");
    for (int r = 0; r < rounds; r++)
        for (int i = 0; i < PEERS; i++) {
            int at = (i + r) % PEERS;
            printf("online one_entity %s %.0f /s\n", peers[at]->name,
                   rate(peers[at], db[at], entities, (uint64_t)r * 7919, 1));
            printf("online hundred_entities %s %.0f /s\n", peers[at]->name,
                   rate(peers[at], db[at], entities, (uint64_t)r * 104729, BATCH));
            fflush(stdout);
        }
    for (int i = 0; i < PEERS; i++)
        peers[i]->close(db[i]);
    fprintf(stderr, "(sum %llu)\n", (unsigned long long)check_sum);
    return 0;
}
