/* Feature and join-key types. Numbers are stored on disk and never change. */
#ifndef LDR_FEATURE_TYPE_H
#define LDR_FEATURE_TYPE_H
#include "base/base.h"

#ifndef LDR_PUBLIC_TYPES /* larder.h has the same constants for the installed header */
#define LDR_PUBLIC_TYPES
enum ldr_type {
    LDR_BOOL = 1,
    LDR_INT32 = 2,
    LDR_INT64 = 3,
    LDR_FLOAT32 = 4,
    LDR_FLOAT64 = 5,
    LDR_STRING = 6, /* UTF-8 */
    LDR_BYTES = 7,
    LDR_TIMESTAMP = 8, /* int64 microseconds UTC, years 0001 to 9999 */
    LDR_LIST = 16,     /* LDR_LIST | element type */
};
#endif

/* Of a list; the type itself otherwise. */
static inline unsigned ldr_type_element(unsigned type)
{
    return type & ~(unsigned)LDR_LIST;
}
static inline bool ldr_type_is_list(unsigned type)
{
    return (type & LDR_LIST) != 0;
}
/* A scalar, or a list of one. */
static inline bool ldr_type_valid(unsigned type)
{
    return ldr_type_element(type) >= LDR_BOOL && ldr_type_element(type) <= LDR_TIMESTAMP;
}
/* Fixed width in a row: everything but string, bytes and lists. */
static inline bool ldr_type_is_fixed(unsigned type)
{
    return type != LDR_STRING && type != LDR_BYTES && !ldr_type_is_list(type);
}
/* Bytes in the fixed part of a row: 1, 4 or 8; 4 for variable types. */
static inline unsigned ldr_type_width(unsigned type)
{
    if (type == LDR_BOOL)
        return 1;
    return type == LDR_INT64 || type == LDR_FLOAT64 || type == LDR_TIMESTAMP ? 8 : 4;
}
bool ldr_type_key_valid(unsigned type);                    /* string bytes int32 int64 bool timestamp */
int ldr_type_parse(struct ldr_slice text, unsigned *type); /* "float64", "list<int32>"; 0 or LDR_E_INVALID */
const char *ldr_type_name(unsigned type); /* static text; "unknown" for a type that is not valid */
#endif
