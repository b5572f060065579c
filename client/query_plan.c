#include "client/query_plan.h"

#include <stdlib.h>

#include "client/quick_cells.h"

/* One wanted column, before views are grouped. */
struct want {
    const char *view, *feature, *name; /* name: output; NULL until named */
};
struct wants {
    struct want *list;
    uint32_t n;
};

static int no_memory(struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_NOMEM, "out of memory");
}

void ldr_query_plan_destroy(struct ldr_query_plan *p)
{
    if (!p)
        return;
    ldr_arena_close(&p->arena);
    free(p);
}

static struct ldr_query_plan *plan_new(uint64_t version)
{
    struct ldr_query_plan *p = ldr_calloc(NULL, 1, sizeof *p);
    if (p) {
        ldr_arena_init(&p->arena, NULL, 8192);
        p->version = version;
    }
    return p;
}

/* ---- From the request to wanted columns ---- */

static int want_one(struct wants *w, const char *view, const char *feature, struct ldr_err *err)
{
    if (w->n == LDR_FEATURES_REQ_MAX)
        return ldr_fail(err, LDR_E_TOO_BIG, "more than %d features are asked for", LDR_FEATURES_REQ_MAX);
    w->list[w->n++] = (struct want){view, feature, NULL};
    return 0;
}

static int no_feature(const struct ldr_view_entry *v, const char *feature, struct ldr_err *err)
{
    struct ldr_suggest near;
    ldr_suggest_init(&near, ldr_slice_str(feature));
    for (uint32_t i = 0; i < v->def->nfeatures; i++)
        ldr_suggest_offer(&near, v->def->features[i].about.name);
    return ldr_fail(err, LDR_E_NOT_FOUND, "feature view '%s' has no feature '%.*s'%s%s%s", v->def->about.name,
                    LDR_NAME_MAX, feature, LDR_SUGGEST(&near));
}

static const struct ldr_feature_def *find_feature(const struct ldr_view_entry *v, const char *name)
{
    for (uint32_t i = 0; i < v->def->nfeatures; i++) {
        if (strcmp(v->def->features[i].about.name, name) == 0)
            return &v->def->features[i];
    }
    return NULL;
}

/* feature "" = the whole view, in name order */
static int want_item(const struct ldr_catalog *c, const char *view, const char *feature, struct wants *w,
                     struct ldr_err *err)
{
    const struct ldr_view_entry *v;
    int rc = ldr_catalog_view(c, view, &v, err);
    if (rc)
        return rc;
    if (*feature) {
        const struct ldr_feature_def *f = find_feature(v, feature);
        return f ? want_one(w, v->def->about.name, f->about.name, err) : no_feature(v, feature, err);
    }
    for (uint32_t i = 0; !rc && i < v->def->nfeatures; i++)
        rc = want_one(w, v->def->about.name, v->def->features[i].about.name, err);
    return rc;
}

static int want_text(const struct ldr_catalog *c, const char *text, struct wants *w, struct ldr_err *err)
{
    char view[LDR_NAME_MAX + 1];
    if (!text || !*text)
        return ldr_fail(err, LDR_E_INVALID,
                        "an empty name among the features: expected view or view:feature");
    const char *colon = strchr(text, ':');
    size_t n = colon ? (size_t)(colon - text) : strlen(text);
    if (n == 0 || n > LDR_NAME_MAX || (colon && !colon[1]))
        return ldr_fail(err, LDR_E_INVALID, "'%.300s' is not a feature: expected view or view:feature", text);
    memcpy(view, text, n);
    view[n] = '\0';
    return want_item(c, view, colon ? colon + 1 : "", w, err);
}

static int want_service(const struct ldr_catalog *c, const char *name, struct wants *w, struct ldr_err *err)
{
    const struct ldr_service_def *s = ldr_registry_service(c->registry, name, 0);
    int rc = 0;
    if (!s) {
        const struct ldr_defs *d = ldr_registry_defs(c->registry);
        struct ldr_suggest near;
        ldr_suggest_init(&near, ldr_slice_str(name));
        for (uint32_t i = 0; i < d->nservices; i++)
            ldr_suggest_offer(&near, d->services[i].about.name);
        return ldr_fail(err, LDR_E_NOT_FOUND, "there is no feature service '%.*s'%s%s%s", LDR_NAME_MAX, name,
                        LDR_SUGGEST(&near));
    }
    for (uint32_t i = 0; !rc && i < s->nitems; i++)
        rc = want_item(c, s->items[i].view, s->items[i].feature, w, err);
    return rc;
}

