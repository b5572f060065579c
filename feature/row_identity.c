/* What makes two rows the same, and which of two is the greater: both look through the schema version that
 * wrote them. */
#include "feature/row.h"

/* Columns up to the last non-null one. */
static uint32_t trimmed(const uint8_t *nulls, uint32_t ncols)
{
    while (ncols) {
        uint32_t i = ncols - 1;
        if (i % 8 == 7 && nulls[i / 8] == 0xff)
            ncols -= 8;
        else if (nulls[i / 8] >> (i % 8) & 1)
            ncols--;
        else
            break;
    }
    return ncols;
}

static uint64_t hash_nulls(const uint8_t *nulls, uint32_t ncols)
{
    uint32_t n = (ncols + 7) / 8;
    if (ncols % 8 == 0 || !(nulls[n - 1] >> (ncols % 8)))
        return ldr_hash64(nulls, n);
    uint8_t copy[LDR_FEATURES_MAX / 8];
    memcpy(copy, nulls, n);
    copy[n - 1] &= (uint8_t)((1u << (ncols % 8)) - 1);
    return ldr_hash64(copy, n);
}

/* Trailing nulls are cut off, so a column that the writer did not know counts as a null one. The three parts
 * are hashed apart because a trimmed row is not one run of bytes, and a variable part may be too long to
 * copy. */
uint64_t ldr_row_vhash(const struct ldr_schema *s, struct ldr_slice row)
{
    uint32_t ncols = ldr_get_le16(row.p + 4), nfixed = ldr_get_le16(row.p + 6);
    const uint8_t *nulls = row.p + LDR_ROW_HEAD, *fixed = nulls + (ncols + 7) / 8, *var = fixed + nfixed;
    uint32_t m = trimmed(nulls, ncols);
    if (m <= s->ncols)
        nfixed = ldr_schema_fixed_bytes(s, m);
    else
        m = ncols;
    uint8_t parts[32];
    ldr_put_le64(parts, m);
    ldr_put_le64(parts + 8, hash_nulls(nulls, m));
    ldr_put_le64(parts + 16, ldr_hash64(fixed, nfixed));
    ldr_put_le64(parts + 24, ldr_hash64(var, row.n - (size_t)(var - row.p)));
    return ldr_hash64(parts, sizeof parts);
}

int ldr_row_cmp(const struct ldr_schema *s, struct ldr_slice a, struct ldr_slice b)
{
    if (ldr_slice_eq(a, b))
        return 0;
    for (uint32_t i = 0; i < s->ncols; i++) {
        struct ldr_value x, y;
        ldr_row_get(s, a, s->by_name[i], &x);
        ldr_row_get(s, b, s->by_name[i], &y);
        int c = ldr_value_cmp(&x, &y);
        if (c)
            return c;
    }
    return 0;
}
