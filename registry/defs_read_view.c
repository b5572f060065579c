/* Feature views and their features. */
#include "registry/defs_read.h"

#include <stdlib.h>

/* ---- Checks ---- */

/* One bound; false when there is none that can be used. */
static bool read_bound(struct ldr_reader *r, const struct ldr_node *node, unsigned type, const char *which,
                       struct ldr_value *out)
{
    if (!node)
        return false;
    const char *why = NULL;
    if (type == 0) /* the type was wrong, and told */
        return false;
    if (!ldr_check_bounds_apply(type)) {
        ldr_problem_add(r->problems, node->pos,
                        "found %s for a feature of type %s, expected a number or timestamp type for bounds",
                        which, ldr_type_name(type));
        return false;
    }
    if (node->kind != LDR_NODE_TEXT) {
        ldr_problem_add(r->problems, node->pos, "found %s as %s, expected a value of type %s",
                        ldr_read_found(r, node), which, ldr_type_name(type));
        return false;
    }
    int rc = ldr_value_parse(type, node->text, r->a, out, &why);
    if (rc == LDR_E_NOMEM)
        r->problems->err = rc;
    else if (rc)
        ldr_problem_add(r->problems, node->pos, "found %s as %s: %s", ldr_read_found(r, node), which, why);
    else if ((type == LDR_FLOAT32 && out->f32 != out->f32) || (type == LDR_FLOAT64 && out->f64 != out->f64))
        ldr_problem_add(r->problems, node->pos, "found NaN as %s, expected a number to compare with", which);
    else
        return true;
    return false;
}

static void read_checks(struct ldr_reader *r, const struct ldr_node *node, unsigned type,
                        struct ldr_checks *out)
{
    enum { MAX, MIN, NOT_NULL };
    static const char *const keys[] = {"max", "min", "not_null"};
    static const struct ldr_read_map spec = {"checks", keys, 3, 0};
    const struct ldr_node *v[LDR_READ_KEYS_MAX];
    out->min = out->max = (struct ldr_value){.type = (uint8_t)type, .null = true};
    if (!node || !ldr_read_map(r, &spec, node, v))
        return;
    out->not_null = ldr_read_bool(r, v[NOT_NULL], "not_null", false);
    out->has_min = read_bound(r, v[MIN], type, "min", &out->min);
    out->has_max = read_bound(r, v[MAX], type, "max", &out->max);
    if (out->has_min && out->has_max && ldr_value_cmp(&out->min, &out->max) > 0)
        ldr_problem_add(r->problems, v[MIN]->pos, "found min %s above max %s, expected min <= max",
                        ldr_read_found(r, v[MIN]), ldr_read_found(r, v[MAX]));
}

/* ---- Features ---- */

static void read_feature(struct ldr_reader *r, const struct ldr_node *node, struct ldr_view_def *view)
{
    enum { CHECKS, DESCRIPTION, NAME, OWNER, PII, TAGS, TYPE, UNIT };
    static const char *const keys[] = {"checks", "description", "name", "owner",
                                       "pii",    "tags",        "type", "unit"};
    static const struct ldr_read_map spec = {"a feature", keys, 8, 1u << NAME | 1u << TYPE};
    const struct ldr_node *v[LDR_READ_KEYS_MAX];
    if (!ldr_read_map(r, &spec, node, v))
        return;
    struct ldr_feature_def f = {.about.pos = node->pos};
    ldr_read_about(r, v[NAME], "the name of a feature", v[DESCRIPTION], v[OWNER], v[TAGS], &f.about);
    f.type = ldr_read_type(r, v[TYPE], false);
    f.unit = ldr_read_text(r, v[UNIT], "a unit");
    f.pii = ldr_read_bool(r, v[PII], "pii", false);
    read_checks(r, v[CHECKS], f.type, &f.checks);
    if (f.about.name[0])
        view->features[view->nfeatures++] = f;
}

static int feature_place_cmp(const void *pa, const void *pb)
{
    const struct ldr_feature_def *a = pa, *b = pb;
    int c = strcmp(a->about.name, b->about.name);
    return c ? c : ldr_pos_cmp(&a->about.pos, &b->about.pos);
}

static void read_features(struct ldr_reader *r, const struct ldr_node *node, struct ldr_view_def *view)
{
    if (!ldr_read_is_list(r, node, "features such as {name: temp_f, type: float64}"))
        return;
    if (node->n == 0 || node->n > LDR_FEATURES_MAX) {
        ldr_problem_add(r->problems, node->pos, "found %u features, expected 1 to %d", node->n,
                        LDR_FEATURES_MAX);
        return;
    }
    view->features = ldr_read_calloc(r, node->n, sizeof *view->features);
    if (!view->features)
        return;
    for (const struct ldr_node *f = node->first; f && !ldr_problem_sink_full(r->problems); f = f->next)
        read_feature(r, f, view);
    qsort(view->features, view->nfeatures, sizeof *view->features, feature_place_cmp);
    for (uint32_t i = 1; i < view->nfeatures; i++) {
        const struct ldr_about *a = &view->features[i - 1].about, *b = &view->features[i].about;
        if (strcmp(a->name, b->name) == 0)
            ldr_problem_add(r->problems, b->pos, "found feature '%s' again, first at line %u", b->name,
                            a->pos.line);
    }
}

/* ---- Views ---- */

void ldr_read_view(struct ldr_reader *r, const struct ldr_node *node)
{
    enum { DESCRIPTION, ENTITY, FEATURES, NAME, ONLINE, OWNER, RETENTION, SOURCE, TAGS, TTL };
    static const char *const keys[] = {"description", "entity",    "features", "name", "online",
                                       "owner",       "retention", "source",   "tags", "ttl"};
    static const struct ldr_read_map spec = {"a feature view", keys, 10,
                                             1u << NAME | 1u << ENTITY | 1u << FEATURES};
    const struct ldr_node *v[LDR_READ_KEYS_MAX];
    if (!ldr_read_map(r, &spec, node, v))
        return;
    struct ldr_read_view view = {
        .def.about.pos = node->pos, .entity_pos = node->pos, .source_pos = node->pos};
    struct ldr_view_def *d = &view.def;
    ldr_read_about(r, v[NAME], "the name of a feature view", v[DESCRIPTION], v[OWNER], v[TAGS], &d->about);
    d->entity = ldr_read_name(r, v[ENTITY], "the name of an entity");
    d->source = ldr_read_name(r, v[SOURCE], "the name of a source");
    if (v[ENTITY])
        view.entity_pos = v[ENTITY]->pos;
    if (v[SOURCE])
        view.source_pos = v[SOURCE]->pos;
    d->ttl_us = ldr_read_duration(r, v[TTL], "a ttl");
    d->retention_us = ldr_read_duration(r, v[RETENTION], "a retention");
    if (d->retention_us && d->ttl_us > d->retention_us)
        ldr_problem_add(
            r->problems, v[RETENTION]->pos,
            "found retention %s shorter than ttl %s, expected at least the ttl: facts would vanish while "
            "they still answer",
            ldr_read_found(r, v[RETENTION]), ldr_read_found(r, v[TTL]));
    d->online = ldr_read_bool(r, v[ONLINE], "online", true);
    read_features(r, v[FEATURES], d);
    struct ldr_read_view *out = ldr_read_push(r, &r->views, node->pos);
    if (out)
        *out = view;
}
