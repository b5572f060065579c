/* Round trips and requests a second of the data plane, beside a bare libuv echo of the same sizes and the
 * control plane. Client and server are two threads of this process, on loopback. usage: bench_rpc [SECONDS
 * each] */
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <uv.h>

#include "rpc/rpc.h"

enum { ASK = 64, ANSWER = 256, FLIGHT_MAX = 1024 };
static double seconds = 2;
static uint8_t filler[ANSWER];

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
static double cpu(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}
static double from, cpu_from;
static void start_clock(void)
{
    from = now();
    cpu_from = cpu();
}
static void report(const char *what, int flight, double n)
{
    double s = now() - from;
    printf("%-28s %5d in flight  %9.0f /s  %8.1f us a request  %6.2f us CPU\n", what, flight, n / s,
           s / n * 1e6 * flight, (cpu() - cpu_from) / n * 1e6);
    fflush(stdout);
}

/* ---- Ours. ---- */
static struct ldr_uv_loop *server_loop, *client_loop;
static struct ldr_data_server *server;
static struct ldr_data_peers *peers;
static char address[64];
static sem_t ready;
static struct ldr_call calls[FLIGHT_MAX];
static int flight, running;
static double n_done;
static bool over;

static void serve(void *ctx, enum ldr_msg_type type, struct ldr_slice payload, struct ldr_reply *r)
{
    (void)ctx;
    (void)type;
    LDR_ASSERT(payload.n == ASK);
    r->send(r, 0, ldr_slice(filler, ANSWER));
}
static void ask(struct ldr_call *c)
{
    ldr_data_call(peers, address, LDR_MSG_LOOKUP, ldr_slice(filler, ASK), 10000, c);
}
static void answered(struct ldr_call *c, int code, struct ldr_slice payload)
{
    LDR_ASSERT(code == 0 && payload.n == ANSWER);
    n_done++;
    if (!over && ((uint64_t)n_done & 63) == 0)
        over = now() - from > seconds;
    if (!over)
        ask(c);
    else if (--running == 0)
        ldr_uv_loop_stop(client_loop);
}
static void data_plane(int in_flight)
{
    flight = running = in_flight;
    over = false;
    n_done = 0;
    for (int i = 0; i < flight; i++) {
        calls[i] = (struct ldr_call){.done = answered};
        ask(&calls[i]);
    }
    start_clock();
    ldr_uv_loop_run(client_loop);
    report("data plane", flight, n_done);
}
static void open_server(struct ldr_job *j)
{
    static struct ldr_server handler = {.serve = serve};
    struct ldr_err err;
    struct ldr_data_server_options o = {
        .listen = "127.0.0.1:0", .cluster = "bench", .loops = &server_loop, .n_loops = 1, .server = &handler};
    (void)j;
    if (ldr_data_server_create(&o, &server, &err)) {
        fprintf(stderr, "%s\n", err.message);
        exit(1);
    }
    snprintf(address, sizeof address, "127.0.0.1:%d", ldr_data_server_port(server));
    sem_post(&ready);
}

static void waiting_threads(void)
{
    struct ldr_rpc *r;
    struct ldr_rpc_options o = {.cluster = "bench"};
    struct ldr_buf b;
    double n = 0;
    ldr_buf_init(&b, NULL, 0);
    LDR_ASSERT(ldr_rpc_create(&o, &r) == 0);
    start_clock();
    for (; now() - from < seconds; n++) {
        ldr_buf_reset(&b);
        LDR_ASSERT(ldr_rpc_call(r, address, LDR_MSG_LOOKUP, ldr_slice(filler, ASK), 1000, &b, NULL) == 0);
    }
    report("data plane, waiting thread", 1, n);
    ldr_rpc_destroy(r);
    ldr_buf_close(&b);
}

static void control_plane(void)
{
    static struct ldr_server handler = {.serve = serve};
    struct ldr_control_server_options o = {.listen = "127.0.0.1:0", .loop = server_loop, .server = &handler};
    struct ldr_control_server *s;
    struct ldr_control *c;
    struct ldr_err err;
    char at[64];
    const char *one[] = {at};
    struct ldr_buf b;
    double n = 0;
    ldr_buf_init(&b, NULL, 0);
    LDR_ASSERT(ldr_control_server_create(&o, &s, &err) == 0);
    snprintf(at, sizeof at, "127.0.0.1:%d", ldr_control_server_port(s));
    LDR_ASSERT(ldr_control_create(one, 1, &c, &err) == 0);
    start_clock();
    for (; now() - from < seconds; n++) {
        ldr_buf_reset(&b);
        LDR_ASSERT(ldr_control_call(c, LDR_MSG_STATE, ldr_slice(filler, ASK), 1000, &b, &err) == 0);
    }
    report("control plane, waiting", 1, n);
    ldr_control_destroy(c);
    ldr_buf_close(&b);
}

