/* Canonical bytes to definitions: the mirror of defs_encode.c, for bytes that anyone may have made. */
#include "registry/defs.h"

struct decoder {
    struct ldr_arena *a;
    struct ldr_cursor *c; /* c->err: corrupt */
    int err;              /* LDR_E_NOMEM */
};

static const struct ldr_about no_about = {.name = "", .description = "", .owner = "", .pos = {.file = ""}};

static bool failed(const struct decoder *d)
{
    return d->err || d->c->err;
}

static void corrupt(struct decoder *d)
{
    d->c->err = LDR_E_CORRUPT;
}

static const char *get_text(struct decoder *d)
{
    struct ldr_slice s = ldr_cursor_bytes(d->c, LDR_TEXT_MAX);
    if (failed(d) || s.n == 0)
        return "";
    if (!ldr_text_valid(s)) {
        corrupt(d);
        return "";
    }
    const char *copy = ldr_arena_strndup(d->a, (const char *)s.p, s.n);
    if (!copy)
        d->err = LDR_E_NOMEM;
    return copy ? copy : "";
}

static bool get_flag(struct decoder *d)
{
    uint8_t v = ldr_cursor_u8(d->c);
    if (v > 1)
        corrupt(d);
    return v == 1;
}

/* An array for a count that was read; NULL (and *n 0) when empty or on failure. */
static void *get_array(struct decoder *d, size_t min_size, uint32_t max, size_t size, uint32_t *n)
{
    *n = ldr_cursor_count(d->c, min_size);
    if (*n > max)
        corrupt(d);
    void *p = NULL;
    if (!failed(d) && *n) {
        p = ldr_arena_calloc(d->a, *n, size);
        if (!p)
            d->err = LDR_E_NOMEM;
    }
    if (!p)
        *n = 0;
    return p;
}

static void get_about(struct decoder *d, struct ldr_about *b)
{
    *b = no_about;
    b->name = get_text(d);
    b->description = get_text(d);
    b->owner = get_text(d);
    b->tags = get_array(d, 8, LDR_TAGS_MAX, sizeof *b->tags, &b->ntags);
    for (uint32_t i = 0; i < b->ntags; i++) {
        b->tags[i].key = get_text(d);
        b->tags[i].value = get_text(d);
    }
    b->id = ldr_cursor_u32(d->c);
}

static void get_entity(struct decoder *d, struct ldr_entity_def *e)
{
    e->keys = get_array(d, 5, LDR_KEY_PARTS_MAX, sizeof *e->keys, &e->nkeys);
    e->key_types = ldr_arena_calloc(d->a, LDR_KEY_PARTS_MAX, 1);
    if (!e->key_types) {
        d->err = LDR_E_NOMEM;
        return;
    }
    for (uint32_t i = 0; i < e->nkeys; i++) {
        e->keys[i] = get_text(d);
        e->key_types[i] = ldr_cursor_u8(d->c);
    }
}

static void get_source(struct decoder *d, struct ldr_source_def *s)
{
    s->push = get_flag(d);
    s->format = get_text(d);
    s->path = get_text(d);
    s->event_column = get_text(d);
    s->created_column = get_text(d);
    s->columns = get_array(d, 8, UINT32_MAX, sizeof *s->columns, &s->ncolumns);
    for (uint32_t i = 0; i < s->ncolumns; i++) {
        s->columns[i].feature = get_text(d);
        s->columns[i].column = get_text(d);
    }
}

static void get_bound(struct decoder *d, unsigned type, struct ldr_value *v)
{
    uint64_t bits = ldr_cursor_u64(d->c);
    uint32_t bits32 = (uint32_t)bits;
    *v = (struct ldr_value){.type = (uint8_t)type};
    if (type == LDR_FLOAT64) {
        memcpy(&v->f64, &bits, sizeof bits);
    } else if (type == LDR_FLOAT32) {
        if (bits > UINT32_MAX)
            corrupt(d);
        memcpy(&v->f32, &bits32, sizeof bits32);
    } else {
        v->i = (int64_t)bits;
    }
}

static void get_feature(struct decoder *d, struct ldr_feature_def *f)
{
    get_about(d, &f->about);
    f->type = ldr_cursor_u8(d->c);
    f->unit = get_text(d);
    f->pii = get_flag(d);
    f->checks.not_null = get_flag(d);
    f->checks.has_min = get_flag(d);
    f->checks.has_max = get_flag(d);
    f->checks.min = f->checks.max = (struct ldr_value){.type = f->type, .null = true};
    if (f->checks.has_min)
        get_bound(d, f->type, &f->checks.min);
    if (f->checks.has_max)
        get_bound(d, f->type, &f->checks.max);
    f->slot = ldr_cursor_u32(d->c);
}

