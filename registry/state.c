/* The pieces of the registry's state: things, versions, tables, and what is declared today. */
#include "registry/state.h"

#include <stdlib.h>

const enum ldr_kind ldr_reg_kinds[LDR_REG_NKINDS] = {LDR_KIND_ENTITY, LDR_KIND_SOURCE, LDR_KIND_VIEW,
                                                     LDR_KIND_SERVICE, LDR_KIND_PROJECT};

/* ---- Versions ---- */

int ldr_reg_version_create(const struct ldr_heap *heap, enum ldr_kind kind, uint64_t version, int64_t at_us,
                           struct ldr_slice def_bytes, struct ldr_reg_version **out)
{
    struct ldr_reg_version *v = ldr_calloc(heap, 1, sizeof *v);
    if (!v)
        return LDR_E_NOMEM;
    v->version = version;
    v->at_us = at_us;
    ldr_arena_init(&v->arena, heap, 512 + 3 * def_bytes.n);
    int rc = 0;
    if (def_bytes.n) {
        rc = ldr_arena_slice(&v->arena, def_bytes, &v->bytes);
        struct ldr_cursor c = ldr_cursor(def_bytes);
        if (!rc)
            rc = ldr_def_decode(&v->arena, kind, &c, false, &v->def);
        if (!rc)
            rc = ldr_cursor_end(&c);
    }
    if (rc) {
        ldr_reg_version_destroy(heap, v);
        return rc;
    }
    *out = v;
    return 0;
}

void ldr_reg_version_destroy(const struct ldr_heap *heap, struct ldr_reg_version *v)
{
    if (!v)
        return;
    ldr_arena_close(&v->arena);
    ldr_release(heap, v);
}

const struct ldr_reg_version *ldr_reg_version_at(const struct ldr_reg_thing *t, uint64_t version)
{
    uint32_t lo = 0, hi = t->nversions;
    if (version == 0)
        return hi ? t->versions[hi - 1] : NULL;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (t->versions[mid]->version <= version)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo ? t->versions[lo - 1] : NULL;
}

const struct ldr_about *ldr_reg_def_at(const struct ldr_registry *r, enum ldr_kind kind, const char *name,
                                       uint64_t version)
{
    const struct ldr_reg_thing *t = ldr_reg_find(r, kind, name);
    const struct ldr_reg_version *v = t ? ldr_reg_version_at(t, version) : NULL;
    return v ? v->def : NULL;
}

/* ---- Things and tables ---- */

struct ldr_reg_thing *ldr_reg_thing_create(const struct ldr_heap *heap, const char *name)
{
    size_t n = strlen(name);
    LDR_ASSERT(n <= LDR_NAME_MAX);
    struct ldr_reg_thing *t = ldr_calloc(heap, 1, sizeof *t);
    if (!t)
        return NULL;
    memcpy(t->name, name, n);
    ldr_arena_init(&t->schema_arena, heap, 1024);
    return t;
}

void ldr_reg_thing_destroy(const struct ldr_heap *heap, struct ldr_reg_thing *t)
{
    if (!t)
        return;
    for (uint32_t i = 0; i < t->nversions; i++)
        ldr_reg_version_destroy(heap, t->versions[i]);
    ldr_release(heap, t->versions);
    ldr_arena_close(&t->schema_arena);
    ldr_release(heap, t);
}

int ldr_reg_thing_reserve(const struct ldr_heap *heap, struct ldr_reg_thing *t)
{
    if (t->nversions < t->cap)
        return 0;
    uint32_t cap = t->cap ? t->cap * 2 : 2;
    void *p = ldr_resize(heap, t->versions, cap * sizeof(void *));
    if (!p)
        return LDR_E_NOMEM;
    t->versions = p;
    t->cap = cap;
    return 0;
}

int ldr_reg_table_reserve(const struct ldr_heap *heap, struct ldr_reg_table *t, uint32_t more)
{
    if (more <= t->cap - t->n)
        return 0;
    size_t cap = t->cap * (size_t)2 > (size_t)t->n + more ? t->cap * (size_t)2 : (size_t)t->n + more;
    if (cap > UINT32_MAX)
        return LDR_E_NOMEM;
    void *p = ldr_resize(heap, t->things, cap * sizeof(void *));
    if (!p)
        return LDR_E_NOMEM;
    t->things = p;
    t->cap = (uint32_t)cap;
    return 0;
}

