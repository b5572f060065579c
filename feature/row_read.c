#include "feature/row.h"

/* What row_check tells of a bad frame; verify needs only the code. */
static const char *const bad_length = "row shorter than its columns";
static const char *const bad_end = "variable columns out of order or past the end of the row";

static const char *check_head(const struct ldr_schema *s, struct ldr_slice row)
{
    uint32_t ncols = ldr_get_le16(row.p + 4), nfixed = ldr_get_le16(row.p + 6);
    if (ncols > LDR_FEATURES_MAX)
        return "too many columns in a row";
    uint32_t nbits = (ncols + 7) / 8;
    if (row.n - LDR_ROW_HEAD < (size_t)nbits + nfixed)
        return bad_length;
    if (ncols <= s->ncols) {
        if (nfixed != ldr_schema_fixed_bytes(s, ncols))
            return "fixed part of a row does not match its columns";
    } else {
        uint32_t unknown = ncols - s->ncols;
        if (nfixed < s->fixed_bytes + unknown || nfixed > s->fixed_bytes + 8 * unknown)
            return "fixed part of a row does not match its columns";
    }
    if (ncols % 8 && row.p[LDR_ROW_HEAD + nbits - 1] >> (ncols % 8))
        return "null bits past the last column";
    return NULL;
}

/* A list's count is trusted by readers to size things, so it must fit the bytes that follow. */
static const char *check_list(unsigned type, const uint8_t *p, uint32_t n)
{
    if (n < 4)
        return "list without a count";
    uint32_t count = ldr_get_le32(p);
    unsigned element = ldr_type_element(type);
    uint64_t least = (uint64_t)count * ldr_type_width(element); /* variable elements: their u32 length */
    if (count > LDR_LIST_MAX || least > n - 4 || (ldr_type_is_fixed(element) && least != n - 4))
        return "list count does not fit its bytes";
    return NULL;
}

/* O(ncols / 8 + variable columns). NULL when ldr_row_get is safe for every slot. */
static const char *check_frame(const struct ldr_schema *s, struct ldr_slice row)
{
    const char *why = check_head(s, row);
    if (why)
        return why;
    uint32_t ncols = ldr_get_le16(row.p + 4), last = 0;
    const uint8_t *nulls = row.p + LDR_ROW_HEAD, *fixed = nulls + (ncols + 7) / 8;
    const uint8_t *var = fixed + ldr_get_le16(row.p + 6);
    size_t nvar = row.n - (size_t)(var - row.p);
    for (uint32_t i = 0; i < s->nvar && s->var_slots[i] < ncols; i++) {
        uint32_t slot = s->var_slots[i];
        const struct ldr_column *c = &s->cols[slot];
        uint32_t end = ldr_get_le32(fixed + c->fixed_off);
        if (end < last || end > nvar)
            return bad_end;
        bool null = nulls[slot / 8] >> (slot % 8) & 1;
        if (!null && ldr_type_is_list(c->type) && (why = check_list(c->type, var + last, end - last)) != NULL)
            return why;
        last = end;
    }
    if (ncols <= s->ncols && last != nvar)
        return "bytes after the last column";
    return NULL;
}

static const char *check_all(const struct ldr_schema *s, struct ldr_slice row)
{
    if (row.n < LDR_ROW_HEAD)
        return bad_length;
    if (row.n > LDR_ROW_MAX)
        return "row over the size limit";
    if (ldr_check32(row.p + 4, row.n - 4) != ldr_get_le32(row.p))
        return "checksum mismatch";
    return check_frame(s, row);
}

int ldr_row_verify(const struct ldr_schema *s, struct ldr_slice row)
{
    return check_all(s, row) ? LDR_E_CORRUPT : 0;
}

static bool canonical(const struct ldr_value *v)
{
    if (v->type == LDR_FLOAT64) {
        double one = ldr_f64_canonical(v->f64);
        uint64_t stored, want;
        memcpy(&stored, &v->f64, sizeof stored);
        memcpy(&want, &one, sizeof want);
        return stored == want;
    }
    if (v->type == LDR_FLOAT32) {
        float one = ldr_f32_canonical(v->f32);
        uint32_t stored, want;
        memcpy(&stored, &v->f32, sizeof stored);
        memcpy(&want, &one, sizeof want);
        return stored == want;
    }
    if (v->type != (LDR_LIST | LDR_FLOAT32) && v->type != (LDR_LIST | LDR_FLOAT64))
        return true;
    struct ldr_list_iter it;
    struct ldr_value e;
    ldr_list_iter_init(&it, v);
    while (ldr_list_iter_next(&it, &e))
        if (!canonical(&e))
            return false;
    return true;
}

static const char *check_null(const struct ldr_column *c, const uint8_t *fixed)
{
    static const uint8_t zeros[8];
    const uint8_t *at = fixed + c->fixed_off;
    if (ldr_type_is_fixed(c->type))
        return memcmp(at, zeros, ldr_type_width(c->type)) ? "bytes under a null" : NULL;
    uint32_t start = c->prev_end_off == LDR_NO_OFFSET ? 0 : ldr_get_le32(fixed + c->prev_end_off);
    return ldr_get_le32(at) != start ? "bytes under a null" : NULL;
}

static const char *check_column(const struct ldr_schema *s, struct ldr_slice row, uint32_t slot)
{
    const struct ldr_column *c = &s->cols[slot];
    const uint8_t *fixed = row.p + LDR_ROW_HEAD + (ldr_get_le16(row.p + 4) + 7u) / 8;
    struct ldr_value v;
    const char *why = NULL;
    if (ldr_row_get(s, row, slot, &v) == LDR_CELL_NULL)
        return check_null(c, fixed);
    if (c->type == LDR_BOOL && fixed[c->fixed_off] > 1)
        return "expected 0 or 1 in a bool";
    if (ldr_value_check(&v, &why))
        return why;
    return canonical(&v) ? NULL : "expected the one stored NaN";
}

int ldr_row_check(const struct ldr_schema *s, struct ldr_slice row, const char **why)
{
    const char *bad = check_all(s, row);
    if (!bad) {
        uint32_t ncols = ldr_get_le16(row.p + 4);
        for (uint32_t i = 0; !bad && i < ncols && i < s->ncols; i++)
            bad = check_column(s, row, i);
    }
    if (bad && why)
        *why = bad;
    return bad ? LDR_E_CORRUPT : 0;
}
