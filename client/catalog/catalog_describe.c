/* ldr_describe: everything about one thing, as rows of field and value. */
#include "client/catalog/show.h"
#include "client/store.h"

struct describe {
    const struct ldr_registry *r;
    struct ldr_arena *a;
    struct ldr_table *t;
    uint64_t version; /* 0 = today */
};

static void field(struct describe *d, const char *name, const char *value)
{
    ldr_table_field(d->t, name, value);
}

static void about_fields(struct describe *d, const struct ldr_about *about, const char *owner)
{
    field(d, "description", about->description);
    field(d, "owner", owner);
    field(d, "tags", ldr_show_tags(d->a, about));
    if (*about->pos.file)
        field(d, "declared in", ldr_arena_printf(d->a, "%s:%u", about->pos.file, about->pos.line));
}

static void entity_fields(struct describe *d, const struct ldr_entity_def *e)
{
    about_fields(d, &e->about, e->about.owner);
    for (uint32_t i = 0; i < e->nkeys; i++)
        field(d, ldr_arena_printf(d->a, "join key %s", e->keys[i]), ldr_type_name(e->key_types[i]));
}

static void source_fields(struct describe *d, const struct ldr_source_def *s)
{
    about_fields(d, &s->about, s->about.owner);
    field(d, "type", s->push ? "push" : "file");
    field(d, "format", s->format);
    field(d, "path", s->path);
    field(d, "event_timestamp", s->event_column);
    field(d, "created_timestamp", s->created_column);
    field(d, "columns", ldr_show_renames(d->a, s));
}

/* "float64, degF, pii, min 0.0: Air temperature" */
static const char *feature_line(struct ldr_arena *a, const struct ldr_feature_def *f)
{
    const char *checks = ldr_show_checks(a, &f->checks), *about = f->about.description;
    if (!checks)
        return NULL;
    return ldr_arena_printf(a, "%s%s%s%s%s%s%s%s", ldr_type_name(f->type), *f->unit ? ", " : "", f->unit,
                            f->pii ? ", pii" : "", *checks ? ", " : "", checks, *about ? ": " : "", about);
}

static void view_fields(struct describe *d, const struct ldr_view_def *v)
{
    int64_t end_us;
    about_fields(d, &v->about, v->about.owner);
    field(d, "entity", v->entity);
    const struct ldr_entity_def *e = ldr_registry_entity(d->r, v->entity, d->version);
    if (e)
        field(d, "join keys", ldr_show_keys(d->a, e));
    field(d, "source", v->source);
    field(d, "ttl", ldr_show_duration(d->a, v->ttl_us, "unbounded"));
    field(d, "retention", ldr_show_duration(d->a, v->retention_us, "for ever"));
    field(d, "online", v->online ? "true" : "false");
    if (!d->version && ldr_registry_materialized(d->r, v->about.name, &end_us))
        field(d, "materialized to", ldr_show_time(d->a, end_us));
    for (uint32_t i = 0; i < v->nfeatures; i++) {
        const struct ldr_feature_def *f = &v->features[i];
        field(d, ldr_arena_printf(d->a, "feature %s", f->about.name), feature_line(d->a, f));
    }
}

static void feature_fields(struct describe *d, const struct ldr_view_def *v, const struct ldr_feature_def *f)
{
    about_fields(d, &f->about, *f->about.owner ? f->about.owner : v->about.owner);
    field(d, "feature view", v->about.name);
    field(d, "entity", v->entity);
    field(d, "type", ldr_type_name(f->type));
    field(d, "unit", f->unit);
    field(d, "pii", f->pii ? "true" : "false");
    field(d, "checks", ldr_show_checks(d->a, &f->checks));
}

static void service_fields(struct describe *d, const struct ldr_service_def *s)
{
    about_fields(d, &s->about, s->about.owner);
    for (uint32_t i = 0; i < s->nitems; i++) {
        const struct ldr_service_item *it = &s->items[i];
        field(d, "reads", ldr_arena_printf(d->a, "%s%s%s", it->view, *it->feature ? ":" : "", it->feature));
    }
}

