/* Private to text_*.c: what a cell and a list element share, so that both refuse with the same words. */
#ifndef LDR_FEATURE_TEXT_NUMBER_H
#define LDR_FEATURE_TEXT_NUMBER_H
#include "feature/value.h"

/* The number, time or truth value of a fixed-width type. 0 or LDR_E_INVALID with *why. */
int ldr_text_fixed(unsigned type, struct ldr_slice text, struct ldr_value *out, const char **why);
/* A list cell, a JSON array. */
int ldr_text_list(unsigned type, struct ldr_slice text, struct ldr_arena *a, struct ldr_value *out,
                  const char **why);

static inline int ldr_text_refuse(const char **why, int code, const char *text)
{
    if (why)
        *why = text;
    return code;
}
#endif
