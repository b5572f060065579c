/* Calls that go well or fail cleanly: one, many, out of order, from many threads, over several loops. */
#include "unit/rpc/data_kit.h"

static struct kit kit;
static struct ldr_rpc *rpc;

static void open_rpc(const char *cluster)
{
    struct ldr_rpc_options o = {.cluster = cluster, .name = "unit test", .role = LDR_ROLE_TOOL};
    assert_int_equal(ldr_rpc_create(&o, &rpc), 0);
}
static int setup(void **state)
{
    (void)state;
    kit_open(&kit, 1, 0, NULL);
    open_rpc("test");
    return 0;
}
static int setup_loops(void **state)
{
    (void)state;
    kit_open(&kit, KIT_LOOPS, 0, NULL);
    open_rpc("test");
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    ldr_rpc_destroy(rpc);
    kit_close(&kit);
    return 0;
}

static void stamp(int64_t v)
{
    struct ldr_buf q, a;
    struct ldr_err err = {0};
    struct ldr_stamp_rep rep;
    ldr_buf_init(&a, NULL, 0);
    int rc = ldr_rpc_call(rpc, kit.address, LDR_MSG_STAMP, kit_stamp(&q, v), KIT_LONG_MS, &a, &err);
    if (rc)
        fail_msg("%s", err.message);
    assert_int_equal(ldr_stamp_rep_decode(ldr_buf_slice(&a), NULL, &rep), 0);
    assert_int_equal(rep.stamp_us, v + 1);
    ldr_buf_close(&q);
    ldr_buf_close(&a);
}

static void a_call_has_its_answer(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++)
        stamp(i * 1000);
    assert_int_equal(kit_stats(&kit).connections, 1);
    assert_int_equal(kit_stats(&kit).frames_in, 201);
}

static void failures_are_told(void **state)
{
    struct ldr_buf a;
    struct ldr_err err;
    (void)state;
    ldr_buf_init(&a, NULL, 0);
    assert_int_equal(
        ldr_rpc_call(rpc, kit.address, LDR_MSG_COMPACT, ldr_slice(NULL, 0), KIT_LONG_MS, &a, &err),
        LDR_E_STALE);
    assert_non_null(strstr(err.message, "COMPACT: no such shard"));
    assert_false(err.in_doubt);
    assert_int_equal(ldr_rpc_call(rpc, kit.address, LDR_MSG_SCRUB, ldr_slice(NULL, 0), KIT_LONG_MS, &a, &err),
                     LDR_E_STALE);
    assert_true(err.in_doubt);
    assert_int_equal(
        ldr_rpc_call(rpc, kit.address, (enum ldr_msg_type)63, ldr_slice(NULL, 0), KIT_LONG_MS, &a, &err),
        LDR_E_UNSUPPORTED);
    assert_false(err.in_doubt);
    assert_int_equal(
        ldr_rpc_call(rpc, "no address", LDR_MSG_STAMP, ldr_slice(NULL, 0), KIT_LONG_MS, &a, &err),
        LDR_E_INVALID);
    assert_int_equal(
        ldr_rpc_call(rpc, "127.0.0.1:1", LDR_MSG_STAMP, ldr_slice(NULL, 0), KIT_LONG_MS, &a, &err),
        LDR_E_UNAVAILABLE);
    assert_false(err.in_doubt); /* never sent */
    assert_int_equal(a.n, 0);
}

static void answers_may_come_in_any_order(void **state)
{
    enum { N = 200 };
    static struct ldr_rpc_ask asks[N];
    struct ldr_rpc_group *g;
    uint8_t detail = N;
    (void)state;
    assert_int_equal(ldr_rpc_group_create(rpc, &g), 0);
    for (int i = 0; i < N; i++) {
        asks[i] = (struct ldr_rpc_ask){.address = kit.address,
                                       .type = LDR_MSG_STATUS,
                                       .payload = ldr_slice(&detail, 1),
                                       .timeout_ms = KIT_LONG_MS,
                                       .owner = (void *)(intptr_t)i};
        assert_int_equal(ldr_rpc_start(g, &asks[i]), 0);
    }
    for (int i = N; i-- > 0;) {
        struct ldr_status_rep rep;
        char text[32];
        struct ldr_rpc_ask *a = ldr_rpc_next(g, KIT_LONG_MS * UINT64_C(1000));
        assert_non_null(a);
        assert_int_equal(a->code, 0);
        assert_int_equal((intptr_t)a->owner, i); /* answered last to first */
        assert_int_equal(ldr_status_rep_decode(ldr_buf_slice(&a->answer), NULL, &rep), 0);
        snprintf(text, sizeof text, "%d", i);
        assert_true(ldr_slice_eq(rep.json, ldr_slice_str(text)));
    }
    assert_null(ldr_rpc_next(g, 1000000));
    ldr_rpc_group_close(g);
}

