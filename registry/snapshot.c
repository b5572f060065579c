/* The whole state as bytes, and back.
 *
 * head: 8 bytes magic, u32 format version, u64 length of the body, u64 hash of the body
 * body: u64 registry version, u32 next id of kinds 1 to 5, then for each kind: u32 count of things, each:
 *   text name; feature views: u8 materialized, i64 start, i64 end; u32 count of versions, each:
 *   u64 registry version, i64 at, u32 length and canonical definition (length 0 = deleted) */
#include "registry/state.h"

#define SNAPSHOT_FORMAT 1
#define SNAPSHOT_HEAD   28
static const char magic[8] = {'L', 'D', 'R', 'R', 'E', 'G', 'S', 'N'};

/* ---- Writing: the same walk writes the bytes and hashes them, without memory when only the hash is wanted
 * ---- */

struct sink {
    struct ldr_buf *out; /* may be NULL */
    uint64_t hash;
};

static void put(struct sink *s, const void *p, size_t n)
{
    if (s->out)
        ldr_buf_put(s->out, p, n);
    s->hash = ldr_hash64_seed(p, n, s->hash);
}

static void put_u32(struct sink *s, uint32_t v)
{
    uint8_t b[4];
    ldr_put_le32(b, v);
    put(s, b, sizeof b);
}

static void put_bytes(struct sink *s, struct ldr_slice bytes)
{
    put_u32(s, (uint32_t)bytes.n);
    if (bytes.n)
        put(s, bytes.p, bytes.n);
}

static void put_thing(struct sink *s, enum ldr_kind kind, const struct ldr_reg_thing *t)
{
    uint8_t b[17];
    put_bytes(s, ldr_slice_str(t->name));
    if (kind == LDR_KIND_VIEW) {
        b[0] = t->materialized;
        ldr_put_le64(b + 1, (uint64_t)t->start_us);
        ldr_put_le64(b + 9, (uint64_t)t->end_us);
        put(s, b, 17);
    }
    put_u32(s, t->nversions);
    for (uint32_t i = 0; i < t->nversions; i++) {
        ldr_put_le64(b, t->versions[i]->version);
        ldr_put_le64(b + 8, (uint64_t)t->versions[i]->at_us);
        put(s, b, 16);
        put_bytes(s, t->versions[i]->bytes);
    }
}

static void put_body(struct sink *s, const struct ldr_registry *r)
{
    uint8_t b[8];
    ldr_put_le64(b, r->version);
    put(s, b, sizeof b);
    for (uint32_t k = LDR_KIND_ENTITY; k < LDR_KIND_PROJECT; k++)
        put_u32(s, r->next_id[k]);
    for (uint32_t k = 0; k < LDR_REG_NKINDS; k++) {
        enum ldr_kind kind = ldr_reg_kinds[k];
        const struct ldr_reg_table *table = &r->tables[kind];
        put_u32(s, table->n);
        for (uint32_t i = 0; i < table->n; i++)
            put_thing(s, kind, table->things[i]);
    }
}

uint64_t ldr_registry_hash(const struct ldr_registry *r)
{
    struct sink s = {.out = NULL};
    put_body(&s, r);
    return s.hash;
}

int ldr_registry_snapshot(const struct ldr_registry *r, struct ldr_buf *out)
{
    size_t start = out->n;
    ldr_buf_put(out, magic, sizeof magic);
    ldr_buf_u32(out, SNAPSHOT_FORMAT);
    ldr_buf_u64(out, 0);
    ldr_buf_u64(out, 0);
    struct sink s = {.out = out};
    put_body(&s, r);
    if (out->err)
        return out->err;
    const uint8_t *body = out->p + start + SNAPSHOT_HEAD;
    size_t n = out->n - start - SNAPSHOT_HEAD;
    if (n > LDR_SNAPSHOT_MAX)
        return LDR_E_TOO_BIG;
    ldr_put_le64(out->p + start + 12, n);
    ldr_put_le64(out->p + start + 20, ldr_hash64(body, n));
    return 0;
}

/* ---- Reading ---- */

