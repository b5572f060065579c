/* larder-coordinator. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "coordinator/daemon.h"

struct signals {
    struct ldr_daemon *d;
    uv_signal_t handles[2];
};

static void on_signal(uv_signal_t *h, int number)
{
    struct signals *s = h->data;
    ldr_logf(&s->d->lines.log, LDR_LOG_INFO, "stopping: signal %d", number);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&s->handles[i], NULL);
    ldr_daemon_stop(s->d);
}

static int open_all(struct ldr_daemon *d, struct ldr_err *err)
{
    const struct ldr_daemon_config *c = d->config;
    int rc = ldr_uv_loop_create(&d->loop);
    if (rc)
        return ldr_fail(err, rc, "no loop: %s", ldr_code_text(rc));
    d->seam = ldr_uv_loop_seam(d->loop);
    ldr_hist_init(&d->commit_us);
    struct ldr_leader_opts l = {.down_after_us = (uint64_t)c->down_after_us,
                                .replace_after_us = (uint64_t)c->replace_after_us,
                                .fence_after_us = (uint64_t)c->fence_after_us,
                                .moves_a_node = (uint32_t)c->moves_a_node};
    rc = ldr_leader_create(&l, ldr_daemon_mono_us(d), &d->leader);
    if (rc)
        return ldr_fail(err, rc, "out of memory");
    struct ldr_consensus_opts o = {.loop = d->loop,
                                   .id = c->id,
                                   .dir = c->dir,
                                   .address = c->raft,
                                   .bind = c->raft_listen,
                                   .members = c->members,
                                   .nmembers = c->nmembers,
                                   .bootstrap = c->bootstrap,
                                   .log = &d->lines.log,
                                   .applied = ldr_daemon_applied,
                                   .role = ldr_daemon_role,
                                   .ctx = d};
    rc = ldr_consensus_open(&o, &d->consensus, err);
    if (rc)
        return rc;
    if ((rc = ldr_daemon_publish(d, err)) != 0)
        return rc;
    if (c->http && (rc = ldr_http_listen(d->loop, c->http, ldr_daemon_http, d, &d->http, err)) != 0)
        return rc;
    struct ldr_server server = ldr_daemon_server(d);
    struct ldr_control_server_options s = {.listen = c->listen, .loop = d->loop, .server = &server};
    rc = ldr_control_server_create(&s, &d->control, err);
    if (!rc)
        ldr_daemon_addresses(d);
    return rc;
}

static int run(void *config)
{
    const struct ldr_daemon_config *c = config;
    static struct ldr_daemon d; /* one a process; a member of main, not of the library */
    struct signals signals = {.d = &d};
    struct ldr_err err;
    d.config = c;
    d.clock = ldr_clock_system();
    int rc = ldr_log_lines_init(&d.lines, "coordinator", c->told.log_format, c->told.log_level, &err);
    if (rc) {
        fprintf(stderr, "larder-coordinator: %s\n", err.message);
        return 2;
    }
    rc = open_all(&d, &err);
    if (rc) {
        ldr_logf(&d.lines.log, LDR_LOG_ERROR, "cannot start: %s", err.message);
        return rc == LDR_E_INVALID ? 2 : 3; /* nothing was promised yet: the process ends as it is */
    }
    uv_loop_t *uv = ldr_uv_loop_handle(d.loop);
    static const int stops[] = {SIGTERM, SIGINT};
    for (int i = 0; i < 2; i++) {
        uv_signal_init(uv, &signals.handles[i]);
        signals.handles[i].data = &signals;
        uv_signal_start(&signals.handles[i], on_signal, stops[i]);
    }
    d.duty.fire = ldr_daemon_duty;
    d.duty.owner = &d;
    d.seam->timer_start(d.seam->ctx, &d.duty, 0);
    ldr_logf(&d.lines.log, LDR_LOG_INFO, "member %llu serves clients on %s, peers on %s",
             (unsigned long long)c->id, c->listen, c->raft);
    ldr_uv_loop_run(d.loop);
    if (d.notices)
        ldr_notices_close(d.notices);
    ldr_daemon_announce_free(&d);
    ldr_leader_destroy(d.leader);
    ldr_uv_loop_destroy(d.loop);
    ldr_logf(&d.lines.log, LDR_LOG_INFO, "stopped");
    return 0;
}

int main(int argc, char **argv)
{
    return ldr_daemon_main(argc, argv, run);
}
