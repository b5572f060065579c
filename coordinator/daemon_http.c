/* Health and figures. */
#include "coordinator/daemon.h"

static void gauge(struct ldr_buf *b, const char *name, const char *type, const char *help, uint64_t v)
{
    ldr_buf_printf(
        b, "# HELP larder_coordinator_%s %s\n# TYPE larder_coordinator_%s %s\nlarder_coordinator_%s %llu\n",
        name, help, name, type, name, (unsigned long long)v);
}

static const unsigned spans_us[] = {100,   250,   500,    1000,   2500,   5000,    10000,
                                    25000, 50000, 100000, 250000, 500000, 1000000, 2500000};

static void append_times(const struct ldr_hist *h, struct ldr_buf *b)
{
    ldr_buf_puts(b,
                 "# HELP larder_coordinator_log_append_seconds from a write of the log to its end on disk\n"
                 "# TYPE larder_coordinator_log_append_seconds histogram\n");
    for (size_t i = 0; i < sizeof spans_us / sizeof *spans_us;
         i++) /* the histogram counts microseconds here */
        ldr_buf_printf(b, "larder_coordinator_log_append_seconds_bucket{le=\"%g\"} %llu\n", spans_us[i] / 1e6,
                       (unsigned long long)ldr_hist_at_most(h, spans_us[i]));
    ldr_buf_printf(b,
                   "larder_coordinator_log_append_seconds_bucket{le=\"+Inf\"} %llu\n"
                   "larder_coordinator_log_append_seconds_sum %g\n"
                   "larder_coordinator_log_append_seconds_count %llu\n",
                   (unsigned long long)h->count, (double)h->sum_ns / 1e6, (unsigned long long)h->count);
}

static void raft(struct ldr_daemon *d, struct ldr_buf *b)
{
    struct ldr_consensus_figures f;
    ldr_consensus_figures(d->consensus, &f);
    gauge(b, "term", "gauge", "term of this member", f.term);
    gauge(b, "commit_index", "gauge", "last log entry known to be committed", f.commit);
    gauge(b, "applied_index", "gauge", "last log entry applied here", f.applied);
    gauge(b, "log_last_index", "gauge", "last entry of this member's log", f.last);
    gauge(b, "leader_changes_total", "counter", "times another member was seen to lead than before",
          f.leader_changes);
    gauge(b, "log_entries_total", "counter", "log entries made durable here", f.appended_entries);
    gauge(b, "snapshots_stored_total", "counter", "snapshots written here, own and received",
          f.snapshots_stored);
    gauge(b, "snapshot_bytes", "gauge", "size of the last one", f.snapshot_bytes);
    gauge(b, "snapshots_sent_total", "counter", "snapshots read for members that were far behind",
          f.snapshots_sent);
    gauge(b, "snapshot_sent_bytes", "gauge", "size of the last one", f.snapshot_sent_bytes);
    append_times(f.append_us, b);
}

static void metrics(struct ldr_daemon *d, struct ldr_buf *b)
{
    const struct ldr_state *s = ldr_consensus_state(d->consensus);
    const struct ldr_map *m = ldr_state_map(s);
    uint64_t active = 0;
    for (uint32_t i = 0; i < m->nnodes; i++)
        active += m->nodes[i].state == LDR_NODE_ACTIVE;
    gauge(b, "leading", "gauge", "1 while this member leads", ldr_consensus_leading(d->consensus));
    gauge(b, "elections_total", "counter", "times this member came to lead", d->elections);
    gauge(b, "map_version", "gauge", "version of the shard map", m->version);
    gauge(b, "definitions_version", "gauge", "version of the definitions",
          ldr_registry_version(ldr_state_registry(s)));
    gauge(b, "nodes", "gauge", "nodes in the map that were not removed", m->nnodes);
    gauge(b, "nodes_active", "gauge", "nodes that are up", active);
    gauge(b, "shards", "gauge", "shards", m->nshards);
    gauge(b, "moves", "gauge", "moves, splits and merges under way", m->nmoves);
    gauge(b, "commands_total", "counter", "commands committed through this member", d->commands);
    gauge(b, "heartbeats_total", "counter", "heartbeats taken", d->heartbeats);
    gauge(b, "state_requests_total", "counter", "requests for map and definitions", d->states);
    gauge(b, "refused_total", "counter", "requests refused", d->refused);
    gauge(b, "waiting", "gauge", "splits and merges that wait", m->nwishes);
    raft(d, b);
    ldr_buf_puts(b, "# HELP larder_coordinator_commit_seconds time from a command to its commit\n"
                    "# TYPE larder_coordinator_commit_seconds summary\n");
    static const double quantiles[] = {0.5, 0.99, 0.999};
    for (size_t i = 0; i < 3; i++) /* the histogram counts microseconds here */
        ldr_buf_printf(b, "larder_coordinator_commit_seconds{quantile=\"%g\"} %g\n", quantiles[i],
                       (double)ldr_hist_quantile(&d->commit_us, quantiles[i]) / 1e6);
    ldr_buf_printf(b,
                   "larder_coordinator_commit_seconds_sum %g\nlarder_coordinator_commit_seconds_count %llu\n",
                   (double)d->commit_us.sum_ns / 1e6, (unsigned long long)d->commit_us.count);
}

void ldr_daemon_http(void *ctx, const char *path, struct ldr_http_answer *a)
{
    struct ldr_daemon *d = ctx;
    uint64_t leader;
    const char *where;
    ldr_consensus_leader(d->consensus, &leader, &where);
    if (strcmp(path, "/healthz") == 0) {
        a->status = ldr_consensus_broken(d->consensus) ? 503 : 200;
        ldr_buf_puts(&a->body, a->status == 200 ? "ok\n" : "the log cannot be written\n");
    } else if (strcmp(path, "/readyz") == 0) {
        a->status = leader && !d->ending.begun ? 200 : 503;
        ldr_buf_puts(&a->body, d->ending.begun ? "stopping\n"
                               : leader        ? "ready\n"
                                               : "nobody is known to lead\n");
    } else if (strcmp(path, "/metrics") == 0) {
        a->status = 200;
        a->type = "text/plain; version=0.0.4";
        metrics(d, &a->body);
    } else {
        a->status = 404;
        ldr_buf_puts(&a->body, "there are /healthz, /readyz and /metrics\n");
    }
}
