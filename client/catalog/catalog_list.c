/* ldr_list, ldr_search, ldr_versions, ldr_diff: the catalog as tables. */
#include "client/catalog/question.h"
#include "client/catalog/show.h"

/* The two columns that every list ends with: version of the thing, and when it came. */
static int history_cells(const struct ldr_registry *r, enum ldr_kind kind, const char *name,
                         struct ldr_arena *a, struct ldr_table *t)
{
    struct ldr_version_info *v;
    uint32_t n;
    int rc = ldr_registry_versions(r, kind, name, a, &v, &n);
    if (rc)
        return rc;
    LDR_ASSERT(n > 0); /* what is listed has at least the version that made it */
    ldr_table_u64(t, v[n - 1].version);
    ldr_table_time(t, v[n - 1].at_us);
    return 0;
}

static void about_cells(struct ldr_arena *a, const struct ldr_about *about, const char *owner,
                        struct ldr_table *t)
{
    ldr_table_must(t, about->description);
    ldr_table_must(t, owner);
    ldr_table_must(t, ldr_show_tags(a, about));
}

static int list_entities(const struct ldr_registry *r, struct ldr_arena *a, struct ldr_table *t)
{
    const struct ldr_defs *d = ldr_registry_defs(r);
    int rc = 0;
    for (uint32_t i = 0; !rc && i < d->nentities; i++) {
        const struct ldr_entity_def *e = &d->entities[i];
        ldr_table_begin_row(t);
        ldr_table_must(t, e->about.name);
        ldr_table_must(t, ldr_show_keys(a, e));
        about_cells(a, &e->about, e->about.owner, t);
        rc = history_cells(r, LDR_KIND_ENTITY, e->about.name, a, t);
    }
    return rc;
}

static int list_sources(const struct ldr_registry *r, struct ldr_arena *a, struct ldr_table *t)
{
    const struct ldr_defs *d = ldr_registry_defs(r);
    int rc = 0;
    for (uint32_t i = 0; !rc && i < d->nsources; i++) {
        const struct ldr_source_def *s = &d->sources[i];
        ldr_table_begin_row(t);
        ldr_table_must(t, s->about.name);
        ldr_table_must(t, s->push ? "push" : "file");
        ldr_table_must(t, s->format);
        ldr_table_must(t, s->path);
        ldr_table_must(t, s->event_column);
        ldr_table_must(t, s->created_column);
        about_cells(a, &s->about, s->about.owner, t);
        rc = history_cells(r, LDR_KIND_SOURCE, s->about.name, a, t);
    }
    return rc;
}

static int list_views(const struct ldr_registry *r, struct ldr_arena *a, struct ldr_table *t)
{
    const struct ldr_defs *d = ldr_registry_defs(r);
    int rc = 0;
    for (uint32_t i = 0; !rc && i < d->nviews; i++) {
        const struct ldr_view_def *v = &d->views[i];
        int64_t end_us;
        ldr_table_begin_row(t);
        ldr_table_must(t, v->about.name);
        ldr_table_must(t, v->entity);
        ldr_table_must(t, v->source);
        ldr_table_u64(t, v->nfeatures);
        ldr_table_must(t, ldr_show_duration(a, v->ttl_us, "unbounded"));
        ldr_table_must(t, ldr_show_duration(a, v->retention_us, "for ever"));
        ldr_table_bool(t, v->online);
        if (ldr_registry_materialized(r, v->about.name, &end_us))
            ldr_table_time(t, end_us);
        else
            ldr_table_null(t, LDR_TIMESTAMP);
        about_cells(a, &v->about, v->about.owner, t);
        rc = history_cells(r, LDR_KIND_VIEW, v->about.name, a, t);
    }
    return rc;
}

static int list_features(const struct ldr_registry *r, struct ldr_arena *a, struct ldr_table *t)
{
    const struct ldr_defs *d = ldr_registry_defs(r);
    for (uint32_t i = 0; i < d->nviews; i++) {
        const struct ldr_view_def *v = &d->views[i];
        for (uint32_t k = 0; k < v->nfeatures; k++) {
            const struct ldr_feature_def *f = &v->features[k];
            ldr_table_begin_row(t);
            ldr_table_must(t, ldr_arena_printf(a, "%s:%s", v->about.name, f->about.name));
            ldr_table_must(t, ldr_type_name(f->type));
            ldr_table_must(t, f->unit);
            ldr_table_bool(t, f->pii);
            ldr_table_must(t, ldr_show_checks(a, &f->checks));
            about_cells(a, &f->about, *f->about.owner ? f->about.owner : v->about.owner, t);
        }
    }
    return 0;
}

static int list_services(const struct ldr_registry *r, struct ldr_arena *a, struct ldr_table *t)
{
    const struct ldr_defs *d = ldr_registry_defs(r);
    int rc = 0;
    for (uint32_t i = 0; !rc && i < d->nservices; i++) {
        const struct ldr_service_def *s = &d->services[i];
        ldr_table_begin_row(t);
        ldr_table_must(t, s->about.name);
        ldr_table_must(t, ldr_show_items(a, s));
        about_cells(a, &s->about, s->about.owner, t);
        rc = history_cells(r, LDR_KIND_SERVICE, s->about.name, a, t);
    }
    return rc;
}

