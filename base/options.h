/* Options of a daemon: one table says what there is; they come from a file of `key: value` lines and from the
 * command line, which wins. Errors name file and line, or the flag. */
#ifndef LDR_BASE_OPTIONS_H
#define LDR_BASE_OPTIONS_H
#include <stdint.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/err.h"

enum ldr_option_kind {
    LDR_OPTION_FLAG, /* bool *: `key: true`, --key */
    LDR_OPTION_TEXT, /* const char **: in the arena */
    LDR_OPTION_U64,  /* uint64_t * */
    LDR_OPTION_SIZE, /* uint64_t *: bytes; K, M, G, KiB ... may follow */
    LDR_OPTION_TIME, /* int64_t *: microseconds; 500ms, 5s, 1h */
};
struct ldr_option {
    const char *name; /* "log-format": --log-format, and log-format or log_format in a file */
    enum ldr_option_kind kind;
    void *to;
    const char *arg;  /* what its value is called */
    const char *help; /* one line */
};
/* text: of the file called `path` (for messages). Comments begin with #; a value may stand in quotes. Unknown
 * and repeated keys are errors. LDR_E_INVALID with file, line, found and expected. */
int ldr_options_file(const struct ldr_option *options, size_t n, const char *path, struct ldr_slice text,
                     struct ldr_arena *a, struct ldr_err *err);
/* --key VALUE, --key=VALUE. Arguments that are no options: LDR_E_INVALID. */
int ldr_options_args(const struct ldr_option *options, size_t n, int argc, char **argv, struct ldr_arena *a,
                     struct ldr_err *err);
/* Lines for --help. */
int ldr_options_help(const struct ldr_option *options, size_t n, struct ldr_buf *out);
#endif
