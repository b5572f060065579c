#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void ldr_assert_failed(const char *expr, const char *file, int line, const char *func)
{
    fprintf(stderr, "larder: bug: %s:%d: %s: assertion failed: %s\n", file, line, func, expr);
    abort();
}
