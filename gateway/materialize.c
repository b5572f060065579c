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
    if (!rc && !x->m.incremental)
        rc = ldr_gw_time(&f[0], &w->arena, true, &start, &x->m.start_us, err);
    if (!rc)
        rc = ldr_gw_time(&f[1], &w->arena, true, &end, &x->m.end_us, err);
    if (!rc)
        rc = ldr_gw_texts(&f[2], &w->arena, &x->m.views, &x->m.nviews, err);
    if (rc)
        return rc;
    if (f[4].token != LDR_JSON_END)
        return ldr_fail(err, LDR_E_INVALID, "version: past versions of a view are read, not written");
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

/* ---- Later: the answer says that it has begun; how it ends stands in the log ---- */

struct ldr_gw_later {
    struct ldr_materialize m;
    struct ldr_arena arena;
    struct ldr_gw_later *next;
};

static int stop_asked(void *ctx, const struct ldr_progress *p)
{
    (void)p;
    return atomic_load(&((struct ldr_gw_shared *)ctx)->stopping);
}

static bool overlap(const struct ldr_materialize *a, const struct ldr_materialize *b)
{
    if (!a->nviews || !b->nviews) /* all views */
        return true;
    for (size_t i = 0; i < a->nviews; i++)
        for (size_t k = 0; k < b->nviews; k++)
            if (strcmp(a->views[i], b->views[k]) == 0)
                return true;
    return false;
}

static void go_on(struct ldr_gw_worker *w, void *data)
{
    struct ldr_gw_later *l = data;
    struct ldr_table *t = NULL;
    struct ldr_write_report total = {0};
    struct ldr_err err = {0};
    const struct ldr_work work = {stop_asked, w->shared};
    int rc = ldr_materialize(w->store, &l->m, &work, &total, &t, &err);
    ldr_table_destroy(t);
    if (rc)
        ldr_logf(w->shared->log, LDR_LOG_WARN, "a materialization that nobody waited for failed: %s",
                 err.message);
    else
        ldr_logf(w->shared->log, LDR_LOG_INFO, "materialized: %llu rows taken, %llu rejected",
                 (unsigned long long)total.taken, (unsigned long long)total.rejected);
    pthread_mutex_lock(&w->shared->lock);
    struct ldr_gw_later **at = &w->shared->later;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    pthread_mutex_unlock(&w->shared->lock);
    ldr_arena_close(&l->arena);
    ldr_release(NULL, l);
}

static struct ldr_gw_later *later_of(const struct ldr_materialize *m)
{
    struct ldr_gw_later *l = ldr_calloc(NULL, 1, sizeof *l);
    if (!l)
        return NULL;
    ldr_arena_init(&l->arena, NULL, 1024);
    l->m = *m;
    const char **views = ldr_arena_calloc(&l->arena, m->nviews + 1, sizeof *views);
    bool ok = views != NULL;
    for (size_t i = 0; ok && i < m->nviews; i++) {
        views[i] = ldr_arena_strndup(&l->arena, m->views[i], strlen(m->views[i]));
        ok = views[i] != NULL;
    }
    l->m.views = views;
    if (ok)
        return l;
    ldr_arena_close(&l->arena);
    ldr_release(NULL, l);
    return NULL;
}

static int there(struct ldr_gw_worker *w, const struct ldr_materialize *m, struct ldr_err *err)
{
    int rc = 0;
    for (size_t i = 0; !rc && i < m->nviews; i++) {
        struct ldr_table *t;
        rc = ldr_describe(w->store, "feature-views", m->views[i], 0, &t, err);
        if (!rc)
            ldr_table_destroy(t);
    }
    return rc;
}

/* LDR_E_CONFLICT: it is under way for one of the views already. */
static int begin_later(struct ldr_gw_worker *w, const struct ldr_materialize *m, bool force,
                       struct ldr_gw_answer *a, struct ldr_err *err)
{
    int rc = there(w, m, err);
    struct ldr_gw_later *l = rc ? NULL : later_of(m);
    if (!l)
        return rc ? rc : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    pthread_mutex_lock(&w->shared->lock);
    for (const struct ldr_gw_later *o = w->shared->later; o && !rc && !force; o = o->next)
        if (overlap(&l->m, &o->m))
            rc = LDR_E_CONFLICT;
    if (!rc) {
        l->next = w->shared->later;
        w->shared->later = l;
    }
    pthread_mutex_unlock(&w->shared->lock);
    if (rc) {
        ldr_arena_close(&l->arena);
        ldr_release(NULL, l);
        return ldr_fail(err, rc, "a materialization of these views is under way; force=true begins another");
    }
    struct ldr_json j;
    a->status = 202;
    a->after = go_on;
    a->after_data = l;
    ldr_json_init(&j, &a->body);
    ldr_json_object(&j);
    ldr_json_key(&j, "status");
    ldr_json_cstr(&j, "accepted");
    ldr_json_key(&j, "feature_views");
    ldr_json_array(&j);
    for (size_t i = 0; i < m->nviews; i++)
        ldr_json_cstr(&j, m->views[i]);
    ldr_json_array_end(&j);
    ldr_json_object_end(&j);
    return 0;
}

static int flag(struct ldr_gw_worker *w, const struct ldr_gw_request *q, const char *name, bool *out,
                struct ldr_err *err)
{
    const char *text;
    int rc = ldr_gw_param(q, &w->arena, name, &text, err);
    if (!rc && text && strcmp(text, "true") != 0 && strcmp(text, "false") != 0)
        rc = ldr_fail(err, LDR_E_INVALID, "%s: found '%.64s', expected true or false", name, text);
    *out = !rc && text && *text == 't';
    return rc;
}

static void materialize(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a,
                        bool incremental)
{
    struct materialize x = {.m = {.dir = w->config->dir, .incremental = incremental}};
    struct ldr_table *t = NULL;
    struct ldr_write_report total;
    struct ldr_err err = {0};
    bool later = false, force = false;
    int rc = flag(w, q, "async", &later, &err);
    if (!rc)
        rc = flag(w, q, "force", &force, &err);
    if (!rc)
        rc = read_request(w, q, &x, &err);
    if (!rc && later) {
        rc = begin_later(w, &x.m, force, a, &err);
    } else if (!rc) {
        rc = ldr_materialize(w->store, &x.m, NULL, &total, &t, &err);
        if (!rc)
            ldr_buf_puts(&a->body, "null");
    }
    ldr_table_destroy(t);
    if (rc == LDR_E_NOT_FOUND)
        ldr_gw_fail_feast(a, 404, "FeatureViewNotFoundException", &err);
    else if (rc)
        ldr_gw_fail_err(a, rc, &err);
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
