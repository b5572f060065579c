/* The line before a shard, without a shard: who leads, who waits, and that nobody is forgotten. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "shard/write_queue.h"

#define TOOK_NS UINT64_C(2000000)
#define FULL    ((uint64_t)5 << 20) /* two do not fit into a group */

static uint64_t mono_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct ldr_write_queue *queue(bool gathers)
{
    struct ldr_write_queue *q;
    assert_int_equal(ldr_write_queue_create(gathers, &q), 0);
    return q;
}

static struct ldr_write_req call(uint64_t bytes)
{
    return (struct ldr_write_req){.n = 1, .bytes = bytes};
}

static void lead(struct ldr_write_queue *q, struct ldr_write_req *self, uint64_t took_ns, size_t calls)
{
    assert_true(ldr_write_queue_wait(q, self));
    struct ldr_write_req *reqs = ldr_write_queue_take(q);
    for (struct ldr_write_req *r = reqs; r; r = r->next)
        calls--;
    assert_int_equal(calls, 0);
    ldr_write_queue_finish(q, reqs, self, took_ns);
}

static void one_caller_never_waits(void **state)
{
    (void)state;
    struct ldr_write_queue *q = queue(true);
    for (int i = 0; i < 100; i++) {
        struct ldr_write_req r = call(100);
        ldr_write_queue_push(q, &r, 1);
        assert_true(r.leads);
        assert_true(ldr_write_queue_busy(q));
        lead(q, &r, TOOK_NS, 1);
        assert_false(ldr_write_queue_wait(q, &r));
        assert_false(ldr_write_queue_busy(q)); /* nothing that the next call would wait for */
    }
    ldr_write_queue_destroy(q);
}

/* Two threads' calls in one group; returns a time before its end. */
static uint64_t pair(struct ldr_write_queue *q)
{
    struct ldr_write_req a = call(100), b = call(100);
    ldr_write_queue_push(q, &a, 1);
    ldr_write_queue_push(q, &b, 1);
    assert_true(a.leads);
    assert_false(b.leads);
    uint64_t began = mono_ns();
    lead(q, &a, TOOK_NS, 2);
    assert_false(ldr_write_queue_wait(q, &b));
    return began;
}

static void a_line_gathers_until_all_are_back(void **state)
{
    (void)state;
    struct ldr_write_queue *q = queue(true);
    int waited = 0;
    for (int i = 0; i < 200 && waited < 3; i++) {
        struct ldr_write_req c = call(100), d = call(100);
        uint64_t began = pair(q);
        bool gathers = ldr_write_queue_busy(q);
        ldr_write_queue_push(q, &c, 1);
        bool leads = c.leads;
        if (gathers && leads)
            assert_true(mono_ns() - began >= TOOK_NS); /* so late that it did not wait any more */
        ldr_write_queue_push(q, &d, 1);
        assert_int_equal(d.leads, !leads); /* it completes the line */
        waited += !leads;
        lead(q, leads ? &c : &d, TOOK_NS, 2);
        assert_false(ldr_write_queue_wait(q, leads ? &d : &c));
        struct ldr_write_req e = call(100); /* alone: leads, at the latest when nobody else has come */
        ldr_write_queue_push(q, &e, 1);
        lead(q, &e, 0, 1);
    }
    assert_int_equal(waited, 3);
    ldr_write_queue_destroy(q);
}

static void callers_who_stay_away_are_not_waited_for(void **state)
{
    (void)state;
    struct ldr_write_queue *q = queue(true);
    uint64_t began = pair(q);
    assert_true(ldr_write_queue_busy(q));
    struct ldr_write_req c = call(100);
    ldr_write_queue_push(q, &c, 1);
    lead(q, &c, TOOK_NS, 1); /* in the end, by itself */
    assert_true(mono_ns() - began >= TOOK_NS);
    for (int i = 0; i < 2; i++) {
        pair(q);
        assert_false(ldr_write_queue_busy(q));
    }
    pair(q);
    assert_true(ldr_write_queue_busy(q)); /* but once in a while */
    struct ldr_write_req d = call(100);
    ldr_write_queue_push(q, &d, 1);
    lead(q, &d, 0, 1);
    ldr_write_queue_destroy(q);
}

