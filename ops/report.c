/* What goes to standard error, and which exit code goes with it. */
#include <errno.h>
#include <stdarg.h>

#include "ops/cli.h"

static void say_prefix(const struct ldr_cli *c, const char *kind)
{
    fflush(stdout); /* so that a terminal shows both streams in order */
    fprintf(stderr, "larder%s%s: %s", c->verb ? " " : "", c->verb ? c->verb->name : "", kind);
}

int(ldr_cli_usage)(const struct ldr_cli *c, const char *fmt, ...)
{
    va_list ap;
    say_prefix(c, "");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    if (c->verb)
        fprintf(stderr, "\nTry 'larder help %s'.\n", c->verb->name);
    else
        fputs("\nTry 'larder help'.\n", stderr);
    return LDR_EXIT_USAGE;
}

int(ldr_cli_error)(const struct ldr_cli *c, int code, const char *fmt, ...)
{
    va_list ap;
    say_prefix(c, "");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return code;
}

int ldr_exit_of(int rc, const struct ldr_err *err)
{
    if (rc == 0)
        return LDR_EXIT_DONE;
    if (rc == LDR_E_CANCELLED && ldr_job_signal())
        return LDR_EXIT_SIGNAL + ldr_job_signal();
    if (err && err->in_doubt)
        return LDR_EXIT_IN_DOUBT;
    switch (rc) {
    case LDR_E_INVALID:
    case LDR_E_NOT_FOUND:
    case LDR_E_TOO_BIG:
        return LDR_EXIT_USAGE;
    default:
        return LDR_EXIT_REFUSED;
    }
}

int(ldr_cli_fail)(const struct ldr_cli *c, int rc, const struct ldr_err *err)
{
    int code = ldr_exit_of(rc, err);
    const char *text = err && err->message[0] ? err->message : ldr_error_text(rc);
    ldr_cli_error(c, code, "%s", text);
    if (code == LDR_EXIT_IN_DOUBT)
        fputs("The outcome is in doubt: the write may have happened. Running it again does no harm.\n",
              stderr);
    return code;
}

void ldr_cli_warn(const struct ldr_cli *c, const char *fmt, ...)
{
    va_list ap;
    say_prefix(c, "warning: ");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

void ldr_cli_note(const struct ldr_cli *c, const char *fmt, ...)
{
    va_list ap;
    if (c->quiet)
        return;
    fflush(stdout);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

void ldr_cli_say(const struct ldr_cli *c, const char *fmt, ...)
{
    va_list ap;
    if (c->quiet || c->json)
        return;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
}
