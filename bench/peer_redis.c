/* Redis with `appendfsync always`, a process of its own behind a Unix socket: one packed row a key. */
#include "bench/peer_pool.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_TRIES = 200 };
static const struct timespec try_pause = {.tv_nsec = 50 * 1000 * 1000};

struct redis {
    pid_t pid;
    struct sockaddr_un at;
    struct pool pool;
};
static int connect_once(const struct redis *s)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && !connect(fd, (const struct sockaddr *)&s->at, sizeof s->at))
        return fd;
    close(fd);
    return -1;
}
static void *redis_open(const char *dir)
{
    struct redis *s = calloc(1, sizeof *s);
    pthread_mutex_init(&s->pool.lock, NULL);
    s->at.sun_family = AF_UNIX;
    /* a path in `dir` may be too long for a socket's name */
    snprintf(s->at.sun_path, sizeof s->at.sun_path, "/tmp/bench-redis-%d.sock", (int)getpid());
    s->pid = fork();
    if (!s->pid) {
        int log = open("/dev/null", O_WRONLY);
        dup2(log, 1);
        execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", s->at.sun_path, "--dir", dir,
               "--save", "", "--appendonly", "yes", "--appendfsync", "always", (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < START_TRIES; i++) {
        int fd = connect_once(s);
        if (fd >= 0) {
            close(fd);
            return s;
        }
        if (waitpid(s->pid, NULL, WNOHANG) == s->pid)
            break;
        nanosleep(&try_pause, NULL);
    }
    bench_die("redis-server", "does not start");
}
static void redis_put(void *db, uint64_t entity, uint64_t version)
{
    struct redis *s = db;
    /* a descriptor, plus one so that none is NULL */
    intptr_t held = (intptr_t)pool_take(&s->pool);
    int fd = held ? (int)(held - 1) : connect_once(s);
    if (fd < 0)
        bench_die("redis", "cannot connect");
    struct row r;
    uint8_t packed[ROW_PACKED_MAX], ask[2 * ROW_PACKED_MAX];
    char key[24], answer[5];
    row_make(&r, entity, version);
    size_t n = row_pack(&r, packed), got = 0;
    int key_len = snprintf(key, sizeof key, "v:%llu", (unsigned long long)entity);
    size_t at = (size_t)snprintf((char *)ask, sizeof ask, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%zu\r\n", key_len,
                                 key, n);
    memcpy(ask + at, packed, n);
    memcpy(ask + at + n, "\r\n", 2);
    if (write(fd, ask, at + n + 2) != (ssize_t)(at + n + 2))
        bench_die("redis", "cannot send");
    while (got < sizeof answer) {
        ssize_t k = read(fd, answer + got, sizeof answer - got);
        if (k <= 0)
            bench_die("redis", "is gone");
        got += (size_t)k;
    }
    if (memcmp(answer, "+OK\r\n", sizeof answer))
        bench_die("redis", "refuses a row");
    pool_give(&s->pool, (void *)(intptr_t)(fd + 1));
}
static void redis_close(void *db)
{
    struct redis *s = db;
    for (void *c; (c = pool_take(&s->pool));)
        close((int)((intptr_t)c - 1));
    kill(s->pid, SIGTERM);
    waitpid(s->pid, NULL, 0);
    unlink(s->at.sun_path);
    free(s);
}
const struct peer peer_redis = {
    .name = "redis_always", .open = redis_open, .put = redis_put, .close = redis_close};
