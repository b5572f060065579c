/* A definition that came as bytes: does it keep every rule that the readers of YAML keep? What passes here
 * may be trusted by the rest of the registry: sorted lists, sane names, known types, numbers in range. */
#include "registry/defs.h"

static bool name_ok(const char *s)
{
    return ldr_name_valid(ldr_slice_str(s));
}

/* Texts were checked when decoded (UTF-8, no NUL, length). */
static bool about_ok(const struct ldr_about *b, bool fresh)
{
    if (!name_ok(b->name) || b->ntags > LDR_TAGS_MAX || (b->id == 0) != fresh)
        return false;
    for (uint32_t i = 0; i < b->ntags; i++) {
        if (!ldr_tag_key_valid(ldr_slice_str(b->tags[i].key)) ||
            (i && strcmp(b->tags[i - 1].key, b->tags[i].key) >= 0))
            return false;
    }
    return true;
}

static bool entity_ok(const struct ldr_entity_def *e)
{
    if (e->nkeys == 0 || e->nkeys > LDR_KEY_PARTS_MAX)
        return false;
    for (uint32_t i = 0; i < e->nkeys; i++) {
        if (!name_ok(e->keys[i]) || !ldr_type_key_valid(e->key_types[i]))
            return false;
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(e->keys[i], e->keys[j]) == 0)
                return false;
        }
    }
    return true;
}

static bool source_ok(const struct ldr_source_def *s)
{
    if (s->push ? s->format[0] || s->path[0]
                : !ldr_format_valid(s->format) || !s->path[0] || !s->event_column[0])
        return false;
    for (uint32_t i = 0; i < s->ncolumns; i++) {
        if (!name_ok(s->columns[i].feature) || !s->columns[i].column[0] ||
            (i && strcmp(s->columns[i - 1].feature, s->columns[i].feature) >= 0))
            return false;
    }
    return true;
}

static bool bound_ok(unsigned type, const struct ldr_value *v)
{
    switch (type) {
    case LDR_INT32:
        return v->i >= INT32_MIN && v->i <= INT32_MAX;
    case LDR_FLOAT32:
        return v->f32 == v->f32;
    case LDR_FLOAT64:
        return v->f64 == v->f64;
    case LDR_TIMESTAMP:
        return v->i >= LDR_TIME_MIN_US && v->i <= LDR_TIME_MAX_US;
    default:
        return true;
    }
}

static bool feature_ok(const struct ldr_feature_def *f, bool fresh)
{
    if (!about_ok(&f->about, fresh) || !ldr_type_valid(f->type))
        return false;
    if (fresh ? f->slot != 0 : f->slot >= LDR_FEATURES_MAX)
        return false;
    const struct ldr_checks *c = &f->checks;
    if ((c->has_min || c->has_max) && !ldr_check_bounds_apply(f->type))
        return false;
    if ((c->has_min && !bound_ok(f->type, &c->min)) || (c->has_max && !bound_ok(f->type, &c->max)))
        return false;
    return !(c->has_min && c->has_max && ldr_value_cmp(&c->min, &c->max) > 0);
}

static bool view_ok(const struct ldr_view_def *v, bool fresh)
{
    if (!name_ok(v->entity) || (v->source[0] && !name_ok(v->source)))
        return false;
    if (v->ttl_us < 0 || v->ttl_us > LDR_TTL_MAX_US || v->retention_us < 0 ||
        v->retention_us > LDR_TTL_MAX_US || (v->retention_us && v->ttl_us > v->retention_us))
        return false;
    if (v->nfeatures == 0 || v->nfeatures > LDR_FEATURES_MAX)
        return false;
    for (uint32_t i = 0; i < v->nfeatures; i++) {
        if (!feature_ok(&v->features[i], fresh) ||
            (i && strcmp(v->features[i - 1].about.name, v->features[i].about.name) >= 0))
            return false;
    }
    return true;
}

static int service_ok(struct ldr_arena *a, const struct ldr_service_def *s)
{
    if (s->nitems == 0 || s->nitems > LDR_FEATURES_REQ_MAX)
        return LDR_E_CORRUPT;
    for (uint32_t i = 0; i < s->nitems; i++) {
        const struct ldr_service_item *item = &s->items[i];
        if (!name_ok(item->view) || (item->feature[0] && !name_ok(item->feature)))
            return LDR_E_CORRUPT;
    }
    bool found;
    uint32_t item, other;
    int rc = ldr_service_overlap(a, s, &found, &item, &other);
    return rc ? rc : found ? LDR_E_CORRUPT : 0;
}

int ldr_def_valid(struct ldr_arena *a, enum ldr_kind kind, const struct ldr_about *def, bool fresh)
{
    if (kind == LDR_KIND_PROJECT) /* may have no name, and only a description besides */
        return (def->name[0] && !name_ok(def->name)) || def->owner[0] || def->ntags || def->id ? LDR_E_CORRUPT
                                                                                               : 0;
    if (!about_ok(def, fresh))
        return LDR_E_CORRUPT;
    switch (kind) {
    case LDR_KIND_ENTITY:
        return entity_ok(LDR_DEF(ldr_entity_def, def)) ? 0 : LDR_E_CORRUPT;
    case LDR_KIND_SOURCE:
        return source_ok(LDR_DEF(ldr_source_def, def)) ? 0 : LDR_E_CORRUPT;
    case LDR_KIND_VIEW:
        return view_ok(LDR_DEF(ldr_view_def, def), fresh) ? 0 : LDR_E_CORRUPT;
    case LDR_KIND_SERVICE:
        return service_ok(a, LDR_DEF(ldr_service_def, def));
    default:
        return LDR_E_CORRUPT;
    }
}
