/* Health and figures. */
#include "node/daemon.h"

#define P "larder_node_"

static void one(struct ldr_buf *b, const char *name, const char *type, const char *help, uint64_t v)
{
    ldr_buf_printf(b, "# HELP " P "%s %s\n# TYPE " P "%s %s\n" P "%s %llu\n", name, help, name, type, name,
                   (unsigned long long)v);
}

static void times(const struct ldr_node_daemon *d, struct ldr_buf *b)
{
    ldr_buf_puts(b, "# HELP " P "request_seconds from the arrival of a request to its answer\n"
                    "# TYPE " P "request_seconds histogram\n");
    for (size_t i = 0; i < ldr_msg_count; i++) {
        unsigned type = ldr_msg_all[i].type;
        const struct ldr_node_times *t = type < LDR_NODE_TYPES ? &d->times[type] : NULL;
        if (!t || t->count == 0)
            continue;
        const char *name = ldr_msg_all[i].name;
        uint64_t n = 0;
        for (int k = 0; k < LDR_NODE_SPANS; k++) {
            n += t->cell[k];
            ldr_buf_printf(b, P "request_seconds_bucket{type=\"%s\",le=\"%g\"} %llu\n", name,
                           ldr_node_spans_us[k] / 1e6, (unsigned long long)n);
        }
        ldr_buf_printf(b,
                       P "request_seconds_bucket{type=\"%s\",le=\"+Inf\"} %llu\n" P
                         "request_seconds_sum{type=\"%s\"} %g\n" P
                         "request_seconds_count{type=\"%s\"} %llu\n",
                       name, (unsigned long long)t->count, name, (double)t->sum_us / 1e6, name,
                       (unsigned long long)t->count);
    }
    ldr_buf_puts(b, "# HELP " P "requests_failed_total requests that ended with an error\n"
                    "# TYPE " P "requests_failed_total counter\n");
    for (size_t i = 0; i < ldr_msg_count; i++) {
        unsigned type = ldr_msg_all[i].type;
        if (type < LDR_NODE_TYPES && d->times[type].count)
            ldr_buf_printf(b, P "requests_failed_total{type=\"%s\"} %llu\n", ldr_msg_all[i].name,
                           (unsigned long long)d->times[type].failed);
    }
}

/* Figures of each replica. Prometheus wants all lines of a name together: each figure gathers its own. */
#define REPLICA_FIGURES(X)                                                                               \
    X(shard_facts, "gauge", "facts, estimated", r->facts)                                                \
    X(shard_bytes, "gauge", "bytes on disk", r->bytes)                                                   \
    X(tombstones, "gauge", "erasures that still name their entity", r->tombs_kept)                       \
    X(tombstones_collected, "gauge", "erasures of which only a fingerprint is left", r->tombs_collected) \
    X(latest_hits_total, "counter", "reads that memory answered", st.table_hits)                         \
    X(latest_misses_total, "counter", "reads that went to RocksDB", st.table_misses)                     \
    X(latest_bytes, "gauge", "memory of the newest rows", st.table_bytes)                                \
    X(rocksdb_memtable_bytes, "gauge", "written and not yet in a table", st.memtable_bytes)              \
    X(rocksdb_cache_bytes, "gauge", "in the block cache", st.cache_bytes)                                \
    X(rocksdb_compaction_owed_bytes, "gauge", "what compaction still has to rewrite, estimated",         \
      st.compaction_owed_bytes)                                                                          \
    X(rocksdb_compactions_running, "gauge", "compactions under way", st.compactions)                     \
    X(rocksdb_level0_files, "gauge", "tables that no compaction has taken yet", st.level0_files)         \
    X(rocksdb_writes_stopped, "gauge", "1 while writes wait for compaction", st.writes_stopped)

