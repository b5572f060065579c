/* share_open.h: a guest's handle on a folder that another handle of this process has, so that every test of
 * the embedded store can be run over the socket in a folder. */
#ifndef LDR_TESTS_SHARE_OPEN_H
#define LDR_TESTS_SHARE_OPEN_H
#include "client/store.h"

/* The guest. Closing it closes both. */
int share_open(const char *url, const struct ldr_open_opts *opts, struct ldr_clock clock,
               struct ldr_store **out, struct ldr_err *err);
#endif
