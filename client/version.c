/* Answers about the library itself. */
#include "base/base.h"
#include "client/larder.h"

const char *ldr_version(void)
{
    return "0.1.0";
}

const char *ldr_error_name(int code)
{
    return ldr_code_name(code);
}

const char *ldr_error_text(int code)
{
    return ldr_code_text(code);
}

bool ldr_error_retryable(int code)
{
    return ldr_code_retryable(code);
}
