/* One load generator for all servers: a single thread, non-blocking connections, one request under way on
 * each. Closed loop: the next request leaves when the answer is there. Open loop: requests fall due at a
 * steady rate and latency counts from then on, so that a server that stalls is charged for all that had to
 * wait (no coordinated omission). usage: bench_tcp load SYSTEM WHERE ENTITIES bench_tcp sizes SYSTEM WHERE
 * BATCH             bytes of a request and of its answer bench_tcp run SYSTEM WHERE ENTITIES METRIC BATCH
 * CONNECTIONS SECONDS RATE PID     RATE 0: closed loop Prints "tcp METRIC SYSTEM VALUE UNIT" lines for
 * bench/report.py. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>

#include "base/hist.h"
#include "bench/proc.h"
#include "bench/wire.h"

enum { CONNECTIONS_MAX = 256, ANSWER_ROOM = 1 << 18, CHECK_EVERY = 16 };
#define PATIENCE_NS UINT64_C(10000000000)
static const struct wire *const wires[] = {&wire_echo,      &wire_redis_get, &wire_redis_hmget,
                                           &wire_memcached, &wire_larder,    &wire_http};

struct link {
    int fd;
    uint8_t *in, *out;
    size_t in_n, out_n, out_done;
    struct wire_at at;
    uint64_t due_ns, expected;
    bool busy;
    struct link *next_free;
};
static struct load {
    const struct wire *wire;
    uint64_t entities, seed, asked, answered, due_ns, every_ns, end_ns;
    uint64_t *sums; /* of each entity's row */
    size_t batch;
    int epoll, n, under_way;
    struct link links[CONNECTIONS_MAX], *idle; /* idle: of an open loop */
    struct ldr_hist times;
} load;

void bench_die(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}
static void fail(const char *what)
{
    bench_die(what, strerror(errno));
}
static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
void wire_send_all(int fd, const void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = send(fd, (const char *)p + done, n - done, MSG_NOSIGNAL);
        if (k < 0)
            fail("send");
        done += (size_t)k;
    }
}
void wire_recv_all(int fd, void *p, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t k = recv(fd, (char *)p + done, n - done, 0);
        if (k <= 0)
            bench_die("recv", k ? strerror(errno) : "the server closed the connection");
        done += (size_t)k;
    }
}
static int connect_to(int port)
{
    struct sockaddr_in a = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a))
        fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* ---- One request. ---- */
static void watch(struct link *l, uint32_t events)
{
    struct epoll_event e = {events, {.ptr = l}};
    if (epoll_ctl(load.epoll, EPOLL_CTL_MOD, l->fd, &e))
        fail("epoll");
}
static void push(struct link *l)
{
    ssize_t k = send(l->fd, l->out + l->out_done, l->out_n - l->out_done, MSG_NOSIGNAL);
    if (k < 0 && errno != EAGAIN)
        fail("send");
    bool began = l->out_done == 0;
    l->out_done += k > 0 ? (size_t)k : 0;
    if (l->out_done < l->out_n)
        watch(l, EPOLLIN | EPOLLOUT);
    else if (!began)
        watch(l, EPOLLIN);
}
static void ask(struct link *l, uint64_t due_ns)
{
    uint64_t entity[BATCH_MAX];
    bool check = !load.wire->empty && load.asked++ % CHECK_EVERY == 0;
    l->expected = 0;
    for (size_t i = 0; i < load.batch; i++) {
        entity[i] = mix(load.seed++) % load.entities;
        if (check)
            l->expected += load.sums[entity[i]];
    }
    l->at = (struct wire_at){0};
    l->due_ns = due_ns;
    l->out_n = load.wire->ask(l->out, entity, load.batch);
    l->out_done = 0;
    load.under_way++;
    l->busy = true;
    push(l);
}
/* Takes what has come; true when the answer is whole. */
static bool pull(struct link *l, uint64_t *now)
{
    ssize_t k = recv(l->fd, l->in + l->in_n, ANSWER_ROOM - l->in_n, 0);
    if (k == 0)
        bench_die(load.wire->name, "the server closed the connection");
    if (k < 0) {
        if (errno == EAGAIN)
            return false;
        fail("recv");
    }
    l->in_n += (size_t)k;
    size_t whole = load.wire->take(&l->at, l->in, l->in_n, load.batch);
    if (whole == 0) {
        if (l->in_n == ANSWER_ROOM)
            bench_die(load.wire->name, "an answer is too long");
        return false;
    }
    if (whole != l->in_n)
        bench_die(load.wire->name, "more came than was asked for");
    if (l->expected && l->at.sum != l->expected)
        bench_die(load.wire->name, "a wrong answer");
    l->in_n = 0;
    load.under_way--;
    l->busy = false;
    *now = now_ns();
    if (*now <= load.end_ns || load.every_ns) { /* an open loop waits for all that fell due */
        ldr_hist_add(&load.times, *now - l->due_ns);
        load.answered++;
    }
    return true;
}

