/* larder-gateway. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "gateway/uv_server.h"

#define DECLARED_MAX 4096
#define STORE_FILES  1024 /* kept back for tables, logs, sockets of a cluster */

static void log_store(void *ctx, int level, const char *text)
{
    ldr_logf(ctx,
             level <= 0   ? LDR_LOG_DEBUG
             : level == 1 ? LDR_LOG_INFO
             : level == 2 ? LDR_LOG_WARN
                          : LDR_LOG_ERROR,
             "%s", text);
}

/* --store, LARDER_STORE, what the definitions say, else local:.larder beside them. */
static int store_url(struct ldr_gateway_config *c, struct ldr_err *err)
{
    char declared[DECLARED_MAX];
    const char *given = c->store ? c->store : getenv("LARDER_STORE");
    if (given && *given) {
        c->store = strchr(given, ':') ? given : ldr_arena_printf(&c->told.arena, "local:%s", given);
        return c->store ? 0 : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    }
    int rc = ldr_definitions_store(c->dir, declared, sizeof declared, err);
    if (rc && rc != LDR_E_NOT_FOUND)
        return rc;
    const char *url = rc ? "local:.larder" : declared;
    bool beside = strncmp(url, "local:", 6) == 0 && url[6] != '/' && strcmp(c->dir, ".") != 0;
    c->store = beside ? ldr_arena_printf(&c->told.arena, "local:%s/%s", c->dir, url + 6)
                      : ldr_arena_strndup(&c->told.arena, url, strlen(url));
    return c->store ? 0 : ldr_fail(err, LDR_E_NOMEM, "out of memory");
}

/* Every connection is a file: as many as the system lets us have, but never those that the store needs. */
static void set_files(struct ldr_gateway *g)
{
    struct rlimit r;
    g->most_conns = (unsigned)g->config->connections;
    if (getrlimit(RLIMIT_NOFILE, &r))
        return;
    if (r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &r) && getrlimit(RLIMIT_NOFILE, &r))
            return;
    }
    rlim_t reserve = r.rlim_cur / 2 < STORE_FILES ? r.rlim_cur / 2 : STORE_FILES;
    rlim_t room = r.rlim_cur - reserve;
    room = room > (rlim_t)2 * LDR_GW_REFUSALS ? room - LDR_GW_REFUSALS : room / 2;
    if (room >= g->most_conns)
        return;
    g->most_conns = (unsigned)room;
    ldr_logf(g->shared.log, LDR_LOG_WARN, "%llu files may be open: at most %u connections at one time",
             (unsigned long long)r.rlim_cur, g->most_conns);
}

static int open_store(struct ldr_gateway *g, struct ldr_err *err)
{
    const struct ldr_gateway_config *c = g->config;
    g->local = strncmp(c->store, "local:", 6) == 0;
    const struct ldr_open_opts o = {.must_exist = true,
                                    .memory_bytes = c->memory_bytes,
                                    .latest_bytes = c->latest_bytes,
                                    .cache_bytes = c->cache_bytes,
                                    .read_ms = (uint32_t)(c->read_us / 1000),
                                    .log = log_store,
                                    .log_ctx = (void *)(uintptr_t)g->shared.log,
                                    .cache_dir = getenv("LARDER_CACHE_DIR")};
    return ldr_open(c->store, &o, &g->store, err);
}

static void pause_us(int64_t us)
{
    struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    nanosleep(&t, NULL);
}

static int run(void *config)
{
    struct ldr_gateway_config *c = config;
    struct ldr_gateway g = {0};
    struct ldr_log_lines lines;
    struct ldr_err err = {0};
    sigset_t set;
    int number, code = 0;
    g.config = c;
    int rc = ldr_log_lines_init(&lines, "gateway", c->told.log_format, c->told.log_level, &err);
    if (!rc)
        rc = store_url(c, &err);
    if (rc) {
        fprintf(stderr, "larder-gateway: %s\n", err.message);
        return 2;
    }
    g.shared.log = &lines.log;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread is made */
    set_files(&g);
    rc = open_store(&g, &err);
    if (!rc)
        rc = ldr_gw_start(&g, &err);
    if (rc) {
        ldr_logf(g.shared.log, LDR_LOG_ERROR, "cannot start: %s", err.message);
        return rc == LDR_E_INVALID ? 2 : 3; /* nothing was promised yet: the process ends as it is */
    }
    char *colon = strrchr(c->listen, ':');
    ldr_logf(g.shared.log, LDR_LOG_INFO, "%s is served on http://%.*s:%d by %u loop%s", c->store,
             (int)(colon - c->listen), c->listen, ldr_gw_port(&g), g.nloops, g.nloops == 1 ? "" : "s");
    while (sigwait(&set, &number) != 0)
        ;
    ldr_logf(g.shared.log, LDR_LOG_INFO, "stopping: signal %d", number);
    atomic_store(&g.unwell, true);
    atomic_store(&g.shared.stopping, true);
    if (c->drain_us)
        pause_us(c->drain_us);
    ldr_gw_drain(&g);
    if (!ldr_gw_wait(&g, c->stop_us)) {
        ldr_logf(g.shared.log, LDR_LOG_WARN,
                 "requests under way are cut off: they took longer than stop-after");
        ldr_gw_force(&g);
        if (!ldr_gw_wait(&g,
                         5000000)) { /* a thread is still in the store: what it writes is whole or in doubt */
            ldr_logf(g.shared.log, LDR_LOG_ERROR, "stopped with a request under way");
            _exit(1);
        }
        code = 1;
    }
    ldr_gw_destroy(&g);
    ldr_close(g.store);
    ldr_logf(g.shared.log, LDR_LOG_INFO, "stopped");
    return code;
}

int main(int argc, char **argv)
{
    return ldr_gateway_main(argc, argv, run);
}
