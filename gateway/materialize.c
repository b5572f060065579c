/* Reading declared sources into the store: Feast's /materialize and /materialize-incremental. */
#include <time.h>

#include "gateway/body.h"
#include "gateway/handlers.h"
#include "gateway/route.h"

struct materialize {
    struct ldr_materialize m;
    bool whole; /* from the beginning of time until now */
};

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int read_request(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct materialize *x,
                        struct ldr_err *err)
{
    struct ldr_gw_field f[] = {{.name = "start_ts"},
                               {.name = "end_ts"},
                               {.name = "feature_views"},
                               {.name = "disable_event_timestamp"},
                               {.name = "version"}};
    bool start = false, end = false;
    int rc = ldr_gw_fields(q->body, f, 5, true, err);
    if (!rc)
        rc = ldr_gw_bool(&f[3], &x->whole, err);
    if (!rc && !x->m.incremental && !x->whole)
        rc = ldr_gw_time(&f[0], &w->arena, true, &start, &x->m.start_us, err);
    if (!rc && !x->whole)
        rc = ldr_gw_time(&f[1], &w->arena, true, &end, &x->m.end_us, err);
    if (!rc)
        rc = ldr_gw_texts(&f[2], &w->arena, &x->m.views, &x->m.nviews, err);
    if (rc)
        return rc;
    if (f[4].token != LDR_JSON_END)
        return ldr_fail(err, LDR_E_UNSUPPORTED, "version: past versions of a view are read, not written");
    if (x->whole && x->m.incremental)
        return ldr_fail(err, LDR_E_INVALID, "disable_event_timestamp: not with an increment");
    if (x->whole) {
        x->m.start_us = LDR_TIME_MIN_US;
        x->m.end_us = now_us();
    } else if (!end || (!x->m.incremental && !start)) {
        return ldr_fail(err, LDR_E_INVALID, "%s: it is missing", end ? "start_ts" : "end_ts");
    } else if (!x->m.incremental && x->m.start_us > x->m.end_us) {
        return ldr_fail(err, LDR_E_INVALID, "start_ts is after end_ts");
    }
    return 0;
}

static void materialize(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a,
                        bool incremental)
{
    struct materialize x = {.m = {.dir = w->config->dir, .incremental = incremental}};
    struct ldr_table *t = NULL;
    struct ldr_write_report total;
    struct ldr_err err = {0};
    const char *later = NULL;
    int rc = ldr_gw_param(q, &w->arena, "async", &later, &err);
    if (!rc && later && strcmp(later, "false") != 0)
        rc = ldr_fail(&err, LDR_E_UNSUPPORTED,
                      "async: there is nothing to ask later how it went: wait for the answer");
    if (!rc)
        rc = read_request(w, q, &x, &err);
    if (!rc)
        rc = ldr_materialize(w->store, &x.m, NULL, &total, &t, &err);
    ldr_table_destroy(t);
    if (rc == LDR_E_NOT_FOUND)
        ldr_gw_fail_feast(a, 404, "FeatureViewNotFoundException", &err);
    else if (rc)
        ldr_gw_fail_err(a, rc, &err);
    else
        ldr_buf_puts(&a->body, "null");
}

void ldr_gw_feast_materialize(struct ldr_gw_worker *w, const struct ldr_gw_request *q,
                              struct ldr_gw_answer *a)
{
    materialize(w, q, a, false);
}

void ldr_gw_feast_increment(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    materialize(w, q, a, true);
}
