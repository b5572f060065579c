/* pulse.h: progress and cancelling of long work, a few times a second and only from the calling thread.
 * Internal to client/. */
#ifndef LDR_CLIENT_PULSE_H
#define LDR_CLIENT_PULSE_H
#include "client/larder.h"
#include "env/env.h"

struct ldr_pulse {
    const struct ldr_work *work; /* may be NULL: then only the time is kept */
    struct ldr_clock clock;
    uint64_t start_ns, last_ns;
    struct ldr_progress progress;
};
/* what is borrowed for as long as the pulse is used. */
void ldr_pulse_start(struct ldr_pulse *p, const struct ldr_work *work, const struct ldr_clock *clock,
                     const char *what);
/* Call it often. 0, or LDR_E_CANCELLED when the callback said so. */
int ldr_pulse_beat(struct ldr_pulse *p, uint64_t rows, uint64_t bytes, uint64_t bytes_total);
/* The same without waiting for the next beat to be due: at the end, so that the last state is seen. */
int ldr_pulse_final(struct ldr_pulse *p, uint64_t rows, uint64_t bytes, uint64_t bytes_total);
double ldr_pulse_seconds(const struct ldr_pulse *p);
#endif