/* Ids and order of a version, as steps make them. */
static bool version_fits(const struct ldr_registry *r, enum ldr_kind kind, const struct ldr_reg_thing *t,
                         const struct ldr_reg_version *v)
{
    const struct ldr_reg_version *prev = t->nversions ? t->versions[t->nversions - 1] : NULL;
    if (v->version == 0 || v->version > r->version || (prev && v->version <= prev->version))
        return false;
    if (v->at_us < LDR_TIME_MIN_US || v->at_us > LDR_TIME_MAX_US)
        return false;
    if (!v->def)
        return prev && prev->def && kind != LDR_KIND_PROJECT;
    if (kind == LDR_KIND_PROJECT)
        return true;
    if (strcmp(v->def->name, t->name) != 0 || v->def->id >= r->next_id[kind])
        return false;
    if (prev && prev->def && prev->def->id != v->def->id)
        return false;
    if (prev && !prev->def && t->versions[t->nversions - 2]->def->id >= v->def->id)
        return false;
    const struct ldr_view_def *view = kind == LDR_KIND_VIEW ? LDR_DEF(ldr_view_def, v->def) : NULL;
    for (uint32_t i = 0; view && i < view->nfeatures; i++) {
        if (view->features[i].about.id >= r->next_id[LDR_KIND_FEATURE])
            return false;
    }
    return true;
}

static int get_version(struct ldr_registry *r, enum ldr_kind kind, struct ldr_reg_thing *t,
                       struct ldr_cursor *c)
{
    uint64_t version = ldr_cursor_u64(c);
    int64_t at_us = (int64_t)ldr_cursor_u64(c);
    struct ldr_slice bytes = ldr_cursor_bytes(c, LDR_COMMAND_MAX);
    struct ldr_reg_version *v;
    if (c->err)
        return c->err;
    int rc = ldr_reg_version_create(r->heap, kind, version, at_us, bytes, &v);
    if (!rc && !version_fits(r, kind, t, v))
        rc = LDR_E_CORRUPT;
    else if (rc)
        v = NULL;
    if (!rc)
        rc = ldr_reg_thing_reserve(r->heap, t);
    if (rc) {
        ldr_reg_version_destroy(r->heap, v);
        return rc;
    }
    t->versions[t->nversions++] = v;
    r->bytes += bytes.n + LDR_REG_VERSION_COST;
    return r->bytes > LDR_REG_BYTES_MAX ? LDR_E_CORRUPT : 0;
}

/* What a view has besides versions. */
static int get_materialized(struct ldr_reg_thing *t, struct ldr_cursor *c)
{
    uint8_t flag = ldr_cursor_u8(c);
    t->start_us = (int64_t)ldr_cursor_u64(c);
    t->end_us = (int64_t)ldr_cursor_u64(c);
    t->materialized = flag == 1;
    if (c->err || flag > 1)
        return LDR_E_CORRUPT;
    if (!t->materialized)
        return t->start_us || t->end_us ? LDR_E_CORRUPT : 0;
    return t->start_us < LDR_TIME_MIN_US || t->end_us > LDR_TIME_MAX_US || t->start_us > t->end_us
               ? LDR_E_CORRUPT
               : 0;
}

static int get_thing(struct ldr_registry *r, enum ldr_kind kind, struct ldr_cursor *c)
{
    struct ldr_reg_table *table = &r->tables[kind];
    struct ldr_slice s = ldr_cursor_bytes(c, LDR_NAME_MAX);
    char name[LDR_NAME_MAX + 1] = "";
    if (c->err || (kind == LDR_KIND_PROJECT ? s.n != 0 : !ldr_name_valid(s)))
        return LDR_E_CORRUPT;
    if (s.n)
        memcpy(name, s.p, s.n);
    if (table->n && strcmp(table->things[table->n - 1]->name, name) >= 0)
        return LDR_E_CORRUPT;
    int rc = ldr_reg_table_reserve(r->heap, table, 1);
    struct ldr_reg_thing *t = rc ? NULL : ldr_reg_thing_create(r->heap, name);
    if (!t)
        return LDR_E_NOMEM;
    ldr_reg_table_insert(table, t); /* the registry owns it from here on */
    if (kind == LDR_KIND_VIEW)
        rc = get_materialized(t, c);
    uint32_t n = ldr_cursor_count(c, 20);
    if (!rc && (c->err || n == 0))
        rc = LDR_E_CORRUPT;
    for (uint32_t i = 0; !rc && i < n; i++)
        rc = get_version(r, kind, t, c);
    if (!rc && t->materialized) {
        const struct ldr_about *def = t->versions[n - 1]->def;
        rc = def && LDR_DEF(ldr_view_def, def)->source[0] ? 0 : LDR_E_CORRUPT;
    }
    return rc;
}

