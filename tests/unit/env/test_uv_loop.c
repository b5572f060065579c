/* The loop: order of timers, stopping and moving them, jobs from other threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>

#include "env/env.h"

static struct ldr_uv_loop *loop;
static const struct ldr_loop *seam;
static char seen[256];
static size_t n_seen;

static int setup(void **state)
{
    (void)state;
    n_seen = 0;
    memset(seen, 0, sizeof seen);
    assert_int_equal(ldr_uv_loop_create(&loop), 0);
    seam = ldr_uv_loop_seam(loop);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    ldr_uv_loop_destroy(loop);
    return 0;
}

static void note(struct ldr_timer *t)
{
    seen[n_seen++] = *(char *)t->owner;
    if (*(char *)t->owner == '!')
        ldr_uv_loop_stop(loop);
}

static struct ldr_timer timer(const char *name)
{
    return (struct ldr_timer){.fire = note, .owner = (void *)(uintptr_t)name};
}

static void timers_fire_in_order(void **state)
{
    (void)state;
    struct ldr_timer a = timer("a"), b = timer("b"), c = timer("c"), d = timer("d"), e = timer("e"),
                     end = timer("!");
    uint64_t from;
anew: /* until all are started in less time than lies between any two */
    from = seam->mono_us(seam->ctx);
    seam->timer_start(seam->ctx, &end, 400000);
    seam->timer_start(seam->ctx, &c, 200000);
    seam->timer_start(seam->ctx, &b, 100000);
    seam->timer_start(seam->ctx, &a, 0);
    seam->timer_start(seam->ctx, &d, 50000);
    seam->timer_start(seam->ctx, &e, 1000);
    seam->timer_start(seam->ctx, &e, 300000); /* moved */
    seam->timer_stop(seam->ctx, &d);
    seam->timer_stop(seam->ctx, &d);
    if (seam->mono_us(seam->ctx) - from > 90000)
        goto anew;
    assert_int_equal(n_seen, 0); /* never inside the call */
    ldr_uv_loop_run(loop);
    assert_string_equal(seen, "abce!");
    assert_true(seam->mono_us(seam->ctx) - from >= 400000);
}

/* The clock was set for a timer that is gone, and fires for nothing first. */
static void what_is_stopped_holds_nobody_up(void **state)
{
    (void)state;
    struct ldr_timer gone = timer("g"), late = timer("!"), none = timer("n");
    uint64_t from = seam->mono_us(seam->ctx);
    seam->timer_start(seam->ctx, &gone, 2000);
    seam->timer_start(seam->ctx, &late, 20000);
    seam->timer_stop(seam->ctx, &gone);
    ldr_uv_loop_run(loop);
    assert_string_equal(seen, "!");
    assert_in_range(seam->mono_us(seam->ctx) - from, 20000, 60000000);
    seam->timer_start(seam->ctx, &none, 1000); /* the same with nothing left to wait for */
    seam->timer_stop(seam->ctx, &none);
    seam->timer_start(seam->ctx, &late, 5000);
    ldr_uv_loop_run(loop);
    assert_string_equal(seen, "!!");
}

static void again(struct ldr_timer *t)
{
    if (++*(int *)t->owner < 1000000)
        seam->timer_start(seam->ctx, t, 0);
}

static void a_timer_without_delay_lets_others_run(void **state)
{
    (void)state;
    int count = 0;
    struct ldr_timer busy = {.fire = again, .owner = &count}, end = timer("!");
    seam->timer_start(seam->ctx, &busy, 0);
    seam->timer_start(seam->ctx, &end, 1000);
    ldr_uv_loop_run(loop);
    assert_true(count >= 1 && count < 1000000);
    seam->timer_stop(seam->ctx, &busy);
}

enum { MANY = 5000 };
static uint64_t
    passed; /* the latest moment that something which has fired may have been due at the earliest */
static int to_fire;
struct delayed {
    struct ldr_timer t;
    uint64_t from, to, delay; /* started between the two */
};
static void check_delay(struct ldr_timer *t)
{
    struct delayed *d = t->owner;
    assert_true(seam->mono_us(seam->ctx) - d->from >= d->delay);
    assert_true(d->to + d->delay >= passed);
    passed = d->from + d->delay > passed ? d->from + d->delay : passed;
    if (--to_fire == 0)
        ldr_uv_loop_stop(loop);
}

static void many_timers_fire_by_their_delays(void **state)
{
    static struct delayed all[MANY];
    (void)state;
    passed = 0;
    to_fire = 0;
    for (int i = 0; i < MANY; i++) {
        uint64_t delay = seam->random(seam->ctx) % 3 * 50000;
        all[i] = (struct delayed){.t = {.fire = check_delay, .owner = &all[i]}, .delay = delay};
        all[i].from = seam->mono_us(seam->ctx);
        seam->timer_start(seam->ctx, &all[i].t, delay);
        all[i].to = seam->mono_us(seam->ctx);
        to_fire++;
    }
    for (int i = 0; i < MANY; i += 3) {
        seam->timer_stop(seam->ctx, &all[i].t);
        to_fire--;
    }
    ldr_uv_loop_run(loop);
    assert_int_equal(to_fire, 0);
}

struct hello {
    struct ldr_job job;
    int number;
};
static int next_number[4];
static int left;
static void job_runs(struct ldr_job *j)
{
    struct hello *h = (struct hello *)j;
    assert_true(ldr_uv_loop_here(loop));
    assert_int_equal(h->number % 1000, next_number[h->number / 1000]++);
    if (--left == 0)
        ldr_uv_loop_stop(loop);
}
static struct hello hellos[4][1000];
static void *poster(void *arg)
{
    struct hello *mine = arg;
    for (int i = 0; i < 1000; i++)
        ldr_uv_loop_post(loop, &mine[i].job);
    return NULL;
}

static void jobs_come_from_other_threads_in_order(void **state)
{
    pthread_t t[4];
    (void)state;
    left = 4000;
    for (int i = 0; i < 4000; i++)
        hellos[i / 1000][i % 1000] = (struct hello){{job_runs, NULL}, i};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, poster, hellos[i]), 0);
    ldr_uv_loop_run(loop);
    assert_int_equal(left, 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    assert_false(ldr_uv_loop_here(loop));
}

static int ran;
static void count_run(struct ldr_job *j)
{
    (void)j;
    ran++;
}

static void stop_before_run_and_posts_before_destroy(void **state)
{
    struct ldr_job j = {count_run, NULL};
    (void)state;
    ran = 0;
    ldr_uv_loop_stop(loop);
    ldr_uv_loop_run(loop); /* returns */
    assert_int_equal(ldr_uv_loop_start(loop), 0);
    ldr_uv_loop_join(loop);
    ldr_uv_loop_post(loop, &j);
    ldr_uv_loop_destroy(loop);
    assert_int_equal(ran, 1);
    assert_int_equal(ldr_uv_loop_create(&loop), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(timers_fire_in_order),
        T(what_is_stopped_holds_nobody_up),
        T(a_timer_without_delay_lets_others_run),
        T(many_timers_fire_by_their_delays),
        T(jobs_come_from_other_threads_in_order),
        T(stop_before_run_and_posts_before_destroy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
