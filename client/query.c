/* Queries as handles: created once, read many times, following the definitions. */
#include <stdlib.h>

#include "client/query_plan.h"

int ldr_query_create(struct ldr_store *s, const struct ldr_query_spec *spec, struct ldr_query **out,
                     struct ldr_err *err)
{
    *out = NULL;
    ldr_err_clear(err);
    int entered = ldr_store_enter(s, err);
    if (entered)
        return entered;
    struct ldr_query *q = ldr_calloc(NULL, 1, sizeof *q);
    if (!q)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    struct ldr_catalog *c = ldr_store_catalog(s);
    int rc = ldr_query_plan_create(c, spec, &q->first, err);
    if (rc) {
        free(q);
    } else {
        q->store = s;
        pthread_mutex_init(&q->lock, NULL);
        atomic_init(&q->plan, q->first);
        atomic_init(&q->seen, c->version);
        *out = q;
    }
    ldr_catalog_release(c);
    return rc;
}

void ldr_query_destroy(struct ldr_query *q)
{
    if (!q)
        return;
    struct ldr_query_plan *p = atomic_load(&q->plan);
    while (p) {
        struct ldr_query_plan *older = p->older;
        ldr_query_plan_destroy(p);
        p = older;
    }
    pthread_mutex_destroy(&q->lock);
    free(q);
}

const struct ldr_query_plan *ldr_query_follow(struct ldr_query *q, int *rc, struct ldr_err *err)
{
    const struct ldr_query_plan *answer = NULL;
    struct ldr_query_plan *fresh;
    pthread_mutex_lock(&q->lock);
    struct ldr_catalog *c = ldr_store_catalog(q->store);
    struct ldr_query_plan *now = atomic_load(&q->plan);
    *rc = 0;
    if (atomic_load(&q->seen) == c->version) {
        answer = now; /* another thread was faster */
        goto out;
    }
    *rc = ldr_query_plan_again(c, q->first, &fresh, err);
    if (*rc)
        goto out;
    if (ldr_query_plan_same(now, fresh)) {
        ldr_query_plan_destroy(fresh);
        answer = now;
    } else {
        /* Readers may be in the old one, and its texts were handed out: it stays until the query goes. Only
         * changes of the query's own views come here, and people make those. */
        fresh->older = now;
        atomic_store(&q->plan, fresh);
        answer = fresh;
    }
    atomic_store(&q->seen, c->version);
out:
    ldr_catalog_release(c);
    pthread_mutex_unlock(&q->lock);
    return answer;
}

size_t ldr_query_columns(const struct ldr_query *q)
{
    return q->first->ncols;
}

const char *ldr_query_column(const struct ldr_query *q, size_t i)
{
    return i < q->first->ncols ? q->first->cols[i].name : NULL;
}

enum ldr_type ldr_query_column_type(const struct ldr_query *q, size_t i)
{
    return i < q->first->ncols ? (enum ldr_type)q->first->cols[i].type : (enum ldr_type)0;
}

size_t ldr_query_keys(const struct ldr_query *q)
{
    return q->first->nkeys;
}

const char *ldr_query_key(const struct ldr_query *q, size_t i)
{
    return i < q->first->nkeys ? q->first->keys[i].name : NULL;
}

enum ldr_type ldr_query_key_type(const struct ldr_query *q, size_t i)
{
    return i < q->first->nkeys ? (enum ldr_type)q->first->keys[i].type : (enum ldr_type)0;
}
