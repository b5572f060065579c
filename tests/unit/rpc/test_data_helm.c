/* Calls over a loop that is run by whoever waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these first */
#include <cmocka.h>
#include <pthread.h>

#include "rpc/rpc.h"

#define CALLS 40

static struct ldr_uv_loop *loop;
static struct ldr_data_peers *peers;
static struct ldr_helm *helm;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct asking {
    struct ldr_job job;
    struct ldr_call call;
    struct ldr_helm_wait wait;
    int code;
    bool done; /* under lock, as the wake-up */
};

static void finish(struct asking *a)
{
    pthread_mutex_lock(&lock);
    a->done = true;
    ldr_helm_wake(&a->wait);
    pthread_mutex_unlock(&lock);
}
static void ended(struct ldr_call *c, int code, struct ldr_slice payload)
{
    struct asking *a = c->owner;
    (void)payload;
    a->code = code;
    finish(a);
}
/* Nobody listens there: refused, and then not even tried for a while. */
static void ask(struct ldr_job *j)
{
    struct asking *a = (struct asking *)(void *)j;
    ldr_data_call(peers, "127.0.0.1:1", LDR_MSG_LOOKUP, ldr_slice("", 0), 60000, &a->call);
}
static void peers_closed(void *owner)
{
    finish(owner);
}
static void close_peers(struct ldr_job *j)
{
    ldr_data_peers_close(peers, peers_closed, j);
}
static void run(struct asking *a, void (*job)(struct ldr_job *j))
{
    bool done = false;
    *a = (struct asking){.job.run = job, .call = {.done = ended, .owner = a}};
    ldr_helm_wait_init(&a->wait, helm);
    ldr_helm_post(helm, &a->job);
    while (!done) {
        ldr_helm_wait(&a->wait, UINT64_MAX);
        pthread_mutex_lock(&lock);
        done = a->done;
        pthread_mutex_unlock(&lock);
    }
}

/* Such an end is told when the loop is about to wait, by whoever has it: it must not wait then. */
static void what_fails_before_the_loop_waits_is_told_at_once(void **state)
{
    const struct ldr_loop *seam = ldr_uv_loop_seam(loop);
    uint64_t from = seam->mono_us(seam->ctx);
    struct asking a;
    (void)state;
    for (int i = 0; i < CALLS; i++) {
        run(&a, ask);
        assert_int_equal(a.code, LDR_E_UNAVAILABLE);
        assert_true(a.call.never_sent);
    }
    /* else each would take until a timer of the connections, four a second */
    assert_true(seam->mono_us(seam->ctx) - from < CALLS * UINT64_C(100000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_fails_before_the_loop_waits_is_told_at_once)};
    struct ldr_data_peers_options o = {.cluster = "", .name = "test", .role = LDR_ROLE_CLIENT};
    LDR_ASSERT(ldr_uv_loop_create(&loop) == 0);
    o.loop = loop;
    LDR_ASSERT(ldr_data_peers_create(&o, &peers) == 0 && ldr_helm_create(loop, &helm) == 0);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    struct asking a;
    run(&a, close_peers);
    ldr_helm_destroy(helm);
    ldr_uv_loop_destroy(loop);
    return failed;
}
