/* ldr_describe: everything about one thing, as rows of field and value. */
#include "client/catalog/question.h"
#include "client/catalog/show.h"

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

/* There is none at that version: never, or not then. */
static int describe_missing(const struct ldr_question *q, const char *name, uint64_t version)
{
    const struct ldr_catalog *c = q->catalog;
    struct ldr_arena a;
    struct ldr_version_info *v;
    uint32_t n;
    ldr_arena_init(&a, NULL, 0);
    bool was = ldr_registry_versions(c->registry, q->kind, name, &a, &v, &n) == 0;
    ldr_arena_close(&a);
    return was ? ldr_fail(q->err, LDR_E_NOT_FOUND, "there was no %s '%s' at version %llu of the registry",
                          ldr_kind_name(q->kind), name, (unsigned long long)(version ? version : c->version))
               : ldr_show_missing(c->registry, q->kind, name, q->err);
}

int ldr_describe(struct ldr_store *s, const char *kind, const char *name, uint64_t version,
                 struct ldr_table **out, struct ldr_err *err)
{
    static const char *const columns[] = {"field", "value"};
    struct ldr_question q;
    int rc = ldr_question_begin_kind(&q, s, kind, out, err);
    if (rc)
        return rc;
    if (!name)
        rc = ldr_fail(err, LDR_E_INVALID, "a %s must be named", ldr_kind_name(q.kind));
    rc = rc ? rc : ldr_question_columns(&q, columns, 2);
    struct describe d = {q.catalog->registry, &q.arena, q.table, version};
    if (!rc && !kind_fields(&d, q.kind, name))
        rc = describe_missing(&q, name, version);
    rc = rc ? rc : history_fields(&d, q.kind, name);
    rc = rc ? rc : lineage_fields(&d, q.kind, name);
    return ldr_question_end(&q, rc, "%s cannot be described", name ? name : kind);
}
