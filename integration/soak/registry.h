/* Clients that change the registry by compare-and-set and read it strictly, all at once, and write down what
 * they were told; the history is then held against what one register could have answered. Thread-safe where
 * it says so. */
#ifndef SOAK_REGISTRY_H
#define SOAK_REGISTRY_H
#include <pthread.h>
#include <stdatomic.h>

#include "integration/soak/history.h"
#include "integration/soak/lab.h"

enum { REGISTRY_CLIENTS = 5 };

struct registry_work {
    char hosts[LAB_COORDINATORS][64], all[3 * 64];
    uint64_t seed, first, began_us;
    bool hasty;
    unsigned share_ms; /* one operation of one client in so long */
    pthread_mutex_t mutex;
    struct history_op *ops; /* under mutex */
    size_t n, room;
    atomic_bool stop, pause;
    atomic_int resting;
    pthread_t thread[REGISTRY_CLIENTS];
    struct history_tally tally; /* of the last proof */
    char failure[512];
};

/* The registry answers. operations_s: of all clients together, at most. hasty: some clients do not wait long,
 * so that outcomes stay in doubt. */
void registry_begin(struct registry_work *w, const struct lab *l, uint64_t seed, unsigned operations_s,
                    bool hasty);
/* Nothing is under way when it returns. */
void registry_pause(struct registry_work *w, bool on);
/* While paused, and all coordinators run: each client reads once more, and all that was seen since the
 * beginning is checked. False: failure says why. */
bool registry_prove(struct registry_work *w);
/* Too few operations went well for the history to say anything. */
bool registry_idle(const struct registry_work *w);
/* One line an operation. */
void registry_dump(struct registry_work *w, const char *path);
void registry_end(struct registry_work *w);
/* Number of the member that leads, among "host:port,..."; 0: none says. */
uint64_t registry_leader(const char *hosts);
/* Whether a member, asked alone, says what the registry is now (not what it was). */
bool registry_answers(const char *host, uint32_t ms);
#endif
