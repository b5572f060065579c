/* Clients that read slowly, or never, and those whose requests wait: they are not read from meanwhile, are
 * kept as long as they take anything, and nobody else notices. */
#include "unit/rpc/data_kit.h"

enum { STALL_MS = 1500 };
static struct kit kit;
static struct ldr_rpc *rpc;

static int open_all(const struct ldr_data_limits *limits)
{
    struct ldr_rpc_options o = {.cluster = "test"};
    kit_open(&kit, 1, 0, limits);
    return ldr_rpc_create(&o, &rpc);
}
static int setup(void **state)
{
    (void)state;
    return open_all(&(struct ldr_data_limits){.outstanding = 8, .unsent_bytes = 1 << 20});
}
static int setup_impatient(void **state)
{
    (void)state;
    return open_all(&(struct ldr_data_limits){.unsent_bytes = 1 << 20, .stall_ms = STALL_MS});
}
static int teardown(void **state)
{
    (void)state;
    ldr_rpc_destroy(rpc);
    kit_close(&kit);
    return 0;
}

static void still_serves(void)
{
    kit_still_serves(&kit, rpc);
}

/* One that asks for a hundred answers of a megabyte and reads none of them. */
static int greedy(int n)
{
    struct ldr_buf q;
    int fd = raw_connect(kit.port);
    raw_hello(fd);
    for (int i = 0; i < n; i++) {
        raw_frame(fd, LDR_MSG_COPY_READ, (uint64_t)i, kit_read(&q, 1 << 20), 0);
        ldr_buf_close(&q);
    }
    return fd;
}

static void a_slow_reader_is_not_read_from(void **state)
{
    enum { N = 100 };
    struct ldr_buf b;
    (void)state;
    ldr_buf_init(&b, NULL, 0);
    int fd = greedy(N);
    for (int i = 0; i < 50; i++)
        still_serves(); /* a turn of the loop each, in which it could read on */
    assert_true(kit_stats(&kit).frames_out < 50 + 30);
    for (int i = 0; i < N; i++) /* it reads at last: everything is there */
        assert_int_equal(raw_answer(fd, &b), 0);
    ldr_buf_close(&b);
    close(fd);
}

static void a_reader_that_never_reads_is_closed(void **state)
{
    (void)state;
    int fd = greedy(100);
    uint64_t from = kit_ms();
    while (kit_stats(&kit).connections > 0 && kit_ms() - from < 25000) /* 30 s unless said otherwise */
        usleep(10000);
    assert_int_equal(kit_stats(&kit).connections, 0);
    close(fd);
    still_serves();
}

/* Taking one answer needs longer than anybody may take nothing. */
static void a_reader_that_takes_little_is_kept(void **state)
{
    enum { BYTES = 8 << 20, PIECE = 20000 };
    static uint8_t piece[PIECE];
    struct ldr_buf q;
    uint8_t head[LDR_FRAME_HEAD + 12];
    (void)state;
    int fd = raw_connect_held(kit.port, 32768); /* so that each piece lets the server write another one */
    raw_hello(fd);
    raw_frame(fd, LDR_MSG_COPY_READ, 1, kit_read(&q, BYTES), 0);
    ldr_buf_close(&q);
    assert_true(raw_read(fd, head, sizeof head, KIT_LONG_MS));
    uint64_t from = kit_ms();
    for (size_t left = BYTES, n; left > 0; left -= n) {
        n = left < PIECE ? left : PIECE;
        if (!raw_read(fd, piece, n, KIT_LONG_MS))
            fail_msg("closed after %d ms, with %zu bytes to come", (int)(kit_ms() - from), left);
        if (kit_ms() - from < 2 * STALL_MS)
            usleep(20000);
    }
    assert_true(kit_ms() - from >= 2 * STALL_MS);
    close(fd);
}

static void requests_unanswered_stop_the_reading(void **state)
{
    enum { N = 50 };
    uint8_t never = 0;
    struct ldr_buf b;
    (void)state;
    ldr_buf_init(&b, NULL, 0);
    int fd = raw_connect(kit.port);
    raw_hello(fd);
    for (int i = 0; i < N; i++)
        raw_frame(fd, LDR_MSG_STATUS, (uint64_t)i, ldr_slice(&never, 1), 0);
    for (int i = 0; i < 50; i++)
        still_serves(); /* a turn of the loop each, in which it could read on */
    int answered = 0;
    while (answered < N) { /* each round answers what is held; at most 8 of them */
        struct ldr_reply *held[KIT_HELD];
        pthread_mutex_lock(&kit.mutex);
        size_t n = kit.n_held;
        memcpy(held, kit.held, n * sizeof held[0]);
        kit.n_held = 0;
        pthread_mutex_unlock(&kit.mutex);
        assert_true(n <= 8);
        for (size_t i = 0; i < n; i++)
            held[i]->send(held[i], LDR_E_BUSY, ldr_slice(NULL, 0));
        for (size_t i = 0; i < n; i++, answered++)
            assert_int_equal(raw_answer(fd, &b), LDR_E_BUSY);
        if (n == 0)
            usleep(1000);
    }
    ldr_buf_close(&b);
    close(fd);
}

int main(void)
{
#define T(f, s) cmocka_unit_test_setup_teardown(f, s, teardown)
    const struct CMUnitTest tests[] = {
        T(a_slow_reader_is_not_read_from, setup),
        T(a_reader_that_never_reads_is_closed, setup_impatient),
        T(a_reader_that_takes_little_is_kept, setup_impatient),
        T(requests_unanswered_stop_the_reading, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
