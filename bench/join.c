/* Point-in-time joins of Larder: all 25 features of the churn view for spines of several sizes, into
 * Arrow-shaped columns. usage: bench_join STORE_DIR SPINE.csv... ROUNDS CORES; a spine is
 * customer_id,event_us in integers (spines.py). The first round, with nothing in the store's cache, has a
 * metric of its own. Prints "offline METRIC larder VALUE UNIT" lines for report.py. */
#include "bench/rows.h"
#include "client/larder.h"
#include <stdlib.h>
#include <sys/resource.h>

_Noreturn static void die(const char *what, const char *why)
{
    fprintf(stderr, "bench_join: %s: %s\n", what, why);
    exit(1);
}

struct spine_data {
    size_t n;
    int64_t *id, *t;
};

static struct spine_data spine_read(const char *path)
{
    struct spine_data s = {0};
    char line[256];
    size_t cap = 0;
    FILE *f = fopen(path, "r");
    if (!f || !fgets(line, sizeof line, f))
        die(path, "cannot read");
    while (fgets(line, sizeof line, f)) {
        if (s.n == cap) {
            cap = cap ? cap * 2 : 1 << 16;
            s.id = realloc(s.id, cap * sizeof *s.id);
            s.t = realloc(s.t, cap * sizeof *s.t);
            if (!s.id || !s.t)
                die(path, "memory");
        }
        char *comma;
        s.id[s.n] = strtoll(line, &comma, 10);
        s.t[s.n] = strtoll(comma + 1, NULL, 10);
        s.n++;
    }
    fclose(f);
    return s;
}

/* Values that are not null, in all feature columns: the peers must find as many. */
static size_t values_of(const struct ldr_batch *b, size_t nrows)
{
    size_t n = 0;
    for (size_t col = 0; col < ROW_FEATURES; col++) {
        const struct ldr_column_data *c = ldr_batch_column(b, col);
        for (size_t k = 0; k < nrows; k++)
            n += !c->validity || (c->validity[k / 8] >> (k % 8) & 1);
    }
    return n;
}

int main(int argc, char **argv)
{
    if (argc < 5)
        die("usage", "bench_join STORE_DIR SPINE... ROUNDS CORES");
    int rounds = (int)strtol(argv[argc - 2], NULL, 10);
    unsigned threads = (unsigned)strtoul(argv[argc - 1], NULL, 10);
    char url[4096];
    struct ldr_err err = {0};
    struct ldr_store *store;
    struct ldr_query *query;
    snprintf(url, sizeof url, "local:%s", argv[1]);
    struct ldr_open_opts o = {.must_exist = true, .threads = threads, .cache_bytes = (size_t)1 << 30};
    const char *features[] = {"churn"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 1};
    if (ldr_open(url, &o, &store, &err) || ldr_query_create(store, &spec, &query, &err))
        die(url, err.message);
    for (int r = 0; r < rounds; r++)
        for (int i = 2; i < argc - 2; i++) {
            struct spine_data s = spine_read(argv[i]);
            struct ldr_column_data key = {.type = LDR_INT64, .n = s.n, .data = s.id};
            struct ldr_spine spine = {.nrows = s.n, .t_us = s.t, .keys = &key};
            struct ldr_batch *b;
            double began = seconds_now();
            if (ldr_historical_get(query, &spine, NULL, &b, &err))
                die("join", err.message);
            double spent = seconds_now() - began;
            printf("offline join_%zu%s larder-%uc %.4f s\n", s.n, r ? "" : "_first", threads, spent);
            printf("offline found_%zu larder-%uc %zu values\n", s.n, threads, values_of(b, s.n));
            fflush(stdout);
            ldr_batch_destroy(b);
            free(s.id);
            free(s.t);
        }
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    printf("offline join_peak_memory larder-%uc %.0f MB\n", threads, (double)u.ru_maxrss / 1024);
    ldr_query_destroy(query);
    ldr_close(store);
    return 0;
}
