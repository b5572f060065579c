/* The control plane: calls find whoever answers, follow the leader, say what they do not know, and end. */
#include "unit/rpc/control_kit.h"

static struct ckit a, b;
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
    ckit_open(&b, 0);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    ldr_control_destroy(control);
    control = NULL;
    ckit_close(&a);
    ckit_close(&b);
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
    if (stamp(5, CKIT_LONG_MS, &err))
        fail_msg("%s", err.message);
}

static void a_call_has_its_answer(void **state)
{
    const char *one[] = {a.address};
    (void)state;
    open_control(one, 1);
    for (int i = 0; i < 100; i++)
        works();
    assert_int_equal(atomic_load(&a.served), 100);
}

static void long_payloads_arrive_whole(void **state)
{
    const char *one[] = {a.address};
    struct ldr_buf q, answer;
    struct ldr_err err = {0};
    (void)state;
    open_control(one, 1);
    uint8_t *big = calloc(1, 10000000);
    struct ldr_command_req c = {1, 2, ldr_slice(big, 10000000)};
    ldr_buf_init(&q, NULL, 0);
    ldr_buf_init(&answer, NULL, 0);
    assert_int_equal(ldr_command_req_encode(&c, &q), 0);
    int rc = ldr_control_call(control, LDR_MSG_COMMAND, ldr_buf_slice(&q), CKIT_LONG_MS, &answer, &err);
    if (rc)
        fail_msg("%s", err.message);
    assert_int_equal(answer.n, q.n); /* sent back */
    ldr_buf_close(&q);
    ldr_buf_close(&answer);
    free(big);
}

static void the_next_is_asked_when_one_is_gone(void **state)
{
    const char *two[] = {"127.0.0.1:1", b.address};
    (void)state;
    open_control(two, 2);
    works();
    uint64_t from = ckit_ms();
    for (int i = 0; i < 100; i++)
        works();                                   /* the good one is remembered */
    assert_true(ckit_ms() - from < 100 * 300 / 2); /* the other one costs 300 ms a call */
    assert_int_equal(atomic_load(&b.served), 101);
}

static void the_leader_is_followed(void **state)
{
    const char *one[] = {a.address};
    (void)state;
    open_control(one, 1);
    snprintf(a.leader, sizeof a.leader, "%s", b.address); /* never told to the client */
    works();
    assert_int_equal(atomic_load(&a.served), 1);
    works();
    assert_int_equal(atomic_load(&a.served), 1);
    assert_int_equal(atomic_load(&b.served), 2);
    /* leadership moves back */
    snprintf(b.leader, sizeof b.leader, "%s", a.address);
    a.leader[0] = 0;
    works();
    assert_int_equal(atomic_load(&a.served), 2);
}

static int publishers;
static void publisher_found(void *ctx, const char *address)
{
    assert_ptr_equal(ctx, &publishers);
    assert_string_equal(address, "127.0.0.1:9");
    publishers++;
}

/* One is named, the others are found, and so the loss of the named one does no harm. */
static void the_others_are_found(void **state)
{
    const char *one[] = {a.address};
    (void)state;
    publishers = 0;
    snprintf(a.others[0], sizeof a.others[0], "%s", b.address);
    snprintf(a.others[1], sizeof a.others[1], "127.0.0.1:9");
    open_control(one, 1);
    ldr_control_find(control, publisher_found, &publishers);
    works();
    assert_int_equal(ldr_control_known(control), 2);
    assert_int_equal(publishers, 1);
    for (int i = 0; i < 10; i++)
        works();
    assert_int_equal(atomic_load(&a.served), 12); /* it is not asked every time */
    ckit_close(&a);
    works();
    assert_true(atomic_load(&b.served) > 0);
    ckit_open(&a, 0); /* for the teardown */
}

static void two_that_name_each_other_end_by_time(void **state)
{
    const char *two[] = {a.address, b.address};
    struct ldr_err err = {0};
    (void)state;
    open_control(two, 2);
    snprintf(a.leader, sizeof a.leader, "%s", b.address);
    snprintf(b.leader, sizeof b.leader, "%s", a.address);
    uint64_t from = ckit_ms();
    int rc = stamp(1, 500, &err);
    assert_true(rc == LDR_E_NOT_LEADER ||
                rc == LDR_E_TIMEOUT); /* the last one asked may have had too little time */
    assert_true(ckit_ms() - from < CKIT_LONG_MS / 2);
    assert_true(atomic_load(&a.served) < 50); /* no storm */
}

