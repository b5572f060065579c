/* Calls over a Unix socket: as over TCP; what differs is the name, and who may use it. */
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "unit/rpc/data_kit.h"

static struct kit kit;
static struct ldr_rpc *rpc;
static char dir[32], address[64];

static int setup(void **state)
{
    (void)state;
    struct ldr_rpc_options o = {.cluster = "test", .name = "unit test", .role = LDR_ROLE_TOOL};
    snprintf(dir, sizeof dir, "/tmp/larder-local-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(address, sizeof address, "unix:%s/socket", dir);
    kit_open_on(&kit, KIT_LOOPS, address, NULL);
    assert_int_equal(ldr_rpc_create(&o, &rpc), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ldr_rpc_destroy(rpc);
    kit_close(&kit);
    unlink(address + 5);
    assert_int_equal(rmdir(dir), 0);
    return 0;
}

static void calls_have_their_answers(void **state)
{
    (void)state;
    for (int64_t i = 0; i < 100; i++) {
        struct ldr_buf q, a;
        struct ldr_err err = {0};
        struct ldr_stamp_rep rep;
        ldr_buf_init(&a, NULL, 0);
        if (ldr_rpc_call(rpc, address, LDR_MSG_STAMP, kit_stamp(&q, i), KIT_LONG_MS, &a, &err))
            fail_msg("%s", err.message);
        assert_int_equal(ldr_stamp_rep_decode(ldr_buf_slice(&a), NULL, &rep), 0);
        assert_int_equal(rep.stamp_us, i + 1);
        ldr_buf_close(&q);
        ldr_buf_close(&a);
    }
    assert_int_equal(kit_stats(&kit).connections, 1);
    assert_int_equal(ldr_data_server_port(kit.server), 0);
}

static void large_answers_come_whole(void **state)
{
    enum { N = 24, BYTES = 3000000 };
    static struct ldr_rpc_ask asks[N];
    struct ldr_rpc_group *g;
    struct ldr_buf q;
    (void)state;
    struct ldr_slice payload = kit_read(&q, BYTES);
    assert_int_equal(ldr_rpc_group_create(rpc, &g), 0);
    for (int i = 0; i < N; i++) {
        asks[i] = (struct ldr_rpc_ask){
            .address = address, .type = LDR_MSG_COPY_READ, .payload = payload, .timeout_ms = KIT_LONG_MS};
        assert_int_equal(ldr_rpc_start(g, &asks[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        struct ldr_rpc_ask *a = ldr_rpc_next(g, KIT_LONG_MS * UINT64_C(1000));
        assert_non_null(a);
        assert_int_equal(a->code, 0);
        assert_true(a->answer.n > BYTES);
    }
    ldr_rpc_group_close(g);
    ldr_buf_close(&q);
}

static int call_at(const char *where, struct ldr_err *err)
{
    struct ldr_buf q, a;
    ldr_buf_init(&a, NULL, 0);
    int rc = ldr_rpc_call(rpc, where, LDR_MSG_STAMP, kit_stamp(&q, 1), KIT_LONG_MS, &a, err);
    ldr_buf_close(&q);
    ldr_buf_close(&a);
    return rc;
}

static void nobody_there_is_told_at_once(void **state)
{
    struct ldr_err err;
    char other[80], stale[80];
    (void)state;
    snprintf(other, sizeof other, "unix:%s/none", dir);
    uint64_t from = kit_ms();
    assert_int_equal(call_at(other, &err), LDR_E_UNAVAILABLE);
    assert_false(err.in_doubt); /* never sent */
    /* a name that a dead process has left */
    snprintf(stale, sizeof stale, "unix:%s/stale", dir);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", stale + 5);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    close(fd);
    assert_int_equal(call_at(stale, &err), LDR_E_UNAVAILABLE);
    assert_true(kit_ms() - from < KIT_LONG_MS / 2); /* not at the end of the call's time */
    unlink(stale + 5);
}

static void paths_have_a_limit(void **state)
{
    struct ldr_err err;
    char longer[300] = "unix:/tmp/";
    (void)state;
    memset(longer + 10, 'x', 200);
    assert_int_equal(call_at(longer, &err), LDR_E_INVALID);
    struct ldr_data_server_options o = kit.options;
    struct ldr_data_server *s;
    struct ldr_uv_loop *loop;
    assert_int_equal(ldr_uv_loop_create(&loop), 0);
    o.loops = &loop;
    o.n_loops = 1;
    o.listen = longer;
    assert_int_equal(ldr_data_server_create(&o, &s, &err), LDR_E_TOO_BIG);
    o.listen = address; /* somebody has it */
    assert_int_equal(ldr_data_server_create(&o, &s, &err), LDR_E_IO);
    assert_non_null(strstr(err.message, "in use"));
    ldr_uv_loop_destroy(loop);
}

static void it_is_its_owners_alone(void **state)
{
    struct stat st;
    (void)state;
    assert_int_equal(stat(address + 5, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void another_protocol_is_told(void **state)
{
    (void)state;
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%s", address + 5);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    struct ldr_hello_req q = {.proto = LDR_PROTO + 1, .cluster = ldr_slice_str("test")};
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_hello_req_encode(&q, &b), 0);
    raw_frame(fd, LDR_MSG_HELLO, 0, ldr_buf_slice(&b), 0);
    assert_int_equal(raw_answer(fd, &b), LDR_E_FORMAT);
    struct ldr_err err;
    ldr_msg_error_fill(LDR_E_FORMAT, ldr_buf_slice(&b), &err);
    assert_non_null(strstr(err.message, "protocol 5 is spoken there, 4 here"));
    assert_true(raw_ends(fd, KIT_LONG_MS));
    close(fd);
    /* a later build of the same one, which has more to say */
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    q.proto = LDR_PROTO_MAJOR | (LDR_PROTO_MINOR + 1) << 8;
    ldr_buf_reset(&b);
    assert_int_equal(ldr_hello_req_encode(&q, &b), 0);
    assert_int_equal(ldr_buf_u64(&b, 77), 0);
    raw_frame(fd, LDR_MSG_HELLO, 0, ldr_buf_slice(&b), 0);
    assert_int_equal(raw_answer(fd, &b), 0);
    close(fd);
    ldr_buf_close(&b);
}

static struct {
    struct ldr_job job;
    sem_t seen;
    int blocked;
} look;

static void look_at_signals(struct ldr_job *j)
{
    sigset_t now;
    (void)j;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    look.blocked = sigismember(&now, SIGPIPE);
    sem_post(&look.seen);
}

/* Whoever writes to a process that was killed gets SIGPIPE, unless its thread takes none. */
static void a_dead_peer_is_no_signal(void **state)
{
    (void)state;
    sem_init(&look.seen, 0, 0);
    look.job.run = look_at_signals;
    ldr_uv_loop_post(kit.loops[0], &look.job);
    sem_wait(&look.seen);
    assert_int_equal(look.blocked, 1);
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    assert_int_equal(sigismember(&now, SIGPIPE), 0); /* the program's own threads are left alone */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_have_their_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(large_answers_come_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(nobody_there_is_told_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(paths_have_a_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_its_owners_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(another_protocol_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(a_dead_peer_is_no_signal, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
