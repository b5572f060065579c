/* UTF-8: validation only (no overlong forms, no surrogates, at most U+10FFFF). */
#ifndef LDR_BASE_UTF8_H
#define LDR_BASE_UTF8_H
#include "base/slice.h"
bool ldr_utf8_valid(struct ldr_slice s);
/* Columns it takes on a terminal, counting each code point as one: good enough for tables. */
size_t ldr_utf8_width(struct ldr_slice s);
#endif
