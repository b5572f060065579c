/* A registry as a whole: its life, and what readers ask of it. */
#include "registry/state.h"

int ldr_registry_create(const struct ldr_heap *heap, struct ldr_registry **out)
{
    struct ldr_registry *r = ldr_calloc(heap, 1, sizeof *r);
    if (!r)
        return LDR_E_NOMEM;
    r->heap = heap;
    for (uint32_t k = 0; k < LDR_KINDS; k++)
        r->next_id[k] = 1;
    ldr_arena_init(&r->today_arena, heap, 4096);
    int rc = ldr_reg_today_build(r, NULL, 0, &r->today_arena, &r->today, &r->by_id);
    if (rc) {
        ldr_registry_destroy(r);
        return rc;
    }
    *out = r;
    return 0;
}

void ldr_registry_destroy(struct ldr_registry *r)
{
    if (!r)
        return;
    const struct ldr_heap *heap = r->heap;
    for (uint32_t k = 0; k < LDR_KINDS; k++) {
        for (uint32_t i = 0; i < r->tables[k].n; i++)
            ldr_reg_thing_destroy(heap, r->tables[k].things[i]);
        ldr_release(heap, r->tables[k].things);
    }
    ldr_arena_close(&r->today_arena);
    ldr_release(heap, r);
}

uint64_t ldr_registry_version(const struct ldr_registry *r)
{
    return r->version;
}

const struct ldr_entity_def *ldr_registry_entity(const struct ldr_registry *r, const char *name,
                                                 uint64_t version)
{
    return LDR_DEF(ldr_entity_def, ldr_reg_def_at(r, LDR_KIND_ENTITY, name, version));
}

const struct ldr_source_def *ldr_registry_source(const struct ldr_registry *r, const char *name,
                                                 uint64_t version)
{
    return LDR_DEF(ldr_source_def, ldr_reg_def_at(r, LDR_KIND_SOURCE, name, version));
}

const struct ldr_view_def *ldr_registry_view(const struct ldr_registry *r, const char *name, uint64_t version)
{
    return LDR_DEF(ldr_view_def, ldr_reg_def_at(r, LDR_KIND_VIEW, name, version));
}

const struct ldr_service_def *ldr_registry_service(const struct ldr_registry *r, const char *name,
                                                   uint64_t version)
{
    return LDR_DEF(ldr_service_def, ldr_reg_def_at(r, LDR_KIND_SERVICE, name, version));
}

const struct ldr_view_def *ldr_registry_view_by_id(const struct ldr_registry *r, uint32_t id)
{
    uint32_t lo = 0, hi = r->today.nviews;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (r->by_id[mid]->about.id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < r->today.nviews && r->by_id[lo]->about.id == id ? r->by_id[lo] : NULL;
}

const struct ldr_schema *ldr_registry_schema(const struct ldr_registry *r, const char *view)
{
    const struct ldr_reg_thing *t = ldr_reg_find(r, LDR_KIND_VIEW, view);
    return t ? t->schema : NULL;
}

const char *ldr_registry_project(const struct ldr_registry *r)
{
    return r->today.project;
}

bool ldr_registry_materialized(const struct ldr_registry *r, const char *view, int64_t *end_us)
{
    const struct ldr_reg_thing *t = ldr_reg_find(r, LDR_KIND_VIEW, view);
    if (!t || !t->materialized)
        return false;
    *end_us = t->end_us;
    return true;
}

const struct ldr_defs *ldr_registry_defs(const struct ldr_registry *r)
{
    return &r->today;
}