/* False when there is no such thing at that version. */
static bool kind_fields(struct describe *d, enum ldr_kind k, const char *name)
{
    const struct ldr_view_def *v = NULL;
    const void *def = NULL;
    switch (k) {
    case LDR_KIND_ENTITY:
        def = ldr_registry_entity(d->r, name, d->version);
        break;
    case LDR_KIND_SOURCE:
        def = ldr_registry_source(d->r, name, d->version);
        break;
    case LDR_KIND_VIEW:
        def = ldr_registry_view(d->r, name, d->version);
        break;
    case LDR_KIND_SERVICE:
        def = ldr_registry_service(d->r, name, d->version);
        break;
    default:
        def = ldr_show_feature(d->r, name, d->version, &v);
    }
    if (!def)
        return false;
    field(d, "kind", ldr_kind_name(k));
    field(d, "name", name);
    if (k == LDR_KIND_ENTITY)
        entity_fields(d, def);
    else if (k == LDR_KIND_SOURCE)
        source_fields(d, def);
    else if (k == LDR_KIND_VIEW)
        view_fields(d, def);
    else if (k == LDR_KIND_SERVICE)
        service_fields(d, def);
    else
        feature_fields(d, v, def);
    return true;
}

/* Which version this is, when the thing was made and when it became what is shown. */
static int history_fields(struct describe *d, enum ldr_kind k, const char *name)
{
    struct ldr_version_info *v;
    uint32_t n, at = 0;
    int rc = ldr_registry_versions(d->r, k, name, d->a, &v, &n);
    if (rc || n == 0)
        return rc;
    while (at + 1 < n && (!d->version || v[at + 1].version <= d->version))
        at++;
    field(d, "version", ldr_arena_printf(d->a, "%llu", (unsigned long long)v[at].version));
    field(d, "created", ldr_show_time(d->a, v[0].at_us));
    field(d, "updated", ldr_show_time(d->a, v[at].at_us));
    field(d, "versions", ldr_arena_printf(d->a, "%u", n));
    return 0;
}

static int lineage_fields(struct describe *d, enum ldr_kind k, const char *name)
{
    const char **up, **down;
    uint32_t nup, ndown;
    if (d->version) /* lineage is of today */
        return 0;
    int rc = ldr_registry_lineage(d->r, k, name, d->a, &up, &nup, &down, &ndown);
    for (uint32_t i = 0; !rc && i < nup; i++)
        field(d, "upstream", up[i]);
    for (uint32_t i = 0; !rc && i < ndown; i++)
        field(d, "downstream", down[i]);
    return rc;
}

int ldr_describe(struct ldr_store *s, const char *kind, const char *name, uint64_t version,
                 struct ldr_table **out, struct ldr_err *err)
{
    static const char *const columns[] = {"field", "value"};
    *out = NULL;
    ldr_err_clear(err);
    int entered = ldr_store_enter(s, err);
    if (entered)
        return entered;
    enum ldr_kind k;
    int rc = ldr_show_kind(kind, &k, err);
    if (rc)
        return rc;
    if (!name)
        return ldr_fail(err, LDR_E_INVALID, "a %s must be named", ldr_kind_name(k));
    struct ldr_catalog *c = ldr_store_catalog(s);
    struct ldr_arena a;
    ldr_arena_init(&a, NULL, 0);
    struct describe d = {c->registry, &a, NULL, version};
    if (ldr_table_make(columns, 2, &d.t)) {
        rc = ldr_fail(err, LDR_E_NOMEM, "out of memory");
        goto out;
    }
    if (!kind_fields(&d, k, name)) {
        struct ldr_version_info *v;
        uint32_t n;
        bool was = ldr_registry_versions(c->registry, k, name, &a, &v, &n) == 0;
        rc = was ? ldr_fail(err, LDR_E_NOT_FOUND, "there was no %s '%s' at version %llu of the registry",
                            ldr_kind_name(k), name, (unsigned long long)(version ? version : c->version))
                 : ldr_show_missing(c->registry, k, name, err);
        ldr_table_destroy(d.t);
        goto out;
    }
    rc = history_fields(&d, k, name);
    if (!rc)
        rc = lineage_fields(&d, k, name);
    int made = ldr_table_finish(d.t, out);
    rc = rc ? rc : made;
    if (rc) {
        ldr_table_destroy(*out);
        *out = NULL;
        ldr_fail(err, rc, "%s cannot be described: %s", name, ldr_code_text(rc));
    }
out:
    ldr_arena_close(&a);
    ldr_catalog_release(c);
    return rc;
}
