/* The helm: who runs the loop, and that nothing of it waits for who does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "env/env.h"

#define SOON_US UINT64_C(60000000) /* longer than anything here takes; a lost wake-up shows as that long */

static struct ldr_uv_loop *loop;
static const struct ldr_loop *seam;
static struct ldr_helm *helm;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(ldr_uv_loop_create(&loop), 0);
    seam = ldr_uv_loop_seam(loop);
    assert_int_equal(ldr_helm_create(loop, &helm), 0);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    ldr_helm_destroy(helm);
    ldr_uv_loop_destroy(loop);
    return 0;
}
static uint64_t now_us(void)
{
    return seam->mono_us(seam->ctx);
}
static void nap(uint64_t us)
{
    struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    nanosleep(&t, NULL);
}

/* A question: a job that answers at once, or by a timer a little later. */
struct question {
    struct ldr_job job;
    struct ldr_timer timer;
    struct ldr_helm_wait *wait;
    uint64_t delay_us;
    pthread_t by;
    bool answered; /* under lock: whoever sees it is sure that nobody touches the wait any more */
};
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool answered(struct question *q)
{
    pthread_mutex_lock(&lock);
    bool yes = q->answered;
    pthread_mutex_unlock(&lock);
    return yes;
}
static void answer(struct question *q)
{
    q->by = pthread_self();
    assert_true(ldr_uv_loop_here(loop));
    pthread_mutex_lock(&lock);
    q->answered = true;
    ldr_helm_wake(q->wait);
    pthread_mutex_unlock(&lock);
}
static void timer_fires(struct ldr_timer *t)
{
    answer(t->owner);
}
static void asked(struct ldr_job *j)
{
    struct question *q = (struct question *)(void *)j;
    q->timer = (struct ldr_timer){.fire = timer_fires, .owner = q};
    if (q->delay_us)
        seam->timer_start(seam->ctx, &q->timer, q->delay_us);
    else
        answer(q);
}
static void ask(struct question *q, struct ldr_helm_wait *w, uint64_t delay_us)
{
    *q = (struct question){.job.run = asked, .wait = w, .delay_us = delay_us};
    ldr_helm_post(helm, &q->job);
}
static void ask_and_wait(struct question *q, struct ldr_helm_wait *w, uint64_t delay_us)
{
    uint64_t until = now_us() + SOON_US;
    ask(q, w, delay_us);
    while (!answered(q)) {
        assert_true(now_us() < until);
        ldr_helm_wait(w, until);
    }
}

static void who_asks_again_and_again_runs_the_loop(void **state)
{
    struct ldr_helm_wait w;
    int mine = 0;
    (void)state;
    ldr_helm_wait_init(&w, helm);
    for (int i = 0; mine < 100 && i < 100000;
         i++) { /* our thread may come between when this one is held up */
        struct question q;
        ask_and_wait(&q, &w, i % 2 ? 50 : 0);
        mine += pthread_equal(q.by, pthread_self()) != 0;
    }
    assert_int_equal(mine, 100);
}

static void what_nobody_waits_for_is_done_all_the_same(void **state)
{
    struct ldr_helm_wait w;
    struct question q[8];
    (void)state;
    for (int i = 0; i < 8; i++) {
        ldr_helm_wait_init(&w, helm);
        if (i % 2) { /* soon after somebody had the helm, when our thread is not in the loop */
            struct question before;
            ask_and_wait(&before, &w, 0);
        }
        ask(&q[i], &w, i % 4 < 2 ? 0 : 1000);
        for (uint64_t until = now_us() + SOON_US; !answered(&q[i]); nap(200))
            assert_true(now_us() < until);
        assert_false(pthread_equal(q[i].by, pthread_self()));
    }
}

static void time_is_over_for_who_leads_and_who_follows(void **state)
{
    struct ldr_helm_wait w;
    (void)state;
    ldr_helm_wait_init(&w, helm);
    for (int i = 0; i < 20; i++) {
        uint64_t until = now_us() + (i % 3 ? 3000 : 0);
        ldr_helm_wait(&w, until);
        assert_true(now_us() >= until);
    }
}

struct crowd {
    pthread_t thread;
    int rounds;
    uint64_t most_us;
};
static void *one_of_many(void *arg)
{
    struct crowd *c = arg;
    struct ldr_helm_wait w;
    ldr_helm_wait_init(&w, helm);
    for (int i = 0; i < c->rounds; i++) {
        struct question q;
        uint64_t from = now_us();
        if (i % 7 == 3) { /* time is over long before the answer: then it still comes, once */
            ask(&q, &w, 2000);
            ldr_helm_wait(&w, now_us() + 100);
            while (!answered(&q))
                ldr_helm_wait(&w, now_us() + SOON_US);
        } else {
            ask_and_wait(&q, &w, i % 3 ? 0 : 100);
        }
        c->most_us = now_us() - from > c->most_us ? now_us() - from : c->most_us;
    }
    return NULL;
}

