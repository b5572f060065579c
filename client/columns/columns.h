/* columns.h: Arrow-shaped columns of our own types: looking into them and building them. Internal to
 * client/. */
#ifndef LDR_CLIENT_COLUMNS_H
#define LDR_CLIENT_COLUMNS_H
#include "client/store.h"

static inline bool ldr_bit(const uint8_t *bits, size_t i)
{
    return bits[i / 8] >> (i % 8) & 1;
}

/* Whether it has the buffers that n cells of its type need: 0, or LDR_E_INVALID with *why. Offsets are looked
 * at by ldr_column_cell. */
int ldr_column_check(const struct ldr_column_data *c, size_t n, const char **why);
/* One cell; bytes are borrowed from the column, those of lists of bool, string and bytes from scratch, which
 * is appended to. LDR_E_INVALID with *why, LDR_E_NOMEM. */
int ldr_column_cell(const struct ldr_column_data *c, size_t i, struct ldr_buf *scratch, struct ldr_datum *out,
                    const char **why);

/* A column that grows. */
struct ldr_column_builder {
    uint8_t type;
    size_t n, nulls, items; /* cells; elements of all lists */
    struct ldr_buf validity, values, offsets, child_values, child_offsets;
    struct ldr_column_data data, child; /* set by finish */
};
int ldr_column_builder_init(struct ldr_column_builder *b, unsigned type);
/* Of the builder's type, or null. LDR_E_NOMEM, LDR_E_TOO_BIG. */
int ldr_column_builder_add(struct ldr_column_builder *b, const struct ldr_value *v);
void ldr_column_builder_finish(struct ldr_column_builder *b);
void ldr_column_builder_close(struct ldr_column_builder *b);
#endif
