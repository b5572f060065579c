/* A loop that is run by whoever waits for something of it. A thread that asks and waits takes the helm: it
 * runs the loop itself until what it waits for has come, then passes the helm to another one that waits.
 * While nobody waits a thread of the helm's own has it. So an answer costs no hand-over between threads as
 * long as one caller follows another, and one for each caller when there are many. */
#ifndef LDR_ENV_UV_HELM_H
#define LDR_ENV_UV_HELM_H
#include <stdatomic.h>

#include "env/uv_loop.h"

struct ldr_helm;
/* Embedded by whoever waits: one thread. Nothing to give back. */
struct ldr_helm_wait {
    struct ldr_helm *helm;
    _Atomic uint32_t state;
    atomic_bool woken;
    struct ldr_helm_wait **list, *prev, *next; /* under the helm's mutex */
    struct ldr_timer until;                    /* the loop's, as `late` */
    bool late;
};
static inline void ldr_helm_wait_init(struct ldr_helm_wait *w, struct ldr_helm *h)
{
    *w = (struct ldr_helm_wait){.helm = h};
}
/* Until it is woken, or was since the last wait, or that moment (monotonic) has come. Not on the loop. */
void ldr_helm_wait(struct ldr_helm_wait *w, uint64_t until_us);
void ldr_helm_wake(struct ldr_helm_wait *w); /* any thread */

/* Starts the thread; nobody else runs the loop. LDR_E_NOMEM. */
int ldr_helm_create(struct ldr_uv_loop *loop, struct ldr_helm **out);
void ldr_helm_destroy(struct ldr_helm *h); /* nobody waits any more; the loop remains. NULL is fine */
/* Runs job->run(job) on the loop, in order of posting. Any thread. Soon, if the same thread waits next; else,
 * as with ldr_uv_loop_post on such a loop, within two LDR_HELM_LOOK_US. */
void ldr_helm_post(struct ldr_helm *h, struct ldr_job *job);
#define LDR_HELM_LOOK_US 5000
#endif