/* What the handler lets gather is answered before the loop waits, alone or many at once; and each answer is
 * told of once. */
static void answers_may_gather(void **state)
{
    enum { N = 500 };
    static struct ldr_rpc_ask asks[N];
    static struct ldr_buf payloads[N];
    struct ldr_rpc_group *g;
    (void)state;
    atomic_store(&kit.gathers, true);
    stamp(41);
    assert_int_equal(atomic_load(&kit.answered), 1);
    assert_int_equal(ldr_rpc_group_create(rpc, &g), 0);
    for (int i = 0; i < N; i++) {
        asks[i] = (struct ldr_rpc_ask){.address = kit.address,
                                       .type = i % 10 == 3 ? LDR_MSG_COMPACT : LDR_MSG_STAMP,
                                       .payload = kit_stamp(&payloads[i], i),
                                       .timeout_ms = KIT_LONG_MS};
        assert_int_equal(ldr_rpc_start(g, &asks[i]), 0);
    }
    for (int i = 0; i < N; i++)
        assert_non_null(ldr_rpc_next(g, KIT_LONG_MS * UINT64_C(1000)));
    for (int i = 0; i < N; i++) {
        struct ldr_stamp_rep rep;
        ldr_buf_close(&payloads[i]);
        if (i % 10 == 3) {
            assert_int_equal(asks[i].code, LDR_E_STALE);
            continue;
        }
        assert_int_equal(asks[i].code, 0);
        assert_int_equal(ldr_stamp_rep_decode(ldr_buf_slice(&asks[i].answer), NULL, &rep), 0);
        assert_int_equal(rep.stamp_us, i + 1);
    }
    ldr_rpc_group_close(g);
    assert_int_equal(atomic_load(&kit.answered), 1 + N - N / 10);
    assert_int_equal(atomic_load(&kit.answered_badly), N / 10);
    assert_true(atomic_load(&kit.flushes) >= 2);
}

static void the_first_of_two_is_enough(void **state)
{
    struct ldr_rpc_group *g;
    struct ldr_buf q;
    uint8_t never = 0;
    (void)state;
    uint64_t from = kit_ms();
    assert_int_equal(ldr_rpc_group_create(rpc, &g), 0);
    struct ldr_rpc_ask slow = {
        .address = kit.address, .type = LDR_MSG_STATUS, .payload = ldr_slice(&never, 1), .timeout_ms = 60000};
    struct ldr_rpc_ask quick = {
        .address = kit.address, .type = LDR_MSG_STAMP, .payload = kit_stamp(&q, 1), .timeout_ms = 60000};
    assert_int_equal(ldr_rpc_start(g, &slow), 0);
    assert_null(ldr_rpc_next(g, 5000));
    assert_int_equal(ldr_rpc_start(g, &quick), 0);
    assert_ptr_equal(ldr_rpc_next(g, KIT_LONG_MS * UINT64_C(1000)), &quick);
    ldr_rpc_group_close(g); /* does not wait for the slow one */
    assert_int_equal(slow.code, LDR_E_CANCELLED);
    assert_false(slow.never_sent);
    assert_true(kit_ms() - from < 50000);
    ldr_buf_close(&q);
    stamp(7); /* the connection is fine */
}

static void long_payloads_arrive_whole(void **state)
{
    static const uint32_t sizes[] = {1, 16000, 70000, 262144, 1000000, 20000000};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct ldr_buf q, a;
        struct ldr_err err = {0};
        struct ldr_copy_read_rep rep;
        ldr_buf_init(&a, NULL, 0);
        int rc =
            ldr_rpc_call(rpc, kit.address, LDR_MSG_COPY_READ, kit_read(&q, sizes[i]), KIT_LONG_MS, &a, &err);
        if (rc)
            fail_msg("%s", err.message);
        assert_int_equal(ldr_copy_read_rep_decode(ldr_buf_slice(&a), NULL, &rep), 0);
        assert_int_equal(rep.data.n, sizes[i]);
        for (size_t k = 0; k < rep.data.n; k++)
            if (rep.data.p[k] != 'x')
                fail_msg("byte %zu of %u", k, sizes[i]);
        ldr_buf_close(&q);
        /* and the other way: a request of that size, which fails for what it asks */
        assert_int_equal(
            ldr_rpc_call(rpc, kit.address, LDR_MSG_WRITE, ldr_buf_slice(&a), KIT_LONG_MS, &q, &err),
            LDR_E_STALE);
        ldr_buf_close(&a);
    }
}

