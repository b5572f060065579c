#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

void ldr_logf(const struct ldr_log *log, enum ldr_log_level level, const char *fmt, ...)
{
    if (!log || !log->write || level < log->level) {
        return;
    }
    char text[2048];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (n >= 0) {
        log->write(log->ctx, level, text);
    }
}
