/* Customer churn facts: rows of 25 mixed features in January 2024, in random order, and a training spine.
 * usage: larder-gen-churn OUT [--rows N] [--per-customer N] [--spine N] [--seed N] [--sorted]
 * Writes OUT/facts.csv, OUT/spine.csv, OUT/definition.yaml. Same arguments, same bytes. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FEATURES = 25, START_S = 1704067200, SPAN_S = 31 * 86400 };

static const char *const regions[] = {"north",  "south", "east",    "west",
                                      "centre", "coast", "islands", "abroad"};
static const char *const plans[] = {"basic", "plus", "family", "business", "student"};
static const char *const devices[] = {"android", "ios", "web", "desktop", "tv", "other"};
static const char *const channels[] = {"app", "mail", "phone", "shop", "chat", "none"};
static const char *const bools[] = {"false", "true"};

/* A feature is a number, a word of a list, or a decimal with so many digits after the point. */
static const struct {
    const char *name, *type;
    const char *const *words;
    int64_t scale;
} features[FEATURES] = {
    {"tenure_days", "int64", NULL, 0},
    {"age", "int64", NULL, 0},
    {"region", "string", regions, 0},
    {"plan", "string", plans, 0},
    {"is_premium", "bool", bools, 0},
    {"autopay", "bool", bools, 0},
    {"monthly_charge", "float64", NULL, 100},
    {"total_charges", "float64", NULL, 100},
    {"logins_1d", "int64", NULL, 0},
    {"logins_7d", "int64", NULL, 0},
    {"sessions_30d", "int64", NULL, 0},
    {"avg_session_min", "float64", NULL, 100},
    {"minutes_total", "int64", NULL, 0},
    {"data_gb", "float64", NULL, 100},
    {"calls", "int64", NULL, 0},
    {"support_tickets_30d", "int64", NULL, 0},
    {"days_since_login", "int64", NULL, 0},
    {"days_since_payment", "int64", NULL, 0},
    {"late_payments_90d", "int64", NULL, 0},
    {"discount_pct", "float64", NULL, 100},
    {"nps", "int64", NULL, 0},
    {"device", "string", devices, 0},
    {"last_channel", "string", channels, 0},
    {"satisfaction", "float64", NULL, 1000},
    {"churn_score", "float64", NULL, 10000},
};

struct fact {
    int64_t customer, event_s, lag_s;
    int64_t v[FEATURES];
    bool null[FEATURES];
};

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* An integer in [0, n) for an index; each `what` is a stream of its own. */
static int64_t draw(uint64_t seed, uint64_t what, uint64_t idx, int64_t n)
{
    return (int64_t)(mix(mix(idx ^ mix(seed * 1000 + what))) % (uint64_t)n);
}

static int64_t clip(int64_t v, int64_t lo, int64_t hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

static void make(struct fact *f, uint64_t seed, uint64_t r, int64_t per)
{
    uint64_t cust = r / (uint64_t)per;
    int64_t slot = (int64_t)(r % (uint64_t)per), day = slot * 31 / per, step = SPAN_S / per;
    int64_t act = draw(seed, 1, cust, 100), tenure = draw(seed, 4, cust, 3650) + day; /* act: how lively */
    int64_t charge = 499 + draw(seed, 5, cust, 9500), logins = draw(seed, 6, r, 2 + act / 12);
    int64_t idle = logins > 0 ? 0 : 1 + draw(seed, 7, r, 30) * (100 - act) / 100;
    int64_t tickets = clip(draw(seed, 8, r, 12) - 8, 0, 12), late = clip(draw(seed, 9, cust, 10) - 7, 0, 10);
    int64_t sat = clip(5000 - tickets * 700 - late * 400 + act * 30 + draw(seed, 10, r, 2000), 0, 10000);
    f->customer = (int64_t)(100000 + cust * 7);
    f->event_s = START_S + slot * step + draw(seed, 2, r, step);
    f->lag_s = draw(seed, 3, r, 6 * 3600);
    const int64_t v[FEATURES] = {
        tenure,
        18 + draw(seed, 11, cust, 72),
        draw(seed, 12, cust, 8),
        draw(seed, 13, cust, 5),
        act > 80,
        draw(seed, 14, cust, 3) > 0,
        charge,
        charge * (tenure / 30 + 1),
        logins,
        logins * 4 + draw(seed, 15, r, 5),
        act + draw(seed, 16, r, 40),
        draw(seed, 17, r, 6000),
        tenure * (act + 1) * 3,
        act * 100 + draw(seed, 18, r, 5000),
        draw(seed, 19, r, 30),
        tickets,
        idle,
        tenure % 31,
        late,
        draw(seed, 20, cust, 7) * 500,
        draw(seed, 21, cust, 11),
        draw(seed, 22, r / 5, 6),
        draw(seed, 23, r, 6),
        sat,
        clip(10000 - sat + idle * 150 - act * 20, 0, 10000),
    };
    memcpy(f->v, v, sizeof v);
    for (int k = 0; k < FEATURES; k++)
        f->null[k] = draw(seed, 100 + (uint64_t)k, r, 10000) == 0;
}

static int put_time(char *out, size_t n, int64_t s)
{
    /* January and February 2024 only: no calendar needed */
    int64_t d = (s - START_S) / 86400, t = (s - START_S) % 86400;
    return snprintf(out, n, "2024-%02d-%02dT%02d:%02d:%02dZ", d < 31 ? 1 : 2, (int)(d < 31 ? d + 1 : d - 30),
                    (int)(t / 3600), (int)(t / 60 % 60), (int)(t % 60));
}

/* v / scale as the shortest decimal: 12.0, 12.5, 12.25 */
static int put_decimal(char *out, size_t n, int64_t v, int64_t scale)
{
    int digits = scale == 100 ? 2 : scale == 1000 ? 3 : 4;
    int64_t rest = v % scale;
    while (digits > 1 && rest % 10 == 0) {
        rest /= 10;
        digits--;
    }
    /* below 1e-4 the shortest form has an exponent; the smallest here is 1e-4 itself */
    return snprintf(out, n, "%lld.%0*lld", (long long)(v / scale), digits, (long long)rest);
}

static void put_fact(FILE *out, const struct fact *f)
{
    char line[1024];
    size_t n = (size_t)snprintf(line, sizeof line, "%lld,", (long long)f->customer);
    n += (size_t)put_time(line + n, sizeof line - n, f->event_s);
    line[n++] = ',';
    n += (size_t)put_time(line + n, sizeof line - n, f->event_s + f->lag_s);
    for (int k = 0; k < FEATURES; k++) {
        line[n++] = ',';
        if (f->null[k])
            continue;
        if (features[k].words)
            n += (size_t)snprintf(line + n, sizeof line - n, "%s", features[k].words[f->v[k]]);
        else if (features[k].scale)
            n += (size_t)put_decimal(line + n, sizeof line - n, f->v[k], features[k].scale);
        else
            n += (size_t)snprintf(line + n, sizeof line - n, "%lld", (long long)f->v[k]);
    }
    line[n++] = '\n';
    fwrite(line, 1, n, out);
}

struct ranked {
    uint64_t hash, idx;
};

static int by_hash(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;
    return a->hash != b->hash ? (a->hash > b->hash) - (a->hash < b->hash)
                              : (a->idx > b->idx) - (a->idx < b->idx);
}

/* A permutation of [0, n): sorted by hash. */
static struct ranked *order(uint64_t n, uint64_t seed)
{
    struct ranked *r = malloc(n * sizeof *r);
    if (!r)
        return NULL;
    for (uint64_t i = 0; i < n; i++)
        r[i] = (struct ranked){mix(i ^ (seed * 77 + 5)), i};
    qsort(r, n, sizeof *r, by_hash);
    return r;
}

static FILE *create(const char *dir, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "wb");
    if (!f) {
        perror(path);
        exit(1);
    }
    return f;
}

