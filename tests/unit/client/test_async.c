/* The asynchronous twins: how many may be under way, and what happens to one more. */
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "store_fixture.h"

#define PENDING_MAX 65536

static const char defs[] = "entities:\n"
                           "  - name: user\n"
                           "    join_keys: [{name: id, type: int64}]\n"
                           "feature_views:\n"
                           "  - name: v\n"
                           "    entity: user\n"
                           "    features: [{name: x, type: int64}]\n";

static sem_t gate;
static _Atomic unsigned done_count;

static void held(struct ldr_req *r, int code, const struct ldr_err *err)
{
    (void)r;
    if (code)
        fprintf(stderr, "a read failed: %s\n", err->message);
    assert_int_equal(code, 0);
    sem_wait(&gate);
    sem_post(&gate);
    atomic_fetch_add(&done_count, 1);
}

/* With the only worker held in a callback requests pile up to the bound; the next one is refused at once,
 * takes nothing, and goes in once there is room. Every one that was taken has exactly one callback. */
static void the_queue_is_bounded(void **state)
{
    struct fixture f;
    struct ldr_query *q;
    struct ldr_rows *rows;
    const char *const features[] = {"v:x"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 1};
    struct ldr_open_opts opts = {.threads = 1};
    struct ldr_datum key = {.type = LDR_INT64, .v.i = 1};
    (void)state;
    fx_init(&f, &opts, defs);
    assert_int_equal(sem_init(&gate, 0, 0), 0);
    assert_int_equal(ldr_query_create(f.store, &spec, &q, &f.err), 0);
    assert_int_equal(ldr_rows_create(&rows), 0);
    struct ldr_req *reqs = calloc(PENDING_MAX + 1, sizeof *reqs);
    assert_non_null(reqs);
    for (size_t i = 0; i < PENDING_MAX; i++) {
        reqs[i].done = held;
        /* one thread works, so one result will do for all */
        assert_int_equal(ldr_online_get_async(&reqs[i], q, &key, 1, NULL, rows), 0);
    }
    struct ldr_req *more = &reqs[PENDING_MAX];
    more->done = held;
    assert_int_equal(ldr_online_get_async(more, q, &key, 1, NULL, rows), LDR_E_BUSY);
    assert_true(ldr_error_retryable(LDR_E_BUSY));
    assert_int_equal(atomic_load(&done_count), 0);
    sem_post(&gate);
    int rc;
    while ((rc = ldr_online_get_async(more, q, &key, 1, NULL, rows)) == LDR_E_BUSY)
        sched_yield();
    assert_int_equal(rc, 0);
    while (atomic_load(&done_count) < PENDING_MAX + 1) /* the time-out of the test ends it */
        sched_yield();
    ldr_query_destroy(q);
    fx_close(&f);
    assert_int_equal(atomic_load(&done_count), PENDING_MAX + 1);
    ldr_rows_destroy(rows);
    sem_destroy(&gate);
    free(reqs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_queue_is_bounded)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