enum {
#define X(name, type, help, value) FIGURE_##name,
    REPLICA_FIGURES(X)
#undef X
        FIGURES
};
struct replicas {
    const struct ldr_node_daemon *d;
    struct ldr_buf figures[FIGURES], lags;
};
static void replica(void *ctx, const struct ldr_msg_replica *r)
{
    struct replicas *x = ctx;
    struct ldr_vault v = ldr_vault_shard_seam(x->d->vault);
    struct ldr_vault_stats st = {0};
    bool open = v.stats(v.ctx, r->shard, &st) == 0;
#define X(name, type, help, value)                                                            \
    if (open)                                                                                 \
        ldr_buf_printf(&x->figures[FIGURE_##name], P #name "{shard=\"%u\"} %llu\n", r->shard, \
                       (unsigned long long)(value));
    REPLICA_FIGURES(X)
#undef X
    for (uint32_t i = 0; i < r->n_lags; i++)
        ldr_buf_printf(&x->lags, P "lag_facts{shard=\"%u\",peer=\"%u\"} %llu\n", r->shard, r->lags[i].node,
                       (unsigned long long)r->lags[i].facts);
}

static void lines(struct ldr_buf *b, struct ldr_buf *of, const char *name, const char *type, const char *help)
{
    if (of->n)
        ldr_buf_printf(b, "# HELP " P "%s %s\n# TYPE " P "%s %s\n", name, help, name, type);
    ldr_buf_put(b, of->p, of->n);
    if (of->err && !b->err)
        b->err = of->err;
    ldr_buf_close(of);
}

static void replicas(const struct ldr_node_daemon *d, struct ldr_buf *b)
{
    struct replicas x = {.d = d};
    for (int i = 0; i < FIGURES; i++)
        ldr_buf_init(&x.figures[i], NULL, 0);
    ldr_buf_init(&x.lags, NULL, 0);
    ldr_node_replicas(d->node, replica, &x);
#define X(name, type, help, value) lines(b, &x.figures[FIGURE_##name], #name, type, help);
    REPLICA_FIGURES(X)
#undef X
    lines(b, &x.lags, "lag_facts", "gauge", "facts that a peer has and this replica lacks");
}

static void metrics(const struct ldr_node_daemon *d, struct ldr_buf *b)
{
    struct ldr_node_status s;
    struct ldr_vault v = ldr_vault_shard_seam(d->vault);
    struct ldr_vault_space space;
    struct ldr_data_stats net;
    uint32_t tasks;
    size_t write_bytes;
    ldr_node_status(d->node, &s);
    ldr_vault_shard_queues(d->vault, &tasks, &write_bytes);
    v.space(v.ctx, &space);
    one(b, "id", "gauge", "number of this node, 0 = has not joined yet", s.id);
    one(b, "map_version", "gauge", "version of the shard map it knows", s.map_version);
    one(b, "definitions_version", "gauge", "version of the definitions it knows", s.defs_version);
    one(b, "coordinators_heard", "gauge", "1 when one answered lately", s.coordinators);
    one(b, "clock_off", "gauge", "1 when it refuses writes because of its clock", s.skewed);
    one(b, "clock_held", "gauge", "1 when its wall clock jumped and it goes by the time it had",
        s.hold_us != 0);
    one(b, "replicas", "gauge", "replicas it has", s.replicas);
    one(b, "replicas_ready", "gauge", "of them, those that miss nothing they should have", s.replicas_ready);
    one(b, "replicas_owed", "gauge", "replicas that are to answer reads, by the map", s.owed);
    one(b, "replicas_answering", "gauge", "of them, those that do now: heard of enough others lately",
        s.answering);
    one(b, "max_lag_facts", "gauge", "facts that the replica furthest behind lacks", s.max_lag_facts);
    one(b, "max_lag_microseconds", "gauge", "since the last pull that went well, the worst", s.max_lag_us);
    one(b, "writes_open", "gauge", "client writes under way", s.writes_open);
    one(b, "write_bytes_open", "gauge", "bytes of those", s.write_bytes_open);
    one(b, "requests_open", "gauge", "other requests that wait for the storage", s.requests_open);
    one(b, "storage_tasks", "gauge", "operations that wait for the pool or a disk, or run there", tasks);
    one(b, "storage_write_bytes", "gauge", "bytes of writes among them", write_bytes);
    one(b, "disk_free_bytes", "gauge", "free where its data is", space.free);
    one(b, "disk_used_bytes", "gauge", "used there", space.used);
    one(b, "disk_full", "gauge", "1 when writes are refused for lack of space", space.full);
    const struct ldr_node_counters *c = ldr_node_counters(d->node);
#define X(name, help) one(b, #name "_total", "counter", help, c->name);
    LDR_NODE_COUNTERS(X)
#undef X
    if (d->server) {
        ldr_data_server_stats(d->server, &net);
        one(b, "connections", "gauge", "connections to the data plane", net.connections);
        one(b, "frames_in_total", "counter", "messages that came in", net.frames_in);
        one(b, "frames_out_total", "counter", "messages sent", net.frames_out);
    }
    times(d, b);
    replicas(d, b);
}

void ldr_node_http(void *ctx, const char *path, struct ldr_http_answer *a)
{
    struct ldr_node_daemon *d = ctx;
    struct ldr_node_status s = {0};
    ldr_node_status(d->node, &s);
    if (strcmp(path, "/healthz") == 0) {
        a->status = d->code ? 503 : 200;
        ldr_buf_puts(&a->body, d->code ? "stopping after a failure\n" : "ok\n");
    } else if (strcmp(path, "/readyz") == 0) {
        bool ready = d->started && !d->stopping && s.id && !s.skewed && s.answering == s.owed;
        a->status = ready ? 200 : 503;
        ldr_buf_printf(&a->body, "%s: node %u, %u of %u replicas answer%s\n", ready ? "ready" : "not ready",
                       s.id, s.answering, s.owed, s.skewed ? ", clock off" : "");
    } else if (strcmp(path, "/metrics") == 0) {
        a->status = 200;
        a->type = "text/plain; version=0.0.4";
        metrics(d, &a->body);
    } else {
        a->status = 404;
        ldr_buf_puts(&a->body, "there are /healthz, /readyz and /metrics\n");
    }
}
