/* Clients that write, erase and read all the time, and what they know to be true. An entity has one writer,
 * which numbers its facts; the event time says the number, so that the newest is the greatest. Readers hold
 * each answer to what was acknowledged before they asked. Thread-safe where it says so. */
#ifndef SOAK_WORK_H
#define SOAK_WORK_H
#include <pthread.h>
#include <stdatomic.h>

#include "base/hist.h"
#include "client/larder.h"
#include "integration/soak/lab.h"

enum { WORK_ENTITIES = 400, WORK_WRITERS = 4, WORK_READERS = 4 };
#define WORK_LAG_US 2100000 /* what a read may lack: the bound of 2 s and the way there */

enum work_outcome { WORK_OPEN, WORK_ACKED, WORK_IN_DOUBT, WORK_REFUSED };

struct work_entity {
    pthread_mutex_t mutex;
    uint8_t *outcome; /* by number, from 1 */
    uint32_t sent, room;
    struct work_ack { /* ascending in both */
        uint64_t at_us;
        uint32_t number;
    } *acks;
    uint32_t nacks, acks_room;
    uint32_t maybe_erased;  /* numbers up to this may be hidden */
    struct work_ack erased; /* up to this surely are, since then */
};

struct work_counts {
    _Atomic uint64_t writes_ok, writes_in_doubt, writes_refused, facts_acked;
    _Atomic uint64_t erased, erases_in_doubt, erases_refused;
    _Atomic uint64_t reads_ok, strict_ok, reads_failed;
    _Atomic uint64_t write_gap_us;  /* longest time without an acknowledged write of anybody */
    _Atomic uint64_t write_slow_us; /* slowest write that was acknowledged */
    _Atomic uint64_t slow_us;       /* slowest request of any kind, however it ended */
};

struct work {
    struct ldr_store *store;
    struct ldr_query *query;
    struct work_entity entity[WORK_ENTITIES];
    struct work_counts count;
    _Atomic uint64_t last_ack_us;
    atomic_bool stop, pause;
    atomic_int resting;  /* threads that pause */
    atomic_uint facts_s; /* limit of all writers together */
    pthread_mutex_t times_mutex;
    struct ldr_hist reads; /* of those that were answered */
    bool no_erasing;
    atomic_uint told; /* failures that were printed: the first few */
    _Atomic uint64_t told_us;
    pthread_mutex_t failure_mutex;
    char failure[512]; /* the first */
    pthread_t thread[WORK_WRITERS + WORK_READERS];
    uint64_t seed;
};

void work_begin(struct work *w, const char *url, const char *dir, uint64_t seed);
/* Nothing is under way when it returns. */
void work_pause(struct work *w, bool on);
void work_end(struct work *w);
/* While paused: reads everything back (by the file at path) and holds it against what is known. True: all is
 * well. */
bool work_prove(struct work *w, const char *path);
bool work_failed(struct work *w);
/* Starts measuring anew: gaps, slowest requests, times of reads. */
void work_reset_times(struct work *w);
double work_read_ms(struct work *w, double quantile);
#endif
