#include "gateway/queries.h"

#define QUERIES_MAX 1024
#define TEXTS_MAX   ((size_t)32 << 20) /* bytes of all wishes together */
#define TEXT_MAX    ((size_t)4 << 20)  /* of one: room for as many features as a request may name */
#define FRESH_US    1000000

void ldr_gw_queries_init(struct ldr_gw_queries *q, struct ldr_store *s)
{
    *q = (struct ldr_gw_queries){.store = s};
}

static void destroy(struct ldr_gw_query *e)
{
    ldr_query_destroy(e->query);
    ldr_arena_close(&e->arena);
    ldr_release(NULL, e);
}

void ldr_gw_queries_close(struct ldr_gw_queries *q)
{
    for (size_t i = 0; i < 256; i++)
        while (q->buckets[i]) {
            struct ldr_gw_query *e = q->buckets[i];
            q->buckets[i] = e->next;
            destroy(e);
        }
}

void ldr_gw_queries_drop(struct ldr_gw_queries *q, const struct ldr_gw_query *which)
{
    for (struct ldr_gw_query **at = &q->buckets[which->hash & 255]; *at; at = &(*at)->next)
        if (*at == which) {
            struct ldr_gw_query *e = *at;
            *at = e->next;
            if (q->last == e)
                q->last = NULL;
            q->count--;
            q->bytes -= e->text.n;
            destroy(e);
            return;
        }
}

/* The one that nobody has asked for the longest time. */
static void drop_oldest(struct ldr_gw_queries *q)
{
    const struct ldr_gw_query *oldest = NULL;
    for (size_t i = 0; i < 256; i++)
        for (const struct ldr_gw_query *e = q->buckets[i]; e; e = e->next)
            if (!oldest || e->used < oldest->used)
                oldest = e;
    if (oldest)
        ldr_gw_queries_drop(q, oldest);
}

static int no_memory(struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_NOMEM, "out of memory");
}

static int text_of(struct ldr_arena *a, const struct ldr_json_reader *r, char **out)
{
    char *to = ldr_arena_alloc(a, r->text.n + 1);
    *out = to;
    if (!to)
        return LDR_E_NOMEM;
    size_t n = r->text.n;
    if (r->escaped)
        n = ldr_json_unescape(r->text, (uint8_t *)to);
    else if (n)
        memcpy(to, r->text.p, n);
    to[n] = '\0';
    return strlen(to) == n ? 0 : LDR_E_INVALID;
}

static int read_texts(struct ldr_arena *a, struct ldr_slice json, const char ***out, size_t *n,
                      struct ldr_err *err)
{
    struct ldr_json_reader r;
    size_t cap = 0;
    ldr_json_reader_init(&r, json);
    enum ldr_json_token t = ldr_json_next(&r);
    *out = NULL;
    *n = 0;
    if (t != LDR_JSON_ARRAY)
        return ldr_fail(err, LDR_E_INVALID, "features: found %s, expected an array of strings",
                        ldr_json_token_name(t));
    while ((t = ldr_json_next(&r)) == LDR_JSON_STRING) {
        if (*n == cap) {
            const char **more = ldr_arena_alloc(a, (cap ? 2 * cap : 64) * sizeof *more);
            if (!more)
                return no_memory(err);
            if (cap)
                memcpy(more, *out, cap * sizeof *more);
            cap = cap ? 2 * cap : 64;
            *out = more;
        }
        char *text;
        int rc = text_of(a, &r, &text);
        if (rc)
            return ldr_fail(err, rc,
                            rc == LDR_E_NOMEM ? "out of memory" : "features: a name with a NUL character");
        if (*n == LDR_FEATURES_REQ_MAX)
            return ldr_fail(err, LDR_E_TOO_BIG, "more than %d features are asked for", LDR_FEATURES_REQ_MAX);
        (*out)[(*n)++] = text;
    }
    return t == LDR_JSON_ARRAY_END ? 0
                                   : ldr_fail(err, LDR_E_INVALID, "features: found %s, expected a string",
                                              ldr_json_token_name(t));
}

static int describe(struct ldr_gw_query *e, struct ldr_err *err)
{
    struct ldr_buf names;
    struct ldr_json j;
    ldr_buf_init(&names, NULL, 0);
    ldr_json_init(&j, &names);
    e->ncols = ldr_query_columns(e->query);
    e->nkeys = ldr_query_keys(e->query);
    e->keys = ldr_arena_calloc(&e->arena, e->nkeys + 1, sizeof *e->keys);
    e->key_types = ldr_arena_calloc(&e->arena, e->nkeys + 1, 1);
    ldr_json_array(&j);
    for (size_t i = 0; e->keys && e->key_types && i < e->nkeys; i++) {
        e->keys[i] = ldr_query_key(e->query, i);
        e->key_types[i] = (uint8_t)ldr_query_key_type(e->query, i);
        ldr_json_cstr(&j, e->keys[i]);
    }
    for (size_t i = 0; i < e->ncols; i++)
        ldr_json_cstr(&j, ldr_query_column(e->query, i));
    ldr_json_array_end(&j);
    bool ok = e->keys && e->key_types && !names.err &&
              ldr_arena_slice(&e->arena, ldr_buf_slice(&names), &e->names) == 0;
    ldr_buf_close(&names);
    return ok ? 0 : no_memory(err);
}