/* ---- Loops. ---- */
static void open_links(int port, int n)
{
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    load.n = n;
    for (int i = 0; i < n; i++) {
        struct link *l = &load.links[i];
        *l = (struct link){.fd = connect_to(port), .in = malloc(ANSWER_ROOM), .out = malloc(ASK_MAX)};
        if (!l->in || !l->out)
            bench_die("run", "memory");
        if (load.wire->greet)
            load.wire->greet(l->fd);
        struct epoll_event e = {EPOLLIN, {.ptr = l}};
        if (fcntl(l->fd, F_SETFL, O_NONBLOCK) || epoll_ctl(load.epoll, EPOLL_CTL_ADD, l->fd, &e))
            fail("connections");
        l->next_free = load.idle;
        load.idle = l;
    }
}
/* What is due is sent as long as somebody is free to send it. Returns when to look again. */
static uint64_t send_due(uint64_t now)
{
    while (load.idle && load.due_ns <= now && load.due_ns < load.end_ns) {
        struct link *l = load.idle;
        load.idle = l->next_free;
        ask(l, load.due_ns);
        load.due_ns += load.every_ns;
    }
    return load.idle && load.due_ns < load.end_ns ? load.due_ns : now + PATIENCE_NS;
}
static void wait_events(uint64_t until_ns)
{
    struct epoll_event e[CONNECTIONS_MAX];
    uint64_t now = now_ns(), ns = until_ns > now ? until_ns - now : 0;
    struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    int n = epoll_pwait2(load.epoll, e, CONNECTIONS_MAX, &t, NULL);
    if (n < 0 && errno != EINTR)
        fail("epoll");
    for (int i = 0; i < n; i++) {
        struct link *l = e[i].data.ptr;
        if (e[i].events & EPOLLOUT)
            push(l);
        if (!(e[i].events & ~(uint32_t)EPOLLOUT) || !pull(l, &now))
            continue;
        if (load.every_ns) {
            l->next_free = load.idle;
            load.idle = l;
        } else if (now < load.end_ns) {
            ask(l, now);
        }
    }
}
/* Who cannot keep the pace: what is not answered by now has waited until now at least. */
static void give_up(uint64_t now)
{
    uint64_t n = 0;
    if (!load.every_ns)
        bench_die(load.wire->name, "no answer within ten seconds");
    for (int i = 0; i < load.n; i++)
        if (load.links[i].busy && ++n)
            ldr_hist_add(&load.times, now - load.links[i].due_ns);
    for (; load.every_ns && load.due_ns < load.end_ns; load.due_ns += load.every_ns, n++)
        ldr_hist_add(&load.times, now - load.due_ns);
    fprintf(stderr, "bench: %s: %llu requests were not answered in ten seconds after the end\n",
            load.wire->name, (unsigned long long)n);
}

static void run(double seconds, double rate)
{
    uint64_t now = now_ns();
    load.end_ns = now + (uint64_t)(seconds * 1e9);
    load.every_ns = rate > 0 ? (uint64_t)(1e9 / rate) : 0;
    load.due_ns = now;
    ldr_hist_init(&load.times);
    if (!load.every_ns)
        for (int i = 0; i < load.n; i++)
            ask(&load.links[i], now_ns());
    while ((now = now_ns()) < load.end_ns || load.under_way || (load.every_ns && load.due_ns < load.end_ns)) {
        if (now > load.end_ns + PATIENCE_NS) {
            give_up(now);
            return;
        }
        wait_events(load.every_ns ? send_due(now) : now < load.end_ns ? load.end_ns : now + PATIENCE_NS);
    }
}

