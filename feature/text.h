/* Values as text: CSV cells, command-line arguments, list cells as JSON arrays. */
#ifndef LDR_FEATURE_TEXT_H
#define LDR_FEATURE_TEXT_H
#include "feature/value.h"

/* One cell to a value of the type. The caller has dealt with null; "" is the empty string here. Strings
 * borrow `text` where they can; what must be built (bytes, lists) lives in the arena. int32 range, UTF-8,
 * base64, JSON arrays without nulls, times in range, floats canonical NaN. LDR_E_INVALID with *why: static
 * text that names what was expected, e.g. "expected int32 (-2147483648 to 2147483647)"; LDR_E_NOMEM;
 * LDR_E_TOO_BIG with *why. */
int ldr_value_parse(unsigned type, struct ldr_slice text, struct ldr_arena *a, struct ldr_value *out,
                    const char **why);
/* Appends the text that ldr_value_parse reads back to the same value (no CSV quoting). null appends nothing.
 */
int ldr_value_format(const struct ldr_value *v, struct ldr_buf *out);
/* As one JSON value: numbers, strings, arrays; times as RFC 3339 strings, bytes as base64, NaN etc. as
 * strings. */
void ldr_value_json(const struct ldr_value *v, struct ldr_json *j);
/* Packs list elements: begin, add each (same type as the list's element, non-null), end. For readers of other
 * formats. */
struct ldr_list_builder {
    struct ldr_buf bytes;
    unsigned element;
    uint32_t count;
};
void ldr_list_builder_init(struct ldr_list_builder *b, unsigned list_type, const struct ldr_heap *heap);
int ldr_list_builder_add(struct ldr_list_builder *b, const struct ldr_value *v);
int ldr_list_builder_value(struct ldr_list_builder *b, struct ldr_arena *a,
                           struct ldr_value *out); /* copies */
void ldr_list_builder_close(struct ldr_list_builder *b);
#endif
