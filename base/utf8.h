/* UTF-8: validation only (no overlong forms, no surrogates, at most U+10FFFF). */
#ifndef LDR_BASE_UTF8_H
#define LDR_BASE_UTF8_H
#include "base/slice.h"
/* Bytes (1 to 4) of the well-formed character at p, of which `left` >= 1 bytes may be read; 0 when there is
 * none. */
size_t ldr_utf8_char(const uint8_t *p, size_t left);
bool ldr_utf8_valid(struct ldr_slice s);
/* Columns it takes on a terminal, counting each code point as one: good enough for tables. */
size_t ldr_utf8_width(struct ldr_slice s);
#endif
