/* Error codes and the detail that travels with them. Fallible functions return 0 or a negative LDR_E_*. */
#ifndef LDR_BASE_ERR_H
#define LDR_BASE_ERR_H
#include <stdbool.h>
#include <stddef.h>

#include "base/err_list.h"

#ifndef LDR_PUBLIC_CODES /* larder.h has the same constants for the installed header */
#define LDR_PUBLIC_CODES
enum ldr_code {
    LDR_OK = 0,
#define X(name, num, text, retry) LDR_E_##name = (num),
    LDR_ERR_LIST(X)
#undef X
};

/* What went wrong, for people: code, whether a write may have happened, and one line of text. */
struct ldr_err {
    int code;      /* LDR_OK or LDR_E_* */
    bool in_doubt; /* a write was sent and its outcome is unknown */
    char message[1024];
};
#endif

const char *ldr_code_name(int code); /* "INVALID"; "UNKNOWN" for anything else */
const char *ldr_code_text(int code); /* "invalid input" */
bool ldr_code_retryable(int code);

/* Fills err (which may be NULL) and returns code, so that `return ldr_fail(err, LDR_E_IO, "...")` reads well.
 * A message that does not fit is cut. The first failure wins is NOT implied: a later call overwrites. */
int ldr_fail(struct ldr_err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Prepends "context: " to the message of an error that is already set; returns err->code (or code when err is
 * NULL). */
int ldr_fail_context(struct ldr_err *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void ldr_err_clear(struct ldr_err *err);

#ifdef __clang_analyzer__ /* what it cannot see from a declaration: both return the code that they are given \
                           */
#define ldr_fail(err, code, ...)         (ldr_fail(err, code, __VA_ARGS__), (code))
#define ldr_fail_context(err, code, ...) (ldr_fail_context(err, code, __VA_ARGS__), (code))
#endif
#endif
