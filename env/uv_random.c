#include <uv.h>

#include "env/env.h"

int ldr_random_bytes(void *out, size_t n)
{
    return uv_random(NULL, NULL, out, n, 0, NULL) == 0 ? 0 : LDR_E_IO;
}