static int get_body(struct ldr_registry *r, struct ldr_cursor *c)
{
    r->version = ldr_cursor_u64(c);
    if (r->version > INT64_MAX)
        return LDR_E_CORRUPT;
    for (uint32_t k = LDR_KIND_ENTITY; k < LDR_KIND_PROJECT; k++) {
        r->next_id[k] = ldr_cursor_u32(c);
        if (r->next_id[k] == 0)
            return LDR_E_CORRUPT;
    }
    for (uint32_t k = 0; k < LDR_REG_NKINDS; k++) {
        uint32_t n = ldr_cursor_count(c, 28);
        for (uint32_t i = 0; i < n; i++) {
            int rc = get_thing(r, ldr_reg_kinds[k], c);
            if (rc)
                return rc;
        }
    }
    return ldr_cursor_end(c);
}

/* What steps guarantee and readers rely on: references lead somewhere, ids are unique, views have shapes. */
static int settle(struct ldr_registry *r)
{
    ldr_arena_reset(&r->today_arena);
    int rc = ldr_reg_today_build(r, NULL, 0, &r->today_arena, &r->today, &r->by_id);
    if (rc)
        return rc;
    for (uint32_t i = 1; i < r->today.nviews; i++) {
        if (r->by_id[i - 1]->about.id == r->by_id[i]->about.id)
            return LDR_E_CORRUPT;
    }
    struct ldr_arena scratch;
    struct ldr_problem_sink problems;
    struct ldr_scope scope = {&r->today, NULL};
    ldr_arena_init(&scratch, r->heap, 0);
    ldr_problem_sink_init(&problems, &scratch);
    ldr_defs_check_refs(&scope, NULL, &problems);
    rc = problems.err ? problems.err : problems.n ? LDR_E_CORRUPT : 0;
    ldr_arena_close(&scratch);
    const struct ldr_reg_table *views = &r->tables[LDR_KIND_VIEW];
    for (uint32_t i = 0; !rc && i < views->n; i++) {
        struct ldr_reg_thing *t = views->things[i];
        rc = ldr_reg_schema_build(t, &r->today, &t->schema_arena, &t->schema);
    }
    return rc;
}

int ldr_registry_restore(const struct ldr_heap *heap, struct ldr_slice snapshot, struct ldr_registry **out)
{
    struct ldr_cursor c = ldr_cursor(snapshot);
    struct ldr_slice head = ldr_cursor_take(&c, sizeof magic);
    uint32_t format = ldr_cursor_u32(&c);
    uint64_t n = ldr_cursor_u64(&c), hash = ldr_cursor_u64(&c);
    if (c.err || memcmp(head.p, magic, sizeof magic) != 0 || format == 0)
        return LDR_E_CORRUPT;
    if (format > SNAPSHOT_FORMAT)
        return LDR_E_FORMAT;
    if (n != ldr_cursor_left(&c) || n > LDR_SNAPSHOT_MAX || ldr_hash64(c.p, (size_t)n) != hash)
        return LDR_E_CORRUPT;
    struct ldr_registry *r;
    int rc = ldr_registry_create(heap, &r);
    if (rc)
        return rc;
    rc = get_body(r, &c);
    if (!rc)
        rc = settle(r);
    if (rc) {
        ldr_registry_destroy(r);
        return rc;
    }
    *out = r;
    return 0;
}
