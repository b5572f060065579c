/* nng's close that never comes back (seen with 1.5.2, when a connection is taken down at the same moment)
 * must not hold up whoever stops. This program has an nng_close of its own, which the library finds first. */
#include <dlfcn.h>
#include <nng/nng.h>
#include <string.h>

#include "unit/rpc/control_kit.h"

static atomic_bool stuck;

int nng_close(nng_socket s)
{
    int (*real)(nng_socket);
    void *p = dlsym(RTLD_NEXT, "nng_close");
    memcpy(&real, &p, sizeof p);
    while (atomic_load(&stuck))
        usleep(10000);
    return real(s);
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
    assert_true(ckit_ms() - from < 10000);
    assert_true(ckit_ms() - from >= 1000); /* it was asked to close */
    atomic_store(&stuck, false);
    usleep(200000); /* so that both end, and nothing is left of them */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_close_that_hangs_is_left_behind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
