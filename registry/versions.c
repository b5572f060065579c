/* The past of one thing: its versions with a line each, and the difference between two of them. */
#include "registry/state.h"

#define SUMMARY_PARTS 6  /* differences that a summary names */
#define SUMMARY_VALUE 40 /* bytes of a value that it repeats */

/* One moment in the life of a thing; for a feature, as its view's versions show it. */
struct moment {
    const struct ldr_reg_version *version;
    const struct ldr_about *def; /* NULL = gone */
};

static void put_short(struct ldr_buf *b, const char *value)
{
    size_t n = strlen(value);
    if (n <= SUMMARY_VALUE) {
        ldr_buf_puts(b, value);
        return;
    }
    for (n = SUMMARY_VALUE; n > 0 && ((uint8_t)value[n] & 0xC0) == 0x80;)
        n--;
    ldr_buf_put(b, value, n);
    ldr_buf_puts(b, "...");
}

/* "ttl 1d -> 2d", "+feature visib", "-tags.tier gold", "description changed" */
static void put_part(struct ldr_buf *b, enum ldr_kind kind, const struct ldr_change_line *l)
{
    static const char group[] = "features.", prose[] = "description";
    const char *field = l->field, sign = l->from[0] ? '-' : '+';
    bool member = strncmp(field, group, sizeof group - 1) == 0;
    if (member)
        field += sizeof group - 1;
    bool whole = member && (kind == LDR_KIND_SERVICE || !strchr(field, '.')); /* a feature comes or goes */
    size_t n = strlen(field);
    if (whole) {
        ldr_buf_printf(b, "%cfeature %s", sign, field);
    } else if (n >= sizeof prose - 1 && strcmp(field + n - (sizeof prose - 1), prose) == 0) {
        ldr_buf_printf(b, "%s changed", field);
    } else if (!l->from[0] || !l->to[0]) {
        ldr_buf_printf(b, "%c%s ", sign, field);
        put_short(b, l->from[0] ? l->from : l->to);
    } else {
        ldr_buf_printf(b, "%s ", field);
        put_short(b, l->from);
        ldr_buf_puts(b, " -> ");
        put_short(b, l->to);
    }
}

static int summarize(struct ldr_arena *a, enum ldr_kind kind, const struct ldr_about *from,
                     const struct ldr_about *to, bool before, const char **out)
{
    *out = !to ? "deleted" : before ? "created again" : "created";
    if (!from || !to)
        return 0;
    struct ldr_change_line *lines;
    uint32_t n;
    int rc = ldr_def_diff(a, kind, from, to, &lines, &n);
    if (rc)
        return rc;
    struct ldr_buf b;
    ldr_buf_init(&b, a->heap, 0);
    for (uint32_t i = 0; i < n && i < SUMMARY_PARTS; i++) {
        if (i)
            ldr_buf_puts(&b, ", ");
        put_part(&b, kind, &lines[i]);
    }
    if (n > SUMMARY_PARTS)
        ldr_buf_printf(&b, " and %u more", n - SUMMARY_PARTS);
    *out = b.err ? NULL : ldr_arena_strndup(a, (const char *)b.p, b.n);
    ldr_buf_close(&b);
    return *out ? 0 : LDR_E_NOMEM;
}

static const struct ldr_about *feature_of(const struct ldr_about *view, const char *feature)
{
    const struct ldr_feature_def *f = view ? ldr_view_feature(LDR_DEF(ldr_view_def, view), feature) : NULL;
    return f ? &f->about : NULL;
}

/* Whether a feature looks the same in two versions of its view: then the second is no version of the feature.
 */
static int same_feature(struct ldr_arena *a, const struct ldr_about *x, const struct ldr_about *y, bool *same)
{
    struct ldr_change_line *lines;
    uint32_t n = 0;
    *same = x == y;
    if (*same || !x || !y || x->id != y->id)
        return 0;
    int rc = ldr_def_diff(a, LDR_KIND_FEATURE, x, y, &lines, &n);
    *same = n == 0;
    return rc;
}

/* All moments of a thing, oldest first; n 0 when it never was. */
static int moments(const struct ldr_registry *r, enum ldr_kind kind, const char *name, struct ldr_arena *a,
                   struct moment **out, uint32_t *n)
{
    char view[LDR_NAME_MAX + 1];
    const char *feature = NULL;
    *n = 0;
    *out = NULL;
    if (kind == LDR_KIND_PROJECT)
        name = "";
    if (kind == LDR_KIND_FEATURE) {
        if (!ldr_reg_split_feature(name, view, &feature))
            return 0;
        name = view;
    }
    const struct ldr_reg_thing *t = ldr_reg_find(r, feature ? LDR_KIND_VIEW : kind, name);
    if (!t)
        return 0;
    *out = ldr_arena_calloc(a, t->nversions + (size_t)1, sizeof **out);
    if (!*out)
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < t->nversions; i++) {
        const struct ldr_reg_version *v = t->versions[i];
        const struct ldr_about *def = feature ? feature_of(v->def, feature) : v->def;
        if (feature) {
            bool same;
            int rc = same_feature(a, *n ? (*out)[*n - 1].def : NULL, def, &same);
            if (rc)
                return rc;
            if (same)
                continue;
        }
        (*out)[(*n)++] = (struct moment){v, def};
    }
    return 0;
}

int ldr_registry_versions(const struct ldr_registry *r, enum ldr_kind kind, const char *name,
                          struct ldr_arena *a, struct ldr_version_info **out, uint32_t *n)
{
    struct moment *list;
    *n = 0;
    int rc = moments(r, kind, name, a, &list, n);
    if (rc)
        return rc;
    if (*n == 0)
        return LDR_E_NOT_FOUND;
    *out = ldr_arena_calloc(a, *n, sizeof **out);
    if (!*out)
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < *n; i++) {
        struct ldr_version_info *info = &(*out)[i];
        info->version = list[i].version->version;
        info->at_us = list[i].version->at_us;
        info->deleted = !list[i].def;
        rc = summarize(a, kind, i ? list[i - 1].def : NULL, list[i].def, i > 0, &info->summary);
        if (rc)
            return rc;
    }
    return 0;
}

static const struct ldr_about *def_at(const struct moment *list, uint32_t n, uint64_t version)
{
    const struct ldr_about *def = NULL;
    for (uint32_t i = 0; i < n && (version == 0 || list[i].version->version <= version); i++)
        def = list[i].def;
    return def;
}

int ldr_registry_diff(const struct ldr_registry *r, enum ldr_kind kind, const char *name, uint64_t from,
                      uint64_t to, struct ldr_arena *a, struct ldr_change *out)
{
    struct moment *list;
    uint32_t n;
    int rc = moments(r, kind, name, a, &list, &n);
    if (rc)
        return rc;
    if (n == 0 || from > r->version || to > r->version)
        return LDR_E_NOT_FOUND;
    const struct ldr_about *x = def_at(list, n, from), *y = def_at(list, n, to);
    if (!x && !y)
        return LDR_E_NOT_FOUND;
    char *copy = ldr_arena_strndup(a, name, strlen(name));
    if (!copy)
        return LDR_E_NOMEM;
    *out = (struct ldr_change){!x   ? LDR_CHANGE_ADD
                               : !y ? LDR_CHANGE_REMOVE
                                    : LDR_CHANGE_UPDATE,
                               kind, copy, NULL, 0};
    return ldr_def_diff(a, kind, x, y, &out->lines, &out->nlines);
}
