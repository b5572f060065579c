#include "env/log_lines.h"

#include <time.h>
#include <unistd.h>

#include "env/env.h"

static const char *const levels[] = {"debug", "info", "warn", "error"};

static void write_line(void *ctx, enum ldr_log_level level, const char *text)
{
    const struct ldr_log_lines *l = ctx;
    struct ldr_clock clock = ldr_clock_system();
    char at[LDR_TIME_TEXT];
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 64u << 10);
    size_t n = ldr_time_format(clock.now_us(clock.ctx), at);
    at[n < sizeof at ? n : sizeof at - 1] = '\0';
    if (l->json) {
        struct ldr_json j;
        ldr_json_init(&j, &b);
        ldr_json_object(&j);
        ldr_json_key(&j, "time");
        ldr_json_str(&j, ldr_slice_str(at));
        ldr_json_key(&j, "level");
        ldr_json_str(&j, ldr_slice_str(levels[level]));
        ldr_json_key(&j, "from");
        ldr_json_str(&j, ldr_slice_str(l->who));
        ldr_json_key(&j, "message");
        ldr_json_str(&j, ldr_slice_str(text));
        ldr_json_object_end(&j);
    } else {
        ldr_buf_printf(&b, "%s %-5s %s: %s", at, levels[level], l->who, text);
    }
    ldr_buf_putc(&b, '\n');
    /* one call a line, so that lines of several threads do not mix; who does not read them does not stop us
     */
    if (!b.err && write(STDERR_FILENO, b.p, b.n) < 0)
        b.err = LDR_E_IO;
    ldr_buf_close(&b);
}

int ldr_log_lines_init(struct ldr_log_lines *l, const char *who, const char *format, const char *level,
                       struct ldr_err *err)
{
    *l = (struct ldr_log_lines){.who = who, .json = strcmp(format, "json") == 0};
    l->log.ctx = l;
    l->log.write = write_line;
    if (!l->json && strcmp(format, "text") != 0)
        return ldr_fail(err, LDR_E_INVALID, "log-format: found '%s', expected text or json", format);
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++)
        if (strcmp(level, levels[i]) == 0) {
            l->log.level = (enum ldr_log_level)i;
            return 0;
        }
    return ldr_fail(err, LDR_E_INVALID, "log-level: found '%s', expected debug, info, warn or error", level);
}
