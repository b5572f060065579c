/* Declare a view, write two facts, read the newest: the smallest whole program. */
#include <larder.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static int failed(const char *what, const struct ldr_err *err)
{
    fprintf(stderr, "%s: %s (%s)\n", what, err->message, ldr_error_name(err->code));
    return 1;
}

int main(void)
{
    struct ldr_err err = {0};
    struct ldr_store *store;
    mkdir("quickstart-data", 0755);
    FILE *f = fopen("quickstart-data/definitions.yaml", "w");
    if (!f)
        return 1;
    fputs("project: quickstart\n"
          "entities:\n"
          "  - {name: customer, join_keys: [{name: customer_id, type: int64}]}\n"
          "feature_views:\n"
          "  - name: account\n"
          "    entity: customer\n"
          "    ttl: 30d\n"
          "    features: [{name: balance, type: float64}, {name: plan, type: string}]\n",
          f);
    fclose(f);

    if (ldr_open("local:quickstart-data/store", NULL, &store, &err))
        return failed("open", &err);
    uint64_t changes, version;
    if (ldr_apply(store, "quickstart-data", UINT64_MAX, NULL, &changes, &version, NULL, &err))
        return failed("apply", &err);
    printf("registry version %llu, %llu changes\n", (unsigned long long)version, (unsigned long long)changes);

    /* Two facts, ten days and one day old. They are durable when ldr_write returns. */
    const char *names[] = {"customer_id", "balance", "plan"};
    int64_t now_us = (int64_t)1e6 * (int64_t)time(NULL), day_us = 86400000000;
    int64_t event_us[] = {now_us - 10 * day_us, now_us - day_us};
    struct ldr_datum values[] = {
        {.type = LDR_INT64, .v.i = 7},
        {.type = LDR_FLOAT64, .v.f64 = 100.5},
        {.type = LDR_STRING, .v.s = {"basic", 5}},
        {.type = LDR_INT64, .v.i = 7},
        {.type = LDR_FLOAT64, .v.f64 = 80.25},
        {.type = LDR_STRING, .v.s = {"plus", 4}},
    };
    if (ldr_write(store, "account", names, 3, values, 2, event_us, NULL, NULL, &err))
        return failed("write", &err);

    /* A query is resolved once and read many times; rows are reused from read to read. */
    const char *features[] = {"account:balance", "account:plan"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 2};
    struct ldr_query *query;
    struct ldr_rows *rows;
    if (ldr_query_create(store, &spec, &query, &err) || ldr_rows_create(&rows))
        return failed("query", &err);
    struct ldr_datum keys[] = {{.type = LDR_INT64, .v.i = 7}, {.type = LDR_INT64, .v.i = 8}};
    if (ldr_online_get(query, keys, 2, NULL, rows, &err))
        return failed("read", &err);
    for (size_t r = 0; r < ldr_rows_count(rows); r++) {
        const struct ldr_datum *c = ldr_rows_row(rows, r);
        if (c[0].status == LDR_PRESENT)
            printf("customer %lld: balance %.2f, plan %.*s\n", (long long)keys[r].v.i, c[0].v.f64,
                   (int)c[1].v.s.n, (const char *)c[1].v.s.p);
        else
            printf("customer %lld: nothing known\n", (long long)keys[r].v.i);
    }
    ldr_rows_destroy(rows);
    ldr_query_destroy(query);
    ldr_close(store);
    return 0;
}