static const struct {
    int (*rows)(const struct ldr_registry *r, struct ldr_arena *a, struct ldr_table *t);
    const char *columns[16];
} lists[] = {
    [LDR_KIND_ENTITY] = {list_entities,
                         {"name", "join_keys", "description", "owner", "tags", "version", "updated"}},
    [LDR_KIND_SOURCE] = {list_sources,
                         {"name", "type", "format", "path", "event_timestamp", "created_timestamp",
                          "description", "owner", "tags", "version", "updated"}},
    [LDR_KIND_VIEW] = {list_views,
                       {"name", "entity", "source", "features", "ttl", "retention", "online",
                        "materialized_to", "description", "owner", "tags", "version", "updated"}},
    [LDR_KIND_FEATURE] = {list_features,
                          {"name", "type", "unit", "pii", "checks", "description", "owner", "tags"}},
    [LDR_KIND_SERVICE] = {list_services,
                          {"name", "features", "description", "owner", "tags", "version", "updated"}},
};

int ldr_list(struct ldr_store *s, const char *kind, struct ldr_table **out, struct ldr_err *err)
{
    struct ldr_question q;
    int rc = ldr_question_begin_kind(&q, s, kind, out, err);
    if (rc)
        return rc;
    size_t ncols = 0;
    while (ncols < 16 && lists[q.kind].columns[ncols])
        ncols++;
    rc = ldr_question_columns(&q, lists[q.kind].columns, ncols);
    if (!rc)
        rc = lists[q.kind].rows(q.catalog->registry, &q.arena, q.table);
    return ldr_question_end(&q, rc, "%s cannot be listed", kind);
}

int ldr_search(struct ldr_store *s, const char *text, const char *owner, const char *tag_key,
               const char *tag_value, bool pii_only, struct ldr_table **out, struct ldr_err *err)
{
    static const char *const columns[] = {"kind", "name", "type", "owner", "tags", "description"};
    const struct ldr_search what = {text ? text : "", owner, tag_key, tag_value, pii_only};
    struct ldr_question q;
    struct ldr_hit *hits;
    uint32_t n = 0;
    int rc = ldr_question_begin(&q, s, out, err);
    if (rc)
        return rc;
    rc = ldr_question_columns(&q, columns, 6);
    if (!rc)
        rc = ldr_registry_search(q.catalog->registry, &what, &q.arena, &hits, &n);
    for (uint32_t i = 0; !rc && i < n; i++) {
        ldr_table_begin_row(q.table);
        ldr_table_must(q.table, ldr_kind_name(hits[i].kind));
        ldr_table_must(q.table, hits[i].name);
        ldr_table_must(q.table, hits[i].type);
        ldr_table_must(q.table, hits[i].about->owner);
        ldr_table_must(q.table, ldr_show_tags(&q.arena, hits[i].about));
        ldr_table_must(q.table, hits[i].about->description);
    }
    return ldr_question_end(&q, rc, "the catalog cannot be searched");
}

int ldr_versions(struct ldr_store *s, const char *kind, const char *name, struct ldr_table **out,
                 struct ldr_err *err)
{
    static const char *const columns[] = {"version", "at", "state", "summary"};
    struct ldr_question q;
    struct ldr_version_info *v;
    uint32_t n = 0;
    int rc = ldr_question_begin_about(&q, s, kind, name, &v, &n, out, err);
    if (rc)
        return rc;
    rc = ldr_question_columns(&q, columns, 4);
    for (uint32_t i = 0; !rc && i < n; i++) {
        ldr_table_begin_row(q.table);
        ldr_table_u64(q.table, v[i].version);
        ldr_table_time(q.table, v[i].at_us);
        ldr_table_must(q.table, v[i].deleted ? "deleted" : i + 1 == n ? "current" : "past");
        ldr_table_must(q.table, v[i].summary);
    }
    return ldr_question_end(&q, rc, "the versions of %s cannot be listed", name);
}

int ldr_diff(struct ldr_store *s, const char *kind, const char *name, uint64_t a_version, uint64_t b_version,
             struct ldr_table **out, struct ldr_err *err)
{
    static const char *const columns[] = {"field", "from", "to"};
    struct ldr_question q;
    struct ldr_change change = {0};
    struct ldr_version_info *v;
    uint32_t n;
    int rc = ldr_question_begin_about(&q, s, kind, name, &v, &n, out, err);
    if (rc)
        return rc;
    rc = ldr_registry_diff(q.catalog->registry, q.kind, name, a_version, b_version, &q.arena, &change);
    rc = rc ? rc : ldr_question_columns(&q, columns, 3);
    for (uint32_t i = 0; !rc && i < change.nlines; i++) {
        ldr_table_begin_row(q.table);
        ldr_table_must(q.table, change.lines[i].field);
        ldr_table_must(q.table, change.lines[i].from);
        ldr_table_must(q.table, change.lines[i].to);
    }
    return ldr_question_end(
        &q, rc, "%s '%s' has no version %llu or %llu to compare (larder versions lists them)",
        ldr_kind_name(q.kind), name, (unsigned long long)a_version, (unsigned long long)b_version);
}
