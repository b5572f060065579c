/* Definitions to canonical bytes. Lists that are sets are sorted already, so equal definitions give equal
 * bytes. Texts are a u32 length and UTF-8; numbers little-endian; flags one byte. Places are left out: moving
 * a line changes nothing. */
#include "registry/defs.h"

static void put_text(struct ldr_buf *out, const char *s)
{
    ldr_buf_bytes(out, ldr_slice_str(s));
}

static void put_about(struct ldr_buf *out, const struct ldr_about *b)
{
    put_text(out, b->name);
    put_text(out, b->description);
    put_text(out, b->owner);
    ldr_buf_u32(out, b->ntags);
    for (uint32_t i = 0; i < b->ntags; i++) {
        put_text(out, b->tags[i].key);
        put_text(out, b->tags[i].value);
    }
    ldr_buf_u32(out, b->id);
}

static void put_entity(struct ldr_buf *out, const struct ldr_entity_def *e)
{
    ldr_buf_u32(out, e->nkeys);
    for (uint32_t i = 0; i < e->nkeys; i++) {
        put_text(out, e->keys[i]);
        ldr_buf_u8(out, e->key_types[i]);
    }
}

static void put_source(struct ldr_buf *out, const struct ldr_source_def *s)
{
    ldr_buf_u8(out, s->push);
    put_text(out, s->format);
    put_text(out, s->path);
    put_text(out, s->event_column);
    put_text(out, s->created_column);
    ldr_buf_u32(out, s->ncolumns);
    for (uint32_t i = 0; i < s->ncolumns; i++) {
        put_text(out, s->columns[i].feature);
        put_text(out, s->columns[i].column);
    }
}

static void put_bound(struct ldr_buf *out, unsigned type, const struct ldr_value *v)
{
    uint64_t bits = 0;
    uint32_t bits32;
    if (type == LDR_FLOAT64) {
        memcpy(&bits, &v->f64, sizeof bits);
    } else if (type == LDR_FLOAT32) {
        memcpy(&bits32, &v->f32, sizeof bits32);
        bits = bits32;
    } else {
        bits = (uint64_t)v->i;
    }
    ldr_buf_u64(out, bits);
}

static void put_feature(struct ldr_buf *out, const struct ldr_feature_def *f)
{
    put_about(out, &f->about);
    ldr_buf_u8(out, f->type);
    put_text(out, f->unit);
    ldr_buf_u8(out, f->pii);
    ldr_buf_u8(out, f->checks.not_null);
    ldr_buf_u8(out, f->checks.has_min);
    ldr_buf_u8(out, f->checks.has_max);
    if (f->checks.has_min)
        put_bound(out, f->type, &f->checks.min);
    if (f->checks.has_max)
        put_bound(out, f->type, &f->checks.max);
    ldr_buf_u32(out, f->slot);
}

static void put_view(struct ldr_buf *out, const struct ldr_view_def *v)
{
    put_text(out, v->entity);
    put_text(out, v->source);
    ldr_buf_u64(out, (uint64_t)v->ttl_us);
    ldr_buf_u64(out, (uint64_t)v->retention_us);
    ldr_buf_u8(out, v->online);
    ldr_buf_u32(out, v->nfeatures);
    for (uint32_t i = 0; i < v->nfeatures; i++)
        put_feature(out, &v->features[i]);
}

static void put_service(struct ldr_buf *out, const struct ldr_service_def *s)
{
    ldr_buf_u32(out, s->nitems);
    for (uint32_t i = 0; i < s->nitems; i++) {
        put_text(out, s->items[i].view);
        put_text(out, s->items[i].feature);
    }
}

int ldr_def_encode(enum ldr_kind kind, const struct ldr_about *def, struct ldr_buf *out)
{
    put_about(out, def);
    switch (kind) {
    case LDR_KIND_ENTITY:
        put_entity(out, LDR_DEF(ldr_entity_def, def));
        break;
    case LDR_KIND_SOURCE:
        put_source(out, LDR_DEF(ldr_source_def, def));
        break;
    case LDR_KIND_VIEW:
        put_view(out, LDR_DEF(ldr_view_def, def));
        break;
    case LDR_KIND_SERVICE:
        put_service(out, LDR_DEF(ldr_service_def, def));
        break;
    case LDR_KIND_PROJECT:
    case LDR_KIND_FEATURE:
        break;
    }
    return out->err;
}

int ldr_defs_encode(const struct ldr_defs *d, struct ldr_buf *out)
{
    struct ldr_about project = {.name = d->project, .description = d->description, .owner = ""};
    ldr_def_encode(LDR_KIND_PROJECT, &project, out);
    ldr_buf_u32(out, d->nentities);
    for (uint32_t i = 0; i < d->nentities; i++)
        ldr_def_encode(LDR_KIND_ENTITY, &d->entities[i].about, out);
    ldr_buf_u32(out, d->nsources);
    for (uint32_t i = 0; i < d->nsources; i++)
        ldr_def_encode(LDR_KIND_SOURCE, &d->sources[i].about, out);
    ldr_buf_u32(out, d->nviews);
    for (uint32_t i = 0; i < d->nviews; i++)
        ldr_def_encode(LDR_KIND_VIEW, &d->views[i].about, out);
    ldr_buf_u32(out, d->nservices);
    for (uint32_t i = 0; i < d->nservices; i++)
        ldr_def_encode(LDR_KIND_SERVICE, &d->services[i].about, out);
    return out->err;
}
