/* References among definitions: does everything that is named exist? The same check serves fresh files, an
 * apply that was made against an older registry, and a snapshot. */
#include "registry/defs.h"
#include "registry/suggest.h"

#include <stdlib.h>

#define OFFER_ALL(sug, scope, array, count)                                    \
    do {                                                                       \
        for (uint32_t o = 0; o < (scope)->own->count; o++)                     \
            ldr_suggest_offer((sug), (scope)->own->array[o].about.name);       \
        for (uint32_t o = 0; (scope)->known && o < (scope)->known->count; o++) \
            ldr_suggest_offer((sug), (scope)->known->array[o].about.name);     \
    } while (0)

static struct ldr_pos place_or(const struct ldr_pos *places, uint32_t i, struct ldr_pos other)
{
    return places ? places[i] : other;
}

static void check_view(const struct ldr_scope *s, const struct ldr_view_def *v, struct ldr_pos entity_pos,
                       struct ldr_pos source_pos, struct ldr_problem_sink *problems)
{
    struct ldr_suggest sug;
    const struct ldr_entity_def *e = v->entity[0] ? ldr_scope_entity(s, v->entity) : NULL;
    if (v->entity[0] && !e) {
        ldr_suggest_init(&sug, ldr_slice_str(v->entity));
        OFFER_ALL(&sug, s, entities, nentities);
        ldr_problem_add(problems, entity_pos,
                        "feature view '%s': found entity '%s', which is not declared%s%s%s", v->about.name,
                        v->entity, LDR_SUGGEST(&sug));
    }
    if (v->source[0] && !ldr_scope_source(s, v->source)) {
        ldr_suggest_init(&sug, ldr_slice_str(v->source));
        OFFER_ALL(&sug, s, sources, nsources);
        ldr_problem_add(problems, source_pos,
                        "feature view '%s': found source '%s', which is not declared%s%s%s", v->about.name,
                        v->source, LDR_SUGGEST(&sug));
    }
    for (uint32_t i = 0; e && i < v->nfeatures; i++) {
        if (ldr_entity_has_key(e, v->features[i].about.name))
            ldr_problem_add(
                problems, v->features[i].about.pos,
                "feature view '%s': found feature '%s', which is a join key of entity '%s': give the "
                "feature another name",
                v->about.name, v->features[i].about.name, e->about.name);
    }
}

static void check_service(const struct ldr_scope *s, const struct ldr_service_def *service,
                          struct ldr_problem_sink *problems)
{
    for (uint32_t i = 0; i < service->nitems && !ldr_problem_sink_full(problems); i++) {
        const struct ldr_service_item *item = &service->items[i];
        struct ldr_suggest sug;
        const struct ldr_view_def *v = ldr_scope_view(s, item->view);
        if (!v) {
            ldr_suggest_init(&sug, ldr_slice_str(item->view));
            OFFER_ALL(&sug, s, views, nviews);
            ldr_problem_add(problems, item->pos,
                            "feature service '%s': found feature view '%s', which is not declared%s%s%s",
                            service->about.name, item->view, LDR_SUGGEST(&sug));
        } else if (item->feature[0] && v->nfeatures && !ldr_view_feature(v, item->feature)) {
            ldr_suggest_init(&sug, ldr_slice_str(item->feature));
            for (uint32_t f = 0; f < v->nfeatures; f++)
                ldr_suggest_offer(&sug, v->features[f].about.name);
            ldr_problem_add(
                problems, item->pos,
                "feature service '%s': found '%s:%s', but feature view '%s' has no feature '%s'%s%s%s",
                service->about.name, item->view, item->feature, item->view, item->feature, LDR_SUGGEST(&sug));
        }
    }
}