static void nobody_there(void **state)
{
    const char *two[] = {"127.0.0.1:1", "127.0.0.1:2"};
    struct ldr_err err = {0};
    (void)state;
    open_control(two, 2);
    assert_int_equal(stamp(1, 700, &err), LDR_E_UNAVAILABLE);
    assert_false(err.in_doubt);
    assert_non_null(strstr(err.message, "STAMP: no answer from 127.0.0.1:"));
    const char *bad[] = {"nonsense"};
    struct ldr_control *c;
    assert_int_equal(ldr_control_create(bad, 1, &c, &err), LDR_E_INVALID);
}

static int held_call(uint32_t timeout_ms, enum ldr_msg_type type, struct ldr_err *err)
{
    struct ldr_buf answer;
    ldr_buf_init(&answer, NULL, 0);
    int rc = ldr_control_call(control, type, ldr_slice(NULL, 0), timeout_ms, &answer, err);
    ldr_buf_close(&answer);
    return rc;
}

static void silence_is_a_timeout_in_doubt(void **state)
{
    const char *one[] = {a.address};
    struct ldr_err err = {0};
    (void)state;
    open_control(one, 1);
    assert_int_equal(held_call(400, LDR_MSG_STATUS, &err), LDR_E_TIMEOUT);
    assert_true(err.in_doubt);
    assert_int_equal(a.n_held, 1);
    works();
}

static void doubt_outlives_later_refusals(void **state)
{
    const char *one[] = {a.address};
    struct ldr_err err = {0};
    (void)state;
    a.loses = true;
    open_control(one, 1);
    assert_int_not_equal(held_call(1500, LDR_MSG_COMMAND, &err), 0);
    assert_true(atomic_load(&a.served) > 1);
    assert_true(err.in_doubt); /* the first one may still be carried out */
}

static void one_that_stops_is_left_for_another(void **state)
{
    const char *two[] = {a.address, b.address};
    (void)state;
    a.stops = true;
    open_control(two, 2);
    works();
    assert_int_equal(atomic_load(&a.served), 1);
    assert_int_equal(atomic_load(&b.served), 1);
}

static void *late_close(void *arg)
{
    struct ckit *k = arg;
    while (atomic_load(&k->served) == 0)
        usleep(1000);
    ckit_close(k);
    return NULL;
}

static void a_coordinator_that_dies_at_work(void **state)
{
    pthread_t t;
    struct ldr_err err = {0};
    (void)state;
    /* MEMBER is not asked twice: the fate of the first is unknown, and said so */
    const char *two[] = {a.address, b.address};
    open_control(two, 2);
    assert_int_equal(pthread_create(&t, NULL, late_close, &a), 0);
    int rc = held_call(CKIT_LONG_MS, LDR_MSG_MEMBER, &err);
    pthread_join(t, NULL);
    assert_true(rc == LDR_E_TIMEOUT || rc == LDR_E_UNAVAILABLE);
    assert_true(err.in_doubt);
    assert_int_equal(atomic_load(&b.served), 0);
    works();          /* the other one */
    ckit_open(&a, 0); /* for the teardown */
}

static void a_request_runs_once_though_connections_break(void **state)
{
    const char *one[] = {a.address};
    pthread_t t;
    struct ldr_err err = {0};
    int port = a.port;
    (void)state;
    open_control(one, 1);
    assert_int_equal(pthread_create(&t, NULL, late_close, &a), 0);
    int rc = held_call(3000, LDR_MSG_MEMBER, &err);
    pthread_join(t, NULL);
    assert_int_not_equal(rc, 0);
    ckit_open(&a, port); /* the same address: nng's own resending would ask it again now */
    works();
    usleep(300000); /* time to ask it again, which would be wrong; what is right does not wait */
    assert_int_equal(atomic_load(&a.served), 1);
}

static void *hammer(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++)
        works();
    return NULL;
}

static void many_threads_call_at_once(void **state)
{
    const char *two[] = {a.address, b.address};
    pthread_t t[8];
    (void)state;
    open_control(two, 2);
    for (int i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&t[i], NULL, hammer, NULL), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(atomic_load(&a.served) + atomic_load(&b.served), 800);
}

