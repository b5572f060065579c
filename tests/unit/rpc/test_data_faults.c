/* What the other side may do wrong: break, keep silent, send garbage, send half. Nobody else notices, memory
 * and time stay bounded, and every call ends once. Those that read slowly or never: test_data_readers.c. */
#include "unit/rpc/data_kit.h"

static struct kit kit;
static struct ldr_rpc *rpc;

static int open_all(const struct ldr_data_limits *limits)
{
    struct ldr_rpc_options o = {.cluster = "test"};
    if (limits)
        o.limits.idle_ms = limits->idle_ms; /* it goes before the server closes it */
    kit_open(&kit, 1, 0, limits);
    return ldr_rpc_create(&o, &rpc);
}
static int setup(void **state)
{
    (void)state;
    return open_all(NULL);
}
static int setup_short(void **state)
{
    (void)state;
    return open_all(&(struct ldr_data_limits){.hello_ms = 1500, .half_ms = 500, .idle_ms = 1500});
}
static int setup_few(void **state)
{
    (void)state;
    return open_all(&(struct ldr_data_limits){.connections = 250});
}
static int setup_small(void **state)
{
    (void)state;
    return open_all(&(struct ldr_data_limits){.partial_bytes = 1 << 20, .frame_bytes = 8 << 20});
}
static int teardown(void **state)
{
    (void)state;
    ldr_rpc_destroy(rpc);
    kit_close(&kit);
    return 0;
}

static int call(const char *address, uint32_t timeout_ms, struct ldr_err *err)
{
    struct ldr_buf q, a;
    ldr_buf_init(&a, NULL, 0);
    int rc = ldr_rpc_call(rpc, address, LDR_MSG_STAMP, kit_stamp(&q, 1), timeout_ms, &a, err);
    ldr_buf_close(&q);
    ldr_buf_close(&a);
    return rc;
}
/* The same, with time for a connection. */
static int call_reached(const char *address, struct ldr_err *err)
{
    uint64_t from = kit_ms();
    int rc;
    do
        rc = call(address, KIT_LONG_MS, err);
    while (rc == LDR_E_TIMEOUT && !err->in_doubt && kit_ms() - from < KIT_LONG_MS);
    return rc;
}
static void still_serves(void)
{
    kit_still_serves(&kit, rpc);
}

static void a_server_that_never_answers(void **state)
{
    struct ldr_buf a;
    struct ldr_err err;
    uint8_t never = 0;
    (void)state;
    ldr_buf_init(&a, NULL, 0);
    still_serves(); /* there is a connection */
    uint64_t from = kit_ms();
    assert_int_equal(ldr_rpc_call(rpc, kit.address, LDR_MSG_STATUS, ldr_slice(&never, 1), 300, &a, &err),
                     LDR_E_TIMEOUT);
    assert_true(err.in_doubt);
    assert_true(kit_ms() - from >= 300);
    /* its answer, too late, ends nobody else's call */
    pthread_mutex_lock(&kit.mutex);
    assert_int_equal(kit.n_held, 1);
    struct ldr_reply *r = kit.held[0];
    kit.n_held = 0;
    pthread_mutex_unlock(&kit.mutex);
    r->send(r, 0, ldr_slice_str("late"));
    for (int i = 0; i < 20; i++)
        still_serves();
}

