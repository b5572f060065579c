/* arrow.h: the Arrow C data interface, as its specification declares it, and what the files arrow_* of this
 * folder share. Internal to client/. */
#ifndef LDR_CLIENT_ARROW_H
#define LDR_CLIENT_ARROW_H
#include "client/columns/columns.h"

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE           2
#define ARROW_FLAG_MAP_KEYS_SORTED    4
struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};
struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};
#endif

/* How the cells of a foreign column lie in memory. */
enum ldr_arrow_layout {
    LDR_ARROW_NULLS, /* no buffers at all */
    LDR_ARROW_BITS,
    LDR_ARROW_INT,    /* signed, of `width` bytes, times `scale`, divided by `divisor` */
    LDR_ARROW_UINT,   /* the same, unsigned */
    LDR_ARROW_FLOAT,  /* of `width` bytes: 2, 4, 8 */
    LDR_ARROW_TEXT,   /* offsets of `width` bytes: 4, 8 */
    LDR_ARROW_VIEW,   /* 16 bytes: short texts in place, long ones in one of many buffers */
    LDR_ARROW_FIXED,  /* `width` bytes each */
    LDR_ARROW_LIST,   /* offsets of `width` bytes into one child */
    LDR_ARROW_GROUPS, /* lists of `width` elements each */
    LDR_ARROW_DICTIONARY,
};
struct ldr_arrow_column {
    enum ldr_arrow_layout layout;
    uint8_t type;   /* enum ldr_type that holds it without loss; of `null` none: 0 */
    uint8_t want;   /* of a list's elements: the type that they become */
    bool is_signed; /* of a dictionary's numbers */
    uint32_t width;
    int64_t scale, divisor;
    const struct ArrowArray *array;
    size_t first;                   /* cell 0 of ours is this one of the array */
    struct ldr_arrow_column *inner; /* a list's elements, a dictionary's values */
};
/* What `schema` says of a column, and of its inner columns: 0, or LDR_E_UNSUPPORTED with its format in err.
 */
int ldr_arrow_read_schema(const struct ArrowSchema *schema, const struct ArrowArray *array, size_t first,
                          struct ldr_arena *a, struct ldr_arrow_column *out, struct ldr_err *err);
/* One cell. Borrowed from the array, lists from scratch too (valid until the next call). 0, or LDR_E_INVALID
 * with *why, or LDR_E_NOMEM. */
int ldr_arrow_cell(const struct ldr_arrow_column *c, size_t i, struct ldr_buf *scratch, struct ldr_datum *out,
                   const char **why);
bool ldr_arrow_null(const struct ldr_arrow_column *c, size_t i);
#endif