/* ---- From a loop. ---- */
static struct ldr_control_peers *peers;
static struct ldr_uv_loop *loop;
static int n_done;
static void peer_done(struct ldr_call *c, int code, struct ldr_slice payload)
{
    struct ldr_stamp_rep rep;
    struct ldr_err err;
    assert_true(ldr_uv_loop_here(loop));
    if (c->owner) {
        assert_int_equal(code, LDR_E_STALE);
        ldr_msg_error_fill(code, payload, &err);
        assert_non_null(strstr(err.message, "no such shard"));
    } else {
        assert_int_equal(code, 0);
        assert_int_equal(ldr_stamp_rep_decode(payload, NULL, &rep), 0);
        assert_int_equal(rep.stamp_us, 8);
    }
    if (++n_done == 50)
        ldr_uv_loop_stop(loop);
}

static void a_loop_calls_without_waiting(void **state)
{
    static struct ldr_call calls[50];
    const char *one[] = {a.address};
    struct ldr_buf q;
    (void)state;
    open_control(one, 1);
    n_done = 0;
    assert_int_equal(ldr_uv_loop_create(&loop), 0);
    assert_int_equal(ldr_control_peers_create(control, loop, &peers), 0);
    struct ldr_peers seam = ldr_control_peers_seam(peers);
    struct ldr_slice stamp_bytes = ckit_stamp(&q, 7);
    for (int i = 0; i < 50; i++) {
        bool fails = i % 5 == 0;
        calls[i] = (struct ldr_call){.done = peer_done, .owner = fails ? &calls[i] : NULL};
        seam.call(seam.ctx, LDR_PEER_COORDINATOR, fails ? LDR_MSG_COMPACT : LDR_MSG_STAMP, stamp_bytes,
                  CKIT_LONG_MS, &calls[i]);
    }
    ldr_buf_close(&q);
    ldr_uv_loop_run(loop);
    assert_int_equal(n_done, 50);
    ldr_control_peers_destroy(peers);
    ldr_uv_loop_destroy(loop);
}

/* ---- Notices. ---- */
static uint64_t heard_map, heard_defs;
static void changed(void *ctx, uint64_t map_version, uint64_t defs_version)
{
    (void)ctx;
    assert_true(map_version >= heard_map && defs_version >= heard_defs);
    heard_map = map_version;
    heard_defs = defs_version;
    if (map_version == 1000 && defs_version == 3)
        ldr_uv_loop_stop(loop);
}
static struct ldr_notices *publisher;
static void publish(struct ldr_timer *t)
{
    const struct ldr_loop *seam = ldr_uv_loop_seam(loop);
    ldr_notices_publish(publisher, 7, 3);
    ldr_notices_publish(publisher, 1000, 2);
    seam->timer_start(seam->ctx, t, 20000); /* any may be lost: until heard */
}

static void notices_arrive(void **state)
{
    struct ldr_notices *subscriber;
    struct ldr_timer t = {.fire = publish};
    struct ldr_err err = {0};
    char address[64];
    (void)state;
    assert_int_equal(ldr_uv_loop_create(&loop), 0);
    assert_int_equal(ldr_notices_publish_on("127.0.0.1:0", &publisher, &err), 0);
    snprintf(address, sizeof address, "127.0.0.1:%d", ldr_notices_port(publisher));
    const char *one[] = {"127.0.0.1:1"};
    assert_int_equal(ldr_notices_subscribe(one, 1, loop, changed, NULL, &subscriber, &err), 0);
    assert_int_equal(ldr_notices_learn(subscriber, address), 0);
    assert_int_equal(ldr_notices_learn(subscriber, address), 0);
    assert_int_equal(ldr_notices_learn(subscriber, "nowhere"), LDR_E_INVALID);
    const struct ldr_loop *seam = ldr_uv_loop_seam(loop);
    seam->timer_start(seam->ctx, &t, 0);
    ldr_uv_loop_run(loop);
    assert_int_equal(heard_map, 1000);
    assert_int_equal(heard_defs, 3);
    seam->timer_stop(seam->ctx, &t);
    ldr_notices_close(subscriber);
    ldr_notices_close(publisher);
    ldr_uv_loop_destroy(loop);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_call_has_its_answer),
        T(long_payloads_arrive_whole),
        T(the_next_is_asked_when_one_is_gone),
        T(the_leader_is_followed),
        T(the_others_are_found),
        T(two_that_name_each_other_end_by_time),
        T(nobody_there),
        T(silence_is_a_timeout_in_doubt),
        T(doubt_outlives_later_refusals),
        T(one_that_stops_is_left_for_another),
        T(a_coordinator_that_dies_at_work),
        T(a_request_runs_once_though_connections_break),
        T(many_threads_call_at_once),
        T(a_loop_calls_without_waiting),
        T(notices_arrive),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
