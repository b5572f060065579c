/* What differs between two definitions of one thing, field by field, as texts for people. */
#include "registry/defs.h"

#include <stdlib.h>

struct diff {
    struct ldr_arena *a;
    const char *prefix; /* "" or "features.temp_f." */
    struct ldr_change_line *lines;
    uint32_t n, cap;
    bool nomem;
};

static const char *kept(struct diff *d, const char *text)
{
    if (!text)
        d->nomem = true;
    return text ? text : "";
}

static void line(struct diff *d, const char *field, const char *from, const char *to)
{
    if (d->nomem || strcmp(from, to) == 0)
        return;
    if (d->n == d->cap) {
        uint32_t cap = d->cap ? d->cap * 2 : 8;
        struct ldr_change_line *grown = ldr_arena_calloc(d->a, cap, sizeof *grown);
        if (!grown) {
            d->nomem = true;
            return;
        }
        if (d->n)
            memcpy(grown, d->lines, d->n * sizeof *grown);
        d->lines = grown;
        d->cap = cap;
    }
    if (d->prefix[0])
        field = kept(d, ldr_arena_printf(d->a, "%s%s", d->prefix, field));
    d->lines[d->n++] = (struct ldr_change_line){field, from, to};
}

/* ---- Pairs sorted by key: tags, columns ---- */

/* A value that is there must show, even when it is empty. */
static const char *shown(const char *value)
{
    return value[0] ? value : "\"\"";
}

static void pair_lines(struct diff *d, const char *group, const struct ldr_tag *from, uint32_t nfrom,
                       const struct ldr_tag *to, uint32_t nto)
{
    for (uint32_t i = 0, j = 0; i < nfrom || j < nto;) {
        int c = i == nfrom ? 1 : j == nto ? -1 : strcmp(from[i].key, to[j].key);
        const char *key = c <= 0 ? from[i].key : to[j].key;
        const char *old = c <= 0 ? shown(from[i].value) : "", *new = c >= 0 ? shown(to[j].value) : "";
        if (strcmp(old, new) != 0)
            line(d, kept(d, ldr_arena_printf(d->a, "%s.%s", group, key)), old, new);
        i += c <= 0;
        j += c >= 0;
    }
}

static const struct ldr_tag *renames_as_pairs(struct diff *d, const struct ldr_source_def *s)
{
    struct ldr_tag *list = s && s->ncolumns ? ldr_arena_calloc(d->a, s->ncolumns, sizeof *list) : NULL;
    if (s && s->ncolumns && !list)
        d->nomem = true;
    for (uint32_t i = 0; list && i < s->ncolumns; i++)
        list[i] = (struct ldr_tag){s->columns[i].feature, s->columns[i].column};
    return list;
}

static void about_lines(struct diff *d, const struct ldr_about *from, const struct ldr_about *to)
{
    line(d, "description", from ? from->description : "", to ? to->description : "");
    line(d, "owner", from ? from->owner : "", to ? to->owner : "");
    pair_lines(d, "tags", from ? from->tags : NULL, from ? from->ntags : 0, to ? to->tags : NULL,
               to ? to->ntags : 0);
}

/* ---- Single values as text; absent sides give "" ---- */

static const char *flag_text(bool there, bool value)
{
    return !there ? "" : value ? "true" : "false";
}

/* A flag that is mostly off: on a thing that comes or goes, it shows only when on. */
static void rare_flag_line(struct diff *d, const char *field, const void *from, bool x, const void *to,
                           bool y)
{
    line(d, field, flag_text(from && (x || to), x), flag_text(to && (y || from), y));
}

static const char *duration_text(struct diff *d, int64_t us)
{
    char text[LDR_TIME_TEXT];
    size_t n = us ? ldr_duration_format(us, text) : 0;
    return n ? kept(d, ldr_arena_strndup(d->a, text, n)) : "";
}

static const char *bound_text(struct diff *d, bool there, const struct ldr_value *v)
{
    if (!there)
        return "";
    struct ldr_buf b;
    ldr_buf_init(&b, d->a->heap, 0);
    const char *text = NULL;
    if (ldr_value_format(v, &b) == 0)
        text = ldr_arena_strndup(d->a, (const char *)b.p, b.n);
    ldr_buf_close(&b);
    return kept(d, text);
}