static int make(struct ldr_gw_queries *q, const struct ldr_gw_wish *w, struct ldr_gw_query **out,
                struct ldr_err *err)
{
    struct ldr_gw_query *e = ldr_calloc(NULL, 1, sizeof *e);
    if (!e)
        return no_memory(err);
    ldr_arena_init(&e->arena, NULL, 8192);
    struct ldr_query_spec spec = {.full_names = w->full_names};
    char *service = NULL;
    int rc = 0;
    if (w->service.n) {
        struct ldr_json_reader r;
        ldr_json_reader_init(&r, w->service);
        enum ldr_json_token t = ldr_json_next(&r);
        rc = t == LDR_JSON_STRING ? text_of(&e->arena, &r, &service) : LDR_E_INVALID;
        if (rc)
            ldr_fail(err, rc, "feature_service: found %s, expected a name", ldr_json_token_name(t));
        spec.service = service;
    }
    if (!rc && w->features.n)
        rc = read_texts(&e->arena, w->features, (const char ***)(void *)&spec.features, &spec.nfeatures, err);
    if (!rc)
        rc = ldr_query_create(q->store, &spec, &e->query, err);
    if (!rc)
        rc = describe(e, err);
    if (rc) {
        destroy(e);
        return rc;
    }
    *out = e;
    return 0;
}

static uint64_t hash_of(const struct ldr_gw_wish *w)
{
    uint64_t h = ldr_hash64_seed(w->service.p, w->service.n, w->full_names);
    return ldr_hash64_seed(w->features.p, w->features.n, h);
}

static bool same(const struct ldr_gw_query *e, const struct ldr_gw_wish *w)
{
    return e->text.n == w->service.n + w->features.n + 1 && e->text.p[0] == (uint8_t)w->full_names &&
           (!w->service.n || memcmp(e->text.p + 1, w->service.p, w->service.n) == 0) &&
           (!w->features.n || memcmp(e->text.p + 1 + w->service.n, w->features.p, w->features.n) == 0);
}

static int keep_text(struct ldr_gw_query *e, const struct ldr_gw_wish *w, struct ldr_err *err)
{
    uint8_t *p = ldr_arena_alloc(&e->arena, w->service.n + w->features.n + 1);
    if (!p)
        return no_memory(err);
    e->text = ldr_slice(p, w->service.n + w->features.n + 1);
    *p++ = w->full_names;
    if (w->service.n)
        memcpy(p, w->service.p, w->service.n);
    if (w->features.n) {
        memcpy(p + w->service.n, w->features.p, w->features.n);
        e->features = ldr_slice(p + w->service.n, w->features.n);
    }
    return 0;
}

int ldr_gw_queries_get(struct ldr_gw_queries *q, const struct ldr_gw_wish *w, uint64_t now_us,
                       const struct ldr_gw_query **out, struct ldr_err *err)
{
    if (w->service.n + w->features.n > TEXT_MAX)
        return ldr_fail(err, LDR_E_TOO_BIG, "the list of features is over 4 MiB");
    uint64_t h = hash_of(w);
    struct ldr_gw_query *e = q->buckets[h & 255];
    while (e && !(e->hash == h && same(e, w)))
        e = e->next;
    if (e && now_us - e->made_us >= FRESH_US) {
        ldr_gw_queries_drop(q, e);
        e = NULL;
    }
    if (!e) {
        int rc = make(q, w, &e, err);
        if (!rc && (rc = keep_text(e, w, err)) != 0)
            destroy(e);
        if (rc)
            return rc;
        while (q->count && (q->count == QUERIES_MAX || q->bytes + e->text.n > TEXTS_MAX))
            drop_oldest(q);
        e->hash = h;
        e->made_us = now_us;
        e->next = q->buckets[h & 255];
        q->buckets[h & 255] = e;
        q->count++;
        q->bytes += e->text.n;
    }
    e->used = ++q->clock;
    q->last = e;
    *out = e;
    return 0;
}

struct ldr_slice ldr_gw_queries_last(const struct ldr_gw_queries *q)
{
    return q->last ? q->last->features : ldr_slice(NULL, 0);
}

size_t ldr_gw_query_key(const struct ldr_gw_query *q, struct ldr_slice name)
{
    size_t k = 0;
    while (k < q->nkeys && !ldr_slice_eq(name, ldr_slice_str(q->keys[k])))
        k++;
    return k;
}
