#include "client/catalog/catalog.h"

#include <stdlib.h>

static int entry_init(struct ldr_catalog *c, struct ldr_view_entry *e, const struct ldr_view_def *def)
{
    const struct ldr_registry *r = c->registry;
    e->def = def;
    e->schema = ldr_registry_schema(r, def->about.name);
    e->entity = ldr_registry_entity(r, def->entity, 0);
    e->source = *def->source ? ldr_registry_source(r, def->source, 0) : NULL;
    LDR_ASSERT(e->schema && e->entity); /* the registry holds references together */
    uint32_t n = 0;
    for (uint32_t i = 0; i < def->nfeatures; i++) {
        const struct ldr_checks *k = &def->features[i].checks;
        n += k->not_null || k->has_min || k->has_max;
    }
    if (n == 0)
        return 0;
    e->checked = ldr_arena_alloc(&c->arena, n * sizeof(*e->checked));
    if (!e->checked)
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < def->nfeatures; i++) {
        const struct ldr_checks *k = &def->features[i].checks;
        if (k->not_null || k->has_min || k->has_max)
            e->checked[e->nchecked++] = &def->features[i];
    }
    return 0;
}

int ldr_catalog_create(struct ldr_registry *take_registry, struct ldr_catalog **out, struct ldr_err *err)
{
    *out = NULL;
    struct ldr_catalog *c = ldr_calloc(NULL, 1, sizeof *c);
    if (!c) {
        ldr_registry_destroy(take_registry);
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    }
    atomic_init(&c->refs, 1);
    c->registry = take_registry;
    c->version = ldr_registry_version(take_registry);
    ldr_arena_init(&c->arena, NULL, 4096);
    const struct ldr_defs *d = ldr_registry_defs(take_registry);
    int rc = 0;
    c->nviews = d->nviews;
    c->views = ldr_arena_calloc(&c->arena, d->nviews, sizeof *c->views);
    if (!c->views)
        rc = LDR_E_NOMEM;
    for (uint32_t i = 0; !rc && i < d->nviews; i++)
        rc = entry_init(c, &c->views[i], &d->views[i]);
    if (rc) {
        ldr_catalog_release(c);
        return ldr_fail(err, rc, "out of memory");
    }
    *out = c;
    return 0;
}

void ldr_catalog_release(struct ldr_catalog *c)
{
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    ldr_registry_destroy(c->registry);
    ldr_arena_close(&c->arena);
    free(c);
}

struct ldr_catalog *ldr_store_catalog(struct ldr_store *s)
{
    pthread_mutex_lock(&s->catalog_lock);
    struct ldr_catalog *c = s->catalog;
    atomic_fetch_add(&c->refs, 1);
    pthread_mutex_unlock(&s->catalog_lock);
    return c;
}

void ldr_catalog_publish(struct ldr_store *s, struct ldr_catalog *take_catalog)
{
    pthread_mutex_lock(&s->catalog_lock);
    struct ldr_catalog *old = s->catalog;
    s->catalog = take_catalog;
    atomic_store(&s->version, take_catalog->version);
    pthread_mutex_unlock(&s->catalog_lock);
    ldr_catalog_release(old);
}

static const struct ldr_view_entry *find(const struct ldr_catalog *c, const char *name)
{
    uint32_t lo = 0, hi = c->nviews;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        int cmp = strcmp(name, c->views[mid].def->about.name);
        if (cmp == 0)
            return &c->views[mid];
        if (cmp < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return NULL;
}

int ldr_catalog_view(const struct ldr_catalog *c, const char *name, const struct ldr_view_entry **out,
                     struct ldr_err *err)
{
    *out = name ? find(c, name) : NULL;
    if (*out)
        return 0;
    if (!name || !*name)
        return ldr_fail(err, LDR_E_INVALID, "a feature view must be named");
    struct ldr_suggest near;
    ldr_suggest_init(&near, ldr_slice_str(name));
    for (uint32_t i = 0; i < c->nviews; i++)
        ldr_suggest_offer(&near, c->views[i].def->about.name);
    return ldr_fail(err, LDR_E_NOT_FOUND, "there is no feature view '%.*s'%s%s%s", LDR_NAME_MAX, name,
                    LDR_SUGGEST(&near));
}

/* A shard keeps every shape it was told until it closes, so it is told only what is news. */
static bool same_shape(const struct ldr_view_entry *e, const struct ldr_catalog *before)
{
    const struct ldr_view_entry *b = before ? find(before, e->def->about.name) : NULL;
    if (!b || b->schema->view_id != e->schema->view_id || b->entity->about.id != e->entity->about.id ||
        b->schema->ncols != e->schema->ncols || b->schema->ttl_us != e->schema->ttl_us ||
        b->schema->retention_us != e->schema->retention_us)
        return false;
    for (uint32_t i = 0; i < e->schema->ncols; i++) {
        if (b->schema->cols[i].dropped != e->schema->cols[i].dropped)
            return false;
    }
    return true;
}

int ldr_catalog_to_shards(struct ldr_store *s, const struct ldr_catalog *c, const struct ldr_catalog *before,
                          struct ldr_err *err)
{
    for (uint32_t v = 0; v < c->nviews; v++) {
        const struct ldr_view_entry *e = &c->views[v];
        for (uint32_t i = 0; i < s->nshards && !same_shape(e, before); i++) {
            int rc = ldr_shard_set_view(s->shards[i].shard, e->schema, e->entity->about.id);
            if (rc)
                return ldr_fail(err, rc, "shard %u does not take the feature view '%s': %s", s->shards[i].id,
                                e->def->about.name, ldr_code_text(rc));
        }
    }
    return 0;
}
