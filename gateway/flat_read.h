/* flat_read.h: FlatBuffers from strangers, as Arrow's messages need them. Every place is looked at before it
 * is read; the first that is not inside sets `bad`, and then all is nothing: absent, zero, empty. So a
 * message is read as if it were right, and `bad` asked for at the end. Nothing here is aligned or ends in a
 * NUL. */
#ifndef LDR_GATEWAY_FLAT_READ_H
#define LDR_GATEWAY_FLAT_READ_H
#include "base/base.h"

struct ldr_gw_flat_in {
    const uint8_t *p;
    size_t n;
    bool bad;
};
struct ldr_gw_table {
    struct ldr_gw_flat_in *in;
    size_t at, index; /* places of its data and of its index; at 0: there is no such table */
    uint16_t size, index_size;
};
struct ldr_gw_vector {
    struct ldr_gw_flat_in *in;
    size_t at, n; /* of the first element; how many */
};
struct ldr_gw_table ldr_gw_flat_root(struct ldr_gw_flat_in *in);
/* Fields by their number in the schema. */
struct ldr_gw_table ldr_gw_table_table(const struct ldr_gw_table *t, unsigned field);
/* width: 1, 2, 4 or 8 bytes, signed; what stands for one that is left out. */
int64_t ldr_gw_table_number(const struct ldr_gw_table *t, unsigned field, unsigned width, int64_t left_out);
struct ldr_slice ldr_gw_table_text(const struct ldr_gw_table *t, unsigned field);
/* size: bytes of an element; references have 4. */
struct ldr_gw_vector ldr_gw_table_vector(const struct ldr_gw_table *t, unsigned field, size_t size);
/* i < v->n. */
struct ldr_gw_table ldr_gw_vector_table(const struct ldr_gw_vector *v, size_t i);
/* A number of 8 bytes at `from` bytes of an element of `size`. */
int64_t ldr_gw_vector_number(const struct ldr_gw_vector *v, size_t i, size_t size, size_t from);
#endif