/* A server of a few lines: greets, reads requests, and does what the test says. */
struct fake {
    int listener, port;
    char address[64];
    int reads; /* so many bytes after HELLO, then it closes */
    bool greets;
};
static void *fake_main(void *arg)
{
    struct fake *f = arg;
    uint8_t bytes[4096];
    struct ldr_buf b;
    int fd = accept(f->listener, NULL, NULL);
    if (fd < 0)
        return NULL;
    assert_true(raw_read(fd, bytes, 4, KIT_LONG_MS));
    assert_true(raw_read(fd, bytes + 4, ldr_get_le32(bytes), KIT_LONG_MS));
    if (f->greets) {
        struct ldr_hello_rep rep = {.proto = LDR_PROTO};
        ldr_buf_init(&b, NULL, 0);
        uint8_t head[LDR_FRAME_HEAD];
        assert_int_equal(ldr_hello_rep_encode(&rep, &b), 0);
        struct ldr_frame h = {LDR_MSG_HELLO, LDR_FRAME_ANSWER, 0, 0, ldr_buf_slice(&b)};
        ldr_put_le32(head, (uint32_t)(LDR_FRAME_HEAD_BARE + b.n));
        ldr_frame_put(head + 4, &h);
        raw_send(fd, head, sizeof head);
        raw_send(fd, b.p, b.n);
        ldr_buf_close(&b);
        assert_true(raw_read(fd, bytes, (size_t)f->reads, KIT_LONG_MS));
    }
    close(fd);
    return NULL;
}
static void fake_open(struct fake *f, pthread_t *t)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f->listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(f->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(f->listener, 8), 0);
    assert_int_equal(getsockname(f->listener, (struct sockaddr *)&a, &n), 0);
    f->port = ntohs(a.sin_port);
    snprintf(f->address, sizeof f->address, "127.0.0.1:%d", f->port);
    assert_int_equal(pthread_create(t, NULL, fake_main, f), 0);
}

static void a_connection_that_breaks(void **state)
{
    static const struct fake how[] = {
        {.greets = true, .reads = LDR_FRAME_HEAD + 8}, /* has the whole request */
        {.greets = true, .reads = 3},                  /* cannot say what it has */
        {.greets = false},                             /* never got as far as a request */
    };
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fake f = how[i];
        struct ldr_err err = {0};
        pthread_t t;
        fake_open(&f, &t);
        assert_int_equal(call_reached(f.address, &err), LDR_E_UNAVAILABLE);
        assert_int_equal(err.in_doubt, f.greets);
        pthread_join(t, NULL);
        close(f.listener);
    }
    still_serves();
}

static void a_server_that_comes_back(void **state)
{
    struct ldr_err err = {0};
    int port = kit.port;
    (void)state;
    still_serves();
    kit_close(&kit);
    int kept = raw_keep(port);
    assert_int_equal(call_reached(kit.address, &err), LDR_E_UNAVAILABLE);
    for (int i = 0; i < 5; i++)
        assert_int_equal(call_reached(kit.address, &err), LDR_E_UNAVAILABLE);
    assert_false(err.in_doubt);
    kit_open(&kit, 1, port, NULL);
    close(kept);
    uint64_t from = kit_ms();
    int rc, tries = 0;
    do {
        rc = call_reached(kit.address, &err);
        tries++;
    } while ((rc == LDR_E_UNAVAILABLE || rc == LDR_E_TIMEOUT) && kit_ms() - from < KIT_LONG_MS);
    assert_int_equal(rc, 0);
    /* in the time of a back-off nothing is tried: calls fail at once */
    assert_int_equal(kit_stats(&kit).accepted, 1);
}

/* A host that is gone answers not even a connection. Its place is taken by a listener whose queue is full: it
 * drops what comes. */
