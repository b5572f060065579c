/* The loop that a daemon or a simulator hands in: time, timers and randomness for code that runs on one
 * thread and never waits. Everything that happens to such code happens in a callback on its loop. */
#ifndef LDR_ENV_LOOP_H
#define LDR_ENV_LOOP_H
#include <stdbool.h>
#include <stdint.h>

/* Embedded by whoever waits. Zeroed before its first start. Starting a timer that runs moves it. */
struct ldr_timer {
    void (*fire)(struct ldr_timer *t);
    void *owner;   /* the user's */
    void *impl[2]; /* the loop's */
};
struct ldr_loop {
    void *ctx;
    int64_t (*now_us)(void *ctx);   /* wall clock, microseconds since 1970 UTC; may jump, may be wrong */
    uint64_t (*mono_us)(void *ctx); /* never goes back */
    uint64_t (*random)(void *ctx);  /* 64 random bits */
    void (*timer_start)(void *ctx, struct ldr_timer *t,
                        uint64_t delay_us);             /* fires once, never inside the call */
    void (*timer_stop)(void *ctx, struct ldr_timer *t); /* it does not fire any more; fine when idle */
};
#endif
