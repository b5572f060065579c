/* larder-node. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node/daemon.h"

#ifndef LARDER_VERSION
#define LARDER_VERSION "0.0.0"
#endif

/* ---- stopping: no requests, no node, no calls, no loop ---- */

static void stop_loop(void *owner)
{
    ldr_uv_loop_stop(((struct ldr_node_daemon *)owner)->loop);
}
static void close_peers(void *owner)
{
    ldr_data_peers_close(((struct ldr_node_daemon *)owner)->peers, stop_loop, owner);
}
static void close_node(void *owner)
{
    ldr_node_close(((struct ldr_node_daemon *)owner)->node, close_peers, owner);
}
static void close_server(void *owner)
{
    struct ldr_node_daemon *d = owner;
    d->http = NULL;
    struct ldr_data_server *s = d->server;
    d->server = NULL;
    ldr_data_server_close(s, close_node, d);
}
static void too_late(struct ldr_timer *t)
{
    const struct ldr_node_daemon *d = t->owner;
    ldr_logf(&d->lines.log, LDR_LOG_ERROR,
             "stopping took too long: what was acknowledged is on disk all the same");
    _exit(1);
}
static void stop(struct ldr_node_daemon *d, int code)
{
    if (d->stopping)
        return;
    d->stopping = true;
    d->code = code;
    d->late = (struct ldr_timer){.fire = too_late, .owner = d};
    d->seam->timer_start(d->seam->ctx, &d->late, (uint64_t)d->config->stop_us);
    if (d->http)
        ldr_http_close(d->http, close_server, d);
    else
        close_server(d);
}

/* A disk that failed is not to be trusted with another try: the process ends, its supervisor starts it anew
 * and the replicas prove themselves when they are opened. */
static void broken(void *ctx, int code, const char *text)
{
    struct ldr_node_daemon *d = ctx;
    if (!d->stopping)
        ldr_logf(&d->lines.log, LDR_LOG_ERROR, "stopping: the storage failed (%s): %s", ldr_code_text(code),
                 text);
    stop(d, 1);
}

static void started(void *ctx, int code, const struct ldr_err *err)
{
    struct ldr_node_daemon *d = ctx;
    if (code) {
        ldr_logf(&d->lines.log, LDR_LOG_ERROR, "cannot start: %s", err->message);
        stop(d, 1);
        return;
    }
    d->started = true;
    ldr_logf(&d->lines.log, LDR_LOG_INFO, "%s serves on %s, known as %s", d->config->name, d->config->listen,
             d->config->advertise);
}

/* ---- signals: a thread waits for them and posts a job ---- */

struct signals {
    struct ldr_job job;
    struct ldr_node_daemon *d;
    sigset_t set;
    int number;
};
static void on_signal(struct ldr_job *job)
{
    struct signals *s = (struct signals *)(void *)job;
    ldr_logf(&s->d->lines.log, LDR_LOG_INFO, "stopping: signal %d", s->number);
    stop(s->d, 0);
}
static void *wait_for_signal(void *arg)
{
    struct signals *s = arg;
    while (sigwait(&s->set, &s->number) != 0)
        ;
    s->job.run = on_signal;
    ldr_uv_loop_post(s->d->loop, &s->job); /* once: a second signal changes nothing */
    return NULL;
}

/* ---- what the transports ask ---- */

static const char *address_of(void *ctx, uint32_t node)
{
    const struct ldr_node_daemon *d = ctx;
    const struct ldr_map *m = d->node ? ldr_node_map(d->node) : NULL;
    const struct ldr_map_node *n = m ? ldr_map_node(m, node) : NULL;
    return n ? n->address : NULL;
}
static void hello(void *ctx, struct ldr_hello_rep *rep)
{
    struct ldr_node_status s;
    ldr_node_status(((struct ldr_node_daemon *)ctx)->node, &s);
    rep->node = s.id;
    rep->incarnation = s.incarnation;
    rep->map_version = s.map_version;
    rep->defs = s.defs_version;
}
static void publisher_found(void *ctx, const char *address)
{
    (void)ldr_notices_learn(((struct ldr_node_daemon *)ctx)->notices, address); /* without it the node asks */
}
static void noticed(void *ctx, uint64_t map_version, uint64_t defs_version)
{
    ldr_node_hint(((struct ldr_node_daemon *)ctx)->node, map_version, defs_version);
}

/* ---- starting ---- */

static void make_ballast(const struct ldr_node_daemon *d)
{
    struct ldr_vault_space space;
    struct stat st;
    char path[4096];
    const struct ldr_node_config *c = d->config;
    snprintf(path, sizeof path, "%s/ballast", c->dir);
    if (c->ballast_bytes == 0 || (stat(path, &st) == 0 && (uint64_t)st.st_size >= c->ballast_bytes))
        return;
    struct ldr_vault v = ldr_vault_shard_seam(d->vault);
    v.space(v.ctx, &space);
    if (space.free < c->min_free_bytes + 2 * c->ballast_bytes)
        return;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || posix_fallocate(fd, 0, (off_t)c->ballast_bytes) != 0)
        ldr_logf(&d->lines.log, LDR_LOG_WARN, "no ballast: %s could not be made", path);
    if (fd >= 0)
        close(fd);
}