void ldr_defs_check_refs(const struct ldr_scope *s, const struct ldr_def_places *places,
                         struct ldr_problem_sink *problems)
{
    const struct ldr_defs *d = s->own;
    for (uint32_t i = 0; i < d->nviews && !ldr_problem_sink_full(problems); i++) {
        struct ldr_pos pos = d->views[i].about.pos;
        check_view(s, &d->views[i], place_or(places ? places->view_entity : NULL, i, pos),
                   place_or(places ? places->view_source : NULL, i, pos), problems);
    }
    for (uint32_t i = 0; i < d->nservices && !ldr_problem_sink_full(problems); i++)
        check_service(s, &d->services[i], problems);
}

/* ---- columns of sources ---- */

static int reader_cmp(const void *pa, const void *pb)
{
    const struct ldr_view_def *const *a = pa, *const *b = pb;
    int c = strcmp((*a)->source, (*b)->source);
    return c ? c : strcmp((*a)->about.name, (*b)->about.name);
}

/* All views of the scope that read a source, sorted by it. */
static const struct ldr_view_def **readers_of_sources(const struct ldr_scope *s, struct ldr_arena *a,
                                                      uint32_t *n)
{
    uint32_t known = s->known ? s->known->nviews : 0;
    const struct ldr_view_def **list = ldr_arena_calloc(a, (size_t)s->own->nviews + known, sizeof(void *));
    *n = 0;
    if (!list)
        return NULL;
    for (uint32_t i = 0; i < s->own->nviews; i++) {
        if (s->own->views[i].source[0])
            list[(*n)++] = &s->own->views[i];
    }
    for (uint32_t i = 0; i < known; i++) {
        const struct ldr_view_def *v = &s->known->views[i];
        if (v->source[0] && ldr_scope_view(s, v->about.name) == v)
            list[(*n)++] = v;
    }
    qsort(list, *n, sizeof *list, reader_cmp);
    return list;
}

/* Whether a view among the readers has the name, as a feature or a join key; offers what they have. */
static bool readers_have(const struct ldr_scope *s, const struct ldr_view_def *const *readers, uint32_t n,
                         const char *name, struct ldr_suggest *sug)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct ldr_view_def *v = readers[i];
        const struct ldr_entity_def *e = ldr_scope_entity(s, v->entity);
        if (!e || !v->nfeatures || ldr_view_feature(v, name) || ldr_entity_has_key(e, name))
            return true; /* an unknown entity, or features that were not readable, are told elsewhere */
        for (uint32_t f = 0; f < v->nfeatures; f++)
            ldr_suggest_offer(sug, v->features[f].about.name);
        for (uint32_t k = 0; k < e->nkeys; k++)
            ldr_suggest_offer(sug, e->keys[k]);
    }
    return false;
}

void ldr_defs_check_columns(const struct ldr_scope *s, const struct ldr_def_places *places,
                            struct ldr_problem_sink *problems)
{
    uint32_t n, at = 0;
    const struct ldr_view_def **readers = readers_of_sources(s, problems->arena, &n);
    if (!readers) {
        problems->err = LDR_E_NOMEM;
        return;
    }
    for (uint32_t i = 0; i < s->own->nsources && !ldr_problem_sink_full(problems); i++) {
        const struct ldr_source_def *src = &s->own->sources[i];
        while (at < n && strcmp(readers[at]->source, src->about.name) < 0)
            at++;
        uint32_t end = at;
        while (end < n && strcmp(readers[end]->source, src->about.name) == 0)
            end++;
        for (uint32_t c = 0; c < src->ncolumns && end > at; c++) {
            struct ldr_suggest sug;
            ldr_suggest_init(&sug, ldr_slice_str(src->columns[c].feature));
            if (!readers_have(s, readers + at, end - at, src->columns[c].feature, &sug))
                ldr_problem_add(
                    problems, places ? places->source_columns[i][c] : src->about.pos,
                    "source '%s': found '%s' in columns, expected a feature or join key of a feature "
                    "view that reads this source%s%s%s",
                    src->about.name, src->columns[c].feature, LDR_SUGGEST(&sug));
        }
    }
}
