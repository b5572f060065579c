/* Storage shape of a view: every slot that its versions ever gave, dropped ones too. */
#include "registry/state.h"

struct slots {
    const char *names[LDR_FEATURES_MAX];
    uint8_t types[LDR_FEATURES_MAX];
    bool dropped[LDR_FEATURES_MAX];
    uint32_t n;
};

/* Takes one version in; a slot must mean the same in all of them. */
static int add_version(struct slots *s, const struct ldr_view_def *v, bool live)
{
    for (uint32_t i = 0; i < v->nfeatures; i++) {
        const struct ldr_feature_def *f = &v->features[i];
        if (f->slot >= LDR_FEATURES_MAX)
            return LDR_E_CORRUPT;
        const char **name = &s->names[f->slot];
        if (*name && (strcmp(*name, f->about.name) != 0 || s->types[f->slot] != f->type))
            return LDR_E_CORRUPT;
        *name = f->about.name;
        s->types[f->slot] = f->type;
        s->dropped[f->slot] = !live;
        if (f->slot >= s->n)
            s->n = f->slot + 1;
    }
    return 0;
}

static int collect(const struct ldr_reg_thing *t, const struct ldr_view_def *live, struct slots *s)
{
    for (uint32_t i = 0; i < t->nversions; i++) {
        const struct ldr_about *def = t->versions[i]->def;
        if (!def || def->id != live->about.id || def == &live->about)
            continue;
        int rc = add_version(s, LDR_DEF(ldr_view_def, def), false);
        if (rc)
            return rc;
    }
    int rc = add_version(s, live, true);
    for (uint32_t i = 0; !rc && i < s->n; i++)
        rc = s->names[i] ? 0 : LDR_E_CORRUPT;
    return rc;
}

int ldr_reg_schema_build(const struct ldr_reg_thing *t, const struct ldr_defs *today, struct ldr_arena *a,
                         struct ldr_schema **out)
{
    const struct ldr_about *def = t->pending ? t->pending->def : t->versions[t->nversions - 1]->def;
    *out = NULL;
    if (!def)
        return 0;
    const struct ldr_view_def *live = LDR_DEF(ldr_view_def, def);
    const struct ldr_entity_def *e = ldr_def_find(today->entities, today->nentities, sizeof *e, live->entity);
    if (!e)
        return LDR_E_CORRUPT;
    struct ldr_arena scratch;
    ldr_arena_init(&scratch, a->heap, sizeof(struct slots) + 64);
    struct slots *s = ldr_arena_calloc(&scratch, 1, sizeof *s);
    int rc = s ? collect(t, live, s) : LDR_E_NOMEM;
    if (!rc)
        rc = ldr_schema_build(a, live->about.id, s->n, s->names, s->types, s->dropped, e->nkeys, e->key_types,
                              live->ttl_us, live->retention_us, out);
    ldr_arena_close(&scratch);
    return rc == LDR_E_INVALID ? LDR_E_CORRUPT : rc;
}
