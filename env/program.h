/* program.h: a daemon from its command line on: options from there and from the file that --config names,
 * what every daemon is told, --help, --version, --check-config, and how it ends. base/options.h says what
 * options are and calls no file. */
#ifndef LDR_ENV_PROGRAM_H
#define LDR_ENV_PROGRAM_H
#include "base/base.h"

#define LDR_PROGRAM_OPTIONS 48 /* of its own, at most */

/* What every program is told: the first member of its configuration. */
struct ldr_told {
    const char *config, *log_format, *log_level;
    bool check_config, help, version;
    struct ldr_arena arena; /* of all texts */
};
struct ldr_program {
    const char *name;  /* "larder-node" */
    const char *about; /* above the options in --help: usage, and what it is for */
    size_t size;       /* of its configuration */
    /* Fills out with options that point into the configuration, which may hold anything; returns how many. */
    size_t (*options)(void *config, struct ldr_option out[LDR_PROGRAM_OPTIONS]);
    int (*check)(void *config, struct ldr_err *err); /* what options cannot say by themselves */
    int (*run)(void *config);                        /* returns what the process ends with */
};

/* config holds the defaults; its arena is open. The command line is read once to find the file, then the
 * file, then the command line once more, so that it wins. Not checked when only help or version is wanted.
 * LDR_E_INVALID (also for a file that cannot be read or is over 1 MiB), LDR_E_NOMEM. */
int ldr_program_configure(const struct ldr_program *p, void *config, int argc, char **argv,
                          struct ldr_err *err);

/* main(): config holds the defaults and is a struct ldr_told to begin with. Returns what the process ends
 * with: 2 when what it is told is wrong, said on standard error. A planted bug is switched on by LARDER_BUG
 * in builds that have any. */
int ldr_program_main(const struct ldr_program *p, void *config, int argc, char **argv);
#endif
