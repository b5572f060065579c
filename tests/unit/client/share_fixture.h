/* share_fixture.h: more handles and processes on the folder of a fixture. */
#ifndef LDR_TESTS_SHARE_FIXTURE_H
#define LDR_TESTS_SHARE_FIXTURE_H
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "unit/client/store_fixture.h"

static const char share_defs[] =
    "entities:\n  - {name: e, join_keys: [{name: id, type: int64}]}\n"
    "feature_views:\n  - {name: a, entity: e, features: [{name: x, type: int64}]}\n";

static inline void url_of(const struct fixture *f, char url[600])
{
    snprintf(url, 600, "local:%s/store", f->dir);
}

static inline struct ldr_store *open_also(const struct fixture *f, const struct ldr_open_opts *opts)
{
    char url[600];
    struct ldr_store *s;
    struct ldr_err err;
    url_of(f, url);
    if (ldr_open(url, opts, &s, &err))
        fail_msg("open: %s", err.message);
    return s;
}

static inline int put(struct ldr_store *s, int64_t id, int64_t x, struct ldr_err *err)
{
    static const char *const names[] = {"id", "x"};
    struct ldr_datum cells[2] = {{.type = LDR_INT64, .v.i = id}, {.type = LDR_INT64, .v.i = x}};
    int64_t at = 1000000 + x;
    return ldr_write(s, "a", names, 2, cells, 1, &at, NULL, NULL, err);
}

static inline void must_put(struct ldr_store *s, int64_t id, int64_t x)
{
    struct ldr_err err;
    if (put(s, id, x, &err))
        fail_msg("write: %s", err.message);
}

/* INT64_MIN: nothing there */
static inline int64_t get(struct ldr_store *s, int64_t id)
{
    struct ldr_query *q;
    struct ldr_rows *r;
    struct ldr_err err;
    const char *features[] = {"a:x"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 1};
    if (ldr_query_create(s, &spec, &q, &err))
        fail_msg("query: %s", err.message);
    assert_int_equal(ldr_rows_create(&r), 0);
    struct ldr_datum key = {.type = LDR_INT64, .v.i = id};
    if (ldr_online_get(q, &key, 1, NULL, r, &err))
        fail_msg("get: %s", err.message);
    const struct ldr_datum *d = ldr_rows_row(r, 0);
    int64_t x = d->status == LDR_NOT_FOUND ? INT64_MIN : d->v.i;
    ldr_rows_destroy(r);
    ldr_query_destroy(q);
    return x;
}

static inline uint64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* What main does first: this program, run anew as the holder below. */
static inline void be_the_holder(int argc, char **argv)
{
    struct ldr_store *s;
    struct ldr_err err;
    if (argc != 5 || strcmp(argv[1], "hold") != 0)
        return;
    if (ldr_open(argv[2], NULL, &s, &err) || put(s, atoll(argv[3]), atoll(argv[4]), &err)) {
        fprintf(stderr, "holder: %s\n", err.message);
        _exit(1);
    }
    if (write(1, s->guest ? "g" : "h", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

/* A process that opens the folder, writes x under id and then waits to be killed. Returns once it has. */
static inline pid_t child_with(const struct fixture *f, int64_t id, int64_t x)
{
    int ready[2];
    char byte = 0, url[600], a[24], b[24];
    url_of(f, url);
    snprintf(a, sizeof a, "%lld", (long long)id);
    snprintf(b, sizeof b, "%lld", (long long)x);
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ready[1], 1);
        close(ready[0]);
        close(ready[1]);
        execl("/proc/self/exe", "test", "hold", url, a, b, (char *)NULL);
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static inline void end_child(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Runs fn in a child; 0 = all was well. ThreadSanitizer allows no threads there. */
static inline int in_child(int (*fn)(void *ctx), void *ctx)
{
    int status;
#ifdef __SANITIZE_THREAD__
    skip();
#endif
    pid_t pid = fork();
    if (pid == 0)
        _exit(fn(ctx));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}
#endif
