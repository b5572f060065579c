/* Garbage on the control plane: others are served meanwhile, and nothing is allocated for a length alone. */
#include "unit/rpc/control_kit.h"

static struct ckit a;
static struct ldr_control *control;

static void open_control(const char *const *addresses, size_t n)
{
    struct ldr_err err = {0};
    if (ldr_control_create(addresses, n, &control, &err))
        fail_msg("%s", err.message);
}
static int setup(void **state)
{
    (void)state;
    ckit_open(&a, 0);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    ldr_control_destroy(control);
    control = NULL;
    ckit_close(&a);
    return 0;
}

static int stamp(int64_t v, uint32_t timeout_ms, struct ldr_err *err)
{
    struct ldr_buf q, answer;
    struct ldr_stamp_rep rep;
    ldr_buf_init(&answer, NULL, 0);
    int rc = ldr_control_call(control, LDR_MSG_STAMP, ckit_stamp(&q, v), timeout_ms, &answer, err);
    if (rc == 0) {
        assert_int_equal(ldr_stamp_rep_decode(ldr_buf_slice(&answer), NULL, &rep), 0);
        assert_int_equal(rep.stamp_us, v + 1);
    }
    ldr_buf_close(&q);
    ldr_buf_close(&answer);
    return rc;
}
static void works(void)
{
    struct ldr_err err = {0};
    if (stamp(5, 10000, &err))
        fail_msg("%s", err.message);
}

static void garbage_is_refused(void **state)
{
    const char *one[] = {a.address};
    (void)state;
    open_control(one, 1);
    for (int i = 0; i < 20; i++) {
        int fd = ckit_raw(a.port);
        static const uint8_t hello[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0}; /* a REQ peer */
        uint8_t bytes[64] = {0};
        ckit_write(fd, hello, i % 3 ? 8 : 5);
        if (i % 3 == 1) { /* eight gigabytes to come */
            bytes[3] = 2;
            ckit_write(fd, bytes, 8);
        }
        if (i % 3 == 2) { /* a request id and a body that is no frame */
            bytes[7] = 24;
            bytes[8] = 0x80;
            ckit_write(fd, bytes, 8 + 24);
        }
        works();
        close(fd);
    }
    assert_int_equal(atomic_load(&a.served), 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(garbage_is_refused, setup, teardown)};
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    fflush(NULL);
    /* nng 1.5.2 sometimes does not free a listener (and 2 kB a connection) whose peers broke off; a program
     * of its own, so that the search for leaks goes on everywhere else */
    _exit(rc);
}
