#include "client/catalog/show.h"

/* What was written into b as a text of the arena. */
static const char *keep(struct ldr_arena *a, struct ldr_buf *b)
{
    const char *text =
        b->err ? NULL : ldr_arena_strndup(a, (const char *)(b->p ? b->p : (uint8_t *)""), b->n);
    ldr_buf_close(b);
    return text;
}

const char *ldr_show_tags(struct ldr_arena *a, const struct ldr_about *about)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    for (uint32_t i = 0; i < about->ntags; i++) {
        const struct ldr_tag *t = &about->tags[i];
        ldr_buf_printf(&b, "%s%s=%s", i ? ", " : "", t->key, t->value);
    }
    return keep(a, &b);
}

const char *ldr_show_keys(struct ldr_arena *a, const struct ldr_entity_def *e)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    for (uint32_t i = 0; i < e->nkeys; i++)
        ldr_buf_printf(&b, "%s%s %s", i ? ", " : "", e->keys[i], ldr_type_name(e->key_types[i]));
    return keep(a, &b);
}

const char *ldr_show_items(struct ldr_arena *a, const struct ldr_service_def *s)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    for (uint32_t i = 0; i < s->nitems; i++) {
        const struct ldr_service_item *it = &s->items[i];
        ldr_buf_printf(&b, "%s%s%s%s", i ? ", " : "", it->view, *it->feature ? ":" : "", it->feature);
    }
    return keep(a, &b);
}

const char *ldr_show_duration(struct ldr_arena *a, int64_t us, const char *zero)
{
    char text[LDR_TIME_TEXT];
    if (us == 0)
        return zero;
    size_t n = ldr_duration_format(us, text);
    return ldr_arena_strndup(a, text, n);
}

const char *ldr_show_checks(struct ldr_arena *a, const struct ldr_checks *c)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    if (c->has_min) {
        ldr_buf_puts(&b, "min ");
        ldr_value_format(&c->min, &b);
    }
    if (c->has_max) {
        ldr_buf_puts(&b, b.n ? ", max " : "max ");
        ldr_value_format(&c->max, &b);
    }
    if (c->not_null)
        ldr_buf_puts(&b, b.n ? ", not null" : "not null");
    return keep(a, &b);
}

const char *ldr_show_renames(struct ldr_arena *a, const struct ldr_source_def *s)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    for (uint32_t i = 0; i < s->ncolumns; i++)
        ldr_buf_printf(&b, "%s%s from %s", i ? ", " : "", s->columns[i].feature, s->columns[i].column);
    return keep(a, &b);
}

const char *ldr_show_time(struct ldr_arena *a, int64_t us)
{
    char text[LDR_TIME_TEXT];
    size_t n = ldr_time_format(us, text);
    return ldr_arena_strndup(a, text, n);
}

const struct ldr_feature_def *ldr_show_feature(const struct ldr_registry *r, const char *name,
                                               uint64_t version, const struct ldr_view_def **view)
{
    char head[LDR_NAME_MAX + 1];
    const char *colon = strchr(name, ':');
    if (!colon || colon == name || (size_t)(colon - name) > LDR_NAME_MAX)
        return NULL;
    memcpy(head, name, (size_t)(colon - name));
    head[colon - name] = '\0';
    *view = ldr_registry_view(r, head, version);
    for (uint32_t i = 0; *view && i < (*view)->nfeatures; i++) {
        if (strcmp((*view)->features[i].about.name, colon + 1) == 0)
            return &(*view)->features[i];
    }
    return NULL;
}

int ldr_show_kind(const char *text, enum ldr_kind *k, struct ldr_err *err)
{
    if (text && ldr_kind_parse(text, k) == 0 && *k != LDR_KIND_PROJECT)
        return 0;
    return ldr_fail(
        err, LDR_E_INVALID,
        "'%.*s' is not a kind: expected entities, sources, feature-views, features or feature-services",
        LDR_NAME_MAX, text ? text : "");
}

int ldr_show_missing(const struct ldr_registry *r, enum ldr_kind k, const char *name, struct ldr_err *err)
{
    const struct ldr_defs *d = ldr_registry_defs(r);
    struct ldr_suggest near;
    struct ldr_arena a;
    ldr_arena_init(&a, NULL, 0);
    ldr_suggest_init(&near, ldr_slice_str(name));
    if (k == LDR_KIND_ENTITY) {
        for (uint32_t i = 0; i < d->nentities; i++)
            ldr_suggest_offer(&near, d->entities[i].about.name);
    } else if (k == LDR_KIND_SOURCE) {
        for (uint32_t i = 0; i < d->nsources; i++)
            ldr_suggest_offer(&near, d->sources[i].about.name);
    } else if (k == LDR_KIND_SERVICE) {
        for (uint32_t i = 0; i < d->nservices; i++)
            ldr_suggest_offer(&near, d->services[i].about.name);
    }
    for (uint32_t i = 0; (k == LDR_KIND_VIEW || k == LDR_KIND_FEATURE) && i < d->nviews; i++) {
        const struct ldr_view_def *v = &d->views[i];
        if (k == LDR_KIND_VIEW)
            ldr_suggest_offer(&near, v->about.name);
        for (uint32_t f = 0; k == LDR_KIND_FEATURE && f < v->nfeatures; f++) {
            const char *full = ldr_arena_printf(&a, "%s:%s", v->about.name, v->features[f].about.name);
            if (full)
                ldr_suggest_offer(&near, full);
        }
    }
    int rc = ldr_fail(err, LDR_E_NOT_FOUND, "there is no %s '%.*s'%s%s%s", ldr_kind_name(k),
                      2 * LDR_NAME_MAX + 1, name, LDR_SUGGEST(&near));
    ldr_arena_close(&a);
    return rc;
}
