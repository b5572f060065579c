/* The view table: an immutable sorted array, replaced as a whole, so that readers need no lock. What was
 * replaced is kept until the shard closes; definitions change rarely. Which entity a view belongs to is also
 * kept in the meta family: an erasure of all views of an entity must know every view that has data. */
#include "shard/views.h"

static int find(const struct ldr_view_table *t, uint32_t view, uint32_t *at)
{
    uint32_t lo = 0, hi = t->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (t->list[mid].id < view)
            lo = mid + 1;
        else
            hi = mid;
    }
    *at = lo;
    return lo < t->n && t->list[lo].id == view;
}

const struct ldr_view_table *ldr_views(struct ldr_shard *s)
{
    return atomic_load_explicit(&s->views, memory_order_acquire);
}

bool ldr_views_known(struct ldr_shard *s, uint32_t view)
{
    uint32_t at;
    return find(ldr_views(s), view, &at);
}

int ldr_shard_views(struct ldr_shard *s, int (*fn)(void *ctx, uint32_t view, uint32_t entity_id), void *ctx)
{
    const struct ldr_view_table *t = ldr_views(s);
    int rc = 0;
    for (uint32_t i = 0; i < t->n && rc == 0; i++)
        rc = fn(ctx, t->list[i].id, t->list[i].entity_id);
    return rc;
}

const struct ldr_view *ldr_view_get(struct ldr_shard *s, uint32_t view)
{
    const struct ldr_view_table *t = ldr_views(s);
    uint32_t at;
    return find(t, view, &at) ? t->list[at].view : NULL;
}

int ldr_view_need(struct ldr_shard *s, uint32_t view, const struct ldr_view **out, struct ldr_err *err)
{
    *out = ldr_view_get(s, view);
    return *out ? 0 : ldr_fail(err, LDR_E_INVALID, "view %u was not declared to shard %u", view, s->opts.id);
}

/* A copy of t with room for one more entry. */
static struct ldr_view_table *table_copy(const struct ldr_view_table *t)
{
    struct ldr_view_table *c = ldr_alloc(NULL, sizeof *c + ((size_t)t->n + 1) * sizeof c->list[0]);
    if (!c)
        return NULL;
    c->next_retired = NULL;
    c->n = t->n;
    memcpy(c->list, t->list, t->n * sizeof c->list[0]);
    return c;
}

static void table_swap(struct ldr_shard *s, struct ldr_view_table *fresh)
{
    struct ldr_view_table *old = atomic_load(&s->views);
    atomic_store_explicit(&s->views, fresh, memory_order_release);
    if (old) {
        old->next_retired = s->retired_tables;
        s->retired_tables = old;
    }
}

/* Sets or replaces (view may be NULL: data is there, not declared yet) under views_mu. */
static int table_set(struct ldr_shard *s, uint32_t id, uint32_t entity_id, struct ldr_view *view)
{
    struct ldr_view_table *t = table_copy(atomic_load(&s->views));
    if (!t)
        return LDR_E_NOMEM;
    uint32_t at;
    if (!find(t, id, &at)) {
        memmove(t->list + at + 1, t->list + at, (t->n - at) * sizeof t->list[0]);
        t->n++;
        t->list[at].view = NULL;
    }
    if (t->list[at].view) {
        t->list[at].view->next_retired = s->retired_views;
        s->retired_views = t->list[at].view;
    }
    t->list[at].id = id;
    t->list[at].entity_id = entity_id;
    t->list[at].view = view;
    table_swap(s, t);
    return 0;
}

static void view_destroy(struct ldr_view *v)
{
    if (!v)
        return;
    ldr_arena_close(&v->arena);
    ldr_release(NULL, v);
}

static int view_copy(const struct ldr_schema *in, uint32_t entity_id, struct ldr_view **out)
{
    int rc = LDR_E_NOMEM;
    struct ldr_view *v = ldr_calloc(NULL, 1, sizeof *v);
    if (!v)
        return rc;
    ldr_arena_init(&v->arena, NULL, 0);
    v->entity_id = entity_id;
    const char **names = (const char **)ldr_calloc(NULL, in->ncols + 1u, sizeof *names);
    uint8_t *types = ldr_calloc(NULL, in->ncols + 1u, 1);
    bool *dropped = ldr_calloc(NULL, in->ncols + 1u, sizeof *dropped);
    if (!names || !types || !dropped)
        goto out;
    for (uint32_t i = 0; i < in->ncols; i++) {
        names[i] = in->cols[i].name;
        types[i] = in->cols[i].type;
        dropped[i] = in->cols[i].dropped;
    }
    rc = ldr_schema_build(&v->arena, in->view_id, in->ncols, names, types, dropped, in->nkeys, in->key_types,
                          in->ttl_us, in->retention_us, &v->schema);
out:
    ldr_release(NULL, (void *)names);
    ldr_release(NULL, types);
    ldr_release(NULL, dropped);
    if (rc)
        view_destroy(v);
    else
        *out = v;
    return rc;
}

static bool same(const struct ldr_schema *a, const struct ldr_schema *b)
{
    if (a->ncols != b->ncols || a->nkeys != b->nkeys || a->ttl_us != b->ttl_us ||
        a->retention_us != b->retention_us || memcmp(a->key_types, b->key_types, a->nkeys) != 0)
        return false;
    for (uint32_t i = 0; i < a->ncols; i++)
        if (a->cols[i].type != b->cols[i].type || a->cols[i].dropped != b->cols[i].dropped ||
            strcmp(a->cols[i].name, b->cols[i].name) != 0)
            return false;
    return true;
}

