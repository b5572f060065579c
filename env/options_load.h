/* Options of a daemon, from its command line and the file that --config names there: base/options.h says what
 * options are and calls no file, so the reading stands here. */
#ifndef LDR_ENV_OPTIONS_LOAD_H
#define LDR_ENV_OPTIONS_LOAD_H
#include "base/base.h"

struct ldr_options_of {
    size_t size; /* of the config struct */
    /* Fills out (at most max) with options that point into config; returns how many. One may be "config", a
     * text. config may hold anything. */
    size_t (*table)(void *config, struct ldr_option *out, size_t max);
};
/* config holds the defaults. The command line is read once to find the file, then the file, then the command
 * line once more, so that it wins. Texts are in a. LDR_E_INVALID (also for a file that cannot be read or is
 * over 1 MiB), LDR_E_NOMEM. */
int ldr_options_load(const struct ldr_options_of *of, void *config, int argc, char **argv,
                     struct ldr_arena *a, struct ldr_err *err);
#endif
