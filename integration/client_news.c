/* How soon a client that stays open sees what others change, while it reads all the time: definitions applied
 * and map commands given through other clients. No read may fail for it. Public header only. usage:
 * client_news URL DIR LIMIT_MS (of the mean). DIR: an empty folder for definitions; the view `v` of entity
 * `user` exists. Prints "ok ..." and "not ok ..." lines. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/larder.h"

#define ROUNDS  10
#define GIVE_UP 10000.0

static int bad;
static _Atomic bool stop;
static _Atomic unsigned reads, failures;
static struct ldr_err first_failure;

static void verdict(bool fine, const char *what, const struct ldr_err *err)
{
    printf("%s %s\n", fine ? "ok" : "not ok", what);
    if (!fine && err)
        printf("  %s\n", err->message);
    fflush(stdout);
    bad += !fine;
}

static double now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Between two looks at what is waited for. */
static void nap(void)
{
    struct timespec t = {0, 1000000};
    nanosleep(&t, NULL);
}

static void *read_on(void *ctx)
{
    const struct ldr_query *q = ctx;
    struct ldr_rows *rows = NULL;
    struct ldr_err err;
    if (ldr_rows_create(&rows))
        exit(2);
    for (int64_t id = 0; !atomic_load(&stop); id++) {
        struct ldr_datum key = {.type = LDR_INT64, .v.i = id % 64};
        if (ldr_online_get(q, &key, 1, NULL, rows, &err) && atomic_fetch_add(&failures, 1) == 0)
            first_failure = err;
        atomic_fetch_add(&reads, 1);
        nap();
    }
    ldr_rows_destroy(rows);
    return NULL;
}

static void write_definitions(const char *dir, int features)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/d.yaml", dir);
    FILE *f = fopen(path, "w");
    if (!f)
        exit(2);
    fputs("entities:\n  - name: user\n    join_keys: [{name: id, type: int64}]\nfeature_views:\n  - name: v\n"
          "    entity: user\n    features:\n      - {name: a, type: int64}\n",
          f);
    for (int i = 1; i <= features; i++)
        fprintf(f, "      - {name: n%d, type: int64}\n", i);
    if (fclose(f))
        exit(2);
}

static uint64_t features_known(struct ldr_store *s)
{
    struct ldr_table *t = NULL;
    if (ldr_list(s, "features", &t, NULL))
        exit(2);
    uint64_t n = ldr_table_rows(t);
    ldr_table_destroy(t);
    return n;
}

static uint64_t map_known(struct ldr_store *s)
{
    struct ldr_table *t = NULL;
    uint64_t version = 0;
    if (ldr_store_stats(s, &t, NULL))
        exit(2);
    for (size_t i = 0; i < ldr_table_rows(t); i++) {
        const struct ldr_datum *name = ldr_table_cell(t, i, 0);
        if (name->v.s.n == 11 && memcmp(name->v.s.p, "map_version", 11) == 0)
            version = (uint64_t)ldr_table_cell(t, i, 1)->v.i;
    }
    ldr_table_destroy(t);
    return version;
}

/* Until the open client knows more than it did; how long that took. */
static double wait_for(struct ldr_store *s, uint64_t (*known)(struct ldr_store *s), uint64_t before,
                       double from)
{
    while (known(s) <= before && now_ms() - from < GIVE_UP)
        nap();
    return now_ms() - from;
}

int main(int argc, char **argv)
{
    struct ldr_store *open = NULL, *other = NULL;
    struct ldr_admin *admin = NULL;
    struct ldr_query *q = NULL;
    struct ldr_err err = {0};
    const char *const features[] = {"v:a"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 1};
    struct ldr_open_opts opts = {.cache_dir = getenv("LARDER_CACHE_DIR")};
    pthread_t reader;
    char what[256];
    if (argc != 4) {
        fputs("usage: client_news URL DIR LIMIT_MS\n", stderr);
        return 2;
    }
    double limit = strtod(argv[3], NULL), worst = 0, sum = 0;
    if (ldr_open(argv[1], &opts, &open, &err) || ldr_open(argv[1], &opts, &other, &err) ||
        ldr_admin_open(argv[1], &admin, &err) || ldr_query_create(open, &spec, &q, &err) ||
        pthread_create(&reader, NULL, read_on, q)) {
        verdict(false, "clients", &err);
        return 1;
    }
    int rc = 0, old = (int)features_known(open) - 1;
    for (int i = 1; !rc && i <= ROUNDS; i++) {
        uint64_t before = features_known(open);
        write_definitions(argv[2], old + i);
        struct ldr_table *changes = NULL, *problems = NULL;
        uint64_t n, version;
        rc = ldr_apply(other, argv[2], UINT64_MAX, &changes, &n, &version, &problems, &err);
        ldr_table_destroy(changes);
        ldr_table_destroy(problems);
        double took = rc ? 0 : wait_for(open, features_known, before, now_ms());
        worst = took > worst ? took : worst;
        sum += took;
    }
    snprintf(
        what, sizeof what,
        "%d new definitions are seen by an open client: mean %.0f ms, slowest %.0f, limit of the mean %.0f",
        ROUNDS, sum / ROUNDS, worst, limit);
    verdict(!rc && sum / ROUNDS < limit && worst < GIVE_UP, what, &err);
    worst = sum = 0;
    for (uint32_t i = 1; !rc && i <= ROUNDS; i++) {
        uint64_t before = map_known(open);
        rc = ldr_admin_node(admin, "1", "weight", 100 + (i & 1), &err);
        double took = rc ? 0 : wait_for(open, map_known, before, now_ms());
        worst = took > worst ? took : worst;
        sum += took;
    }
    snprintf(what, sizeof what, "%d new maps: mean %.0f ms, slowest %.0f, limit of the mean %.0f", ROUNDS,
             sum / ROUNDS, worst, limit);
    verdict(!rc && sum / ROUNDS < limit && worst < GIVE_UP, what, &err);
    uint32_t child = 0;
    uint64_t before = map_known(open);
    rc = ldr_admin_split(admin, 1, &child, &err);
    double took = rc ? 0 : wait_for(open, map_known, before, now_ms());
    verdict(!rc && child && took < GIVE_UP, "a shard is split", &err);
    double until = now_ms() + 1500; /* reads on while the nodes split */
    while (now_ms() < until)
        nap();
    atomic_store(&stop, true);
    pthread_join(reader, NULL);
    snprintf(what, sizeof what, "none of %u reads meanwhile failed", atomic_load(&reads));
    verdict(atomic_load(&failures) == 0 && atomic_load(&reads) > 20, what, &first_failure);
    ldr_query_destroy(q);
    ldr_admin_close(admin);
    ldr_close(other);
    ldr_close(open);
    return bad ? 1 : 0;
}