/* Place of the name, or where it would go. */
static uint32_t table_place(const struct ldr_reg_table *t, const char *name)
{
    uint32_t lo = 0, hi = t->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (strcmp(t->things[mid]->name, name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void ldr_reg_table_insert(struct ldr_reg_table *t, struct ldr_reg_thing *thing)
{
    LDR_ASSERT(t->n < t->cap);
    uint32_t at = table_place(t, thing->name);
    memmove(t->things + at + 1, t->things + at, (t->n - at) * sizeof(void *));
    t->things[at] = thing;
    t->n++;
}

struct ldr_reg_thing *ldr_reg_find(const struct ldr_registry *r, enum ldr_kind kind, const char *name)
{
    const struct ldr_reg_table *t = &r->tables[kind];
    uint32_t at = table_place(t, name);
    return at < t->n && strcmp(t->things[at]->name, name) == 0 ? t->things[at] : NULL;
}

bool ldr_reg_split_feature(const char *name, char *view, const char **feature)
{
    const char *colon = strchr(name, ':');
    size_t n = colon ? (size_t)(colon - name) : 0;
    if (!colon || n > LDR_NAME_MAX)
        return false;
    memcpy(view, name, n);
    view[n] = '\0';
    *feature = colon + 1;
    return ldr_name_valid(ldr_slice(view, n)) && ldr_name_valid(ldr_slice_str(*feature));
}

/* ---- Today ---- */

static size_t def_size(enum ldr_kind kind)
{
    switch (kind) {
    case LDR_KIND_ENTITY:
        return sizeof(struct ldr_entity_def);
    case LDR_KIND_SOURCE:
        return sizeof(struct ldr_source_def);
    case LDR_KIND_VIEW:
        return sizeof(struct ldr_view_def);
    default:
        return sizeof(struct ldr_service_def);
    }
}

static const struct ldr_about *def_to_be(const struct ldr_reg_thing *t)
{
    if (t->pending)
        return t->pending->def;
    return t->nversions ? t->versions[t->nversions - 1]->def : NULL;
}

/* Live definitions of one kind, copied (shallow) to a sorted array; out_array is the address of a pointer to
 * its type. */
static int today_of(const struct ldr_registry *r, enum ldr_kind kind, const struct ldr_reg_fresh *fresh,
                    uint32_t nfresh, struct ldr_arena *a, void *out_array, uint32_t *out_n)
{
    size_t size = def_size(kind);
    const struct ldr_reg_table *table = &r->tables[kind];
    uint32_t n = 0;
    char *list = ldr_arena_calloc(a, (size_t)table->n + nfresh + 1, size);
    if (!list)
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < table->n; i++) {
        const struct ldr_about *def = def_to_be(table->things[i]);
        if (def)
            memcpy(list + size * n++, def, size);
    }
    uint32_t settled = n;
    for (uint32_t i = 0; i < nfresh; i++) {
        const struct ldr_about *def = fresh[i].kind == kind ? def_to_be(fresh[i].thing) : NULL;
        if (def)
            memcpy(list + size * n++, def, size);
    }
    if (n > settled)
        qsort(list, n, size, ldr_about_cmp);
    memcpy(out_array, &list, sizeof list);
    *out_n = n;
    return 0;
}

static int view_id_cmp(const void *pa, const void *pb)
{
    const struct ldr_view_def *const *a = pa, *const *b = pb;
    return ((*a)->about.id > (*b)->about.id) - ((*a)->about.id < (*b)->about.id);
}

int ldr_reg_today_build(const struct ldr_registry *r, const struct ldr_reg_fresh *fresh, uint32_t nfresh,
                        struct ldr_arena *a, struct ldr_defs *out, const struct ldr_view_def ***by_id)
{
    *out = (struct ldr_defs){.project = "", .description = "", .store = "", .pos = {.file = ""}};
    int rc = today_of(r, LDR_KIND_ENTITY, fresh, nfresh, a, &out->entities, &out->nentities);
    if (!rc)
        rc = today_of(r, LDR_KIND_SOURCE, fresh, nfresh, a, &out->sources, &out->nsources);
    if (!rc)
        rc = today_of(r, LDR_KIND_VIEW, fresh, nfresh, a, &out->views, &out->nviews);
    if (!rc)
        rc = today_of(r, LDR_KIND_SERVICE, fresh, nfresh, a, &out->services, &out->nservices);
    if (rc)
        return rc;
    const struct ldr_about *project = NULL;
    if (r->tables[LDR_KIND_PROJECT].n)
        project = def_to_be(r->tables[LDR_KIND_PROJECT].things[0]);
    for (uint32_t i = 0; i < nfresh; i++) {
        if (fresh[i].kind == LDR_KIND_PROJECT)
            project = def_to_be(fresh[i].thing);
    }
    if (project) {
        out->project = project->name;
        out->description = project->description;
    }
    const struct ldr_view_def **ids = ldr_arena_calloc(a, out->nviews + (size_t)1, sizeof *ids);
    if (!ids)
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < out->nviews; i++)
        ids[i] = &out->views[i];
    qsort(ids, out->nviews, sizeof *ids, view_id_cmp);
    *by_id = ids;
    return 0;
}
