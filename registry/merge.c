/* What an apply comes to: which things change, with the ids and slots they get, and what must be refused.
 * Pure: the plan shows it, the step makes it so, and both are sure to agree. */
#include "registry/state.h"

struct merger {
    const struct ldr_registry *r;
    const struct ldr_defs *d;
    struct ldr_arena *a;
    struct ldr_reg_merge *out;
    struct ldr_problem_sink problems;
    struct ldr_buf bytes; /* scratch: canonical form of what is looked at */
};

static uint32_t new_id(struct merger *m, enum ldr_kind kind)
{
    uint32_t *next = &m->out->next_id[kind];
    if (*next == UINT32_MAX) {
        ldr_problem_add(&m->problems, m->d->pos, "no more ids for another %s", ldr_kind_name(kind));
        return UINT32_MAX;
    }
    return (*next)++;
}

/* Adds the thing to what changes, unless its bytes are those of the live version. */
static void settle(struct merger *m, enum ldr_kind kind, const char *name, const struct ldr_about *now)
{
    const struct ldr_reg_thing *t = ldr_reg_find(m->r, kind, name);
    const struct ldr_reg_version *live = t && t->nversions ? t->versions[t->nversions - 1] : NULL;
    ldr_buf_reset(&m->bytes);
    if (ldr_def_encode(kind, now, &m->bytes)) {
        m->problems.err = LDR_E_NOMEM;
        return;
    }
    if (live && live->def && ldr_slice_eq(live->bytes, ldr_buf_slice(&m->bytes)))
        return;
    m->out->items[m->out->nitems++] =
        (struct ldr_reg_merge_item){kind, name, live ? live->def : NULL, now, now->pos};
}

static void *copy_def(struct merger *m, const void *def, size_t size)
{
    void *copy = ldr_arena_alloc(m->a, size);
    if (copy)
        memcpy(copy, def, size);
    else
        m->problems.err = LDR_E_NOMEM;
    return copy;
}

/* ---- Entities, sources, services ---- */

static void merge_entity(struct merger *m, const struct ldr_entity_def *def)
{
    struct ldr_entity_def *now = copy_def(m, def, sizeof *def);
    const struct ldr_entity_def *old = ldr_registry_entity(m->r, def->about.name, 0);
    if (!now)
        return;
    now->about.id = old ? old->about.id : new_id(m, LDR_KIND_ENTITY);
    bool same = !old || (old->nkeys == def->nkeys && memcmp(old->key_types, def->key_types, def->nkeys) == 0);
    for (uint32_t i = 0; same && old && i < def->nkeys; i++)
        same = strcmp(old->keys[i], def->keys[i]) == 0;
    if (!same) {
        const char *from = ldr_keys_text(m->a, old), *to = ldr_keys_text(m->a, def);
        if (!from || !to)
            m->problems.err = LDR_E_NOMEM;
        else
            ldr_problem_add(
                &m->problems, def->about.pos,
                "entity '%s': join keys cannot change from (%s) to (%s), stored facts are keyed by them: "
                "declare an entity of another name, or delete this one and what uses it, then apply",
                def->about.name, from, to);
    }
    settle(m, LDR_KIND_ENTITY, def->about.name, &now->about);
}

static void merge_source(struct merger *m, const struct ldr_source_def *def)
{
    struct ldr_source_def *now = copy_def(m, def, sizeof *def);
    const struct ldr_source_def *old = ldr_registry_source(m->r, def->about.name, 0);
    if (!now)
        return;
    now->about.id = old ? old->about.id : new_id(m, LDR_KIND_SOURCE);
    settle(m, LDR_KIND_SOURCE, def->about.name, &now->about);
}

static void merge_service(struct merger *m, const struct ldr_service_def *def)
{
    struct ldr_service_def *now = copy_def(m, def, sizeof *def);
    const struct ldr_service_def *old = ldr_registry_service(m->r, def->about.name, 0);
    if (!now)
        return;
    now->about.id = old ? old->about.id : new_id(m, LDR_KIND_SERVICE);
    settle(m, LDR_KIND_SERVICE, def->about.name, &now->about);
}

/* ---- Views ---- */

/* Old features keep slot and id; new ones get the next, in name order. */
static void give_slots(struct merger *m, struct ldr_view_def *now, const struct ldr_view_def *old)
{
    const struct ldr_schema *schema = old ? ldr_registry_schema(m->r, old->about.name) : NULL;
    uint32_t next = schema ? schema->ncols : 0;
    for (uint32_t i = 0; i < now->nfeatures; i++) {
        struct ldr_feature_def *f = &now->features[i];
        const struct ldr_feature_def *was = old ? ldr_view_feature(old, f->about.name) : NULL;
        if (was && was->type != f->type)
            ldr_problem_add(
                &m->problems, f->about.pos,
                "feature '%s:%s': type cannot change from %s to %s, stored rows hold the old one: add a "
                "feature of another name, or delete feature %s:%s (its values are then gone) and apply "
                "again",
                now->about.name, f->about.name, ldr_type_name(was->type), ldr_type_name(f->type),
                now->about.name, f->about.name);
        f->slot = was ? was->slot : next++;
        f->about.id = was ? was->about.id : new_id(m, LDR_KIND_FEATURE);
    }
    if (next > LDR_FEATURES_MAX)
        ldr_problem_add(
            &m->problems, now->about.pos,
            "feature view '%s': found %u features ever declared, removed ones among them, expected at "
            "most %d: declare a feature view of another name",
            now->about.name, next, LDR_FEATURES_MAX);
}

