/* A training set in memory: for each (customer, moment), the values as they were known then. */
#include <larder.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define DAY_US INT64_C(86400000000)
#define MAY_1  INT64_C(1714521600000000) /* 2024-05-01T00:00:00Z */

static int failed(const char *what, const struct ldr_err *err)
{
    fprintf(stderr, "%s: %s (%s)\n", what, err->message, ldr_error_name(err->code));
    return 1;
}

static bool valid(const struct ldr_column_data *c, size_t i)
{
    return !c->validity || (c->validity[i / 8] >> (i % 8) & 1);
}

int main(void)
{
    struct ldr_err err = {0};
    struct ldr_store *store;
    mkdir("training-data", 0755);
    FILE *f = fopen("training-data/definitions.yaml", "w");
    if (!f)
        return 1;
    fputs("project: training\n"
          "entities:\n"
          "  - {name: customer, join_keys: [{name: customer_id, type: int64}]}\n"
          "feature_views:\n"
          "  - name: account\n"
          "    entity: customer\n"
          "    ttl: 7d\n"
          "    features: [{name: balance, type: float64}, {name: plan, type: string}]\n",
          f);
    fclose(f);
    if (ldr_open("local:training-data/store", NULL, &store, &err) ||
        ldr_apply(store, "training-data", UINT64_MAX, NULL, NULL, NULL, NULL, &err))
        return failed("open", &err);

    /* The balance of 3 May became known on 5 May: a model trained as of 4 May must not see it. */
    const char *names[] = {"customer_id", "balance", "plan"};
    int64_t event_us[] = {MAY_1, MAY_1 + 2 * DAY_US};
    int64_t created_us[] = {MAY_1, MAY_1 + 4 * DAY_US};
    struct ldr_datum values[] = {
        {.type = LDR_INT64, .v.i = 1},
        {.type = LDR_FLOAT64, .v.f64 = 10},
        {.type = LDR_STRING, .v.s = {"basic", 5}},
        {.type = LDR_INT64, .v.i = 1},
        {.type = LDR_FLOAT64, .v.f64 = 30},
        {.type = LDR_STRING, .v.s = {"plus", 4}},
    };
    if (ldr_write(store, "account", names, 3, values, 2, event_us, created_us, NULL, &err))
        return failed("write", &err);

    const char *features[] = {"account"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 1};
    struct ldr_query *query;
    if (ldr_query_create(store, &spec, &query, &err))
        return failed("query", &err);

    /* The spine: customer 1 on 2 May, 4 May, 6 May and 1 June; customer 2 is unknown. Known at: the same
     * moments. */
    int64_t id[] = {1, 1, 1, 1, 2};
    int64_t t_us[] = {MAY_1 + DAY_US, MAY_1 + 3 * DAY_US, MAY_1 + 5 * DAY_US, MAY_1 + 31 * DAY_US,
                      MAY_1 + DAY_US};
    struct ldr_column_data key = {.type = LDR_INT64, .n = 5, .data = id};
    struct ldr_spine spine = {.nrows = 5, .t_us = t_us, .known_at_us = t_us, .keys = &key};
    struct ldr_batch *batch;
    if (ldr_historical_get(query, &spine, NULL, &batch, &err))
        return failed("join", &err);
    const struct ldr_column_data *balance = ldr_batch_column(batch, 0), *plan = ldr_batch_column(batch, 1);
    for (size_t i = 0; i < ldr_batch_rows(batch); i++) {
        printf("customer %lld, day %lld: ", (long long)id[i], (long long)((t_us[i] - MAY_1) / DAY_US + 1));
        if (valid(balance, i))
            printf("balance %.0f, plan %.*s\n", ((const double *)balance->data)[i],
                   (int)(plan->offsets[i + 1] - plan->offsets[i]),
                   (const char *)plan->data + plan->offsets[i]);
        else
            printf("null\n");
    }
    ldr_batch_destroy(batch);
    ldr_query_destroy(query);
    ldr_close(store);
    return 0;
}