static const char *join(struct ldr_arena *a, const char *list, const char *item)
{
    return !list ? NULL : list[0] ? ldr_arena_printf(a, "%s, %s", list, item) : item;
}

const char *ldr_keys_text(struct ldr_arena *a, const struct ldr_entity_def *e)
{
    const char *text = "";
    for (uint32_t i = 0; i < e->nkeys && text; i++) {
        const char *key = ldr_arena_printf(a, "%s %s", e->keys[i], ldr_type_name(e->key_types[i]));
        text = key ? join(a, text, key) : NULL;
    }
    return text;
}

const char *ldr_item_text(struct ldr_arena *a, const struct ldr_service_item *item)
{
    return item->feature[0] ? ldr_arena_printf(a, "%s:%s", item->view, item->feature) : item->view;
}

/* ---- Kinds ---- */

static void entity_lines(struct diff *d, const struct ldr_entity_def *from, const struct ldr_entity_def *to)
{
    line(d, "join_keys", from ? kept(d, ldr_keys_text(d->a, from)) : "",
         to ? kept(d, ldr_keys_text(d->a, to)) : "");
}

static void source_lines(struct diff *d, const struct ldr_source_def *from, const struct ldr_source_def *to)
{
    static const struct ldr_source_def none = {
        .format = "", .path = "", .event_column = "", .created_column = ""};
    const struct ldr_source_def *x = from ? from : &none, *y = to ? to : &none;
    line(d, "type", !from ? "" : from->push ? "push" : "file", !to ? "" : to->push ? "push" : "file");
    line(d, "format", x->format, y->format);
    line(d, "path", x->path, y->path);
    line(d, "event_timestamp", x->event_column, y->event_column);
    line(d, "created_timestamp", x->created_column, y->created_column);
    const struct ldr_tag *a = renames_as_pairs(d, from), *b = renames_as_pairs(d, to);
    if (!d->nomem)
        pair_lines(d, "columns", a, x->ncolumns, b, y->ncolumns);
}

static void feature_lines(struct diff *d, const struct ldr_feature_def *from,
                          const struct ldr_feature_def *to)
{
    static const struct ldr_feature_def none = {.unit = ""};
    const struct ldr_feature_def *x = from ? from : &none, *y = to ? to : &none;
    line(d, "type", from ? ldr_type_name(from->type) : "", to ? ldr_type_name(to->type) : "");
    about_lines(d, from ? &from->about : NULL, to ? &to->about : NULL);
    line(d, "unit", x->unit, y->unit);
    rare_flag_line(d, "pii", from, x->pii, to, y->pii);
    rare_flag_line(d, "checks.not_null", from, x->checks.not_null, to, y->checks.not_null);
    line(d, "checks.min", bound_text(d, x->checks.has_min, &x->checks.min),
         bound_text(d, y->checks.has_min, &y->checks.min));
    line(d, "checks.max", bound_text(d, x->checks.has_max, &x->checks.max),
         bound_text(d, y->checks.has_max, &y->checks.max));
}

static void features_lines(struct diff *d, const struct ldr_view_def *from, const struct ldr_view_def *to)
{
    uint32_t nfrom = from ? from->nfeatures : 0, nto = to ? to->nfeatures : 0;
    for (uint32_t i = 0, j = 0; (i < nfrom || j < nto) && !d->nomem;) {
        const struct ldr_feature_def *x = i < nfrom ? &from->features[i] : NULL;
        const struct ldr_feature_def *y = j < nto ? &to->features[j] : NULL;
        int c = !x ? 1 : !y ? -1 : strcmp(x->about.name, y->about.name);
        const struct ldr_feature_def *one = c < 0 ? x : y;
        LDR_ASSERT(one);
        if (c == 0) {
            d->prefix = kept(d, ldr_arena_printf(d->a, "features.%s.", x->about.name));
            feature_lines(d, x, y);
            d->prefix = "";
        } else {
            const char *type = ldr_type_name(one->type);
            line(d, kept(d, ldr_arena_printf(d->a, "features.%s", one->about.name)), c < 0 ? type : "",
                 c < 0 ? "" : type);
        }
        i += c <= 0;
        j += c >= 0;
    }
}