/* ---- Names ---- */

static int by_name(const void *a, const void *b)
{
    const struct want *x = *(const struct want *const *)a, *y = *(const struct want *const *)b;
    int c = strcmp(x->name, y->name);
    return c ? c : (x > y) - (x < y);
}

static int say_clash(const struct want *a, const struct want *b, bool full, struct ldr_err *err)
{
    if (strcmp(a->view, b->view) == 0 && strcmp(a->feature, b->feature) == 0)
        return ldr_fail(err, LDR_E_INVALID, "%s:%s is asked for twice", a->view, a->feature);
    if (full)
        return ldr_fail(err, LDR_E_INVALID, "%s:%s and %s:%s would both be called %s: ask for them apart",
                        a->view, a->feature, b->view, b->feature, a->name);
    return ldr_fail(err, LDR_E_INVALID, "%s:%s and %s:%s would both be called %s: ask for full feature names",
                    a->view, a->feature, b->view, b->feature, a->name);
}

static int give_names(struct ldr_query_plan *p, struct wants *w, bool full, struct ldr_err *err)
{
    const struct want **sorted = ldr_arena_alloc(&p->arena, w->n * sizeof *sorted);
    if (!sorted)
        return no_memory(err);
    for (uint32_t i = 0; i < w->n; i++) {
        struct want *x = &w->list[i];
        x->name = full ? ldr_arena_printf(&p->arena, "%s__%s", x->view, x->feature)
                       : ldr_arena_strndup(&p->arena, x->feature, strlen(x->feature));
        if (!x->name)
            return no_memory(err);
        sorted[i] = x;
    }
    qsort(sorted, w->n, sizeof *sorted, by_name);
    for (uint32_t i = 1; i < w->n; i++) {
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            return say_clash(sorted[i - 1], sorted[i], full, err);
    }
    return 0;
}

/* ---- From wanted columns to a plan ---- */

/* The plan outlives the catalog, so the shape is copied. */
static int copy_schema(struct ldr_query_plan *p, const struct ldr_schema *from, const struct ldr_schema **out)
{
    struct ldr_schema *made;
    const char **names = ldr_arena_alloc(&p->arena, from->ncols * sizeof *names);
    uint8_t *types = ldr_arena_alloc(&p->arena, from->ncols);
    bool *dropped = ldr_arena_alloc(&p->arena, from->ncols * sizeof *dropped);
    if (!names || !types || !dropped)
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < from->ncols; i++) {
        names[i] = from->cols[i].name;
        types[i] = from->cols[i].type;
        dropped[i] = from->cols[i].dropped;
    }
    int rc = ldr_schema_build(&p->arena, from->view_id, from->ncols, names, types, dropped, from->nkeys,
                              from->key_types, from->ttl_us, from->retention_us, &made);
    *out = made;
    return rc;
}

/* The query key of a name, added when it is new. LDR_E_INVALID when another view has it with another type. */
static int need_key(struct ldr_query_plan *p, const struct ldr_view_entry *v, uint32_t part, uint32_t cap,
                    uint16_t *at, struct ldr_err *err)
{
    const char *name = v->entity->keys[part];
    uint8_t type = v->entity->key_types[part];
    for (uint32_t i = 0; i < p->nkeys; i++) {
        if (strcmp(p->keys[i].name, name) != 0)
            continue;
        *at = (uint16_t)i;
        if (p->keys[i].type == type)
            return 0;
        return ldr_fail(
            err, LDR_E_INVALID,
            "the join key '%s' is %s in one entity and %s in entity '%s': ask for their features apart", name,
            ldr_type_name(p->keys[i].type), ldr_type_name(type), v->entity->about.name);
    }
    if (p->nkeys == cap)
        return ldr_fail(err, LDR_E_TOO_BIG, "the features asked for need more than %u join keys", cap);
    char *copy = ldr_arena_strndup(&p->arena, name, strlen(name));
    if (!copy)
        return no_memory(err);
    *at = (uint16_t)p->nkeys;
    p->keys[p->nkeys++] = (struct ldr_query_key){copy, type};
    return 0;
}

