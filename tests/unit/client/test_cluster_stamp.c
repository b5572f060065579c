/* Whose clock is taken for wrong when a client asks nodes for the time. */
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "client/cluster/cluster.h"

#define S INT64_C(1000000)

static void judged(size_t n, const int64_t *stamps, const bool *answered, const bool *stay)
{
    bool is[8];
    memcpy(is, answered, n * sizeof *is);
    ldr_stamps_judge(stamps, is, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(is[i], stay[i]);
}

static void one_fast_clock_is_left_out(void **state)
{
    static const bool all[8] = {true, true, true, true, true, true, true, true};
    (void)state;
    judged(4, (int64_t[]){100 * S, 3700 * S, 100 * S + 5, 100 * S - 5}, all,
           (bool[]){true, false, true, true});
    judged(3, (int64_t[]){100 * S, 100 * S, 101 * S}, all, (bool[]){true, true, false});
    judged(5, (int64_t[]){9 * S, 100 * S, 9 * S, 200 * S, 9 * S}, all,
           (bool[]){true, false, true, false, true});
    /* half a second is what nodes bear with */
    judged(3, (int64_t[]){100 * S, 100 * S, 100 * S + S / 2}, all, all);
    judged(3, (int64_t[]){INT64_MIN, INT64_MIN, INT64_MAX}, all, (bool[]){true, true, false});
}

static void a_slow_clock_condemns_nobody(void **state)
{
    static const bool all[8] = {true, true, true, true, true, true, true, true};
    (void)state;
    judged(3, (int64_t[]){100 * S, 100 * S, 1 * S}, all, all);
    judged(4, (int64_t[]){100 * S, 1 * S, 100 * S, 1 * S}, all, all); /* who is right? */
    judged(2, (int64_t[]){100 * S, 1 * S}, all, all);
    judged(1, (int64_t[]){100 * S}, all, all);
    judged(0, NULL, all, all);
    /* the silent do not count */
    judged(4, (int64_t[]){100 * S, 0, 0, 101 * S}, (bool[]){true, false, false, true},
           (bool[]){true, false, false, true});
}

/* ---- All fail at once, and answer a moment later: nodes that have just joined, a connection made anew ----
 */

static unsigned asked, refusals;
static uint64_t mono_ns(void *ctx)
{
    (void)ctx;
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static void call(void *ctx, uint32_t to, enum ldr_msg_type type, struct ldr_slice payload,
                 uint32_t timeout_ms, struct ldr_call *c)
{
    (void)ctx;
    (void)payload;
    assert_int_equal(type, LDR_MSG_STAMP);
    assert_true(timeout_ms <= 501);
    struct ldr_buf b;
    struct ldr_stamp_rep a = {.stamp_us = 1000 + to};
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_stamp_rep_encode(&a, &b), 0);
    bool refused = asked++ < refusals;
    c->done(c, refused ? LDR_E_UNAVAILABLE : 0, refused ? ldr_slice("", 0) : ldr_buf_slice(&b));
    ldr_buf_close(&b);
}
static int stamp(unsigned refused, int64_t *stamp_us)
{
    struct ldr_map_node nodes[2] = {{.id = 1}, {.id = 2}};
    struct ldr_map_ref map = {.map = {.nodes = nodes, .nnodes = 2}};
    struct ldr_store store = {.clock = {.mono_ns = mono_ns}, .opts = {.write_ms = 500}};
    struct ldr_remote r = {.store = &store, .peers = {NULL, call}, .map = &map};
    struct ldr_err err;
    atomic_init(&map.refs, 1);
    pthread_mutex_init(&r.map_lock, NULL);
    ldr_pace_init(&r.pace);
    asked = 0;
    refusals = refused;
    int rc = ldr_cluster_stamp(&r, stamp_us, &err);
    pthread_mutex_destroy(&r.map_lock);
    return rc;
}
static void refusals_of_a_moment_pass(void **state)
{
    (void)state;
    int64_t us;
    assert_int_equal(stamp(6, &us), 0); /* three rounds of two */
    assert_int_equal(us, 1002);
    assert_int_equal(stamp(UINT_MAX, &us), LDR_E_UNAVAILABLE);
    assert_true(asked > 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(refusals_of_a_moment_pass),
                                       cmocka_unit_test(one_fast_clock_is_left_out),
                                       cmocka_unit_test(a_slow_clock_condemns_nobody)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