static void view_lines(struct diff *d, const struct ldr_view_def *from, const struct ldr_view_def *to)
{
    line(d, "entity", from ? from->entity : "", to ? to->entity : "");
    line(d, "source", from ? from->source : "", to ? to->source : "");
    line(d, "ttl", from ? duration_text(d, from->ttl_us) : "", to ? duration_text(d, to->ttl_us) : "");
    line(d, "retention", from ? duration_text(d, from->retention_us) : "",
         to ? duration_text(d, to->retention_us) : "");
    line(d, "online", flag_text(from, from && from->online), flag_text(to, to && to->online));
    features_lines(d, from, to);
}

/* ---- Services: which features, then their order ---- */

static int text_cmp(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char **item_texts(struct diff *d, const struct ldr_service_def *s)
{
    const char **list = ldr_arena_calloc(d->a, s->nitems, sizeof *list);
    if (!list)
        d->nomem = true;
    for (uint32_t i = 0; list && i < s->nitems; i++)
        list[i] = kept(d, ldr_item_text(d->a, &s->items[i]));
    return list;
}

/* Items in declared order; only those that the sorted list has too, when there is one. */
static const char *list_text(struct diff *d, const struct ldr_service_def *s, const char *const *sorted,
                             uint32_t n)
{
    struct ldr_buf b;
    ldr_buf_init(&b, d->a->heap, 0);
    for (uint32_t i = 0; s && i < s->nitems; i++) {
        const char *item = kept(d, ldr_item_text(d->a, &s->items[i]));
        if (!sorted || (n && bsearch(&item, sorted, n, sizeof *sorted, text_cmp)))
            ldr_buf_printf(&b, "%s%s", b.n ? ", " : "", item);
    }
    const char *text = b.err ? NULL : b.n ? ldr_arena_strndup(d->a, (const char *)b.p, b.n) : "";
    ldr_buf_close(&b);
    return kept(d, text);
}

static void service_lines(struct diff *d, const struct ldr_service_def *from,
                          const struct ldr_service_def *to)
{
    if (!from || !to) {
        line(d, "features", list_text(d, from, NULL, 0), list_text(d, to, NULL, 0));
        return;
    }
    const char **x = item_texts(d, from), **y = item_texts(d, to);
    if (d->nomem)
        return;
    qsort(x, from->nitems, sizeof *x, text_cmp);
    qsort(y, to->nitems, sizeof *y, text_cmp);
    for (uint32_t i = 0, j = 0; i < from->nitems || j < to->nitems;) {
        int c = i == from->nitems ? 1 : j == to->nitems ? -1 : strcmp(x[i], y[j]);
        const char *item = c <= 0 ? x[i] : y[j];
        if (c != 0)
            line(d, kept(d, ldr_arena_printf(d->a, "features.%s", item)), c < 0 ? item : "",
                 c < 0 ? "" : item);
        i += c <= 0;
        j += c >= 0;
    }
    /* What both have, in another order: it is the order of the output columns. */
    line(d, "features", list_text(d, from, y, to->nitems), list_text(d, to, x, from->nitems));
}

int ldr_def_diff(struct ldr_arena *a, enum ldr_kind kind, const struct ldr_about *from,
                 const struct ldr_about *to, struct ldr_change_line **lines, uint32_t *n)
{
    struct diff d = {.a = a, .prefix = ""};
    switch (kind) {
    case LDR_KIND_ENTITY:
        entity_lines(&d, LDR_DEF(ldr_entity_def, from), LDR_DEF(ldr_entity_def, to));
        break;
    case LDR_KIND_SOURCE:
        source_lines(&d, LDR_DEF(ldr_source_def, from), LDR_DEF(ldr_source_def, to));
        break;
    case LDR_KIND_VIEW:
        view_lines(&d, LDR_DEF(ldr_view_def, from), LDR_DEF(ldr_view_def, to));
        break;
    case LDR_KIND_FEATURE:
        feature_lines(&d, LDR_DEF(ldr_feature_def, from), LDR_DEF(ldr_feature_def, to));
        break;
    case LDR_KIND_SERVICE:
        service_lines(&d, LDR_DEF(ldr_service_def, from), LDR_DEF(ldr_service_def, to));
        break;
    case LDR_KIND_PROJECT:
        line(&d, "project", from ? from->name : "", to ? to->name : "");
        break;
    }
    if (kind != LDR_KIND_FEATURE)
        about_lines(&d, from, to);
    *lines = d.lines;
    *n = d.n;
    return d.nomem ? LDR_E_NOMEM : 0;
}