static int add_view(struct ldr_query_plan *p, const struct ldr_view_entry *v, uint32_t cap_keys,
                    struct ldr_err *err)
{
    struct ldr_query_view *q = &p->views[p->nviews];
    const char *name = v->def->about.name;
    q->name = ldr_arena_strndup(&p->arena, name, strlen(name));
    q->id = v->schema->view_id;
    q->entity_id = v->entity->about.id;
    q->online = v->def->online;
    q->nkeys = v->entity->nkeys;
    if (!q->name || copy_schema(p, v->schema, &q->schema))
        return no_memory(err);
    int rc = 0;
    for (uint32_t i = 0; !rc && i < q->nkeys; i++)
        rc = need_key(p, v, i, cap_keys, &q->keys[i], err);
    q->same_key = p->nviews;
    for (uint32_t i = 0; i < p->nviews; i++) {
        const struct ldr_query_view *o = &p->views[i];
        if (o->nkeys == q->nkeys && memcmp(o->keys, q->keys, q->nkeys * sizeof q->keys[0]) == 0) {
            q->same_key = i;
            break;
        }
    }
    p->nviews++;
    return rc;
}

static int view_of(struct ldr_query_plan *p, const struct ldr_catalog *c, const char *name, uint32_t cap_keys,
                   uint32_t *at, struct ldr_err *err)
{
    /* Columns of a view mostly stand together, so the last one is the first guess. */
    for (uint32_t i = p->nviews; i-- > 0;) {
        if (strcmp(p->views[i].name, name) == 0) {
            *at = i;
            return 0;
        }
    }
    const struct ldr_view_entry *v;
    int rc = ldr_catalog_view(c, name, &v, err);
    *at = p->nviews;
    return rc ? rc : add_view(p, v, cap_keys, err);
}

static int add_column(struct ldr_query_plan *p, const struct ldr_catalog *c, const struct want *w,
                      uint32_t cap_keys, struct ldr_err *err)
{
    struct ldr_query_col *col = &p->cols[p->ncols];
    int rc = view_of(p, c, w->view, cap_keys, &col->view, err);
    if (rc)
        return rc;
    struct ldr_query_view *v = &p->views[col->view];
    int32_t slot = ldr_schema_slot(v->schema, ldr_slice_str(w->feature));
    if (slot < 0)
        return ldr_fail(err, LDR_E_NOT_FOUND, "feature view '%s' has no feature '%s' any more", w->view,
                        w->feature);
    col->slot = (uint32_t)slot;
    col->type = v->schema->cols[slot].type;
    col->feature = v->schema->cols[slot].name;
    col->name = ldr_arena_strndup(&p->arena, w->name, strlen(w->name));
    v->ncols++;
    p->ncols++;
    return col->name ? 0 : no_memory(err);
}

/* Each view's own list of columns, carved out of two arrays. */
static int list_columns(struct ldr_query_plan *p, struct ldr_err *err)
{
    uint32_t *cols = ldr_arena_alloc(&p->arena, p->ncols * sizeof *cols);
    uint32_t *slots = ldr_arena_alloc(&p->arena, p->ncols * sizeof *slots);
    if (!cols || !slots)
        return no_memory(err);
    uint32_t at = 0;
    for (uint32_t i = 0; i < p->nviews; i++) {
        struct ldr_query_view *v = &p->views[i];
        v->cols = cols + at;
        v->slots = slots + at;
        at += v->ncols;
        v->ncols = 0;
        if (!v->online && !p->offline)
            p->offline = v;
    }
    for (uint32_t i = 0; i < p->ncols; i++) {
        struct ldr_query_view *v = &p->views[p->cols[i].view];
        v->cols[v->ncols] = i;
        v->slots[v->ncols++] = p->cols[i].slot;
    }
    for (uint32_t i = 0; i < p->nviews; i++)
        if (ldr_quick_plan(&p->arena, &p->views[i]))
            return no_memory(err);
    return 0;
}

