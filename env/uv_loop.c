/* The loop on libuv: a timerfd drives a heap of timers, one uv_async brings jobs from other threads.
 *
 * Not a uv_timer: libuv waits with a time-out then, and the kernel sets up and takes down a timer of its own
 * around every single wait, a tenth of what answering a small request costs. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "env/env.h"

struct entry {
    uint64_t due_us, seq; /* seq: of equal times the earlier started fires first */
    struct ldr_timer *timer;
};

struct ldr_uv_loop {
    uv_loop_t uv;
    uv_async_t wake;
    uv_poll_t clock;
    int clock_fd;
    struct ldr_loop seam;
    uint64_t random[2];

    struct entry *heap; /* timer->impl[0] is its place here, from 1 */
    size_t n, cap;
    uint64_t seq, armed_us; /* armed_us: when the clock fires, not after the first of the heap is due;
                               UINT64_MAX = never */

    uv_mutex_t mutex; /* of the jobs */
    struct ldr_job *first, **last;
    bool stop; /* also under the mutex */

    atomic_bool runs;
    uv_thread_t runner, thread;
    bool lent;  /* by a thread that may not be ours, */
    int writes; /* and libuv may write by itself: then SIGPIPE is held, */
    bool holds; /* and was `before` */
    sigset_t before;
    bool has_thread;
};

/* ---- The heap. ---- */
static bool before(const struct entry *a, const struct entry *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->seq < b->seq;
}

static void place(struct ldr_uv_loop *l, size_t i, struct entry e)
{
    l->heap[i] = e;
    e.timer->impl[0] = (void *)(uintptr_t)(i + 1);
}

