/* env/: the outside world as an interface: clock and work pool. Handed in at creation, so that a simulator
 * can hand in its own. The real ones stand on libuv. */
#ifndef LDR_ENV_H
#define LDR_ENV_H
#include "base/base.h"
#include "env/log_lines.h"
#include "env/loop.h"
#include "env/program.h"
#include "env/uv_helm.h"
#include "env/uv_loop.h"

struct ldr_clock {
    void *ctx;
    int64_t (*now_us)(void *ctx);   /* microseconds since 1970 UTC; may jump */
    uint64_t (*mono_ns)(void *ctx); /* never goes back */
};
struct ldr_clock ldr_clock_system(void);

/* A fixed set of threads. ldr_pool_each runs fn(ctx, i, worker) for i in [0, n) on the workers and on the
 * calling thread, and returns when all are done: 0 or the first non-zero result (later items are then
 * skipped). worker < ldr_pool_width, unique among those running at one time in this call. Callable from
 * several threads at once, and from inside a job. */
struct ldr_pool;
int ldr_pool_create(unsigned threads, struct ldr_pool **out); /* 0 = one per usable CPU; at most 256 */
void ldr_pool_destroy(struct ldr_pool *p);                    /* waits for submitted jobs */
unsigned ldr_pool_width(const struct ldr_pool *p);            /* threads + 1: the caller works too */
int ldr_pool_each(struct ldr_pool *p, size_t n, int (*fn)(void *ctx, size_t i, unsigned worker), void *ctx);

/* One job for later, in submission order of start. The struct is embedded by the caller and must live until
 * run returns. */
struct ldr_job {
    void (*run)(struct ldr_job *job);
    struct ldr_job *next; /* the pool's */
};
void ldr_pool_submit(struct ldr_pool *p, struct ldr_job *job);

int ldr_random_bytes(void *out, size_t n); /* from the operating system; LDR_E_IO */
#endif
