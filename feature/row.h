/* A row: the client-ready bytes of one fact's features, stored once and sent as they are.
 *
 *   u32 check     ldr_check32 of everything after it
 *   u16 ncols     slots the writer knew: 0..LDR_FEATURES_MAX
 *   u16 nfixed    bytes of the fixed part: finds var even under an older schema
 *   nulls         (ncols + 7) / 8 bytes, bit = 1: null; bits past ncols are 0
 *   fixed         column after column at its width; null = zeros
 *   var           bytes of the variable columns in slot order; a list starts with its u32 count
 *
 * In the fixed part a variable column holds the u32 end of its bytes in var, so it starts where the variable
 * column before it ends; a null one ends where it starts. The encoding of given values under a given ncols
 * is unique. */
#ifndef LDR_FEATURE_ROW_H
#define LDR_FEATURE_ROW_H
#include "feature/schema.h"
#include "feature/value.h"

#define LDR_ROW_HEAD 8

/* Appends a row with all s->ncols columns. values[slot]; types of non-null values must match the schema
 * (asserted). Dropped columns are written as null, every NaN as the one NaN. Values from users pass
 * ldr_value_check first. LDR_E_TOO_BIG over LDR_ROW_MAX, LDR_VALUE_MAX or LDR_LIST_MAX, LDR_E_NOMEM; then
 * nothing is appended. */
int ldr_row_encode(const struct ldr_schema *s, const struct ldr_value *values, struct ldr_buf *out);
/* Full check of bytes from outside: checksum, lengths, offsets in order, zeros where due, bools 0/1, times in
 * range, UTF-8, lists. LDR_E_CORRUPT with *why (static text; may be NULL). A row may have more columns than
 * the schema (written under a newer version): then only the frame is checked for those. */
int ldr_row_check(const struct ldr_schema *s, struct ldr_slice row, const char **why);
/* Checksum and frame only: what a read from disk must pay. Afterwards ldr_row_get is memory-safe for any
 * slot. */
int ldr_row_verify(const struct ldr_schema *s, struct ldr_slice row);

enum ldr_cell { LDR_CELL_VALUE, LDR_CELL_NULL, LDR_CELL_ABSENT /* column newer than the row */ };
/* One column of a verified row, slot < s->ncols; *v is filled (null for NULL and ABSENT); strings point into
 * the row. Inline because serving calls it once per value. */
static inline enum ldr_cell ldr_row_get(const struct ldr_schema *s, struct ldr_slice row, uint32_t slot,
                                        struct ldr_value *v)
{
    const struct ldr_column *c = &s->cols[slot];
    const uint8_t *nulls = row.p + LDR_ROW_HEAD;
    uint32_t ncols = ldr_get_le16(row.p + 4);
    if (slot >= ncols) {
        *v = ldr_value_null(c->type);
        return LDR_CELL_ABSENT;
    }
    if (nulls[slot / 8] >> (slot % 8) & 1) {
        *v = ldr_value_null(c->type);
        return LDR_CELL_NULL;
    }
    const uint8_t *fixed = nulls + (ncols + 7) / 8, *p = fixed + c->fixed_off;
    v->type = c->type;
    v->null = false;
    v->count = 0;
    switch (c->type) {
    case LDR_BOOL:
        v->b = *p != 0;
        break;
    case LDR_INT32:
        v->i = (int32_t)ldr_get_le32(p);
        break;
    case LDR_FLOAT32: {
        uint32_t bits = ldr_get_le32(p);
        memcpy(&v->f32, &bits, sizeof bits);
        break;
    }
    case LDR_INT64:
    case LDR_FLOAT64:
    case LDR_TIMESTAMP: {
        uint64_t bits = ldr_get_le64(p);
        memcpy(&v->i, &bits, sizeof bits);
        break;
    }
    default: {
        uint32_t start = c->prev_end_off == LDR_NO_OFFSET ? 0 : ldr_get_le32(fixed + c->prev_end_off);
        uint32_t skip = ldr_type_is_list(c->type) ? 4 : 0;
        const uint8_t *at = fixed + ldr_get_le16(row.p + 6) + start;
        v->s = ldr_slice(at + skip, ldr_get_le32(p) - start - skip);
        if (skip)
            v->count = ldr_get_le32(at);
    }
    }
    return LDR_CELL_VALUE;
}
/* Identity of the declared values: equal for equal non-null values whatever the schema version that wrote
 * them. The row must be verified. A schema that does not know the row's last non-null column cannot tell
 * which trailing columns are null; then all columns of the row count, so compute identities under a schema at
 * least as new as the value. */
uint64_t ldr_row_vhash(const struct ldr_schema *s, struct ldr_slice row);
/* Total order on the values of the columns that the schema knows, dropped ones too, in feature-name order,
 * null (or absent) first: decides full ties. Both rows verified. */
int ldr_row_cmp(const struct ldr_schema *s, struct ldr_slice a, struct ldr_slice b);
#endif
