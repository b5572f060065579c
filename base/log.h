/* Logging through a sink that is handed in; a NULL log drops everything. Log where an error is handled. */
#ifndef LDR_BASE_LOG_H
#define LDR_BASE_LOG_H
enum ldr_log_level { LDR_LOG_DEBUG, LDR_LOG_INFO, LDR_LOG_WARN, LDR_LOG_ERROR };
struct ldr_log {
    void *ctx;
    enum ldr_log_level level; /* least level written */
    void (*write)(void *ctx, enum ldr_log_level level, const char *text);
};
void ldr_logf(const struct ldr_log *log, enum ldr_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
#endif
