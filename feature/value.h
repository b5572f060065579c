/* One typed value. Strings, bytes and lists are borrowed from wherever the value came from. */
#ifndef LDR_FEATURE_VALUE_H
#define LDR_FEATURE_VALUE_H
#include "feature/type.h"

struct ldr_value {
    uint8_t type; /* enum ldr_type */
    bool null;
    uint32_t count; /* of a list */
    union {
        bool b;
        int64_t i; /* int32, int64, timestamp */
        float f32;
        double f64;
        struct ldr_slice s; /* string, bytes; list: packed elements: fixed ones little-endian at their width,
                               variable ones as u32 length and bytes */
    };
};

static inline struct ldr_value ldr_value_null(unsigned type)
{
    return (struct ldr_value){.type = (uint8_t)type, .null = true};
}
/* Is it a value that may be stored: UTF-8, int32 and time ranges, sizes, list bytes. For values handed in by
 * users; null is fine. 0, LDR_E_INVALID or LDR_E_TOO_BIG with *why (static text; may be NULL). */
int ldr_value_check(const struct ldr_value *v, const char **why);
/* Total order within one type: null first, then by value; false < true; -0.0 < 0.0; NaN after Infinity; bytes
 * by memcmp then length; lists element by element, then the shorter first. */
int ldr_value_cmp(const struct ldr_value *a, const struct ldr_value *b);
/* The elements of a non-null list, in order. Ends early, and safely, on bytes that are not such a list. */
struct ldr_list_iter {
    struct ldr_cursor c;
    unsigned element;
    uint32_t left;
};
void ldr_list_iter_init(struct ldr_list_iter *it, const struct ldr_value *list);
bool ldr_list_iter_next(struct ldr_list_iter *it, struct ldr_value *out);
/* Checks that packed list bytes hold exactly `count` valid elements of the type: 0 or LDR_E_CORRUPT. */
int ldr_list_check(unsigned list_type, uint32_t count, struct ldr_slice packed);
#endif