/* ---- Bare libuv: fixed sizes, one uv_try_write for what came, no frames, no timers. ---- */
static uv_loop_t bare_server, bare_client;
static int bare_port;
static char bare_in[2][65536], bare_out[FLIGHT_MAX * ANSWER];
static size_t bare_left[2];

static void bare_room(uv_handle_t *h, size_t n, uv_buf_t *b)
{
    (void)n;
    *b = uv_buf_init(bare_in[h->data != NULL], sizeof bare_in[0]);
}
/* Whole messages among what came. */
static size_t bare_whole(int side, size_t size, ssize_t n)
{
    bare_left[side] += (size_t)n;
    size_t whole = bare_left[side] / size;
    bare_left[side] %= size;
    return whole;
}
static void bare_write(uv_stream_t *s, size_t n)
{
    for (size_t done = 0; done < n;) { /* spins when the socket is full: a yardstick may */
        uv_buf_t b =
            uv_buf_init(bare_out, (unsigned)(n - done < sizeof bare_out ? n - done : sizeof bare_out));
        int w = uv_try_write(s, &b, 1);
        if (w > 0)
            done += (size_t)w;
    }
}
static void bare_asked(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    (void)b;
    if (n > 0)
        bare_write(s, bare_whole(0, ASK, n) * ANSWER);
    else if (n < 0)
        uv_close((uv_handle_t *)s, NULL);
}
static void bare_accept(uv_stream_t *l, int status)
{
    static uv_tcp_t conn;
    (void)status;
    uv_tcp_init(l->loop, &conn);
    uv_accept(l, (uv_stream_t *)&conn);
    uv_tcp_nodelay(&conn, 1);
    conn.data = NULL;
    uv_read_start((uv_stream_t *)&conn, bare_room, bare_asked);
}
static void bare_serve(void *arg)
{
    static uv_tcp_t l;
    struct sockaddr_in a;
    int n = sizeof a;
    (void)arg;
    uv_loop_init(&bare_server);
    uv_tcp_init(&bare_server, &l);
    uv_ip4_addr("127.0.0.1", 0, &a);
    uv_tcp_bind(&l, (struct sockaddr *)&a, 0);
    uv_listen((uv_stream_t *)&l, 8, bare_accept);
    uv_tcp_getsockname(&l, (struct sockaddr *)&a, &n);
    bare_port = ntohs(a.sin_port);
    sem_post(&ready);
    uv_run(&bare_server, UV_RUN_DEFAULT);
}
static void bare_answered(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    (void)b;
    if (n <= 0)
        return;
    size_t k = bare_whole(1, ANSWER, n);
    n_done += (double)k;
    if (now() - from > seconds)
        uv_stop(s->loop);
    else
        bare_write(s, k * ASK);
}
static void bare_connected(uv_connect_t *c, int status)
{
    LDR_ASSERT(status == 0);
    uv_tcp_nodelay((uv_tcp_t *)c->handle, 1);
    c->handle->data = c;
    uv_read_start(c->handle, bare_room, bare_answered);
    start_clock();
    bare_write(c->handle, (size_t)flight * ASK);
}
static void bare(int in_flight)
{
    static uv_tcp_t conn;
    uv_connect_t c;
    struct sockaddr_in a;
    flight = in_flight;
    n_done = 0;
    bare_left[0] = bare_left[1] = 0;
    uv_loop_init(&bare_client);
    uv_tcp_init(&bare_client, &conn);
    uv_ip4_addr("127.0.0.1", bare_port, &a);
    uv_tcp_connect(&c, &conn, (struct sockaddr *)&a, bare_connected);
    uv_run(&bare_client, UV_RUN_DEFAULT);
    report("bare libuv echo", flight, n_done);
    uv_close((uv_handle_t *)&conn, NULL);
    uv_run(&bare_client, UV_RUN_DEFAULT);
    uv_loop_close(&bare_client);
    uv_sleep(100);
}

int main(int argc, char **argv)
{
    static const int flights[] = {1, 32, FLIGHT_MAX};
    struct ldr_job job = {open_server, NULL};
    uv_thread_t t;
    if (argc > 1)
        seconds = strtod(argv[1], NULL);
    sem_init(&ready, 0, 0);
    LDR_ASSERT(ldr_uv_loop_create(&server_loop) == 0 && ldr_uv_loop_create(&client_loop) == 0);
    LDR_ASSERT(ldr_uv_loop_start(server_loop) == 0);
    ldr_uv_loop_post(server_loop, &job);
    sem_wait(&ready);
    struct ldr_data_peers_options po = {.loop = client_loop, .cluster = "bench"};
    LDR_ASSERT(ldr_data_peers_create(&po, &peers) == 0);
    LDR_ASSERT(uv_thread_create(&t, bare_serve, NULL) == 0);
    sem_wait(&ready);
    printf("asks of %d bytes, answers of %d, %.1f s each\n", ASK, ANSWER, seconds);
    for (int i = 0; i < 3; i++) {
        bare(flights[i]);
        data_plane(flights[i]);
    }
    waiting_threads();
    control_plane();
    return 0; /* the process ends; what is open ends with it */
}
