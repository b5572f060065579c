/* Many reads under way at once: each accepted request calls back exactly once, on a thread of the store. */
#include <larder.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { READS = 64 };

struct read {
    struct ldr_req req; /* embedded; lives until the callback */
    struct ldr_datum key;
    struct ldr_rows *rows;
};
static struct read reads[READS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t all_done = PTHREAD_COND_INITIALIZER;
static int left = READS, found;

static void done(struct ldr_req *r, int code, const struct ldr_err *err)
{
    struct read *read = r->data;
    pthread_mutex_lock(&lock);
    if (code)
        fprintf(stderr, "read: %s\n", err->message);
    else
        found += ldr_rows_row(read->rows, 0)[0].status == LDR_PRESENT;
    if (--left == 0)
        pthread_cond_signal(&all_done);
    pthread_mutex_unlock(&lock);
}

static int failed(const char *what, const struct ldr_err *err)
{
    fprintf(stderr, "%s: %s (%s)\n", what, err->message, ldr_error_name(err->code));
    return 1;
}

int main(void)
{
    struct ldr_err err = {0};
    struct ldr_store *store;
    mkdir("async-data", 0755);
    FILE *f = fopen("async-data/definitions.yaml", "w");
    if (!f)
        return 1;
    fputs("project: async\n"
          "entities:\n"
          "  - {name: sensor, join_keys: [{name: sensor_id, type: int64}]}\n"
          "feature_views:\n"
          "  - {name: reading, entity: sensor, features: [{name: celsius, type: float64}]}\n",
          f);
    fclose(f);
    if (ldr_open("local:async-data/store", NULL, &store, &err) ||
        ldr_apply(store, "async-data", UINT64_MAX, NULL, NULL, NULL, NULL, &err))
        return failed("open", &err);

    /* Sensors 0, 2, 4 ... have a value, the others have none. */
    const char *names[] = {"sensor_id", "celsius"};
    struct ldr_datum values[READS];
    int64_t event_us[READS / 2];
    for (int i = 0; i < READS / 2; i++) {
        values[2 * i] = (struct ldr_datum){.type = LDR_INT64, .v.i = 2 * i};
        values[2 * i + 1] = (struct ldr_datum){.type = LDR_FLOAT64, .v.f64 = 20 + i * 0.5};
        event_us[i] = INT64_C(1714521600000000);
    }
    if (ldr_write(store, "reading", names, 2, values, READS / 2, event_us, NULL, NULL, &err))
        return failed("write", &err);

    const char *features[] = {"reading:celsius"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 1};
    struct ldr_query *query;
    if (ldr_query_create(store, &spec, &query, &err))
        return failed("query", &err);
    for (int i = 0; i < READS; i++) {
        reads[i].key = (struct ldr_datum){.type = LDR_INT64, .v.i = i};
        reads[i].req.data = &reads[i];
        reads[i].req.done = done;
        if (ldr_rows_create(&reads[i].rows) ||
            ldr_online_get_async(&reads[i].req, query, &reads[i].key, 1, NULL, reads[i].rows))
            return failed("read", &err);
    }
    pthread_mutex_lock(&lock);
    while (left)
        pthread_cond_wait(&all_done, &lock);
    pthread_mutex_unlock(&lock);
    printf("%d of %d sensors have a value\n", found, READS);
    for (int i = 0; i < READS; i++)
        ldr_rows_destroy(reads[i].rows);
    ldr_query_destroy(query);
    ldr_close(store);
    return found == READS / 2 ? 0 : 1;
}