static void get_view(struct decoder *d, struct ldr_view_def *v)
{
    v->entity = get_text(d);
    v->source = get_text(d);
    v->ttl_us = (int64_t)ldr_cursor_u64(d->c);
    v->retention_us = (int64_t)ldr_cursor_u64(d->c);
    v->online = get_flag(d);
    v->features = get_array(d, 33, LDR_FEATURES_MAX, sizeof *v->features, &v->nfeatures);
    for (uint32_t i = 0; i < v->nfeatures && !failed(d); i++)
        get_feature(d, &v->features[i]);
}

static void get_service(struct decoder *d, struct ldr_service_def *s)
{
    s->items = get_array(d, 8, LDR_FEATURES_REQ_MAX, sizeof *s->items, &s->nitems);
    for (uint32_t i = 0; i < s->nitems; i++) {
        s->items[i].view = get_text(d);
        s->items[i].feature = get_text(d);
        s->items[i].pos.file = "";
    }
}

/* Fills *def, which has the size of its kind. */
static void get_def(struct decoder *d, enum ldr_kind kind, bool fresh, struct ldr_about *def)
{
    get_about(d, def);
    if (failed(d))
        return;
    switch (kind) {
    case LDR_KIND_ENTITY:
        get_entity(d, (struct ldr_entity_def *)(void *)def);
        break;
    case LDR_KIND_SOURCE:
        get_source(d, (struct ldr_source_def *)(void *)def);
        break;
    case LDR_KIND_VIEW:
        get_view(d, (struct ldr_view_def *)(void *)def);
        break;
    case LDR_KIND_SERVICE:
        get_service(d, (struct ldr_service_def *)(void *)def);
        break;
    case LDR_KIND_PROJECT:
    case LDR_KIND_FEATURE:
        break;
    }
    if (failed(d))
        return;
    int rc = ldr_def_valid(d->a, kind, def, fresh);
    if (rc == LDR_E_NOMEM)
        d->err = rc;
    else if (rc)
        corrupt(d);
}

static size_t def_size(enum ldr_kind kind)
{
    switch (kind) {
    case LDR_KIND_ENTITY:
        return sizeof(struct ldr_entity_def);
    case LDR_KIND_SOURCE:
        return sizeof(struct ldr_source_def);
    case LDR_KIND_VIEW:
        return sizeof(struct ldr_view_def);
    case LDR_KIND_SERVICE:
        return sizeof(struct ldr_service_def);
    default:
        return sizeof(struct ldr_project_def);
    }
}

int ldr_def_decode(struct ldr_arena *a, enum ldr_kind kind, struct ldr_cursor *c, bool fresh,
                   const struct ldr_about **out)
{
    struct decoder d = {.a = a, .c = c};
    struct ldr_about *def = ldr_arena_calloc(a, 1, def_size(kind));
    if (!def)
        return LDR_E_NOMEM;
    get_def(&d, kind, fresh, def);
    *out = def;
    return d.err ? d.err : c->err;
}

/* A list of fresh definitions of one kind, strictly sorted by name. */
static void *get_defs(struct decoder *d, enum ldr_kind kind, uint32_t *n)
{
    size_t size = def_size(kind);
    char *list = get_array(d, 24, LDR_DEFS_MAX, size, n);
    const struct ldr_about *prev = NULL;
    for (uint32_t i = 0; i < *n && !failed(d); i++) {
        struct ldr_about *def = (void *)(list + i * size);
        get_def(d, kind, true, def);
        if (prev && !failed(d) && strcmp(prev->name, def->name) >= 0)
            corrupt(d);
        prev = def;
    }
    return list;
}

int ldr_defs_decode(struct ldr_arena *a, struct ldr_cursor *c, struct ldr_defs **out)
{
    struct decoder d = {.a = a, .c = c};
    struct ldr_defs *defs = ldr_arena_calloc(a, 1, sizeof *defs);
    if (!defs)
        return LDR_E_NOMEM;
    struct ldr_about project = no_about;
    get_def(&d, LDR_KIND_PROJECT, true, &project);
    defs->project = project.name;
    defs->description = project.description;
    defs->store = "";
    defs->pos.file = "";
    if (!failed(&d))
        defs->entities = get_defs(&d, LDR_KIND_ENTITY, &defs->nentities);
    if (!failed(&d))
        defs->sources = get_defs(&d, LDR_KIND_SOURCE, &defs->nsources);
    if (!failed(&d))
        defs->views = get_defs(&d, LDR_KIND_VIEW, &defs->nviews);
    if (!failed(&d))
        defs->services = get_defs(&d, LDR_KIND_SERVICE, &defs->nservices);
    *out = defs;
    return d.err ? d.err : c->err;
}
