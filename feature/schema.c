#include "feature/schema.h"

static int name_cmp(const struct ldr_schema *s, uint32_t x, uint32_t y)
{
    int c = strcmp(s->cols[x].name, s->cols[y].name);
    return c ? c : (x > y) - (x < y);
}

static void sift_down(const struct ldr_schema *s, uint32_t *a, uint32_t i, uint32_t n)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= n)
            return;
        if (child + 1 < n && name_cmp(s, a[child], a[child + 1]) < 0)
            child++;
        if (name_cmp(s, a[i], a[child]) >= 0)
            return;
        uint32_t t = a[i];
        a[i] = a[child];
        a[child] = t;
        i = child;
    }
}

/* Heap sort: qsort may allocate behind our back. */
static void sort_by_name(struct ldr_schema *s)
{
    uint32_t *a = s->by_name, n = s->ncols;
    for (uint32_t i = 0; i < n; i++)
        a[i] = i;
    for (uint32_t i = n / 2; i-- > 0;)
        sift_down(s, a, i, n);
    for (uint32_t last = n; last-- > 1;) {
        uint32_t t = a[0];
        a[0] = a[last];
        a[last] = t;
        sift_down(s, a, 0, last);
    }
}

static int fill_columns(struct ldr_arena *a, struct ldr_schema *s, const char *const *names,
                        const uint8_t *types, const bool *dropped)
{
    int32_t prev_var = -1;
    for (uint32_t i = 0; i < s->ncols; i++) {
        size_t len = strnlen(names[i], LDR_NAME_MAX + 1);
        if (!ldr_type_valid(types[i]) || !len || len > LDR_NAME_MAX)
            return LDR_E_INVALID;
        struct ldr_column *c = &s->cols[i];
        c->name = ldr_arena_strndup(a, names[i], len);
        if (!c->name)
            return LDR_E_NOMEM;
        c->type = types[i];
        c->dropped = dropped && dropped[i];
        c->fixed_off = s->fixed_bytes;
        c->prev_var = prev_var;
        c->prev_end_off = prev_var < 0 ? LDR_NO_OFFSET : s->cols[prev_var].fixed_off;
        s->fixed_bytes += ldr_type_width(c->type);
        if (!ldr_type_is_fixed(c->type)) {
            prev_var = (int32_t)i;
            s->var_slots[s->nvar++] = i;
        }
    }
    return 0;
}

static bool live_names_unique(const struct ldr_schema *s)
{
    const char *last_live = NULL;
    for (uint32_t i = 0; i < s->ncols; i++) {
        const struct ldr_column *c = &s->cols[s->by_name[i]];
        if (c->dropped)
            continue;
        if (last_live && strcmp(last_live, c->name) == 0)
            return false;
        last_live = c->name;
    }
    return true;
}

int ldr_schema_build(struct ldr_arena *a, uint32_t view_id, uint32_t ncols, const char *const *names,
                     const uint8_t *types, const bool *dropped, uint32_t nkeys, const uint8_t *key_types,
                     int64_t ttl_us, int64_t retention_us, struct ldr_schema **out)
{
    if (ncols > LDR_FEATURES_MAX || nkeys > LDR_KEY_PARTS_MAX || ttl_us < 0 || retention_us < 0)
        return LDR_E_INVALID;
    struct ldr_schema *s = ldr_arena_calloc(a, 1, sizeof *s);
    if (!s)
        return LDR_E_NOMEM;
    s->view_id = view_id;
    s->ncols = ncols;
    s->nkeys = nkeys;
    s->ttl_us = ttl_us;
    s->retention_us = retention_us;
    for (uint32_t i = 0; i < nkeys; i++) {
        if (!ldr_type_key_valid(key_types[i]))
            return LDR_E_INVALID;
        s->key_types[i] = key_types[i];
    }
    s->cols = ldr_arena_calloc(a, ncols, sizeof *s->cols);
    s->by_name = ldr_arena_calloc(a, ncols, sizeof *s->by_name);
    s->var_slots = ldr_arena_calloc(a, ncols, sizeof *s->var_slots);
    if (!s->cols || !s->by_name || !s->var_slots)
        return LDR_E_NOMEM;
    int rc = fill_columns(a, s, names, types, dropped);
    if (rc)
        return rc;
    sort_by_name(s);
    if (!live_names_unique(s))
        return LDR_E_INVALID;
    *out = s;
    return 0;
}

int32_t ldr_schema_slot(const struct ldr_schema *s, struct ldr_slice name)
{
    uint32_t lo = 0, hi = s->ncols;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (ldr_slice_cmp(ldr_slice_str(s->cols[s->by_name[mid]].name), name) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    /* Dropped columns of the same name stand beside the live one. */
    for (; lo < s->ncols; lo++) {
        const struct ldr_column *c = &s->cols[s->by_name[lo]];
        if (!ldr_slice_eq(ldr_slice_str(c->name), name))
            return -1;
        if (!c->dropped)
            return (int32_t)s->by_name[lo];
    }
    return -1;
}
