/* probe: how fast online reads are, here, with these entities. */
#include <time.h>

#include "ops/cli.h"
#include "ops/verbs.h"

#define ENTITIES_MAX (1u << 20)
#define READ_BATCH   4096

struct probe {
    struct ldr_cli *c;
    const struct ldr_query *q;
    const struct ldr_keys *keys;
    struct ldr_arena arena; /* keeps the keys of all batches */
    struct ldr_datum *entities;
    size_t n, cap;
    uint64_t lookups;
    struct ldr_hist hist;
    uint64_t values, present;
    double seconds;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int keep_entity(struct probe *p, const struct ldr_datum *keys)
{
    struct ldr_datum *to = p->entities + p->n * p->keys->n;
    for (size_t k = 0; k < p->keys->n; k++) {
        to[k] = keys[k];
        if (keys[k].status == LDR_PRESENT && (keys[k].type == LDR_STRING || keys[k].type == LDR_BYTES)) {
            struct ldr_slice copy;
            int rc = ldr_arena_slice(&p->arena, ldr_slice(keys[k].v.s.p, keys[k].v.s.n), &copy);
            if (rc)
                return rc;
            to[k].v.s.p = copy.p;
        }
    }
    p->n++;
    return 0;
}

static int read_entities(struct probe *p, const char *path)
{
    struct ldr_entity_file *f = NULL;
    size_t n = 0;
    struct ldr_datum *batch = ldr_arena_calloc(&p->arena, READ_BATCH * (p->keys->n + 1), sizeof *batch);
    int code = batch ? ldr_entity_file_open(p->c, path, p->keys, &f) : ldr_cli_fail(p->c, LDR_E_NOMEM, NULL);
    if (code)
        return code;
    do {
        code = ldr_entity_file_read(f, batch, READ_BATCH, &n);
        if (code == 0 && p->n + n > p->cap) {
            size_t cap = p->cap ? p->cap * 2 : READ_BATCH * 2;
            struct ldr_datum *more = ldr_resize(NULL, p->entities, cap * (p->keys->n + 1) * sizeof *more);
            if (!more) {
                code = ldr_cli_fail(p->c, LDR_E_NOMEM, NULL);
                break;
            }
            p->entities = more;
            p->cap = cap;
        }
        for (size_t i = 0; code == 0 && i < n; i++) {
            if (keep_entity(p, batch + i * p->keys->n))
                code = ldr_cli_fail(p->c, LDR_E_NOMEM, NULL);
        }
    } while (code == 0 && n == READ_BATCH && p->n < ENTITIES_MAX);
    ldr_entity_file_close(f);
    if (code == 0 && p->n == 0)
        code = ldr_cli_error(p->c, LDR_EXIT_USAGE, "%s: no entities", path);
    return code;
}

/* One entity a lookup, in an order that jumps about, the same every time. */
static int run_lookups(struct probe *p)
{
    struct ldr_rows *rows = NULL;
    struct ldr_err err = {0};
    int rc = ldr_rows_create(&rows);
    uint64_t state = 1, began = now_ns();
    for (uint64_t i = 0; rc == 0 && i < p->lookups; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        const struct ldr_datum *keys = p->entities + (state >> 33) % p->n * p->keys->n;
        uint64_t t0 = now_ns();
        rc = ldr_online_get(p->q, keys, 1, NULL, rows, &err);
        ldr_hist_add(&p->hist, now_ns() - t0);
        if (rc)
            break;
        const struct ldr_datum *cells = ldr_rows_row(rows, 0);
        for (size_t col = 0; col < ldr_query_columns(p->q); col++) {
            p->values++;
            p->present += cells[col].status != LDR_NOT_FOUND;
        }
    }
    p->seconds = (double)(now_ns() - began) / 1e9;
    ldr_rows_destroy(rows);
    return rc ? ldr_cli_fail(p->c, rc, &err) : 0;
}

static void print_result(struct probe *p)
{
    double us = 1e-3, found = p->values ? 100.0 * (double)p->present / (double)p->values : 0;
    const struct {
        const char *name;
        double v;
        const char *unit;
    } rows[] = {
        {"lookups", (double)p->lookups, ""},
        {"entities", (double)p->n, ""},
        {"features", (double)ldr_query_columns(p->q), ""},
        {"mean_us", ldr_hist_mean(&p->hist) * us, "us"},
        {"p50_us", (double)ldr_hist_quantile(&p->hist, 0.5) * us, "us"},
        {"p99_us", (double)ldr_hist_quantile(&p->hist, 0.99) * us, "us"},
        {"p999_us", (double)ldr_hist_quantile(&p->hist, 0.999) * us, "us"},
        {"max_us", (double)p->hist.max_ns * us, "us"},
        {"per_second", p->seconds > 0 ? (double)p->lookups / p->seconds : 0, ""},
        {"hit_percent", found, "%"},
    };
    size_t n = sizeof rows / sizeof *rows;
    if (p->c->json) {
        for (size_t i = 0; i < n; i++)
            printf("%s\"%s\":%.*f", i ? "," : "{", rows[i].name, *rows[i].unit ? 3 : 0, rows[i].v);
        printf("}\n");
        return;
    }
    printf("%llu lookups of %zu features, one entity each, %zu entities in turn, one thread\n",
           (unsigned long long)p->lookups, ldr_query_columns(p->q), p->n);
    printf("latency   mean %.1f us, p50 %.1f us, p99 %.1f us, p99.9 %.1f us, max %.1f us\n", rows[3].v,
           rows[4].v, rows[5].v, rows[6].v, rows[7].v);
    printf("rate      %.0f lookups/s\n", rows[8].v);
    printf("hit rate  %.1f %% of the values were found\n", found);
}

static int probe_store(struct ldr_cli *c, struct ldr_store *s, uint64_t lookups)
{
    struct probe p = {.c = c, .lookups = lookups};
    struct ldr_query *q = NULL;
    struct ldr_keys keys = {0};
    int code = ldr_cli_query(c, s, &q);
    if (code)
        return code;
    p.q = q;
    p.keys = &keys;
    ldr_arena_init(&p.arena, NULL, 0);
    ldr_hist_init(&p.hist);
    code = ldr_keys_of_query(c, q, &keys);
    if (code == 0)
        code = read_entities(&p, ldr_cli_opt(c, LDR_OPT_ENTITIES));
    if (code == 0)
        code = run_lookups(&p);
    if (code == 0)
        print_result(&p);
    ldr_release(NULL, p.entities);
    ldr_arena_close(&p.arena);
    ldr_query_destroy(q);
    return code;
}

static int run_probe(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    uint64_t lookups = 100000;
    const char *file = ldr_cli_opt(c, LDR_OPT_ENTITIES), *count = ldr_cli_opt(c, LDR_OPT_COUNT);
    if (!file)
        return ldr_cli_usage(c, "which entities? --entities FILE");
    int code = count ? ldr_cli_u64(c, "-n", count, &lookups) : 0;
    if (code == 0 && (lookups == 0 || lookups > 1000000000u))
        code = ldr_cli_usage(c, "-n: expected 1 to 1,000,000,000, found '%s'", count);
    if (code == 0)
        code = ldr_cli_readable(c, file);
    if (code == 0)
        code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    code = probe_store(c, s, lookups);
    ldr_close(s);
    return code;
}

static const struct ldr_opt opts[] = {
    {"service", 's', "SERVICE", LDR_OPT_SERVICE, "all features of a feature service"},
    {"feature", 'f', "VIEW:FEATURE", LDR_OPT_FEATURE,
     "a feature, or VIEW for all of it; repeat it or use commas"},
    {"entities", 0, "FILE", LDR_OPT_ENTITIES,
     "a CSV with the join keys as columns (the first 1,048,576 count)"},
    {"count", 'n', "N", LDR_OPT_COUNT, "lookups (default 100000)"},
    {"full-feature-names", 0, NULL, LDR_OPT_FULL_NAMES, "when short names clash"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_probe = {
    .name = "probe",
    .group = "Look",
    .synopsis = "(-s SERVICE | -f VIEW:FEATURE...) --entities FILE [-n N]",
    .summary = "measure online reads: latency, rate, hit rate",
    .text = "Looks entities up one at a time in this process, from one thread, and times every lookup. "
            "Nothing is warmed up\n"
            "first. Found means that a fact answered, whatever its age.",
    .example = "larder probe -s delay_model_v1 --entities data/spine.csv -n 200000",
    .opts = opts,
    .run = run_probe,
};