static void without_syncs_nobody_gathers(void **state)
{
    (void)state;
    struct ldr_write_queue *q = queue(false);
    for (int i = 0; i < 10; i++) {
        pair(q);
        assert_false(ldr_write_queue_busy(q));
    }
    ldr_write_queue_destroy(q);
}

static void large_calls_make_groups_of_their_own(void **state)
{
    (void)state;
    struct ldr_write_queue *q = queue(true);
    struct ldr_write_req mine[3] = {call(FULL), call(FULL), call(FULL)}; /* one thread's: it leads each */
    mine[1].n = 0;                                                       /* was refused before */
    ldr_write_queue_push(q, mine, 3);
    assert_true(mine[0].leads);
    lead(q, &mine[0], 0, 1);
    assert_false(ldr_write_queue_wait(q, &mine[0]));
    lead(q, &mine[2], 0, 1);
    assert_false(ldr_write_queue_wait(q, &mine[2]));
    ldr_write_queue_destroy(q);
}

/* ---- Many threads: every call is done once, one thread leads at a time, nobody sleeps for ever ---- */

struct crowd {
    struct ldr_write_queue *q;
    _Atomic int leading;
    _Atomic uint64_t done;
};
struct member {
    struct crowd *c;
    pthread_t thread;
    uint64_t random, pushed;
    int rounds;
};

static uint64_t next_random(uint64_t *r)
{
    *r = *r * UINT64_C(6364136223846793005) + 1442695040888963407;
    return *r >> 33;
}

static void lead_crowd(struct crowd *c, struct ldr_write_req *self)
{
    assert_int_equal(atomic_fetch_add(&c->leading, 1), 0);
    struct ldr_write_req *reqs = ldr_write_queue_take(c->q);
    for (struct ldr_write_req *r = reqs; r; r = r->next) {
        assert_int_equal(r->rc, 0);
        r->rc = 7;
        atomic_fetch_add(&c->done, 1);
    }
    sched_yield();
    assert_int_equal(atomic_fetch_add(&c->leading, -1), 1);
    ldr_write_queue_finish(c->q, reqs, self, 100000);
}

static void *member_main(void *arg)
{
    struct member *m = arg;
    for (int i = 0; i < m->rounds; i++) {
        struct ldr_write_req reqs[3];
        size_t n = 1 + (next_random(&m->random) % 4 == 0) * (next_random(&m->random) % 3);
        for (size_t k = 0; k < n; k++)
            reqs[k] = call(next_random(&m->random) % 8 == 0 ? FULL : 100);
        ldr_write_queue_push(m->c->q, reqs, n);
        m->pushed += n;
        for (size_t k = 0; k < n; k++) {
            while (ldr_write_queue_wait(m->c->q, &reqs[k]))
                lead_crowd(m->c, &reqs[k]);
            assert_int_equal(reqs[k].rc, 7);
        }
    }
    return NULL;
}

static void nobody_is_forgotten(void **state)
{
    (void)state;
    enum { CROWDS = 120, MOST = 12 };
    for (int i = 0; i < CROWDS; i++) {
        struct crowd c = {.q = queue(i % 3 != 0)};
        struct member m[MOST];
        int n = 1 + i % MOST;
        uint64_t pushed = 0;
        for (int k = 0; k < n; k++) {
            m[k] = (struct member){.c = &c, .random = (uint64_t)(i * MOST + k), .rounds = 5 + i};
            assert_int_equal(pthread_create(&m[k].thread, NULL, member_main, &m[k]), 0);
        }
        for (int k = 0; k < n; k++) {
            pthread_join(m[k].thread, NULL);
            pushed += m[k].pushed;
        }
        assert_int_equal(atomic_load(&c.done), pushed);
        ldr_write_queue_destroy(c.q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_caller_never_waits),
        cmocka_unit_test(a_line_gathers_until_all_are_back),
        cmocka_unit_test(callers_who_stay_away_are_not_waited_for),
        cmocka_unit_test(without_syncs_nobody_gathers),
        cmocka_unit_test(large_calls_make_groups_of_their_own),
        cmocka_unit_test(nobody_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
