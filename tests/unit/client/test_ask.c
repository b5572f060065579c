/* One request to many nodes: who is busy is asked again, where all answers are waited for; nobody else is,
 * and there is an end to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "client/cluster/cluster.h"

enum { NODES = 4 };
static struct {
    unsigned busy[NODES + 1]; /* so often, by node */
    int after[NODES + 1];     /* then this */
    unsigned asked[NODES + 1], answers;
    int code[NODES];
} world;

/* Answers within the call, as a node that is gone does. */
static void call(void *ctx, uint32_t to, enum ldr_msg_type type, struct ldr_slice payload,
                 uint32_t timeout_ms, struct ldr_call *c)
{
    (void)ctx;
    assert_int_equal(type, LDR_MSG_CHECK);
    assert_int_equal(timeout_ms, 1000);
    assert_int_equal(payload.n, to); /* the right one */
    int code = world.asked[to]++ < world.busy[to] ? LDR_E_BUSY : world.after[to];
    c->done(c, code, ldr_slice("", 0));
}
static void take(void *ctx, size_t i, int code, struct ldr_slice answer)
{
    assert_ptr_equal(ctx, &world);
    assert_int_equal(answer.n, 0);
    world.code[i] = code;
    world.answers++;
}
static uint64_t patient(void *ctx)
{
    (void)ctx;
    return world.answers < NODES ? 1000000 : 0;
}

static void ask(uint64_t (*patience_us)(void *ctx))
{
    struct ldr_remote r = {.peers = {NULL, call}};
    const uint32_t nodes[NODES] = {1, 2, 3, 4};
    const struct ldr_slice payloads[NODES] = {ldr_slice("abcd", 1), ldr_slice("abcd", 2),
                                              ldr_slice("abcd", 3), ldr_slice("abcd", 4)};
    assert_int_equal(
        ldr_cluster_ask(&r, nodes, payloads, NODES, LDR_MSG_CHECK, 1000, take, patience_us, &world), 0);
    assert_int_equal(world.answers, NODES);
}

static void busy_is_asked_again(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    world.busy[2] = 3;
    world.busy[4] = 1;
    world.after[3] = LDR_E_STALE;
    world.after[4] = LDR_E_CORRUPT;
    ask(NULL);
    const unsigned asked[] = {0, 1, 4, 1, 2};
    assert_memory_equal(world.asked, asked, sizeof asked);
    const int code[] = {0, 0, LDR_E_STALE, LDR_E_CORRUPT};
    assert_memory_equal(world.code, code, sizeof code);
}

static void not_by_whom_some_answers_will_do(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    world.busy[1] = 3;
    ask(patient);
    assert_int_equal(world.asked[1], 1);
    assert_int_equal(world.code[0], LDR_E_BUSY);
}

static void busy_for_ever_is_an_answer(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    world.busy[3] = 1000000;
    ask(NULL);
    assert_int_equal(world.asked[3], 101);
    assert_int_equal(world.code[2], LDR_E_BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(busy_is_asked_again),
                                       cmocka_unit_test(not_by_whom_some_answers_will_do),
                                       cmocka_unit_test(busy_for_ever_is_an_answer)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