static size_t meta_key(char out[16], uint32_t view)
{
    size_t n = sizeof LDR_META_VIEW - 1;
    memcpy(out, LDR_META_VIEW, sizeof LDR_META_VIEW);
    ldr_put_be32((uint8_t *)out + n, view);
    return n + 4;
}

/* Puts the view's entity into the meta family. Called without views_mu: write_mu stands outside of it. */
static int remember(struct ldr_shard *s, uint32_t view, uint32_t entity_id, struct ldr_err *err)
{
    char key[16];
    uint8_t value[4];
    size_t n = meta_key(key, view);
    ldr_put_le32(value, entity_id);
    pthread_mutex_lock(&s->write_mu);
    int rc = ldr_write_admit(s, 0, err);
    if (rc == 0) {
        rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
        rocksdb_writebatch_put_cf(batch, s->cf[LDR_CF_META], key, n, (const char *)value, sizeof value);
        rc = ldr_write_commit(s, batch, "declaring a view", err);
        rocksdb_writebatch_destroy(batch);
    }
    pthread_mutex_unlock(&s->write_mu);
    return rc;
}

/* 1 when the entity of this view is on record, 0 when the view is new here, LDR_E_REFUSED when it has another
 * entity. */
static int recorded(struct ldr_shard *s, uint32_t view, uint32_t entity_id)
{
    const struct ldr_view_table *t = ldr_views(s);
    uint32_t at;
    if (!find(t, view, &at))
        return 0;
    return t->list[at].entity_id == entity_id ? 1 : LDR_E_REFUSED;
}

int ldr_shard_set_view(struct ldr_shard *s, const struct ldr_schema *schema, uint32_t entity_id)
{
    if (schema->view_id == 0 || schema->view_id == UINT32_MAX)
        return LDR_E_INVALID;
    int rc = recorded(s, schema->view_id, entity_id);
    if (rc < 0)
        return rc;
    if (rc == 0) {
        rc = remember(s, schema->view_id, entity_id, NULL);
        if (rc)
            return rc;
    }
    const struct ldr_view *old = ldr_view_get(s, schema->view_id);
    if (old && same(old->schema, schema))
        return 0;
    struct ldr_view *v;
    rc = view_copy(schema, entity_id, &v);
    if (rc)
        return rc;
    pthread_mutex_lock(&s->views_mu);
    rc = table_set(s, schema->view_id, entity_id, v);
    pthread_mutex_unlock(&s->views_mu);
    if (rc)
        view_destroy(v);
    return rc;
}

int ldr_views_open(struct ldr_shard *s)
{
    struct ldr_view_table *t = ldr_calloc(NULL, 1, sizeof *t);
    if (!t)
        return LDR_E_NOMEM;
    atomic_store(&s->views, t);
    return 0;
}

int ldr_views_load(struct ldr_shard *s, struct ldr_err *err)
{
    static const size_t head = sizeof LDR_META_VIEW - 1;
    int rc = 0;
    rocksdb_readoptions_t *ro = ldr_read_options(NULL, LDR_READ_MERGE);
    rocksdb_iterator_t *it = ldr_read_iter(s, LDR_CF_META, ro);
    rocksdb_iter_seek(it, LDR_META_VIEW, head);
    for (; rc == 0 && rocksdb_iter_valid(it); rocksdb_iter_next(it)) {
        struct ldr_slice k = ldr_iter_key(it), v = ldr_iter_value(it);
        if (k.n < head || memcmp(k.p, LDR_META_VIEW, head) != 0)
            break;
        if (k.n != head + 4 || v.n != 4)
            rc = ldr_fail(err, LDR_E_CORRUPT, "malformed record of a view");
        else
            rc = table_set(s, ldr_get_be32(k.p + head), ldr_get_le32(v.p), NULL);
    }
    if (rc == 0)
        rc = ldr_rocks_iter_status(err, "reading meta", it);
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(ro);
    return rc;
}

void ldr_views_unset(struct ldr_shard *s, uint32_t view)
{
    pthread_mutex_lock(&s->views_mu);
    const struct ldr_view_table *now = ldr_views(s);
    uint32_t at;
    if (find(now, view, &at)) {
        struct ldr_view_table *t = table_copy(now);
        if (t) {
            if (t->list[at].view) {
                t->list[at].view->next_retired = s->retired_views;
                s->retired_views = t->list[at].view;
            }
            memmove(t->list + at, t->list + at + 1, (t->n - at - 1) * sizeof t->list[0]);
            t->n--;
            table_swap(s, t);
        } /* without memory the view stays declared, with no data: harmless */
    }
    pthread_mutex_unlock(&s->views_mu);
}

size_t ldr_views_meta_key(char out[16], uint32_t view)
{
    return meta_key(out, view);
}

void ldr_views_close(struct ldr_shard *s)
{
    struct ldr_view_table *t = atomic_load(&s->views);
    for (uint32_t i = 0; t && i < t->n; i++)
        view_destroy(t->list[i].view);
    ldr_release(NULL, t);
    while ((t = s->retired_tables) != NULL) {
        s->retired_tables = t->next_retired;
        ldr_release(NULL, t);
    }
    for (struct ldr_view *v; (v = s->retired_views) != NULL;) {
        s->retired_views = v->next_retired;
        view_destroy(v);
    }
}