/* Many at once on one connection, so that what is made in place stands behind what waits already, and what
 * fails leaves no trace. */
static void answers_may_be_made_in_place(void **state)
{
    enum { N = 300 };
    static struct ldr_rpc_ask asks[N];
    static struct ldr_buf payloads[N];
    struct ldr_rpc_group *g;
    (void)state;
    assert_int_equal(ldr_rpc_group_create(rpc, &g), 0);
    for (uint32_t i = 0; i < N; i++) {
        uint32_t length = i == 150 ? LDR_PAYLOAD_MAX : i % 50 == 7 ? 100000 : i * 7;
        struct ldr_copy_read_req q = {.file = i & 127, .offset = i % 3, .length = length};
        ldr_buf_init(&payloads[i], NULL, 0);
        assert_int_equal(ldr_copy_read_req_encode(&q, &payloads[i]), 0);
        asks[i] = (struct ldr_rpc_ask){.address = kit.address,
                                       .type = LDR_MSG_COPY_READ,
                                       .payload = ldr_buf_slice(&payloads[i]),
                                       .timeout_ms = KIT_LONG_MS};
        assert_int_equal(ldr_rpc_start(g, &asks[i]), 0);
    }
    for (uint32_t i = 0; i < N; i++)
        assert_non_null(ldr_rpc_next(g, KIT_LONG_MS * UINT64_C(1000)));
    for (uint32_t i = 0; i < N; i++) {
        struct ldr_copy_read_rep rep;
        if (i % 3 == 2 || i == 150) {
            assert_int_equal(asks[i].code, LDR_E_BUSY);
            assert_true(ldr_slice_eq(ldr_buf_slice(&asks[i].answer), ldr_slice_str("no")));
        } else {
            assert_int_equal(asks[i].code, 0);
            assert_int_equal(ldr_copy_read_rep_decode(ldr_buf_slice(&asks[i].answer), NULL, &rep), 0);
            assert_int_equal(rep.data.n, i % 50 == 7 ? 100000 : i * 7);
            for (size_t k = 0; k < rep.data.n; k++)
                assert_int_equal(rep.data.p[k], i & 127);
        }
        ldr_buf_close(&payloads[i]);
    }
    ldr_rpc_group_close(g);
    stamp(1);
}

static void *hammer(void *arg)
{
    for (int i = 0; i < 1000; i++)
        stamp((intptr_t)arg * 100000 + i);
    return NULL;
}

static void many_threads_call_at_once(void **state)
{
    pthread_t t[8];
    (void)state;
    for (intptr_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&t[i], NULL, hammer, (void *)i), 0);
    for (int i = 0; i < 8; i++)
        pthread_join(t[i], NULL);
}

static void loops_share_connections(void **state)
{
    struct ldr_rpc_options o = {.cluster = "test"};
    struct ldr_rpc *more[8], *first = rpc;
    (void)state;
    for (int i = 0; i < 8; i++) {
        assert_int_equal(ldr_rpc_create(&o, &more[i]), 0);
        rpc = more[i];
        for (int k = 0; k < 20; k++)
            stamp(k);
    }
    for (int i = 0; i < KIT_LOOPS; i++)
        assert_int_equal(atomic_load(&kit.served_on[i]), 40); /* two connections each */
    for (int i = 0; i < 8; i++)
        ldr_rpc_destroy(more[i]);
    rpc = first;
}

static void answers_may_come_from_another_thread(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct ldr_buf a;
        struct ldr_check_rep rep;
        struct ldr_arena arena;
        ldr_buf_init(&a, NULL, 0);
        ldr_arena_init(&arena, NULL, 0);
        assert_int_equal(
            ldr_rpc_call(rpc, kit.address, LDR_MSG_CHECK, ldr_slice(NULL, 0), KIT_LONG_MS, &a, NULL), 0);
        assert_int_equal(ldr_check_rep_decode(ldr_buf_slice(&a), &arena, &rep), 0);
        assert_int_equal(rep.facts, 77);
        ldr_arena_close(&arena);
        ldr_buf_close(&a);
    }
}