static void many_wait_and_each_gets_its_answer(void **state)
{
    struct crowd c[16];
    (void)state;
    for (int i = 0; i < 16; i++) {
        c[i] = (struct crowd){.rounds = LDR_TEST_SANITIZED ? 300 : 2000};
        assert_int_equal(pthread_create(&c[i].thread, NULL, one_of_many, &c[i]), 0);
    }
    for (int i = 0; i < 16; i++) {
        pthread_join(c[i].thread, NULL);
        assert_true(c[i].most_us < SOON_US / 2);
    }
}

struct metronome {
    struct ldr_job job;
    struct ldr_timer timer;
    atomic_int beats;
    atomic_bool stop, stopped;
};
static void beat(struct ldr_timer *t)
{
    struct metronome *m = t->owner;
    atomic_fetch_add(&m->beats, 1);
    if (atomic_load(&m->stop))
        atomic_store(&m->stopped, true);
    else
        seam->timer_start(seam->ctx, t, 1000);
}
static void begin(struct ldr_job *j)
{
    struct metronome *m = (struct metronome *)(void *)j;
    m->timer = (struct ldr_timer){.fire = beat, .owner = m};
    beat(&m->timer);
}
/* Waits for so many beats, with callers in between or without. */
static void hear(struct metronome *m, struct ldr_helm_wait *w, int beats, uint64_t pause_us)
{
    struct question q;
    int from = atomic_load(&m->beats);
    for (uint64_t until = now_us() + SOON_US; atomic_load(&m->beats) < from + beats;) {
        assert_true(now_us() < until);
        if (w)
            ask_and_wait(&q, w, 0);
        if (pause_us)
            nap(pause_us);
    }
}

static void timers_fire_while_callers_come_and_go(void **state)
{
    struct metronome m = {.job.run = begin};
    struct ldr_helm_wait w;
    (void)state;
    ldr_helm_wait_init(&w, helm);
    ldr_helm_post(helm, &m.job);
    hear(&m, NULL, 20, 1000);
    hear(&m, &w, 20, 0);
    hear(&m, &w, 20, 300);
    hear(&m, &w, 20, LDR_HELM_LOOK_US * 2);
    hear(&m, NULL, 20, 1000);
    atomic_store(&m.stop, true);
    for (uint64_t until = now_us() + SOON_US; !atomic_load(&m.stopped); nap(500))
        assert_true(now_us() < until);
}

struct waker {
    struct ldr_helm_wait *wait;
    uint64_t after_us;
};
static void *wakes(void *arg)
{
    struct waker *k = arg;
    nap(k->after_us);
    ldr_helm_wake(k->wait);
    return NULL;
}
static void others_wake_who_leads_and_who_sleeps(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct ldr_helm_wait w[2];
        struct waker k[2] = {{&w[0], i % 2 ? 0 : 2000}, {&w[1], 4000}};
        pthread_t t[2];
        struct question q;
        for (int j = 0; j < 2; j++)
            ldr_helm_wait_init(&w[j], helm);
        ask_and_wait(&q, &w[0], 0); /* our thread has made way */
        for (int j = 0; j < 2; j++)
            assert_int_equal(pthread_create(&t[j], NULL, wakes, &k[j]), 0);
        uint64_t until = now_us() + SOON_US;
        ldr_helm_wait(&w[0], until);
        ldr_helm_wait(&w[1], until);
        assert_true(now_us() < until);
        for (int j = 0; j < 2; j++)
            pthread_join(t[j], NULL);
    }
}

/* A thread that had the loop while libuv wrote to a connection that was gone. */
static void a_broken_pipe_does_not_reach_a_caller(void **state)
{
    int pair[2];
    sigset_t held;
    (void)state;
    ldr_helm_destroy(helm);
    helm = NULL;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    close(pair[1]);
    for (int early = 0; early < 2; early++) { /* it was writing before, or begins to */
        if (early)
            ldr_uv_loop_writes(loop, 1);
        ldr_uv_loop_own(loop);
        if (!early)
            ldr_uv_loop_writes(loop, 1);
        assert_int_equal(write(pair[0], "x", 1), -1);
        ldr_uv_loop_writes(loop, -1);
        ldr_uv_loop_disown(loop);
        sigpending(&held);
        assert_false(sigismember(&held, SIGPIPE));
        pthread_sigmask(SIG_BLOCK, NULL, &held);
        assert_false(sigismember(&held, SIGPIPE));
    }
    close(pair[0]);
}

static uint64_t cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}
static void idle_costs_nothing(void **state)
{
    struct ldr_helm_wait w;
    struct question q;
    (void)state;
    ldr_helm_wait_init(&w, helm);
    ask_and_wait(&q, &w, 0);
    uint64_t from = cpu_us();
    nap(500000);
    assert_true(cpu_us() - from < 50000); /* looks would be 100; a loop that spins 500,000 */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(who_asks_again_and_again_runs_the_loop),     T(what_nobody_waits_for_is_done_all_the_same),
        T(time_is_over_for_who_leads_and_who_follows), T(many_wait_and_each_gets_its_answer),
        T(timers_fire_while_callers_come_and_go),      T(others_wake_who_leads_and_who_sleeps),
        T(a_broken_pipe_does_not_reach_a_caller),      T(idle_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
