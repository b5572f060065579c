/* The plan: what an apply would do, for people to read first. */
#include "registry/state.h"

static int add_changes(const struct ldr_reg_merge *merge, struct ldr_arena *a, struct ldr_plan *out)
{
    out->changes = ldr_arena_calloc(a, merge->nitems ? merge->nitems : 1, sizeof *out->changes);
    if (!out->changes)
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < merge->nitems; i++) {
        const struct ldr_reg_merge_item *item = &merge->items[i];
        struct ldr_change *c = &out->changes[out->nchanges++];
        *c = (struct ldr_change){item->old ? LDR_CHANGE_UPDATE : LDR_CHANGE_ADD, item->kind, item->now->name,
                                 NULL, 0};
        int rc = ldr_def_diff(a, item->kind, item->old, item->now, &c->lines, &c->nlines);
        if (rc)
            return rc;
    }
    return 0;
}

/* Adds those of today's things of one kind that the files do not have. */
static int keep(struct ldr_plan *out, struct ldr_arena *a, enum ldr_kind kind, size_t size, const void *today,
                uint32_t ntoday, const void *files, uint32_t nfiles)
{
    for (uint32_t i = 0; i < ntoday; i++) {
        const struct ldr_about *def = (const void *)((const char *)today + i * size);
        if (ldr_def_find(files, nfiles, size, def->name))
            continue;
        const char *text = ldr_arena_printf(a, "%s %s", ldr_kind_name(kind), def->name);
        if (!text)
            return LDR_E_NOMEM;
        out->kept[out->nkept++] = text;
    }
    return 0;
}

static int add_kept(const struct ldr_registry *r, const struct ldr_defs *d, struct ldr_arena *a,
                    struct ldr_plan *out)
{
    size_t most = (size_t)r->today.nentities + r->today.nsources + r->today.nviews + r->today.nservices;
    out->kept = ldr_arena_calloc(a, most + 1, sizeof *out->kept);
    if (!out->kept)
        return LDR_E_NOMEM;
    const struct ldr_defs *t = &r->today;
    int rc = keep(out, a, LDR_KIND_ENTITY, sizeof *t->entities, t->entities, t->nentities, d->entities,
                  d->nentities);
    if (!rc)
        rc = keep(out, a, LDR_KIND_SOURCE, sizeof *t->sources, t->sources, t->nsources, d->sources,
                  d->nsources);
    if (!rc)
        rc = keep(out, a, LDR_KIND_VIEW, sizeof *t->views, t->views, t->nviews, d->views, d->nviews);
    if (!rc)
        rc = keep(out, a, LDR_KIND_SERVICE, sizeof *t->services, t->services, t->nservices, d->services,
                  d->nservices);
    return rc;
}

int ldr_registry_plan(const struct ldr_registry *r, const struct ldr_defs *d, struct ldr_arena *a,
                      struct ldr_plan *out)
{
    struct ldr_reg_merge merge;
    *out = (struct ldr_plan){.version = r->version};
    int rc = ldr_reg_merge(r, d, a, &merge);
    if (rc)
        return rc;
    out->problems = merge.problems;
    rc = add_changes(&merge, a, out);
    return rc ? rc : add_kept(r, d, a, out);
}