static void a_host_that_is_gone(void **state)
{
    enum { QUEUE = 8 };
    struct fake f = {.greets = true, .reads = LDR_FRAME_HEAD + 8};
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t n = sizeof a;
    struct ldr_err err = {0};
    int queued[QUEUE];
    pthread_t t;
    (void)state;
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    f.listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(f.listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(f.listener, 0), 0);
    assert_int_equal(getsockname(f.listener, (struct sockaddr *)&a, &n), 0);
    snprintf(f.address, sizeof f.address, "127.0.0.1:%d", ntohs(a.sin_port));
    for (int i = 0; i < QUEUE; i++) {
        queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(queued[i], (struct sockaddr *)&a, sizeof a);
    }
    uint64_t from = kit_ms();
    assert_int_equal(call(f.address, 20000, &err), LDR_E_TIMEOUT);
    assert_true(kit_ms() - from < 2900); /* not as long as connecting is tried, 3 s */
    assert_false(err.in_doubt);
    from = kit_ms();
    for (int i = 0; i < 40; i++) {
        int rc = call(f.address, 20000, &err);
        assert_true(rc == LDR_E_TIMEOUT || rc == LDR_E_UNAVAILABLE); /* it was given up meanwhile */
    }
    assert_true(kit_ms() - from < 40 * 250); /* those that come meanwhile wait for nothing */
    /* it is back: connecting went on, and a call gets through */
    for (int i = 0; i < QUEUE; i++)
        close(queued[i]);
    assert_int_equal(listen(f.listener, QUEUE * 2), 0);
    struct pollfd p = {f.listener, POLLIN, 0};
    while (poll(&p, 1, 100) > 0) {
        int fd = accept(f.listener, NULL, NULL);
        uint8_t byte;
        bool ours = recv(fd, &byte, 1, MSG_PEEK) == 1; /* the queued ones were closed without a word */
        assert_false(ours);
        close(fd);
    }
    assert_int_equal(pthread_create(&t, NULL, fake_main, &f), 0);
    from = kit_ms();
    while (!err.in_doubt && kit_ms() - from < KIT_LONG_MS) {
        assert_int_not_equal(call(f.address, 20000, &err), 0);
        if (!err.in_doubt)
            poll(NULL, 0, 20);
    }
    assert_true(err.in_doubt); /* the fake has read it, and closed */
    pthread_join(t, NULL);
    close(f.listener);
}

static void garbage_closes_only_its_own_connection(void **state)
{
    uint8_t bytes[256];
    struct ldr_slice nothing = {0};
    (void)state;
    for (int i = 0; i < 60; i++) {
        int fd = raw_connect(kit.port);
        uint64_t r = (uint64_t)i * UINT64_C(0x9e3779b97f4a7c15);
        switch (i % 6) {
        case 0: /* anything */
            for (size_t k = 0; k < sizeof bytes; k++)
                bytes[k] = (uint8_t)((r = r * 6364136223846793005u + 1442695040888963407u) >> 56);
            raw_send(fd, bytes, sizeof bytes);
            break;
        case 1: /* a length too short, then too long */
            ldr_put_le32(bytes, i % 12 == 1 ? 19 : 0xffffffff);
            raw_send(fd, bytes, 4);
            break;
        case 2: /* within the maximum, but not before HELLO */
            ldr_put_le32(bytes, 1u << 20);
            raw_send(fd, bytes, 4);
            break;
        case 3: /* no HELLO first */
            raw_frame(fd, LDR_MSG_STAMP, 1, nothing, 0);
            break;
        case 4: /* a wrong sum */
            raw_hello(fd);
            memset(bytes, 0, sizeof bytes);
            ldr_put_le32(bytes, 28);
            ldr_put_le16(bytes + 4, LDR_MSG_STAMP);
            raw_send(fd, bytes, 32);
            break;
        default: /* HELLO of another protocol */
            ldr_put_le16(bytes, 99);
            raw_frame(fd, LDR_MSG_HELLO, 0, ldr_slice(bytes, 40), 0);
            break;
        }
        if (i % 6 == 0)
            shutdown(fd, SHUT_WR); /* its length may have been a fair one */
        if (!raw_ends(fd, KIT_LONG_MS))
            fail_msg("case %d: left open", i % 6);
        close(fd);
        still_serves();
    }
}

static void a_frame_over_the_maximum(void **state)
{
    uint8_t head[4];
    (void)state;
    int fd = raw_connect(kit.port);
    raw_hello(fd);
    ldr_put_le32(head, 8 << 20);
    raw_send(fd, head, 4);
    assert_true(raw_ends(fd, KIT_LONG_MS));
    close(fd);
    still_serves();
}

