/* Rules that concern one definition alone, and look-up by name. */
#include "registry/defs.h"

#include <stdlib.h>

static bool letter(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_';
}

bool ldr_name_valid(struct ldr_slice name)
{
    if (name.n == 0 || name.n > LDR_NAME_MAX || !letter(name.p[0]))
        return false;
    for (size_t i = 1; i < name.n; i++) {
        if (!letter(name.p[i]) && !(name.p[i] >= '0' && name.p[i] <= '9'))
            return false;
    }
    return true;
}

bool ldr_text_valid(struct ldr_slice text)
{
    return text.n <= LDR_TEXT_MAX && (text.n == 0 || !memchr(text.p, 0, text.n)) && ldr_utf8_valid(text);
}

bool ldr_tag_key_valid(struct ldr_slice key)
{
    if (key.n == 0 || key.n > LDR_NAME_MAX || !ldr_utf8_valid(key))
        return false;
    for (size_t i = 0; i < key.n; i++) {
        if (key.p[i] < 0x20 || key.p[i] == 0x7F || key.p[i] == '=')
            return false;
    }
    return true;
}

bool ldr_format_valid(const char *format)
{
    return strcmp(format, "csv") == 0 || strcmp(format, "ndjson") == 0 || strcmp(format, "parquet") == 0;
}

bool ldr_check_bounds_apply(unsigned type)
{
    return type == LDR_INT32 || type == LDR_INT64 || type == LDR_FLOAT32 || type == LDR_FLOAT64 ||
           type == LDR_TIMESTAMP;
}

/* ---- Looking up ---- */

const void *ldr_def_find(const void *array, uint32_t n, size_t size, const char *name)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        const struct ldr_about *def = (const void *)((const char *)array + mid * size);
        int c = strcmp(def->name, name);
        if (c == 0)
            return def;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

int ldr_about_cmp(const void *a, const void *b)
{
    const struct ldr_about *x = a, *y = b;
    return strcmp(x->name, y->name);
}

int ldr_tag_cmp(const void *a, const void *b)
{
    const struct ldr_tag *x = a, *y = b;
    return strcmp(x->key, y->key);
}

#define SCOPE_FIND(what, array, count)                                                                      \
    const struct what *hit = s->own ? ldr_def_find(s->own->array, s->own->count, sizeof *hit, name) : NULL; \
    if (!hit && s->known)                                                                                   \
        hit = ldr_def_find(s->known->array, s->known->count, sizeof *hit, name);                            \
    return hit

const struct ldr_entity_def *ldr_scope_entity(const struct ldr_scope *s, const char *name)
{
    SCOPE_FIND(ldr_entity_def, entities, nentities);
}

const struct ldr_source_def *ldr_scope_source(const struct ldr_scope *s, const char *name)
{
    SCOPE_FIND(ldr_source_def, sources, nsources);
}

const struct ldr_view_def *ldr_scope_view(const struct ldr_scope *s, const char *name)
{
    SCOPE_FIND(ldr_view_def, views, nviews);
}

const struct ldr_service_def *ldr_scope_service(const struct ldr_scope *s, const char *name)
{
    SCOPE_FIND(ldr_service_def, services, nservices);
}

const struct ldr_feature_def *ldr_view_feature(const struct ldr_view_def *v, const char *name)
{
    return ldr_def_find(v->features, v->nfeatures, sizeof *v->features, name);
}

bool ldr_entity_has_key(const struct ldr_entity_def *e, const char *name)
{
    for (uint32_t i = 0; i < e->nkeys; i++) {
        if (strcmp(e->keys[i], name) == 0)
            return true;
    }
    return false;
}

/* ---- Services ---- */

struct ranked {
    const struct ldr_service_item *item;
    uint32_t at;
};

static int ranked_cmp(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;
    int c = strcmp(a->item->view, b->item->view);
    if (c == 0)
        c = strcmp(a->item->feature, b->item->feature); /* "", the whole view, comes first */
    return c ? c : (a->at > b->at) - (a->at < b->at);
}

int ldr_service_overlap(struct ldr_arena *a, const struct ldr_service_def *s, bool *found, uint32_t *item,
                        uint32_t *other)
{
    *found = false;
    struct ranked *order = ldr_arena_calloc(a, s->nitems, sizeof *order);
    if (!order)
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < s->nitems; i++)
        order[i] = (struct ranked){&s->items[i], i};
    qsort(order, s->nitems, sizeof *order, ranked_cmp);
    const struct ranked *whole = NULL; /* item that takes the whole view, of the run of equal views */
    for (uint32_t i = 0; i < s->nitems; i++) {
        const struct ranked *now = &order[i], *prev = i ? &order[i - 1] : NULL;
        bool same_view = prev && strcmp(prev->item->view, now->item->view) == 0;
        if (!same_view)
            whole = now->item->feature[0] ? NULL : now;
        const struct ranked *cover = NULL;
        if (same_view && strcmp(prev->item->feature, now->item->feature) == 0)
            cover = prev;
        else if (same_view)
            cover = whole;
        if (cover && (!*found || now->at < *item)) {
            *found = true;
            *item = now->at;
            *other = cover->at;
        }
    }
    return 0;
}
