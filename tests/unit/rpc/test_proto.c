/* Builds of another major protocol are told so on both sides of the control plane; the data plane's HELLO is
 * tried in test_data_local.c. */
#include "rpc/frame.h"
#include "unit/rpc/control_kit.h"

/* Connections of nng's protocol, by hand. */
static const uint8_t req_greeting[8] = {0, 'S', 'P', 0, 0, 0x30, 0, 0},
                     rep_greeting[8] = {0, 'S', 'P', 0, 0, 0x31, 0, 0};

static void read_all(int fd, uint8_t *p, size_t n)
{
    assert_int_equal(recv(fd, p, n, MSG_WAITALL), (ssize_t)n);
}

/* A message: its length, the request's id (both big-endian), a frame. */
static void put_message(int fd, const uint8_t id[4], const struct ldr_frame *f)
{
    uint8_t bytes[4096] = {0};
    size_t n = 4 + LDR_FRAME_HEAD_BARE + f->payload.n;
    assert_true(8 + n <= sizeof bytes);
    bytes[6] = (uint8_t)(n >> 8);
    bytes[7] = (uint8_t)n;
    memcpy(bytes + 8, id, 4);
    ldr_frame_put(bytes + 12, f);
    if (f->payload.n)
        memcpy(bytes + 12 + LDR_FRAME_HEAD_BARE, f->payload.p, f->payload.n);
    ckit_write(fd, bytes, 8 + n);
}

static void get_message(int fd, uint8_t bytes[4096], uint8_t id[4], struct ldr_frame *f)
{
    uint8_t head[8];
    read_all(fd, head, 8);
    size_t n = (size_t)head[6] << 8 | head[7];
    assert_true(head[5] == 0 && n > 4 && n <= 4096);
    read_all(fd, bytes, n);
    memcpy(id, bytes, 4);
    assert_int_equal(ldr_frame_get(ldr_slice(bytes + 4, n - 4), f), 0);
}

static void builds_agree_by_their_major_version(void **state)
{
    struct ldr_err err = {0};
    (void)state;
    assert_int_equal(ldr_proto_check(LDR_PROTO, &err), 0);
    assert_int_equal(ldr_proto_check(LDR_PROTO_MAJOR | 200 << 8, &err), 0);
    assert_int_equal(ldr_proto_check(LDR_PROTO_MAJOR + 1, &err), LDR_E_FORMAT);
    assert_non_null(strstr(err.message, "protocol 5 is spoken there, 4 here"));
    assert_int_equal(ldr_proto_check(3, &err), LDR_E_FORMAT); /* as HELLO said it */
    assert_int_equal(ldr_proto_check(0, &err), LDR_E_FORMAT); /* as frames said nothing */
    assert_non_null(strstr(err.message, "3 or an earlier one"));
}

static void a_server_says_so(void **state)
{
    static const unsigned majors[] = {0, LDR_PROTO_MAJOR + 1, LDR_PROTO_MAJOR};
    static const uint8_t id[4] = {0x80, 0, 0, 1};
    struct ckit k;
    struct ldr_buf q;
    (void)state;
    ckit_open(&k, 0);
    for (size_t i = 0; i < 3; i++) {
        uint8_t bytes[4096], back[4];
        struct ldr_frame f;
        struct ldr_err err;
        int fd = ckit_raw(k.port);
        ckit_write(fd, req_greeting, 8);
        read_all(fd, bytes, 8);
        f = (struct ldr_frame){LDR_MSG_STAMP, (uint16_t)(majors[i] << LDR_FRAME_MAJOR_SHIFT), 7, 1000,
                               ckit_stamp(&q, 5)};
        put_message(fd, id, &f);
        get_message(fd, bytes, back, &f);
        assert_memory_equal(back, id, 4);
        assert_true(f.flags & LDR_FRAME_ANSWER);
        assert_int_equal(f.flags >> LDR_FRAME_MAJOR_SHIFT, LDR_PROTO_MAJOR);
        bool own = majors[i] == LDR_PROTO_MAJOR;
        assert_int_equal((int)f.arg, own ? 0 : LDR_E_FORMAT);
        if (!own) {
            ldr_msg_error_fill((int)f.arg, f.payload, &err);
            assert_non_null(strstr(err.message, "protocol"));
        }
        assert_int_equal(atomic_load(&k.served), own); /* the others were not looked at */
        close(fd);
        ldr_buf_close(&q);
    }
    ckit_close(&k);
}

/* A coordinator of another build, once. */
struct stranger {
    int listener, major;
};
static void *be_strange(void *arg)
{
    const struct stranger *s = arg;
    uint8_t bytes[4096], id[4];
    struct ldr_frame f;
    int fd = accept(s->listener, NULL, NULL);
    assert_true(fd >= 0);
    ckit_write(fd, rep_greeting, 8);
    read_all(fd, bytes, 8);
    get_message(fd, bytes, id, &f);
    assert_int_equal(f.flags >> LDR_FRAME_MAJOR_SHIFT, LDR_PROTO_MAJOR);
    f.flags = (uint16_t)(LDR_FRAME_ANSWER | s->major << LDR_FRAME_MAJOR_SHIFT);
    f.arg = 0;
    f.payload = ldr_slice(NULL, 0);
    put_message(fd, id, &f);
    (void)recv(fd, bytes, 1, 0); /* until it is closed */
    close(fd);
    return NULL;
}

static void a_client_says_so(void **state)
{
    static const int majors[] = {0, LDR_PROTO_MAJOR + 1};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct stranger s = {socket(AF_INET, SOCK_STREAM, 0), majors[i]};
        struct sockaddr_in a = {.sin_family = AF_INET};
        socklen_t n = sizeof a;
        a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_int_equal(bind(s.listener, (struct sockaddr *)&a, sizeof a), 0);
        assert_int_equal(listen(s.listener, 1), 0);
        assert_int_equal(getsockname(s.listener, (struct sockaddr *)&a, &n), 0);
        char address[64];
        snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(a.sin_port));
        const char *one[] = {address};
        struct ldr_control *c = NULL;
        struct ldr_err err = {0};
        struct ldr_buf q, answer;
        pthread_t t;
        assert_int_equal(pthread_create(&t, NULL, be_strange, &s), 0);
        assert_int_equal(ldr_control_create(one, 1, &c, &err), 0);
        ldr_buf_init(&answer, NULL, 0);
        /* MEMBER is not sent again */
        assert_int_equal(ldr_control_call(c, LDR_MSG_MEMBER, ckit_stamp(&q, 1), 5000, &answer, &err),
                         LDR_E_FORMAT);
        assert_non_null(strstr(err.message, address));
        assert_non_null(strstr(err.message, "is spoken there"));
        ldr_control_destroy(c);
        pthread_join(t, NULL);
        close(s.listener);
        ldr_buf_close(&q);
        ldr_buf_close(&answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(builds_agree_by_their_major_version),
                                       cmocka_unit_test(a_server_says_so),
                                       cmocka_unit_test(a_client_says_so)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
