#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *ldr_code_name(int code)
{
    switch (code) {
    case LDR_OK:
        return "OK";
#define X(name, num, text, retry) \
    case num:                     \
        return #name;
        LDR_ERR_LIST(X)
#undef X
    default:
        return "UNKNOWN";
    }
}

const char *ldr_code_text(int code)
{
    switch (code) {
    case LDR_OK:
        return "ok";
#define X(name, num, text, retry) \
    case num:                     \
        return text;
        LDR_ERR_LIST(X)
#undef X
    default:
        return "unknown error";
    }
}

bool ldr_code_retryable(int code)
{
    switch (code) {
#define X(name, num, text, retry) \
    case num:                     \
        return retry;
        LDR_ERR_LIST(X)
#undef X
    default:
        return false;
    }
}

/* Ends text of n bytes (n may exceed the room: it was cut) without leaving half a UTF-8 character behind. */
static void cut(char *text, size_t room, int n)
{
    if (n < 0) {
        text[0] = '\0';
        return;
    }
    if ((size_t)n < room) {
        return;
    }
    size_t end = room - 1;
    while (end > 0 && ((unsigned char)text[end - 1] & 0xC0) == 0x80) {
        end--;
    }
    if (end > 0 && (unsigned char)text[end - 1] >= 0xC0) {
        unsigned char lead = (unsigned char)text[end - 1];
        size_t want = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
        end = room - 1 - (end - 1) < want ? end - 1 : room - 1;
    } else {
        end = room - 1;
    }
    text[end] = '\0';
}

int(ldr_fail)(struct ldr_err *err, int code, const char *fmt, ...)
{
    if (!err) {
        return code;
    }
    char text[sizeof(err->message)]; /* the arguments may point into err->message */
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    cut(text, sizeof(text), n);
    err->code = code;
    err->in_doubt = false;
    memcpy(err->message, text, strlen(text) + 1);
    return code;
}

int(ldr_fail_context)(struct ldr_err *err, int code, const char *fmt, ...)
{
    if (!err) {
        return code;
    }
    char context[sizeof(err->message)], text[2 * sizeof(err->message)];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(context, sizeof(context), fmt, ap);
    va_end(ap);
    cut(context, sizeof(context), n);
    if (err->code == LDR_OK) {
        err->code = code;
    }
    n = snprintf(text, sizeof(text), "%s: %s", context, err->message);
    if (n < 0) {
        return err->code;
    }
    text[sizeof(err->message) - 1] = '\0';
    cut(text, sizeof(err->message), n);
    memcpy(err->message, text, strlen(text) + 1);
    return err->code;
}

void ldr_err_clear(struct ldr_err *err)
{
    if (err) {
        err->code = LDR_OK;
        err->in_doubt = false;
        err->message[0] = '\0';
    }
}
