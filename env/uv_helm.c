/* Who runs the loop: a caller that waits, or else our thread.
 *
 * Our thread leaves the loop as soon as a caller waits, and looks again every few milliseconds: when nobody
 * has run the loop since it last looked, it takes it back and sleeps in it. Between two looks nobody may be
 * there: whoever comes then looks at what has happened before it adds to it. */
#include "env/uv_helm.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "env/env.h"

#define STALE_US 200 /* what has happened is not known after such a pause */

/* Of a wait. ASLEEP is left under the mutex, by whoever wakes it or by its thread when time is over; all
 * others are its thread's. */
enum { AWAKE, ASLEEP, CHOSEN, LEADS };

struct ldr_helm {
    struct ldr_uv_loop *loop;
    const struct ldr_loop *seam;
    pthread_mutex_t mutex;         /* of all that follows, and of the waits */
    struct ldr_job *first, **last; /* posted */
    struct ldr_helm_wait *asleep;  /* the latest first */
    struct ldr_helm_wait *rising;  /* to be woken when this turn is over */
    bool taken;                    /* somebody runs the loop, or has been chosen to */
    bool ours;                     /* ... and it is our thread */
    bool turning, polling;         /* ... and is in a turn; and may be asleep there */
    bool company;                  /* others have been woken since: they are likely to ask, too */
    bool stop;
    pthread_t runner;    /* who is turning */
    uint64_t changes;    /* of who runs it */
    uint64_t left_us;    /* when it was run last */
    pthread_cond_t cond; /* of our thread */
    pthread_t thread;
};

/* ---- Sleeping. Not a condition: whoever is woken would want the mutex first, while the one that wakes it
 * goes on with it. ---- */
static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void futex_wait(_Atomic uint32_t *word, uint32_t value, uint64_t until_us)
{
    struct timespec at = {(time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000};
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, &at, NULL, FUTEX_BITSET_MATCH_ANY);
}

static void list_add(struct ldr_helm_wait **list, struct ldr_helm_wait *w)
{
    w->list = list;
    w->prev = NULL;
    w->next = *list;
    if (*list)
        (*list)->prev = w;
    *list = w;
}

static void list_remove(struct ldr_helm_wait *w)
{
    *(w->prev ? &w->prev->next : w->list) = w->next;
    if (w->next)
        w->next->prev = w->prev;
}

/* With the mutex held; gives it up. The wait may be gone before its thread is woken: then nobody sleeps at
 * that address. */
static void rouse(struct ldr_helm *h, struct ldr_helm_wait *w, uint32_t as)
{
    _Atomic uint32_t *word = &w->state;
    list_remove(w);
    atomic_store(word, as);
    pthread_mutex_unlock(&h->mutex);
    futex_wake(word);
}

/* ---- Running. With the mutex held before and afterwards, unless they say otherwise. ---- */
static void take(struct ldr_helm *h)
{
    h->taken = true;
    h->changes++;
    ldr_uv_loop_own(h->loop);
}

/* The latest that waits has the longest to wait, so the helm changes hands least often. Gives the mutex up.
 */
static void pass_on(struct ldr_helm *h)
{
    struct ldr_helm_wait *w = h->asleep;
    ldr_uv_loop_disown(h->loop);
    h->left_us = h->seam->mono_us(h->seam->ctx);
    h->ours = false;
    h->taken = h->company = w != NULL;
    if (w)
        rouse(h, w, CHOSEN);
    else
        pthread_mutex_unlock(&h->mutex);
}

/* What has been posted, or else a turn of the loop. Callers are woken afterwards, without the mutex: each of
 * them may have this processor at once. */
static void turn(struct ldr_helm *h, bool wait)
{
    struct ldr_job *j = wait ? h->first : NULL, *next;
    if (j) {
        h->first = NULL;
        h->last = &h->first;
    }
    h->turning = true;
    h->runner = pthread_self();
    h->polling = wait && !j;
    pthread_mutex_unlock(&h->mutex);
    if (!j)
        ldr_uv_loop_turn(h->loop, wait);
    for (; j; j = next) {
        next = j->next; /* the job may be gone after it ran */
        j->run(j);
    }
    pthread_mutex_lock(&h->mutex);
    h->turning = h->polling = false;
    while (h->rising) {
        h->company = true;
        rouse(h, h->rising, AWAKE);
        pthread_mutex_lock(&h->mutex);
    }
}

/* Callers that were woken are likely to ask again: what they ask goes out as one, and nobody is woken for it,
 * when they come first. Costs next to nothing when they are on other processors. */
static void let_others(struct ldr_helm *h)
{
    h->company = false;
    pthread_mutex_unlock(&h->mutex);
    sched_yield();
    pthread_mutex_lock(&h->mutex);
}

static void too_late(struct ldr_timer *t)
{
    ((struct ldr_helm_wait *)t->owner)->late = true;
}

/* Gives the mutex up. */
static void lead(struct ldr_helm *h, struct ldr_helm_wait *w, uint64_t until_us)
{
    uint64_t now = h->seam->mono_us(h->seam->ctx);
    take(h);
    atomic_store(&w->state, LEADS);
    w->late = false;
    w->until.fire = too_late;
    w->until.owner = w;
    h->seam->timer_start(h->seam->ctx, &w->until, until_us > now ? until_us - now : 0);
    if (now - h->left_us > STALE_US)
        turn(h, false);
    while (!atomic_load(&w->woken) && !w->late) {
        if (h->company)
            let_others(h);
        turn(h, true);
    }
    h->seam->timer_stop(h->seam->ctx, &w->until);
    atomic_store(&w->state, AWAKE);
    pass_on(h);
}