static int open_storage(struct ldr_node_daemon *d, struct ldr_err *err)
{
    const struct ldr_node_config *c = d->config;
    int rc = ldr_pool_create((unsigned)c->threads, &d->pool);
    if (rc)
        return ldr_fail(err, rc, "no threads: %s", ldr_code_text(rc));
    const struct ldr_vault_shard_opts o = {.dir = c->dir,
                                           .loop = d->loop,
                                           .pool = d->pool,
                                           .cache_bytes = c->cache_bytes,
                                           .latest_bytes = c->latest_bytes,
                                           .write_buffer_bytes = c->write_buffer_bytes,
                                           .min_free_bytes = c->min_free_bytes,
                                           .queue_bytes = c->queue_bytes,
                                           .log = &d->lines.log,
                                           .broken = broken,
                                           .broken_ctx = d};
    rc = ldr_vault_shard_create(&o, &d->vault, err);
    if (rc == 0)
        make_ballast(d);
    return rc;
}

static int open_peers(struct ldr_node_daemon *d, struct ldr_err *err)
{
    const struct ldr_node_config *c = d->config;
    int rc = ldr_control_create(c->addresses, c->naddresses, &d->control, err);
    if (rc)
        return rc;
    rc = ldr_control_peers_create(d->control, d->loop, &d->control_peers);
    if (rc)
        return ldr_fail(err, rc, "no calls to coordinators: %s", ldr_code_text(rc));
    struct ldr_peers control = ldr_control_peers_seam(d->control_peers);
    const struct ldr_data_peers_options o = {.loop = d->loop,
                                             .cluster = c->cluster,
                                             .name = c->name,
                                             .role = LDR_ROLE_NODE,
                                             .address = address_of,
                                             .address_ctx = d,
                                             .control = &control};
    rc = ldr_data_peers_create(&o, &d->peers);
    return rc ? ldr_fail(err, rc, "no calls to nodes: %s", ldr_code_text(rc)) : 0;
}

static int open_node(struct ldr_node_daemon *d, struct ldr_err *err)
{
    const struct ldr_node_config *c = d->config;
    const struct ldr_node_opts o = {.cluster = c->cluster,
                                    .address = c->advertise,
                                    .zone = c->zone,
                                    .build = LARDER_VERSION,
                                    .weight = (uint32_t)c->weight,
                                    .scrub_every_us = (uint64_t)c->scrub_every_us,
                                    .lag_bound_us = (uint64_t)c->lag_bound_us,
                                    .tomb_grace_us = (uint64_t)c->tomb_grace_us,
                                    .copy_bytes_s = c->copy_bytes_s,
                                    .gathers = true,
                                    .loop = *d->seam,
                                    .peers = ldr_data_peers_seam(d->peers),
                                    .vault = ldr_vault_shard_seam(d->vault),
                                    .log = &d->lines.log};
    int rc = ldr_node_create(&o, &d->node, err);
    if (rc)
        return rc;
    struct ldr_server server = ldr_node_server(d->node);
    const struct ldr_data_server_options s = {.listen = c->listen,
                                              .cluster = c->cluster,
                                              .loops = &d->loop,
                                              .n_loops = 1,
                                              .server = &server,
                                              .hello = hello,
                                              .hello_ctx = d,
                                              .answered = ldr_node_answered,
                                              .answered_ctx = d};
    rc = ldr_data_server_create(&s, &d->server, err);
    if (rc == 0 && c->http)
        rc = ldr_http_listen(d->loop, c->http, ldr_node_http, d, &d->http, err);
    if (rc == 0)
        rc = ldr_notices_subscribe(c->notice_addresses, c->nnotices, d->loop, noticed, d, &d->notices, err);
    if (rc == 0)
        ldr_control_find(d->control, publisher_found, d);
    return rc;
}

static int run(void *config)
{
    const struct ldr_node_config *c = config;
    static struct ldr_node_daemon d; /* one a process */
    struct signals signals = {.d = &d};
    struct ldr_err err;
    pthread_t waiter;
    d.config = c;
    int rc = ldr_log_lines_init(&d.lines, c->name, c->told.log_format, c->told.log_level, &err);
    if (rc) {
        fprintf(stderr, "larder-node: %s\n", err.message);
        return 2;
    }
    sigemptyset(&signals.set);
    sigaddset(&signals.set, SIGTERM);
    sigaddset(&signals.set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals.set, NULL); /* before any thread is made */
    rc = ldr_uv_loop_create(&d.loop);
    if (rc)
        ldr_fail(&err, rc, "no loop: %s", ldr_code_text(rc));
    else
        d.seam = ldr_uv_loop_seam(d.loop);
    if (rc == 0)
        rc = open_storage(&d, &err);
    if (rc == 0)
        rc = open_peers(&d, &err);
    if (rc == 0)
        rc = open_node(&d, &err);
    if (rc == 0 && pthread_create(&waiter, NULL, wait_for_signal, &signals) != 0)
        rc = ldr_fail(&err, LDR_E_NOMEM, "no thread for signals");
    if (rc) {
        ldr_logf(&d.lines.log, LDR_LOG_ERROR, "cannot start: %s", err.message);
        return rc == LDR_E_INVALID ? 2 : 3; /* nothing was promised yet: the process ends as it is */
    }
    pthread_detach(waiter);
    ldr_node_start(d.node, started, &d);
    ldr_uv_loop_run(d.loop);
    d.seam->timer_stop(d.seam->ctx, &d.late);
    ldr_node_destroy(d.node);
    ldr_control_peers_destroy(d.control_peers);
    ldr_notices_close(d.notices); /* calls to coordinators may have told it of publishers until now */
    ldr_control_destroy(d.control);
    ldr_vault_shard_destroy(d.vault);
    ldr_pool_destroy(d.pool);
    /* The loop stays: the thread that waits for signals may still post to it. */
    ldr_logf(&d.lines.log, LDR_LOG_INFO, "stopped");
    return d.code;
}

int main(int argc, char **argv)
{
    return ldr_node_main(argc, argv, run);
}