static void say(const char *metric, const char *what, double value, const char *unit)
{
    printf("tcp %s%s %s %.10g %s\n", metric, what, load.wire->name, value, unit);
}
static void say_quantile(const char *metric, const char *what, double q)
{
    say(metric, what, (double)(q < 1 ? ldr_hist_quantile(&load.times, q) : load.times.max_ns) / 1e3, "us");
}
static void learn_sums(void)
{
    load.sums = malloc(load.entities * sizeof *load.sums);
    if (!load.sums)
        bench_die("run", "memory");
    for (uint64_t e = 0; e < load.entities; e++)
        load.sums[e] = row_sum(e);
}
static void report(const char *metric, double seconds, double server, double client)
{
    double n = (double)load.answered;
    say(metric, "", n / seconds, "/s");
    say_quantile(metric, "_p50", 0.5);
    say_quantile(metric, "_p99", 0.99);
    say(metric, "_server_cpu", server / n * 1e6, "us");
    say(metric, "_client_cpu", client / n * 1e6, "us");
}
static void report_open(const char *metric)
{
    say_quantile(metric, "_p50", 0.5);
    say_quantile(metric, "_p99", 0.99);
    say_quantile(metric, "_p999", 0.999);
    say_quantile(metric, "_p9999", 0.9999);
    say_quantile(metric, "_max", 1);
}
/* a: ENTITIES METRIC BATCH CONNECTIONS SECONDS RATE PID */
static void run_command(int port, char **a)
{
    double seconds = strtod(a[4], NULL), rate = strtod(a[5], NULL);
    int connections = (int)strtol(a[3], NULL, 10);
    load.entities = strtoull(a[0], NULL, 10);
    load.batch = strtoul(a[2], NULL, 10);
    load.seed = now_ns();
    if (load.batch < 1 || load.batch > BATCH_MAX || connections < 1 || connections > CONNECTIONS_MAX ||
        load.entities == 0 || seconds <= 0 || rate < 0)
        bench_die("usage", "a batch is 1 to 100 entities, connections are 1 to 256");
    if (!load.wire->empty)
        learn_sums();
    open_links(port, connections);
    run(seconds / 10, 0); /* warm */
    double server = cpu_of(a[6]), client = cpu_here();
    load.answered = 0;
    run(seconds, rate);
    if (rate > 0)
        report_open(a[1]);
    else
        report(a[1], seconds, cpu_of(a[6]) - server, cpu_here() - client);
}

/* ---- Loading: many rows in one write, then their answers, all the same. ---- */
static void load_rows(int port, uint64_t entities)
{
    enum { TOGETHER = 500, ROOM = 4096 };
    int fd = connect_to(port);
    uint8_t *out = malloc((size_t)TOGETHER * ROOM), in[ROOM];
    if (!load.wire->put || !out)
        bench_die("load", "this system is loaded by other means");
    for (uint64_t e = 0; e < entities;) {
        const char *answer = "";
        size_t n = 0, back = 0, at = 0;
        for (uint64_t to = e + TOGETHER; e < to && e < entities; e++) {
            struct row r;
            row_make(&r, e, 0);
            n += load.wire->put(out + n, e, &r, &answer);
            back += strlen(answer);
        }
        wire_send_all(fd, out, n);
        for (size_t k; back; back -= k) {
            k = back < ROOM ? back : ROOM;
            wire_recv_all(fd, in, k);
            for (size_t i = 0; i < k; i++, at++)
                if (in[i] != (uint8_t)answer[at % strlen(answer)])
                    bench_die("load", "a row was refused");
        }
    }
    close(fd);
    free(out);
}
static void sizes(int port)
{
    struct link l = {.fd = connect_to(port), .in = malloc(ANSWER_ROOM), .out = malloc(ASK_MAX)};
    uint64_t entity[BATCH_MAX];
    size_t whole = 0, n = 0;
    if (!l.in || !l.out)
        bench_die("sizes", "memory");
    for (size_t i = 0; i < BATCH_MAX; i++)
        entity[i] = i;
    if (load.wire->greet)
        load.wire->greet(l.fd);
    l.out_n = load.wire->ask(l.out, entity, load.batch);
    wire_send_all(l.fd, l.out, l.out_n);
    for (; whole == 0; whole = load.wire->take(&l.at, l.in, n, load.batch)) {
        ssize_t k = recv(l.fd, l.in + n, ANSWER_ROOM - n, 0);
        if (k <= 0)
            bench_die("sizes", "no answer");
        n += (size_t)k;
    }
    printf("%zu:%zu\n", l.out_n, whole);
    close(l.fd);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        bench_die("usage", "bench_tcp load|sizes|run SYSTEM WHERE ...");
    for (size_t i = 0; i < sizeof wires / sizeof *wires; i++)
        if (strcmp(wires[i]->name, argv[2]) == 0)
            load.wire = wires[i];
    if (!load.wire)
        bench_die(argv[2], "no such system");
    load.batch = strtoul(argv[4], NULL, 10);
    int port = load.wire->open(argv[3], load.batch);
    if (strcmp(argv[1], "load") == 0 && argc == 5) {
        load_rows(port, strtoull(argv[4], NULL, 10));
    } else if (strcmp(argv[1], "sizes") == 0 && argc == 5 && load.batch >= 1 && load.batch <= BATCH_MAX) {
        sizes(port);
    } else if (strcmp(argv[1], "run") == 0 && argc == 11) {
        run_command(port, argv + 4);
    } else {
        bench_die("usage",
                  "bench_tcp load SYSTEM WHERE ENTITIES | sizes SYSTEM WHERE BATCH | run SYSTEM WHERE "
                  "ENTITIES METRIC BATCH CONNECTIONS SECONDS RATE PID");
    }
    return 0;
}
