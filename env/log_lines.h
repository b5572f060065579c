/* A daemon's log: one line a message on standard error, as text or as JSON. */
#ifndef LDR_ENV_LOG_LINES_H
#define LDR_ENV_LOG_LINES_H
#include "base/base.h"

struct ldr_log_lines {
    struct ldr_log log; /* hand out its address */
    bool json;
    const char *who; /* "node", "coordinator" */
};
/* format: "text" or "json"; level: "debug", "info", "warn", "error". LDR_E_INVALID says what was expected. */
int ldr_log_lines_init(struct ldr_log_lines *l, const char *who, const char *format, const char *level,
                       struct ldr_err *err);
#endif
