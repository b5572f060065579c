/* Asking nodes for what only they can do: those that are busy or not connected yet are asked again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants these first */
#include <cmocka.h>

#include "client/cluster/cluster.h"
#include "client/cluster/cluster_gate.h"

struct fake {
    int calls, failures; /* so many calls fail */
    int code;
    bool never_sent;
};

static void call(void *ctx, uint32_t to, enum ldr_msg_type type, struct ldr_slice payload,
                 uint32_t timeout_ms, struct ldr_call *c)
{
    struct fake *f = ctx;
    (void)to, (void)type, (void)payload, (void)timeout_ms;
    bool fails = f->calls++ < f->failures;
    c->never_sent = fails && f->never_sent;
    c->done(c, fails ? f->code : 0, ldr_slice_str(""));
}

static void take(void *ctx, size_t i, int code, struct ldr_slice answer)
{
    (void)i, (void)answer;
    *(int *)ctx = code;
}

static int ask(struct fake *f)
{
    static struct ldr_remote r;
    uint32_t node = 7;
    struct ldr_slice payload = ldr_slice_str("");
    int code = -1;
    r.peers = (struct ldr_peers){f, call};
    assert_int_equal(ldr_cluster_ask(&r, &node, &payload, 1, LDR_MSG_CHECK, 1000, take, NULL, &code), 0);
    return code;
}

static void busy_passes(void **state)
{
    struct fake f = {.failures = 3, .code = LDR_E_BUSY};
    (void)state;
    assert_int_equal(ask(&f), 0);
    assert_int_equal(f.calls, 4);
}

/* On a busy machine connecting takes longer than a call waits for it. */
static void a_connection_may_take_its_time(void **state)
{
    struct fake f = {.failures = 10, .code = LDR_E_TIMEOUT, .never_sent = true};
    (void)state;
    assert_int_equal(ask(&f), 0);
    assert_int_equal(f.calls, 11);
}

static void who_is_not_there_is_not_waited_for(void **state)
{
    struct fake f = {.failures = 1, .code = LDR_E_UNAVAILABLE, .never_sent = true};
    (void)state;
    assert_int_equal(ask(&f), LDR_E_UNAVAILABLE);
    assert_int_equal(f.calls, 1);
}

static void what_was_sent_is_not_sent_again(void **state)
{
    struct fake f = {.failures = 1, .code = LDR_E_TIMEOUT};
    (void)state;
    assert_int_equal(ask(&f), LDR_E_TIMEOUT);
    assert_int_equal(f.calls, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busy_passes),
        cmocka_unit_test(a_connection_may_take_its_time),
        cmocka_unit_test(who_is_not_there_is_not_waited_for),
        cmocka_unit_test(what_was_sent_is_not_sent_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