static void a_half_frame_gets_memory_only_for_what_came(void **state)
{
    enum { N = 40 };
    static uint8_t bytes[100000];
    int fds[N];
    (void)state;
    /* 40 connections each say "7 MiB" and send 100 kB: over the megabyte for all of them, the later ones go
     */
    for (int i = 0; i < N; i++) {
        fds[i] = raw_connect(kit.port);
        raw_hello(fds[i]);
        ldr_put_le32(bytes, 7 << 20);
        raw_send(fds[i], bytes, sizeof bytes);
    }
    uint64_t from = kit_ms();
    while (kit_stats(&kit).broken < N - 12 && kit_ms() - from < KIT_LONG_MS)
        usleep(1000);
    still_serves();
    assert_in_range(kit_stats(&kit).broken, N - 12, N - 1);
    for (int i = 0; i < N; i++)
        close(fds[i]);
}

static void silent_and_half_connections_are_closed(void **state)
{
    enum { N = 200 };
    int fds[N];
    struct ldr_buf q;
    (void)state;
    for (int i = 0; i < N; i++) {
        fds[i] = raw_connect(kit.port);
        if (i % 4 == 1)
            raw_send(fds[i], "\x20", 1); /* half a length */
        if (i % 4 == 2) {
            raw_hello(fds[i]);
            raw_frame(fds[i], LDR_MSG_STAMP, 1, kit_stamp(&q, 1), 25); /* half a request */
            ldr_buf_close(&q);
        }
        if (i % 4 == 3)
            raw_hello(fds[i]); /* then silent */
        if (i % 10 == 0)
            still_serves();
    }
    uint64_t from = kit_ms();
    for (int i = 0; i < N; i++) {
        if (!raw_ends(fds[i], KIT_LONG_MS))
            fail_msg("connection %d left open", i);
        close(fds[i]);
    }
    assert_true(kit_ms() - from < 25000); /* half a request may take 30 s unless said otherwise */
    still_serves();
    assert_true(kit_stats(&kit).connections <= 2);
}

static int raw_closed(const int *fds, int n)
{
    int closed = 0;
    for (int i = 0; i < n; i++) {
        struct pollfd p = {fds[i], POLLIN, 0};
        closed += poll(&p, 1, 0) != 0;
    }
    return closed;
}

static void connections_have_a_maximum(void **state)
{
    enum { N = 300 };
    int fds[N], closed = 0;
    (void)state;
    still_serves(); /* one is ours */
    for (int i = 0; i < N; i++)
        fds[i] = raw_connect(kit.port);
    uint64_t from = kit_ms(); /* until all have been looked at, and those over the number closed */
    while ((closed < N - 249 || kit_stats(&kit).accepted < N + 1) && kit_ms() - from < KIT_LONG_MS) {
        usleep(1000);
        closed = raw_closed(fds, N);
    }
    still_serves();
    assert_int_equal(raw_closed(fds, N), N - 249);
    for (int i = 0; i < N; i++)
        close(fds[i]);
}

static void closing_with_requests_unanswered(void **state)
{
    uint8_t never = 0;
    (void)state;
    int fd = raw_connect(kit.port);
    raw_hello(fd);
    for (int i = 0; i < 5; i++)
        raw_frame(fd, LDR_MSG_STATUS, (uint64_t)i, ldr_slice(&never, 1), 0);
    uint64_t from = kit_ms();
    for (size_t n = 0; n < 5 && kit_ms() - from < KIT_LONG_MS; usleep(1000)) {
        pthread_mutex_lock(&kit.mutex);
        n = kit.n_held;
        pthread_mutex_unlock(&kit.mutex);
    }
    close(fd);
    still_serves(); /* the server has seen the connection go, with all five open */
    /* the fixture answers them and closes */
}

int main(void)
{
#define T(f, s) cmocka_unit_test_setup_teardown(f, s, teardown)
    const struct CMUnitTest tests[] = {
        T(a_server_that_never_answers, setup),
        T(a_connection_that_breaks, setup),
        T(a_server_that_comes_back, setup),
        T(a_host_that_is_gone, setup),
        T(garbage_closes_only_its_own_connection, setup),
        T(a_frame_over_the_maximum, setup_small),
        T(a_half_frame_gets_memory_only_for_what_came, setup_small),
        T(silent_and_half_connections_are_closed, setup_short),
        T(connections_have_a_maximum, setup_few),
        T(closing_with_requests_unanswered, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