static int build(struct ldr_query_plan *p, const struct ldr_catalog *c, const struct wants *w,
                 struct ldr_err *err)
{
    uint32_t cap_views = w->n < c->nviews ? w->n : c->nviews; /* every column brings one view at most */
    uint32_t cap_keys = cap_views * LDR_KEY_PARTS_MAX;
    if (cap_keys > UINT16_MAX)
        cap_keys = UINT16_MAX;
    p->views = ldr_arena_calloc(&p->arena, cap_views + 1, sizeof *p->views);
    p->cols = ldr_arena_calloc(&p->arena, w->n, sizeof *p->cols);
    p->keys = ldr_arena_calloc(&p->arena, (size_t)cap_keys + 1, sizeof *p->keys);
    if (!p->views || !p->cols || !p->keys)
        return no_memory(err);
    int rc = 0;
    for (uint32_t i = 0; !rc && i < w->n; i++)
        rc = add_column(p, c, &w->list[i], cap_keys, err);
    return rc ? rc : list_columns(p, err);
}

int ldr_query_plan_create(const struct ldr_catalog *c, const struct ldr_query_spec *spec,
                          struct ldr_query_plan **out, struct ldr_err *err)
{
    *out = NULL;
    struct ldr_query_plan *p = plan_new(c->version);
    struct wants w = {ldr_alloc(NULL, LDR_FEATURES_REQ_MAX * sizeof *w.list), 0};
    int rc = p && w.list ? 0 : no_memory(err);
    if (!rc && spec->service)
        rc = want_service(c, spec->service, &w, err);
    for (size_t i = 0; !rc && i < spec->nfeatures; i++)
        rc = want_text(c, spec->features[i], &w, err);
    if (!rc && w.n == 0)
        rc = ldr_fail(err, LDR_E_INVALID,
                      "no features are asked for: name a service, or features as view:feature");
    if (!rc)
        rc = give_names(p, &w, spec->full_names, err);
    if (!rc)
        rc = build(p, c, &w, err);
    free(w.list);
    if (rc)
        ldr_query_plan_destroy(p);
    else
        *out = p;
    return rc;
}

/* Columns and keys are a promise to the caller, who has sized arrays by them. */
static int keeps_promise(const struct ldr_query_plan *old, const struct ldr_query_plan *p,
                         struct ldr_err *err)
{
    for (uint32_t i = 0; i < p->ncols; i++) {
        if (p->cols[i].type != old->cols[i].type)
            return ldr_fail(err, LDR_E_CONFLICT, "%s:%s is now %s instead of %s: create the query again",
                            p->views[p->cols[i].view].name, p->cols[i].feature,
                            ldr_type_name(p->cols[i].type), ldr_type_name(old->cols[i].type));
    }
    bool same = p->nkeys == old->nkeys;
    for (uint32_t i = 0; same && i < p->nkeys; i++)
        same = p->keys[i].type == old->keys[i].type && strcmp(p->keys[i].name, old->keys[i].name) == 0;
    return same ? 0
                : ldr_fail(err, LDR_E_CONFLICT,
                           "the join keys of the query's views have changed: create it again");
}

int ldr_query_plan_again(const struct ldr_catalog *c, const struct ldr_query_plan *old,
                         struct ldr_query_plan **out, struct ldr_err *err)
{
    *out = NULL;
    struct ldr_query_plan *p = plan_new(c->version);
    struct wants w = {ldr_alloc(NULL, old->ncols * sizeof *w.list), old->ncols};
    int rc = p && w.list ? 0 : no_memory(err);
    for (uint32_t i = 0; !rc && i < old->ncols; i++)
        w.list[i] =
            (struct want){old->views[old->cols[i].view].name, old->cols[i].feature, old->cols[i].name};
    if (!rc)
        rc = build(p, c, &w, err);
    if (!rc)
        rc = keeps_promise(old, p, err);
    free(w.list);
    if (rc)
        ldr_query_plan_destroy(p);
    else
        *out = p;
    return rc;
}

bool ldr_query_plan_same(const struct ldr_query_plan *a, const struct ldr_query_plan *b)
{
    if (a->nviews != b->nviews || a->ncols != b->ncols)
        return false;
    for (uint32_t i = 0; i < a->nviews; i++) {
        const struct ldr_query_view *x = &a->views[i], *y = &b->views[i];
        if (x->id != y->id || x->entity_id != y->entity_id || x->online != y->online ||
            x->schema->ncols != y->schema->ncols || x->schema->ttl_us != y->schema->ttl_us ||
            x->schema->retention_us != y->schema->retention_us)
            return false;
    }
    for (uint32_t i = 0; i < a->ncols; i++) {
        if (a->cols[i].slot != b->cols[i].slot || a->cols[i].view != b->cols[i].view)
            return false;
    }
    return true;
}
