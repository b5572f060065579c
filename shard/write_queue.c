#include "shard/write_queue.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define GROUP_BYTES   ((uint64_t)8 << 20)   /* a group takes no more calls beyond this */
#define QUEUE_BYTES   ((uint64_t)256 << 20) /* waiting; a single call may be larger */
#define QUEUE_CALLS   4096
#define GATHER_MAX_NS UINT64_C(2000000)
#define SKIPS_MAX     6 /* 2^this groups do not gather after the line did not fill so often in a row */
#define BELLS         4

struct ldr_write_queue {
    bool may_gather;
    pthread_mutex_t mutex;
    struct ldr_write_req *first, **last;
    uint64_t bytes, calls; /* in line or being written */
    uint64_t open;         /* number of the group that takes calls; those before it are full */
    uint64_t open_bytes;
    unsigned threads;     /* in line */
    _Atomic bool led;     /* somebody writes a group, or is about to take one */
    _Atomic bool gathers; /* nobody leads, and nobody shall until: */
    unsigned want;        /* threads are in line */
    uint64_t until_ns;    /* or it is so late */
    bool kept;            /* somebody in line looks at the clock */
    unsigned failures, skips;
    _Atomic uint64_t done; /* number of the last group that is finished */
    /* Callers sleep on the bell of their group. All of a group wake by one call to the kernel, which a
     * semaphore each would not give, nor a condition variable without a queue for its mutex. */
    _Atomic uint32_t bell[BELLS];
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static _Atomic uint32_t *bell_of(struct ldr_write_queue *q, uint64_t group)
{
    return &q->bell[group % BELLS];
}

/* Until the bell rings, or has since it was heard; may wake for nothing. until_ns 0: no matter how late. */
static void bell_wait(_Atomic uint32_t *bell, uint32_t heard, uint64_t until_ns)
{
    struct timespec at = {(time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u)};
    long rc = syscall(SYS_futex, bell, FUTEX_WAIT_BITSET_PRIVATE, heard, until_ns ? &at : NULL, NULL,
                      FUTEX_BITSET_MATCH_ANY);
    LDR_ASSERT(rc == 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT);
}

static void bell_ring(_Atomic uint32_t *bell, int sleepers)
{
    atomic_fetch_add(bell, 1);
    LDR_ASSERT(syscall(SYS_futex, bell, FUTEX_WAKE_PRIVATE, sleepers, NULL, NULL, 0) >= 0);
}

int ldr_write_queue_create(bool gathers, struct ldr_write_queue **out)
{
    struct ldr_write_queue *q = ldr_calloc(NULL, 1, sizeof *q);
    if (!q)
        return LDR_E_NOMEM;
    pthread_mutex_init(&q->mutex, NULL);
    q->may_gather = gathers;
    q->last = &q->first;
    q->open = 1;
    *out = q;
    return 0;
}

void ldr_write_queue_destroy(struct ldr_write_queue *q)
{
    if (!q)
        return;
    LDR_ASSERT(q->calls == 0);
    pthread_mutex_destroy(&q->mutex);
    ldr_release(NULL, q);
}

bool ldr_write_queue_busy(const struct ldr_write_queue *q)
{
    return atomic_load_explicit(&q->led, memory_order_relaxed) ||
           atomic_load_explicit(&q->gathers, memory_order_relaxed);
}

/* The mutex is held. */
static int push(struct ldr_write_queue *q, struct ldr_write_req *req)
{
    if (q->calls > 0 && (q->bytes + req->bytes > QUEUE_BYTES || q->calls >= QUEUE_CALLS))
        return LDR_E_BUSY;
    if (q->open_bytes > 0 && q->open_bytes + req->bytes > GROUP_BYTES) {
        q->open++;
        q->open_bytes = 0;
    }
    req->group = q->open;
    req->heard = atomic_load(bell_of(q, req->group));
    *q->last = req;
    q->last = &req->next;
    q->open_bytes += req->bytes;
    q->bytes += req->bytes;
    q->calls++;
    return 0;
}

/* The mutex is held; the call is in line. True: its thread leads from now on. False: it sleeps until the bell
 * rings, or until_ns. */
static bool look(struct ldr_write_queue *q, struct ldr_write_req *req)
{
    /* As it is now, under the mutex: whoever gives up the lead rings after that, which is not missed then. */
    req->heard = atomic_load(bell_of(q, req->group));
    req->until_ns = 0;
    if (q->led)
        return false;
    if (q->gathers) {
        bool full = q->threads >= q->want;
        if (!full && now_ns() < q->until_ns) {
            req->until_ns = q->kept ? 0 : q->until_ns;
            q->kept = true;
            return false;
        }
        q->failures = full ? 0 : q->failures + (q->failures < SKIPS_MAX);
        q->skips = full ? 0 : 1u << q->failures;
        q->gathers = false;
    }
    q->led = true;
    return true;
}

void ldr_write_queue_push(struct ldr_write_queue *q, struct ldr_write_req *reqs, size_t n)
{
    struct ldr_write_req *mine = NULL;
    pthread_mutex_lock(&q->mutex);
    for (size_t i = 0; i < n; i++) {
        if (reqs[i].n == 0)
            continue;
        reqs[i].rc = push(q, &reqs[i]);
        if (reqs[i].rc)
            reqs[i].n = 0;
        else if (!mine)
            mine = &reqs[i];
    }
    if (mine) {
        mine->counts = true;
        q->threads++;
        mine->leads = look(q, mine);
    }
    pthread_mutex_unlock(&q->mutex);
}

bool ldr_write_queue_wait(struct ldr_write_queue *q, struct ldr_write_req *req)
{
    bool leads = req->leads;
    req->leads = false;
    while (!leads) {
        if (atomic_load(&q->done) >= req->group)
            return false;
        bell_wait(bell_of(q, req->group), req->heard, req->until_ns);
        if (atomic_load(&q->done) >= req->group)
            return false;
        pthread_mutex_lock(&q->mutex);
        if (atomic_load(&q->done) < req->group) { /* else it is not in line any more */
            q->kept = q->kept && req->until_ns == 0;
            leads = look(q, req);
        }
        pthread_mutex_unlock(&q->mutex);
    }
    return true;
}

struct ldr_write_req *ldr_write_queue_take(struct ldr_write_queue *q)
{
    pthread_mutex_lock(&q->mutex);
    struct ldr_write_req *reqs = q->first, *r = reqs;
    LDR_ASSERT(r != NULL);
    for (q->threads -= r->counts; r->next && r->next->group == reqs->group; q->threads -= r->counts)
        r = r->next;
    q->first = r->next;
    if (!q->first)
        q->last = &q->first;
    r->next = NULL;
    if (reqs->group == q->open) {
        q->open++;
        q->open_bytes = 0;
    }
    pthread_mutex_unlock(&q->mutex);
    return reqs;
}

void ldr_write_queue_finish(struct ldr_write_queue *q, struct ldr_write_req *reqs,
                            const struct ldr_write_req *self, uint64_t took_ns)
{
    const uint64_t group = reqs->group;
    const bool others = reqs->next || self != reqs;
    unsigned threads = 0;
    pthread_mutex_lock(&q->mutex);
    for (const struct ldr_write_req *r = reqs; r; r = r->next) {
        q->bytes -= r->bytes;
        q->calls--;
        threads += r->counts;
    }
    bool gather = q->may_gather && threads + q->threads > 1 && (!q->first || q->first->group == q->open);
    if (gather && q->skips > 0) {
        q->skips--;
        gather = false;
    }
    if (gather) {
        q->want = threads + q->threads;
        q->until_ns = now_ns() + (took_ns < GATHER_MAX_NS ? took_ns : GATHER_MAX_NS);
        q->kept = false;
    }
    q->gathers = gather;
    q->led = false;
    uint64_t next = q->first ? q->first->group : 0;
    atomic_store(&q->done, group); /* from here on the calls may be gone */
    pthread_mutex_unlock(&q->mutex);
    if (next) /* to lead, or to look at the clock; first, so that the disk goes on working */
        bell_ring(bell_of(q, next), 1);
    if (others)
        bell_ring(bell_of(q, group), INT_MAX);
}