/* ---- Waiting. ---- */
static void sleep_at(struct ldr_helm *h, struct ldr_helm_wait *w, uint64_t until_us)
{
    do
        futex_wait(&w->state, ASLEEP, until_us);
    while (atomic_load(&w->state) == ASLEEP && h->seam->mono_us(h->seam->ctx) < until_us);
    if (atomic_load(&w->state) == AWAKE)
        return;
    pthread_mutex_lock(&h->mutex);
    if (atomic_load(&w->state) == CHOSEN) {
        lead(h, w, until_us);
        return;
    }
    if (atomic_load(&w->state) == ASLEEP)
        list_remove(w);
    atomic_store(&w->state, AWAKE);
    pthread_mutex_unlock(&h->mutex);
}

void ldr_helm_wait(struct ldr_helm_wait *w, uint64_t until_us)
{
    struct ldr_helm *h = w->helm;
    pthread_mutex_lock(&h->mutex);
    if (atomic_load(&w->woken)) {
        pthread_mutex_unlock(&h->mutex);
    } else if (!h->taken) {
        lead(h, w, until_us);
    } else {
        list_add(&h->asleep, w);
        atomic_store(&w->state, ASLEEP);
        if (h->ours && h->polling)
            ldr_uv_loop_stir(h->loop); /* our thread makes way */
        pthread_mutex_unlock(&h->mutex);
        sleep_at(h, w, until_us);
    }
    atomic_store(&w->woken, false);
}

void ldr_helm_wake(struct ldr_helm_wait *w)
{
    struct ldr_helm *h = w->helm;
    pthread_mutex_lock(&h->mutex);
    bool here = h->turning && pthread_equal(h->runner, pthread_self());
    uint32_t state = atomic_load(&w->state);
    atomic_store(&w->woken, true);
    if (here && h->polling)
        ldr_uv_loop_enough(h->loop); /* what is delivered before the loop waits is not told after it */
    if (state == ASLEEP && !here) {
        rouse(h, w, AWAKE);
        return;
    }
    if (state == ASLEEP && w->list == &h->asleep) {
        list_remove(w);
        list_add(&h->rising, w);
    }
    if (state == LEADS && !here && h->polling)
        ldr_uv_loop_stir(h->loop);
    pthread_mutex_unlock(&h->mutex);
}

void ldr_helm_post(struct ldr_helm *h, struct ldr_job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&h->mutex);
    *h->last = job;
    h->last = &job->next;
    if (h->polling)
        ldr_uv_loop_stir(h->loop);
    pthread_mutex_unlock(&h->mutex);
}

/* ---- Our thread. ---- */
static void pause_for(struct ldr_helm *h, uint64_t us)
{
    uint64_t at_us = h->seam->mono_us(h->seam->ctx) + us;
    struct timespec at = {(time_t)(at_us / 1000000), (long)(at_us % 1000000) * 1000};
    pthread_cond_timedwait(&h->cond, &h->mutex, &at);
}

static void *keep(void *ctx)
{
    struct ldr_helm *h = ctx;
    pthread_mutex_lock(&h->mutex);
    while (!h->stop) {
        uint64_t seen;
        if (!h->taken) {
            take(h);
            h->ours = true;
            while (!h->asleep && !h->stop)
                turn(h, true);
            pass_on(h);
            pthread_mutex_lock(&h->mutex);
        }
        do {
            seen = h->changes;
            if (!h->stop)
                pause_for(h, LDR_HELM_LOOK_US);
        } while (!h->stop && (h->taken || h->changes != seen));
    }
    pthread_mutex_unlock(&h->mutex);
    return NULL;
}

/* ---- Life. ---- */
int ldr_helm_create(struct ldr_uv_loop *loop, struct ldr_helm **out)
{
    struct ldr_helm *h = ldr_calloc(NULL, 1, sizeof *h);
    pthread_condattr_t attr;
    if (!h)
        return LDR_E_NOMEM;
    h->loop = loop;
    h->seam = ldr_uv_loop_seam(loop);
    h->last = &h->first;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&h->mutex, NULL);
    pthread_cond_init(&h->cond, &attr);
    pthread_condattr_destroy(&attr);
    int rc = pthread_create(&h->thread, NULL, keep, h);
    if (rc) {
        pthread_mutex_destroy(&h->mutex);
        pthread_cond_destroy(&h->cond);
        ldr_release(NULL, h);
        return LDR_E_NOMEM;
    }
    *out = h;
    return 0;
}

void ldr_helm_destroy(struct ldr_helm *h)
{
    if (!h)
        return;
    pthread_mutex_lock(&h->mutex);
    h->stop = true;
    pthread_cond_signal(&h->cond);
    if (h->polling)
        ldr_uv_loop_stir(h->loop);
    pthread_mutex_unlock(&h->mutex);
    pthread_join(h->thread, NULL);
    LDR_ASSERT(!h->first && !h->taken);
    pthread_mutex_destroy(&h->mutex);
    pthread_cond_destroy(&h->cond);
    ldr_release(NULL, h);
}