static void sift(struct ldr_uv_loop *l, size_t i, struct entry e)
{
    while (i > 0 && before(&e, &l->heap[(i - 1) / 2])) {
        place(l, i, l->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    for (;;) {
        size_t c = 2 * i + 1;
        if (c + 1 < l->n && before(&l->heap[c + 1], &l->heap[c]))
            c++;
        if (c >= l->n || !before(&l->heap[c], &e))
            break;
        place(l, i, l->heap[c]);
        i = c;
    }
    place(l, i, e);
}

static void heap_remove(struct ldr_uv_loop *l, struct ldr_timer *t)
{
    size_t i = (size_t)(uintptr_t)t->impl[0] - 1;
    LDR_ASSERT(i < l->n && l->heap[i].timer == t);
    t->impl[0] = NULL;
    struct entry last = l->heap[--l->n];
    if (i < l->n)
        sift(l, i, last);
}

/* ---- Timers. ---- */
static uint64_t seam_mono_us(void *ctx)
{
    struct timespec t;
    (void)ctx;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* A clock that fires too early is left alone: most timers are stopped long before they are due, and each
 * would cost two system calls. */
static void arm(struct ldr_uv_loop *l)
{
    uint64_t due = l->n ? l->heap[0].due_us : UINT64_MAX;
    if (due >= l->armed_us)
        return;
    l->armed_us = due;
    due = due ? due : 1; /* zero would stop it; what is past fires at once */
    struct itimerspec at = {.it_value = {(time_t)(due / 1000000), (long)(due % 1000000) * 1000}};
    int rc = timerfd_settime(l->clock_fd, TFD_TIMER_ABSTIME, &at, NULL);
    LDR_ASSERT(rc == 0); /* it has no reason to fail */
}

static void fire_due(struct ldr_uv_loop *l)
{
    uint64_t now = seam_mono_us(NULL), seq = l->seq;
    /* what is started meanwhile waits for the next turn, so that a timer of no delay cannot hold the loop */
    while (l->n && l->heap[0].due_us <= now && l->heap[0].seq <= seq) {
        struct ldr_timer *t = l->heap[0].timer;
        heap_remove(l, t);
        t->fire(t);
    }
}

static void clock_fires(uv_poll_t *h, int status, int events)
{
    struct ldr_uv_loop *l = h->data;
    uint64_t expired;
    (void)status;
    (void)events;
    if (read(l->clock_fd, &expired, sizeof expired) < 0)
        return;      /* it was set to a later time after it had fired */
    l->armed_us = 0; /* while timers fire nobody sets it: once is enough, afterwards */
    fire_due(l);
    l->armed_us = UINT64_MAX;
    arm(l);
}

static void seam_timer_stop(void *ctx, struct ldr_timer *t)
{
    struct ldr_uv_loop *l = ctx;
    if (t->impl[0])
        heap_remove(l, t); /* the clock may fire for nothing, and is set anew then */
}

static void seam_timer_start(void *ctx, struct ldr_timer *t, uint64_t delay_us)
{
    struct ldr_uv_loop *l = ctx;
    seam_timer_stop(ctx, t);
    if (l->n == l->cap) {
        size_t cap = l->cap ? 2 * l->cap : 64;
        struct entry *heap = ldr_resize(NULL, l->heap, cap * sizeof *heap);
        LDR_ASSERT(heap);
        l->heap = heap;
        l->cap = cap;
    }
    uint64_t now = seam_mono_us(NULL),
             due = delay_us > UINT64_MAX / 2 - now ? UINT64_MAX / 2 : now + delay_us;
    l->n++;
    sift(l, l->n - 1, (struct entry){due, ++l->seq, t});
    if (l->heap[0].timer == t)
        arm(l);
}

/* ---- The rest of the seam. ---- */
static int64_t seam_now_us(void *ctx)
{
    (void)ctx;
    return ldr_clock_system().now_us(NULL);
}

/* splitmix64 from a random start: for jitter and ids, not for secrets */
static uint64_t seam_random(void *ctx)
{
    struct ldr_uv_loop *l = ctx;
    uint64_t z = (l->random[0] += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31) ^ l->random[1];
}

const struct ldr_loop *ldr_uv_loop_seam(struct ldr_uv_loop *l)
{
    return &l->seam;
}

struct uv_loop_s *ldr_uv_loop_handle(struct ldr_uv_loop *l)
{
    return &l->uv;
}

/* ---- Jobs from other threads. ---- */
static void run_jobs(struct ldr_uv_loop *l)
{
    uv_mutex_lock(&l->mutex);
    struct ldr_job *j = l->first, *next;
    l->first = NULL;
    l->last = &l->first;
    uv_mutex_unlock(&l->mutex);
    for (; j; j = next) {
        next = j->next; /* the job may be gone after it ran */
        j->run(j);
    }
}

static void woken(uv_async_t *h)
{
    struct ldr_uv_loop *l = h->data;
    run_jobs(l);
    uv_mutex_lock(&l->mutex);
    bool stop = l->stop;
    l->stop = false;
    uv_mutex_unlock(&l->mutex);
    if (stop)
        uv_stop(&l->uv);
}

/* Under the mutex: the loop cannot be destroyed between the change and the wake-up by whoever saw the change.
 */
void ldr_uv_loop_post(struct ldr_uv_loop *l, struct ldr_job *job)
{
    job->next = NULL;
    uv_mutex_lock(&l->mutex);
    *l->last = job;
    l->last = &job->next;
    uv_async_send(&l->wake);
    uv_mutex_unlock(&l->mutex);
}

void ldr_uv_loop_stop(struct ldr_uv_loop *l)
{
    uv_mutex_lock(&l->mutex);
    l->stop = true;
    uv_async_send(&l->wake);
    uv_mutex_unlock(&l->mutex);
}

/* ---- Life. ---- */
int ldr_uv_loop_create(struct ldr_uv_loop **out)
{
    struct ldr_uv_loop *l = ldr_calloc(NULL, 1, sizeof *l);
    if (!l)
        return LDR_E_NOMEM;
    l->last = &l->first;
    l->armed_us = UINT64_MAX;
    l->seam = (struct ldr_loop){.ctx = l,
                                .now_us = seam_now_us,
                                .mono_us = seam_mono_us,
                                .random = seam_random,
                                .timer_start = seam_timer_start,
                                .timer_stop = seam_timer_stop};
    if (ldr_random_bytes(l->random, sizeof l->random) || uv_loop_init(&l->uv))
        goto fail;
    if (uv_mutex_init(&l->mutex))
        goto fail_mutex;
    if (uv_async_init(&l->uv, &l->wake, woken))
        goto fail_async;
    l->clock_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (l->clock_fd < 0)
        goto fail_clock;
    if (uv_poll_init(&l->uv, &l->clock, l->clock_fd) || uv_poll_start(&l->clock, UV_READABLE, clock_fires))
        goto fail_poll;
    l->wake.data = l->clock.data = l;
    *out = l;
    return 0;
fail_poll:
    close(l->clock_fd);
fail_clock:
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
fail_async:
    uv_mutex_destroy(&l->mutex);
fail_mutex:
    uv_loop_close(&l->uv);
fail:
    ldr_release(NULL, l);
    return LDR_E_IO;
}

void ldr_uv_loop_run(struct ldr_uv_loop *l)
{
    l->runner = uv_thread_self();
    atomic_store(&l->runs, true);
    uv_run(&l->uv, UV_RUN_DEFAULT); /* ends by uv_stop only: the async handle keeps it alive */
    atomic_store(&l->runs, false);
}

/* ---- Run by several threads in turn. ---- */
/* A write to a connection whose other end has gone fails with EPIPE; it must not end the process, which may
 * not be ours to set up. */
static void hold_pipes(sigset_t *before)
{
    sigset_t pipes;
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipes, before);
}

/* One that came meanwhile is of our writes, unless it was held before, too. */
static void let_pipes(const sigset_t *before)
{
    sigset_t pipes;
    const struct timespec at_once = {0, 0};
    sigemptyset(&pipes);
    sigaddset(&pipes, SIGPIPE);
    if (!sigismember(before, SIGPIPE))
        (void)sigtimedwait(&pipes, NULL, &at_once);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

void ldr_uv_loop_own(struct ldr_uv_loop *l)
{
    l->runner = uv_thread_self();
    atomic_store(&l->runs, true);
    l->lent = true;
    ldr_uv_loop_writes(l, 0);
}

void ldr_uv_loop_disown(struct ldr_uv_loop *l)
{
    atomic_store(&l->runs, false);
    l->lent = false;
    if (l->holds)
        let_pipes(&l->before);
    l->holds = false;
}

void ldr_uv_loop_writes(struct ldr_uv_loop *l, int more)
{
    l->writes += more;
    if (!l->lent || l->holds || l->writes == 0)
        return;
    hold_pipes(&l->before);
    l->holds = true;
}

void ldr_uv_loop_turn(struct ldr_uv_loop *l, bool wait)
{
    uv_run(&l->uv, wait ? UV_RUN_ONCE : UV_RUN_NOWAIT);
}

void ldr_uv_loop_enough(struct ldr_uv_loop *l)
{
    uv_stop(&l->uv); /* until this uv_run returns */
}

void ldr_uv_loop_stir(struct ldr_uv_loop *l)
{
    uv_async_send(&l->wake);
}

bool ldr_uv_loop_here(const struct ldr_uv_loop *l)
{
    return atomic_load(&l->runs) && pthread_equal(pthread_self(), l->runner); /* asked for every answer */
}

static void thread_main(void *arg)
{
    sigset_t before;
    hold_pipes(&before);
    ldr_uv_loop_run(arg);
}

int ldr_uv_loop_start(struct ldr_uv_loop *l)
{
    LDR_ASSERT(!l->has_thread);
    if (uv_thread_create(&l->thread, thread_main, l))
        return LDR_E_NOMEM;
    l->has_thread = true;
    return 0;
}

void ldr_uv_loop_join(struct ldr_uv_loop *l)
{
    if (!l->has_thread)
        return;
    ldr_uv_loop_stop(l);
    uv_thread_join(&l->thread);
    l->has_thread = false;
}

void ldr_uv_loop_destroy(struct ldr_uv_loop *l)
{
    if (!l)
        return;
    ldr_uv_loop_join(l);
    run_jobs(l);
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->clock, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    close(l->clock_fd);
    int rc = uv_loop_close(&l->uv);
    LDR_ASSERT(rc == 0); /* somebody left a handle on the loop */
    uv_mutex_destroy(&l->mutex);
    ldr_release(NULL, l->heap);
    ldr_release(NULL, l);
}