/* Features that go: not while a service, as it will be after this apply, names them. */
static void check_removed(struct merger *m, const struct ldr_view_def *now,
                          const struct ldr_feature_def *gone)
{
    struct ldr_scope scope = {m->d, &m->r->today};
    for (uint32_t i = 0; i < m->r->today.nservices; i++) {
        const struct ldr_service_def *s = &m->r->today.services[i];
        if (ldr_scope_service(&scope, s->about.name) != s)
            continue; /* declared in this apply: its references are checked there */
        for (uint32_t k = 0; k < s->nitems; k++) {
            if (strcmp(s->items[k].view, now->about.name) == 0 &&
                strcmp(s->items[k].feature, gone->about.name) == 0)
                ldr_problem_add(
                    &m->problems, now->about.pos,
                    "feature '%s:%s': cannot be removed, feature service '%s' names it: change that "
                    "service in the same apply, or delete it first",
                    now->about.name, gone->about.name, s->about.name);
        }
    }
}

static void merge_view(struct merger *m, const struct ldr_view_def *def)
{
    struct ldr_view_def *now = copy_def(m, def, sizeof *def);
    struct ldr_feature_def *features = copy_def(m, def->features, def->nfeatures * sizeof *features);
    const struct ldr_view_def *old = ldr_registry_view(m->r, def->about.name, 0);
    if (!now || !features)
        return;
    now->features = features;
    now->about.id = old ? old->about.id : new_id(m, LDR_KIND_VIEW);
    if (old && strcmp(old->entity, def->entity) != 0)
        ldr_problem_add(
            &m->problems, def->about.pos,
            "feature view '%s': entity cannot change from '%s' to '%s', stored facts are keyed by the old "
            "one: declare a feature view of another name, or delete this one and apply again",
            def->about.name, old->entity, def->entity);
    give_slots(m, now, old);
    for (uint32_t i = 0; old && i < old->nfeatures; i++) {
        if (!ldr_view_feature(now, old->features[i].about.name))
            check_removed(m, now, &old->features[i]);
    }
    settle(m, LDR_KIND_VIEW, def->about.name, &now->about);
}

/* ---- The project, and all of it ---- */

/* Files that say nothing about the project leave it alone. */
static void merge_project(struct merger *m)
{
    const struct ldr_defs *d = m->d;
    if (!d->project[0] && !d->description[0])
        return;
    struct ldr_project_def *now = ldr_arena_calloc(m->a, 1, sizeof *now);
    if (!now) {
        m->problems.err = LDR_E_NOMEM;
        return;
    }
    now->about = (struct ldr_about){.name = d->project[0] ? d->project : m->r->today.project,
                                    .description = d->description,
                                    .owner = "",
                                    .pos = d->pos};
    settle(m, LDR_KIND_PROJECT, "", &now->about);
}

static void merge_all(struct merger *m)
{
    const struct ldr_defs *d = m->d;
    for (uint32_t i = 0; i < d->nentities && !m->problems.err; i++)
        merge_entity(m, &d->entities[i]);
    for (uint32_t i = 0; i < d->nsources && !m->problems.err; i++)
        merge_source(m, &d->sources[i]);
    for (uint32_t i = 0; i < d->nviews && !m->problems.err; i++)
        merge_view(m, &d->views[i]);
    for (uint32_t i = 0; i < d->nservices && !m->problems.err; i++)
        merge_service(m, &d->services[i]);
    if (!m->problems.err)
        merge_project(m);
    struct ldr_scope scope = {d, &m->r->today};
    if (!m->problems.err)
        ldr_defs_check_refs(&scope, NULL, &m->problems);
    const struct ldr_reg_merge *out = m->out;
    uint32_t views = m->r->today.nviews;
    for (uint32_t i = 0; i < out->nitems; i++)
        views += out->items[i].kind == LDR_KIND_VIEW && !out->items[i].old;
    if (views > LDR_VIEWS_MAX)
        ldr_problem_add(&m->problems, d->pos, "found %u feature views in all, expected at most %d", views,
                        LDR_VIEWS_MAX);
}

int ldr_reg_merge(const struct ldr_registry *r, const struct ldr_defs *d, struct ldr_arena *a,
                  struct ldr_reg_merge *out)
{
    struct merger m = {.r = r, .d = d, .a = a, .out = out};
    *out = (struct ldr_reg_merge){0};
    memcpy(out->next_id, r->next_id, sizeof out->next_id);
    ldr_problem_sink_init(&m.problems, a);
    size_t most = (size_t)d->nentities + d->nsources + d->nviews + d->nservices + 1;
    out->items = ldr_arena_calloc(a, most, sizeof *out->items);
    if (!out->items)
        return LDR_E_NOMEM;
    ldr_buf_init(&m.bytes, a->heap, 0);
    merge_all(&m);
    ldr_buf_close(&m.bytes);
    return ldr_problem_sink_finish(&m.problems, &out->problems);
}
