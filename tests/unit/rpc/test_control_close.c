/* nng's close that never comes back (1.5.2, when a connection is closed in the middle of a message) must not
 * hold up whoever stops. This program has an nng_close of its own, which the library finds first. */
#include <dlfcn.h>
#include <nng/nng.h>
#include <string.h>

#include "unit/rpc/control_kit.h"

static atomic_bool stuck;
static atomic_int asked; /* how often it was called */

int nng_close(nng_socket s)
{
    int (*real)(nng_socket);
    void *p = dlsym(RTLD_NEXT, "nng_close");
    memcpy(&real, &p, sizeof p);
    atomic_fetch_add(&asked, 1);
    while (atomic_load(&stuck))
        usleep(10000);
    return real(s);
}

/* The first so many connections lead nowhere. */
static atomic_int astray;
int nng_dial(nng_socket s, const char *url, nng_dialer *d, int flags)
{
    int (*real)(nng_socket, const char *, nng_dialer *, int);
    void *p = dlsym(RTLD_NEXT, "nng_dial");
    memcpy(&real, &p, sizeof p);
    return real(s, atomic_fetch_sub(&astray, 1) > 0 ? "tcp://127.0.0.1:1" : url, d, flags);
}

static void a_close_that_hangs_is_left_behind(void **state)
{
    struct ckit k;
    struct ldr_control *c;
    struct ldr_err err;
    struct ldr_buf q, answer;
    const char *one[] = {k.address};
    (void)state;
    ckit_open(&k, 0);
    assert_int_equal(ldr_control_create(one, 1, &c, &err), 0);
    ldr_buf_init(&answer, NULL, 0);
    assert_int_equal(ldr_control_call(c, LDR_MSG_STAMP, ckit_stamp(&q, 5), 10000, &answer, &err), 0);
    ldr_buf_close(&q);
    ldr_buf_close(&answer);
    atomic_store(&stuck, true);
    uint64_t from = ckit_ms();
    ldr_control_destroy(c);
    ckit_close(&k);
    assert_true(ckit_ms() - from < CKIT_LONG_MS / 2);
    assert_true(ckit_ms() - from >= 1000); /* it was asked to close */
    atomic_store(&stuck, false);
    usleep(200000); /* so that both end, and nothing is left of them */
}

/* An answer that comes while its socket is closed is what makes nng's close hang. One that nobody waits for
 * any more may come at any moment: its socket is left alone for a while. */
static void an_answer_given_up_is_given_time(void **state)
{
    struct ckit k;
    struct ldr_control *c;
    struct ldr_err err;
    struct ldr_buf answer;
    const char *one[] = {k.address};
    (void)state;
    ckit_open(&k, 0);
    assert_int_equal(ldr_control_create(one, 1, &c, &err), 0);
    ldr_buf_init(&answer, NULL, 0);
    int rc;
    do /* until it is reached, and keeps silent */
        rc = ldr_control_call(c, LDR_MSG_STATUS, ldr_slice(NULL, 0), 300, &answer, &err);
    while (rc == LDR_E_UNAVAILABLE);
    assert_int_equal(rc, LDR_E_TIMEOUT);
    ldr_buf_close(&answer);
    int before = atomic_load(&asked);
    uint64_t from = ckit_ms();
    ldr_control_destroy(c);
    bool left_alone = atomic_load(&asked) == before;
    assert_true(left_alone || ckit_ms() - from > 1000); /* a machine that stands still shows nothing */
    while (atomic_load(&asked) == before && ckit_ms() - from < CKIT_LONG_MS)
        usleep(10000);
    assert_int_equal(atomic_load(&asked), before + 1);
    ckit_close(&k);
}

/* What nng does not connect any more (after such a close) is connected anew. */
static void a_socket_that_never_connects_is_renewed(void **state)
{
    struct ckit k;
    struct ldr_control *c;
    struct ldr_err err = {0};
    struct ldr_buf q, answer;
    const char *one[] = {k.address};
    (void)state;
    ckit_open(&k, 0);
    ldr_buf_init(&answer, NULL, 0);
    atomic_store(&astray, 1);
    assert_int_equal(ldr_control_create(one, 1, &c, &err), 0);
    if (ldr_control_call(c, LDR_MSG_STAMP, ckit_stamp(&q, 5), 30000, &answer, &err))
        fail_msg("%s", err.message);
    ldr_buf_close(&q);
    ldr_buf_close(&answer);
    ldr_control_destroy(c);
    ckit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_close_that_hangs_is_left_behind),
                                       cmocka_unit_test(an_answer_given_up_is_given_time),
                                       cmocka_unit_test(a_socket_that_never_connects_is_renewed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