/* ---- The seam of the node: by number, on its own loop. ---- */
static struct ldr_uv_loop *own;
static struct ldr_data_peers *peers;
static int n_control, n_ended;
static const char *address_of(void *ctx, uint32_t node)
{
    assert_ptr_equal(ctx, &kit);
    return node == 9 ? kit.address : NULL;
}
static void control_call(void *ctx, uint32_t to, enum ldr_msg_type type, struct ldr_slice payload,
                         uint32_t timeout_ms, struct ldr_call *c)
{
    (void)ctx;
    (void)payload;
    (void)timeout_ms;
    assert_int_equal(to, LDR_PEER_COORDINATOR);
    assert_int_equal(type, LDR_MSG_HEARTBEAT);
    n_control++;
    c->done(c, LDR_E_BUSY, ldr_slice(NULL, 0));
}
struct expected {
    struct ldr_call call;
    int code;
    bool inside, ended;
};
static void as_expected(struct ldr_call *c, int code, struct ldr_slice payload)
{
    struct expected *e = c->owner;
    (void)payload;
    assert_int_equal(code, e->code);
    assert_false(e->inside || e->ended);
    assert_int_equal(c->never_sent, code == LDR_E_UNAVAILABLE || code == LDR_E_CLOSED);
    e->ended = true;
    if (++n_ended == 3)
        ldr_uv_loop_stop(own);
}
static void peers_closed(void *owner)
{
    *(bool *)owner = true;
    ldr_uv_loop_stop(own);
}

static void nodes_are_called_by_number(void **state)
{
    struct ldr_peers control = {NULL, control_call};
    struct ldr_data_peers_options o = {
        .cluster = "test", .address = address_of, .address_ctx = &kit, .control = &control};
    struct expected all[4] = {
        {.code = 0}, {.code = LDR_E_UNAVAILABLE}, {.code = LDR_E_BUSY}, {.code = LDR_E_CLOSED}};
    struct ldr_buf q;
    bool closed = false;
    (void)state;
    n_control = n_ended = 0;
    assert_int_equal(ldr_uv_loop_create(&own), 0);
    o.loop = own;
    assert_int_equal(ldr_data_peers_create(&o, &peers), 0);
    struct ldr_peers seam = ldr_data_peers_seam(peers);
    struct ldr_slice stamp_bytes = kit_stamp(&q, 7);
    for (int i = 0; i < 4; i++)
        all[i].call = (struct ldr_call){.done = as_expected, .owner = &all[i]};
    all[0].inside = all[1].inside = true;
    seam.call(seam.ctx, 9, LDR_MSG_STAMP, stamp_bytes, KIT_LONG_MS, &all[0].call);
    seam.call(seam.ctx, 8, LDR_MSG_STAMP, stamp_bytes, KIT_LONG_MS, &all[1].call); /* not in the map */
    all[0].inside = all[1].inside = false;
    seam.call(seam.ctx, LDR_PEER_COORDINATOR, LDR_MSG_HEARTBEAT, stamp_bytes, KIT_LONG_MS, &all[2].call);
    ldr_uv_loop_run(own);
    assert_int_equal(n_control, 1);
    /* closing ends what runs, by saying so */
    seam.call(seam.ctx, 9, LDR_MSG_STAMP, stamp_bytes, KIT_LONG_MS, &all[3].call);
    ldr_data_peers_close(peers, peers_closed, &closed);
    assert_true(all[3].ended);
    ldr_uv_loop_run(own);
    assert_true(closed);
    ldr_uv_loop_destroy(own);
    ldr_buf_close(&q);
}

static void another_cluster_is_refused(void **state)
{
    struct ldr_err err;
    struct ldr_buf a;
    (void)state;
    ldr_rpc_destroy(rpc);
    open_rpc("other");
    ldr_buf_init(&a, NULL, 0);
    assert_int_equal(ldr_rpc_call(rpc, kit.address, LDR_MSG_STAMP, ldr_slice(NULL, 0), KIT_LONG_MS, &a, &err),
                     LDR_E_REFUSED);
    assert_int_equal(kit_stats(&kit).refused, 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_call_has_its_answer),
        T(failures_are_told),
        T(answers_may_come_in_any_order),
        T(answers_may_gather),
        T(the_first_of_two_is_enough),
        T(long_payloads_arrive_whole),
        T(answers_may_be_made_in_place),
        T(many_threads_call_at_once),
        cmocka_unit_test_setup_teardown(loops_share_connections, setup_loops, teardown),
        cmocka_unit_test_setup_teardown(answers_may_come_from_another_thread, setup_loops, teardown),
        T(nodes_are_called_by_number),
        T(another_cluster_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
