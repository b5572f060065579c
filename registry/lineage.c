/* Who uses what: the direct users that stand in the way of a delete, and the whole line up and down. */
#include "registry/state.h"

struct texts {
    struct ldr_arena *a;
    const char **list;
    uint32_t n, cap;
    int err;
};

/* Adds "feature view weather" unless it is there. Linear: lineages are short. */
static void add(struct texts *t, enum ldr_kind kind, const char *name)
{
    if (t->err)
        return;
    const char *text = ldr_arena_printf(t->a, "%s %s", ldr_kind_name(kind), name);
    for (uint32_t i = 0; text && i < t->n; i++) {
        if (strcmp(t->list[i], text) == 0)
            return;
    }
    if (text && t->n == t->cap) {
        uint32_t cap = t->cap ? t->cap * 2 : 8;
        const char **grown = ldr_arena_calloc(t->a, cap, sizeof *grown);
        if (grown && t->n)
            memcpy(grown, t->list, t->n * sizeof *grown);
        t->list = grown;
        t->cap = grown ? cap : 0;
    }
    if (!text || !t->list)
        t->err = LDR_E_NOMEM;
    else
        t->list[t->n++] = text;
}

/* How a service takes a view, or one feature of it (feature NULL: anything of the view). */
enum use { USE_NONE, USE_WHOLE, USE_NAMED };
static enum use service_uses(const struct ldr_service_def *s, const char *view, const char *feature)
{
    for (uint32_t i = 0; i < s->nitems; i++) {
        const struct ldr_service_item *item = &s->items[i];
        if (strcmp(item->view, view) != 0)
            continue;
        if (!feature || (item->feature[0] && strcmp(item->feature, feature) == 0))
            return USE_NAMED;
        if (!item->feature[0])
            return USE_WHOLE;
    }
    return USE_NONE;
}

static void add_services(const struct ldr_registry *r, struct texts *t, const char *view, const char *feature,
                         enum use least)
{
    for (uint32_t i = 0; i < r->today.nservices; i++) {
        if (service_uses(&r->today.services[i], view, feature) >= least)
            add(t, LDR_KIND_SERVICE, r->today.services[i].about.name);
    }
}

static bool view_uses(const struct ldr_view_def *v, enum ldr_kind kind, const char *name)
{
    return strcmp(kind == LDR_KIND_ENTITY ? v->entity : v->source, name) == 0;
}

static void add_views(const struct ldr_registry *r, struct texts *t, enum ldr_kind kind, const char *name)
{
    for (uint32_t i = 0; i < r->today.nviews; i++) {
        if (view_uses(&r->today.views[i], kind, name))
            add(t, LDR_KIND_VIEW, r->today.views[i].about.name);
    }
}

int ldr_reg_dependents(const struct ldr_registry *r, enum ldr_kind kind, const char *name,
                       struct ldr_arena *a, const char ***out, uint32_t *n)
{
    struct texts t = {.a = a};
    char view[LDR_NAME_MAX + 1];
    const char *feature;
    switch (kind) {
    case LDR_KIND_ENTITY:
    case LDR_KIND_SOURCE:
        add_views(r, &t, kind, name);
        break;
    case LDR_KIND_VIEW:
        add_services(r, &t, name, NULL, USE_WHOLE);
        break;
    case LDR_KIND_FEATURE: /* a service that takes the whole view goes on without it */
        if (ldr_reg_split_feature(name, view, &feature))
            add_services(r, &t, view, feature, USE_NAMED);
        break;
    default:
        break;
    }
    *out = t.list;
    *n = t.n;
    return t.err;
}

/* ---- The whole line ---- */

static void add_roots(struct texts *up, const struct ldr_view_def *v)
{
    add(up, LDR_KIND_ENTITY, v->entity);
    if (v->source[0])
        add(up, LDR_KIND_SOURCE, v->source);
}

static void service_up(const struct ldr_registry *r, const struct ldr_service_def *s, struct texts *up)
{
    for (uint32_t i = 0; i < s->nitems; i++) {
        const char *text = s->items[i].feature[0] ? ldr_item_text(up->a, &s->items[i]) : NULL;
        if (text)
            add(up, LDR_KIND_FEATURE, text);
        else if (s->items[i].feature[0])
            up->err = LDR_E_NOMEM;
        else
            add(up, LDR_KIND_VIEW, s->items[i].view);
    }
    for (uint32_t i = 0; i < s->nitems; i++)
        add(up, LDR_KIND_VIEW, s->items[i].view);
    for (uint32_t i = 0; i < s->nitems; i++) {
        const struct ldr_view_def *v = ldr_registry_view(r, s->items[i].view, 0);
        if (v)
            add_roots(up, v);
    }
}

static void roots_down(const struct ldr_registry *r, enum ldr_kind kind, const char *name, struct texts *down)
{
    add_views(r, down, kind, name);
    for (uint32_t i = 0; i < r->today.nviews; i++) {
        if (view_uses(&r->today.views[i], kind, name))
            add_services(r, down, r->today.views[i].about.name, NULL, USE_WHOLE);
    }
}

/* LDR_E_NOT_FOUND when the feature is not there. */
static int feature_lines(const struct ldr_registry *r, const char *name, struct texts *up, struct texts *down)
{
    char view[LDR_NAME_MAX + 1];
    const char *feature;
    const struct ldr_view_def *v =
        ldr_reg_split_feature(name, view, &feature) ? ldr_registry_view(r, view, 0) : NULL;
    if (!v || !ldr_view_feature(v, feature))
        return LDR_E_NOT_FOUND;
    add(up, LDR_KIND_VIEW, view);
    add_roots(up, v);
    add_services(r, down, view, feature, USE_WHOLE);
    return 0;
}

int ldr_registry_lineage(const struct ldr_registry *r, enum ldr_kind kind, const char *name,
                         struct ldr_arena *a, const char ***upstream, uint32_t *nup, const char ***downstream,
                         uint32_t *ndown)
{
    struct texts up = {.a = a}, down = {.a = a};
    int rc = 0;
    if (kind == LDR_KIND_FEATURE)
        rc = feature_lines(r, name, &up, &down);
    else if (kind == LDR_KIND_PROJECT || !ldr_reg_def_at(r, kind, name, 0))
        rc = LDR_E_NOT_FOUND;
    else if (kind == LDR_KIND_VIEW) {
        add_roots(&up, ldr_registry_view(r, name, 0));
        add_services(r, &down, name, NULL, USE_WHOLE);
    } else if (kind == LDR_KIND_SERVICE)
        service_up(r, ldr_registry_service(r, name, 0), &up);
    else
        roots_down(r, kind, name, &down);
    *upstream = up.list;
    *nup = up.n;
    *downstream = down.list;
    *ndown = down.n;
    return rc ? rc : up.err ? up.err : down.err;
}
