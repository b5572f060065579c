/* The work pool. Threads serve two queues: calls of ldr_pool_each that still have items to hand out, and
 * single jobs. Calls come first: somebody waits for each of them. */
#include <uv.h>

#include "env/env.h"

#define POOL_MAX 256

struct call { /* one ldr_pool_each; lives on its caller's stack */
    int (*fn)(void *ctx, size_t i, unsigned worker);
    void *ctx;
    size_t next, n; /* next item to hand out */
    size_t running;
    int result; /* first non-zero */
    uv_cond_t done;
    struct call *prev_call, *next_call;
};

struct ldr_pool {
    uv_mutex_t mutex;
    uv_cond_t work;
    struct call *calls; /* with items to hand out */
    struct ldr_job *first, **last;
    bool stop;
    unsigned n;
    uv_thread_t threads[POOL_MAX];
};

static void call_add(struct ldr_pool *p, struct call *c)
{
    c->prev_call = NULL;
    c->next_call = p->calls;
    if (p->calls)
        p->calls->prev_call = c;
    p->calls = c;
}

static void call_remove(struct ldr_pool *p, struct call *c)
{
    if (c->next_call)
        c->next_call->prev_call = c->prev_call;
    if (c->prev_call)
        c->prev_call->next_call = c->next_call;
    else
        p->calls = c->next_call;
}

/* Takes one item of c and runs it. Called and returns with the mutex held; there is an item left. */
static void call_step(struct ldr_pool *p, struct call *c, unsigned worker)
{
    size_t i = c->next++;
    if (c->next == c->n)
        call_remove(p, c);
    c->running++;
    uv_mutex_unlock(&p->mutex);
    int rc = c->fn(c->ctx, i, worker);
    uv_mutex_lock(&p->mutex);
    c->running--;
    if (rc && !c->result) {
        c->result = rc;
        if (c->next < c->n) { /* the rest is skipped */
            c->next = c->n;
            call_remove(p, c);
        }
    }
    if (c->next == c->n && c->running == 0)
        uv_cond_signal(&c->done);
}

/* Index of the calling thread in the pool; the pool's size for a thread from outside. */
static unsigned self_index(const struct ldr_pool *p)
{
    uv_thread_t self = uv_thread_self();
    for (unsigned i = 0; i < p->n; i++)
        if (uv_thread_equal(&self, &p->threads[i]))
            return i;
    return p->n;
}

static void pool_main(void *arg)
{
    struct ldr_pool *p = arg;
    uv_mutex_lock(&p->mutex); /* also waits until create has filled in threads[] */
    unsigned worker = self_index(p);
    for (;;) {
        if (p->calls) {
            call_step(p, p->calls, worker);
        } else if (p->first) {
            struct ldr_job *job = p->first;
            p->first = job->next;
            if (!p->first)
                p->last = &p->first;
            uv_mutex_unlock(&p->mutex);
            job->run(job);
            uv_mutex_lock(&p->mutex);
        } else if (p->stop) {
            break;
        } else {
            uv_cond_wait(&p->work, &p->mutex);
        }
    }
    uv_mutex_unlock(&p->mutex);
}

int ldr_pool_create(unsigned threads, struct ldr_pool **out)
{
    if (threads == 0)
        threads = uv_available_parallelism();
    if (threads > POOL_MAX)
        return LDR_E_INVALID;
    struct ldr_pool *p = ldr_calloc(NULL, 1, sizeof *p);
    if (!p)
        return LDR_E_NOMEM;
    p->last = &p->first;
    if (uv_mutex_init(&p->mutex) != 0)
        goto fail_mutex;
    if (uv_cond_init(&p->work) != 0)
        goto fail_cond;
    uv_mutex_lock(&p->mutex);
    int rc = 0;
    while (p->n < threads && rc == 0) {
        rc = uv_thread_create(&p->threads[p->n], pool_main, p);
        p->n += rc == 0;
    }
    uv_mutex_unlock(&p->mutex);
    if (rc != 0) {
        ldr_pool_destroy(p);
        return LDR_E_NOMEM;
    }
    *out = p;
    return 0;
fail_cond:
    uv_mutex_destroy(&p->mutex);
fail_mutex:
    ldr_release(NULL, p);
    return LDR_E_NOMEM;
}

void ldr_pool_destroy(struct ldr_pool *p)
{
    if (!p)
        return;
    uv_mutex_lock(&p->mutex);
    p->stop = true;
    uv_cond_broadcast(&p->work);
    uv_mutex_unlock(&p->mutex);
    for (unsigned i = 0; i < p->n; i++)
        uv_thread_join(&p->threads[i]);
    uv_cond_destroy(&p->work);
    uv_mutex_destroy(&p->mutex);
    ldr_release(NULL, p);
}

unsigned ldr_pool_width(const struct ldr_pool *p)
{
    return p->n + 1;
}

int ldr_pool_each(struct ldr_pool *p, size_t n, int (*fn)(void *ctx, size_t i, unsigned worker), void *ctx)
{
    if (n == 0)
        return 0;
    struct call c = {.fn = fn, .ctx = ctx, .n = n};
    int rc = uv_cond_init(&c.done);
    LDR_ASSERT(rc == 0); /* a condition variable needs no resource that could run out */
    uv_mutex_lock(&p->mutex);
    call_add(p, &c);
    if (n > 1)
        uv_cond_broadcast(&p->work);
    unsigned worker = self_index(p);
    while (c.next < c.n)
        call_step(p, &c, worker);
    while (c.running > 0)
        uv_cond_wait(&c.done, &p->mutex);
    uv_mutex_unlock(&p->mutex);
    uv_cond_destroy(&c.done);
    return c.result;
}

void ldr_pool_submit(struct ldr_pool *p, struct ldr_job *job)
{
    job->next = NULL;
    uv_mutex_lock(&p->mutex);
    *p->last = job;
    p->last = &job->next;
    uv_cond_signal(&p->work);
    uv_mutex_unlock(&p->mutex);
}
