/* Load on a cluster through the client library: threads that each wait for one request at a time. With what
 * it costs: the processor time of the servers' processes and of this one. bench_cluster URL load ENTITIES DIR
 * definitions (written to DIR) and rows bench_cluster URL run NAME ENTITIES WHAT BATCH THREADS SECONDS PID...
 * WHAT: get or put. Prints "scale METRIC NAME VALUE UNIT" lines for bench/report.py. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/hist.h"
#include "bench/larder_rows.h"
#include "bench/proc.h"

enum { LOAD = 20000, BATCH_MAX = 1000, THREADS_MAX = 256 };

void bench_die(const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", what, why);
    exit(1);
}

static void load(struct ldr_store *s, uint64_t entities, const char *dir)
{
    struct ldr_err err = {0};
    struct ldr_datum *v = calloc((size_t)LOAD * COLUMNS, sizeof *v);
    struct row *r = calloc(LOAD, sizeof *r);
    int64_t *t = calloc(LOAD, sizeof *t);
    if (!v || !r || !t)
        bench_die("load", "memory");
    char path[4096];
    snprintf(path, sizeof path, "%s/defs.yaml", dir);
    write_definition(path);
    must(ldr_apply(s, dir, UINT64_MAX, NULL, NULL, NULL, NULL, &err), &err);
    for (uint64_t e = 0; e < entities; e += LOAD) {
        size_t n = entities - e < LOAD ? (size_t)(entities - e) : LOAD;
        for (size_t i = 0; i < n; i++) {
            row_make(&r[i], e + i, 0);
            put_cells(v + i * COLUMNS, e + i, &r[i]);
            t[i] = START_US;
        }
        must(ldr_write(s, "v", names, COLUMNS, v, n, t, t, NULL, &err), &err);
    }
    free(v);
    free(r);
    free(t);
}

struct load_thread {
    pthread_t thread;
    struct ldr_store *store;
    struct ldr_query *query;
    uint64_t entities, seed;
    size_t batch;
    bool put;
    atomic_bool *stop;
    struct ldr_hist times;
    uint64_t check_sum;
};

static void get_batch(struct load_thread *w, struct ldr_datum *keys, struct ldr_rows *rows)
{
    struct ldr_err err = {0};
    for (size_t i = 0; i < w->batch; i++)
        keys[i] = (struct ldr_datum){.type = LDR_INT64, .v.i = (int64_t)(mix(w->seed++) % w->entities)};
    must(ldr_online_get(w->query, keys, w->batch, NULL, rows, &err), &err);
    for (size_t i = 0; i < w->batch; i++)
        w->check_sum += read_cells(ldr_rows_row(rows, i));
}
static void put_batch(struct load_thread *w, struct ldr_datum *cells, struct row *rows, int64_t *times)
{
    struct ldr_err err = {0};
    for (size_t i = 0; i < w->batch; i++, w->seed++) {
        uint64_t e = mix(w->seed) % w->entities;
        row_make(&rows[i], e, w->seed);
        put_cells(cells + i * COLUMNS, e, &rows[i]);
        times[i] = START_US + (int64_t)(w->seed & 0xffffffff);
    }
    must(ldr_write(w->store, "v", names, COLUMNS, cells, w->batch, times, times, NULL, &err), &err);
}

static void *work(void *arg)
{
    struct load_thread *w = arg;
    struct ldr_err err = {0};
    struct ldr_datum *cells = calloc(w->batch * COLUMNS, sizeof *cells);
    struct row *made = calloc(w->batch, sizeof *made);
    int64_t *times = calloc(w->batch, sizeof *times);
    struct ldr_rows *rows;
    if (!cells || !made || !times)
        bench_die("run", "memory");
    must(ldr_rows_create(&rows), &err);
    ldr_hist_init(&w->times);
    while (!atomic_load_explicit(w->stop, memory_order_relaxed)) {
        double began = seconds_now();
        if (w->put)
            put_batch(w, cells, made, times);
        else
            get_batch(w, cells, rows);
        ldr_hist_add(&w->times, (uint64_t)((seconds_now() - began) * 1e9));
    }
    ldr_rows_destroy(rows);
    free(cells);
    free(made);
    free(times);
    return NULL;
}

static double cpu_servers(char **pids, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += cpu_of(pids[i]);
    return sum;
}

struct load_run {
    const char *name, *what;
    uint64_t entities;
    size_t batch;
    int threads;
    double seconds;
    char **pids;
    int npids;
};

static void run(struct ldr_store *s, const struct load_run *r)
{
    struct ldr_err err = {0};
    const char *features[] = {"v"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 1};
    struct ldr_query *q;
    atomic_bool stop = false;
    struct load_thread *w = calloc((size_t)r->threads, sizeof *w);
    struct ldr_hist *all = calloc(1, sizeof *all);
    if (!w || !all)
        bench_die("run", "memory");
    must(ldr_query_create(s, &spec, &q, &err), &err);
    double began = seconds_now(), servers = cpu_servers(r->pids, r->npids), here = cpu_here();
    for (int i = 0; i < r->threads; i++) {
        w[i] = (struct load_thread){.store = s,
                                    .query = q,
                                    .entities = r->entities,
                                    .seed = ((uint64_t)i << 32) + (uint64_t)began,
                                    .batch = r->batch,
                                    .put = strcmp(r->what, "put") == 0,
                                    .stop = &stop};
        if (pthread_create(&w[i].thread, NULL, work, &w[i]))
            bench_die("run", "cannot start a thread");
    }
    usleep((useconds_t)(r->seconds * 1e6));
    atomic_store(&stop, true);
    ldr_hist_init(all);
    for (int i = 0; i < r->threads; i++) {
        pthread_join(w[i].thread, NULL);
        ldr_hist_merge(all, &w[i].times);
    }
    double spent = seconds_now() - began, n = (double)all->count;
    servers = cpu_servers(r->pids, r->npids) - servers;
    here = cpu_here() - here;
    char metric[64];
    snprintf(metric, sizeof metric, "%s_%zu_by_%d", r->what, r->batch, r->threads);
    printf("scale %s %s %.0f requests/s\n", metric, r->name, n / spent);
    printf("scale %s_p50 %s %.1f us\n", metric, r->name, (double)ldr_hist_quantile(all, 0.5) / 1e3);
    printf("scale %s_p99 %s %.1f us\n", metric, r->name, (double)ldr_hist_quantile(all, 0.99) / 1e3);
    printf("scale %s_nodes_cpu %s %.2f us\n", metric, r->name, servers / n * 1e6);
    printf("scale %s_client_cpu %s %.2f us\n", metric, r->name, here / n * 1e6);
    ldr_query_destroy(q);
    free(all);
    free(w);
}

int main(int argc, char **argv)
{
    struct ldr_store *s;
    struct ldr_err err = {0};
    bool loading = argc == 5 && strcmp(argv[2], "load") == 0;
    if (!loading && (argc < 9 || strcmp(argv[2], "run") != 0))
        bench_die("usage", "bench_cluster URL load ENTITIES DIR | URL run NAME ENTITIES get|put BATCH "
                           "THREADS SECONDS PID...");
    must(ldr_open(argv[1], NULL, &s, &err), &err);
    if (loading) {
        load(s, strtoull(argv[3], NULL, 10), argv[4]);
    } else {
        name_columns();
        struct load_run r = {argv[3],
                             argv[5],
                             strtoull(argv[4], NULL, 10),
                             strtoull(argv[6], NULL, 10),
                             (int)strtol(argv[7], NULL, 10),
                             strtod(argv[8], NULL),
                             argv + 9,
                             argc - 9};
        if (r.batch < 1 || r.batch > BATCH_MAX || r.threads < 1 || r.threads > THREADS_MAX)
            bench_die("usage", "a batch is 1 to 1000 entities, threads are 1 to 256");
        run(s, &r);
    }
    ldr_close(s);
    return 0;
}