static void finish(FILE *f)
{
    if (ferror(f) | fclose(f)) {
        perror("write");
        exit(1);
    }
}

static void write_definition(const char *dir)
{
    FILE *f = create(dir, "definition.yaml");
    fputs(
        "project: churn\nentities:\n  - name: customer\n    join_keys:\n      - {name: customer_id, type: "
        "int64}\n"
        "sources:\n  - name: churn_file\n    type: file\n    format: csv\n    path: \"facts.csv\"\n"
        "    event_timestamp: event_ts\n    created_timestamp: created_ts\nfeature_views:\n  - name: churn\n"
        "    entity: customer\n    source: churn_file\n    ttl: 7d\n    features:\n",
        f);
    for (int k = 0; k < FEATURES; k++)
        fprintf(f, "      - {name: %s, type: %s}\n", features[k].name, features[k].type);
    finish(f);
}

int main(int argc, char **argv)
{
    uint64_t rows = 2000000, per = 31, spine = 10000, seed = 2024;
    bool sorted = false;
    const char *out = NULL;
    for (int i = 1; i < argc; i++) {
        uint64_t *number = strcmp(argv[i], "--rows") == 0           ? &rows
                           : strcmp(argv[i], "--per-customer") == 0 ? &per
                           : strcmp(argv[i], "--spine") == 0        ? &spine
                           : strcmp(argv[i], "--seed") == 0         ? &seed
                                                                    : NULL;
        if (number && i + 1 < argc)
            *number = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--sorted") == 0)
            sorted = true;
        else if (argv[i][0] != '-' && !out)
            out = argv[i];
        else
            out = NULL, i = argc;
    }
    if (!out || rows == 0 || per == 0 || per > SPAN_S) {
        fprintf(
            stderr,
            "usage: larder-gen-churn OUT [--rows N] [--per-customer N] [--spine N] [--seed N] [--sorted]\n");
        return 2;
    }
    mkdir(out, 0755);
    struct ranked *perm = sorted ? NULL : order(rows, seed);
    FILE *f = create(out, "facts.csv");
    fputs("customer_id,event_ts,created_ts", f);
    for (int k = 0; k < FEATURES; k++)
        fprintf(f, ",%s", features[k].name);
    fputc('\n', f);
    for (uint64_t i = 0; i < rows; i++) {
        struct fact fact;
        make(&fact, seed, perm ? perm[i].idx : i, (int64_t)per);
        put_fact(f, &fact);
    }
    finish(f);
    free(perm);

    uint64_t customers = (rows + per - 1) / per, n = spine < customers ? spine : customers;
    struct ranked *ids = order(customers, seed + 1);
    f = create(out, "spine.csv");
    fputs("customer_id,event_ts,churned\n", f);
    for (uint64_t i = 0; ids && i < n; i++) {
        char text[32];
        uint64_t id = ids[i].idx;
        put_time(text, sizeof text, START_S + 7 * 86400 + draw(seed, 50, id, 24 * 86400));
        int churned = draw(seed, 51, id, 100) > 40 + draw(seed, 1, id, 100) / 2;
        /* the last one is a customer without any facts */
        fprintf(f, "%lld,%s,%d\n", i + 1 == n ? 99999LL : (long long)(100000 + id * 7), text, churned);
    }
    finish(f);
    free(ids);
    write_definition(out);
    printf("%s: %llu facts of %llu customers, spine of %llu rows\n", out, (unsigned long long)rows,
           (unsigned long long)customers, (unsigned long long)n);
    return 0;
}
