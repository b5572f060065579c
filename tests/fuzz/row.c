/* links: feature
 * Any bytes as a row, with its checksum put right: whatever passes the quick check can be read without harm,
 * and what passes the full check encodes back to the same bytes. */
#include "feature/feature.h"

static const uint8_t types[] = {LDR_BOOL,  LDR_INT32, LDR_STRING,  LDR_FLOAT64,   LDR_LIST | LDR_INT32,
                                LDR_BYTES, LDR_INT64, LDR_FLOAT32, LDR_TIMESTAMP, LDR_LIST | LDR_STRING};
enum { COLUMNS = sizeof types };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[COLUMNS] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"};
    static const uint8_t key_type = LDR_INT64;
    struct ldr_arena a;
    struct ldr_schema *s;
    struct ldr_buf row, again;
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&row, NULL, 0);
    ldr_buf_init(&again, NULL, 0);
    LDR_ASSERT(ldr_schema_build(&a, 1, COLUMNS, names, types, NULL, 1, &key_type, 0, 0, &s) == 0);
    ldr_buf_put(&row, data, size);
    if (row.n >= 4)
        ldr_put_le32(row.p, ldr_check32(row.p + 4, row.n - 4));
    struct ldr_slice bytes = ldr_buf_slice(&row);
    if (ldr_row_verify(s, bytes) == 0) {
        struct ldr_value v[COLUMNS];
        for (uint32_t i = 0; i < COLUMNS; i++)
            ldr_row_get(s, bytes, i, &v[i]);
        ldr_row_vhash(s, bytes);
        LDR_ASSERT(ldr_row_cmp(s, bytes, bytes) == 0);
        if (ldr_row_check(s, bytes, NULL) == 0 && ldr_get_le16(bytes.p + 4) == COLUMNS) {
            LDR_ASSERT(ldr_row_encode(s, v, &again) == 0);
            LDR_ASSERT(ldr_slice_eq(bytes, ldr_buf_slice(&again)));
        }
    }
    ldr_buf_close(&again);
    ldr_buf_close(&row);
    ldr_arena_close(&a);
    return 0;
}
