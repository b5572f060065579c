/* flat.h: what Arrow's messages need of FlatBuffers: tables, strings and vectors, written front to back.
 * Offsets point forwards: a thing is written after what refers to it, and fills the reference in. Failures
 * stay in the buffer's err; nothing is written any more then. */
#ifndef LDR_GATEWAY_FLAT_H
#define LDR_GATEWAY_FLAT_H
#include "base/base.h"

struct ldr_gw_flat {
    struct ldr_buf *out;
    size_t base; /* where it begins in out, a multiple of 8; places are counted from there */
};
#define LDR_GW_FLAT_ROOT 0 /* the place of the reference to the first table */

void ldr_gw_flat_begin(struct ldr_gw_flat *f, struct ldr_buf *out);
/* A table that the reference at `from` points to. widths[n]: bytes of each field in the order of the schema
 * (0 = left out, 1, 2, 4, 8; references have 4); at[n]: gets their places. All are zero until they are set.
 */
void ldr_gw_flat_table(struct ldr_gw_flat *f, size_t from, const uint8_t *widths, size_t n, size_t *at);
void ldr_gw_flat_set(struct ldr_gw_flat *f, size_t at, uint64_t v, unsigned width);
void ldr_gw_flat_string(struct ldr_gw_flat *f, size_t from, const char *text);
/* `count` zeroed elements of `size` bytes: 4 (references) or 16 (structs of two int64). The place of the
 * first one.
 */
size_t ldr_gw_flat_vector(struct ldr_gw_flat *f, size_t from, size_t count, size_t size);
/* Zeros up to a multiple of 8; how many bytes there are. */
size_t ldr_gw_flat_end(struct ldr_gw_flat *f);
#endif
