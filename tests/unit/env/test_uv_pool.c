#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>

#include <cmocka.h>

#include "env/env.h"

#define ITEMS 2000

struct tally {
    atomic_uint seen[ITEMS];
    atomic_bool busy[260]; /* by worker: two at once would break the promise */
    unsigned width;
    size_t fail_at;
    atomic_uint ran;
};

static int count_item(void *ctx, size_t i, unsigned worker)
{
    struct tally *t = ctx;
    assert_true(worker < t->width);
    assert_false(atomic_exchange(&t->busy[worker], true));
    atomic_fetch_add(&t->seen[i], 1);
    atomic_fetch_add(&t->ran, 1);
    atomic_store(&t->busy[worker], false);
    return i == t->fail_at ? -77 : 0;
}

static struct tally *tally_create(struct ldr_pool *p)
{
    struct tally *t = ldr_calloc(NULL, 1, sizeof *t);
    assert_non_null(t);
    t->width = ldr_pool_width(p);
    t->fail_at = SIZE_MAX;
    return t;
}

static void each_item_runs_once(void **state)
{
    (void)state;
    static const unsigned sizes[] = {0, 1, 3, 8};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
        struct ldr_pool *p;
        assert_int_equal(ldr_pool_create(sizes[k], &p), 0);
        if (sizes[k])
            assert_int_equal(ldr_pool_width(p), sizes[k] + 1);
        assert_true(ldr_pool_width(p) >= 2);
        struct tally *t = tally_create(p);
        assert_int_equal(ldr_pool_each(p, ITEMS, count_item, t), 0);
        for (size_t i = 0; i < ITEMS; i++)
            assert_int_equal(atomic_load(&t->seen[i]), 1);
        assert_int_equal(ldr_pool_each(p, 0, count_item, t), 0);
        ldr_release(NULL, t);
        ldr_pool_destroy(p);
    }
}

static void a_failure_skips_the_rest(void **state)
{
    (void)state;
    struct ldr_pool *p;
    assert_int_equal(ldr_pool_create(2, &p), 0);
    struct tally *t = tally_create(p);
    t->fail_at = 10;
    assert_int_equal(ldr_pool_each(p, ITEMS, count_item, t), -77);
    for (size_t i = 0; i <= 10; i++) /* handed out in order */
        assert_int_equal(atomic_load(&t->seen[i]), 1);
    /* the pool still works */
    t->fail_at = SIZE_MAX;
    assert_int_equal(ldr_pool_each(p, 5, count_item, t), 0);
    t->fail_at = 0;
    assert_int_equal(ldr_pool_each(p, 1, count_item, t), -77);
    ldr_release(NULL, t);
    ldr_pool_destroy(p);
}

static void sizes_over_the_limit_are_refused(void **state)
{
    (void)state;
    struct ldr_pool *p = NULL;
    assert_int_equal(ldr_pool_create(257, &p), LDR_E_INVALID);
    assert_null(p);
    ldr_pool_destroy(NULL);
}

struct nested {
    struct ldr_pool *pool;
    atomic_uint inner;
};

static int inner_item(void *ctx, size_t i, unsigned worker)
{
    struct nested *n = ctx;
    (void)i;
    assert_true(worker < ldr_pool_width(n->pool));
    atomic_fetch_add(&n->inner, 1);
    return 0;
}

static int outer_item(void *ctx, size_t i, unsigned worker)
{
    struct nested *n = ctx;
    (void)i, (void)worker;
    return ldr_pool_each(n->pool, 20, inner_item, n);
}

static void calls_nest(void **state)
{
    (void)state;
    struct nested n = {0};
    assert_int_equal(ldr_pool_create(3, &n.pool), 0);
    for (int round = 0; round < 20; round++)
        assert_int_equal(ldr_pool_each(n.pool, 30, outer_item, &n), 0);
    assert_int_equal(atomic_load(&n.inner), 20 * 30 * 20);
    ldr_pool_destroy(n.pool);
}

static void *call_each(void *arg)
{
    struct nested *n = arg;
    for (int i = 0; i < 50; i++)
        if (ldr_pool_each(n->pool, 40, inner_item, n) != 0)
            return arg;
    return NULL;
}

static void several_threads_call_at_once(void **state)
{
    (void)state;
    struct nested n = {0};
    assert_int_equal(ldr_pool_create(2, &n.pool), 0);
    pthread_t th[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&th[i], NULL, call_each, &n), 0);
    for (int i = 0; i < 4; i++) {
        void *bad;
        assert_int_equal(pthread_join(th[i], &bad), 0);
        assert_null(bad);
    }
    assert_int_equal(atomic_load(&n.inner), 4 * 50 * 40);
    ldr_pool_destroy(n.pool);
}

struct order {
    struct ldr_job job;
    int *at;
    int *list;
    int id;
    struct ldr_pool *pool;
    struct order *then;
};

static void note(struct ldr_job *job)
{
    struct order *o = (struct order *)job;
    o->list[(*o->at)++] = o->id;
    if (o->then)
        ldr_pool_submit(o->pool, &o->then->job);
}

static void jobs_run_in_order_and_destroy_waits(void **state)
{
    (void)state;
    struct ldr_pool *p;
    assert_int_equal(ldr_pool_create(1, &p), 0); /* one thread: order of start is order of the list */
    int at = 0, list[101];
    struct order jobs[101];
    for (int i = 0; i < 101; i++)
        jobs[i] = (struct order){{note, NULL}, &at, list, i, p, NULL};
    jobs[99].then = &jobs[100]; /* a job may submit another one, even while destroy waits */
    for (int i = 0; i < 100; i++)
        ldr_pool_submit(p, &jobs[i].job);
    ldr_pool_destroy(p);
    assert_int_equal(at, 101);
    for (int i = 0; i < 101; i++)
        assert_int_equal(list[i], i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_item_runs_once),
        cmocka_unit_test(a_failure_skips_the_rest),
        cmocka_unit_test(sizes_over_the_limit_are_refused),
        cmocka_unit_test(calls_nest),
        cmocka_unit_test(several_threads_call_at_once),
        cmocka_unit_test(jobs_run_in_order_and_destroy_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
