/* python.h: what the command line hands to the Python package. Internal to ops/. */
#ifndef LDR_OPS_PYTHON_H
#define LDR_OPS_PYTHON_H
#include "ops/cli.h"

/* Whether the Python package reads it: a URL, or a name that ends in .parquet or .pq. */
bool ldr_python_reads(const char *path);
/* Becomes `python3 -m larder.cli VERB ...` with the options and arguments of c; LARDER_PYTHON names another
 * interpreter. Returns only when that cannot be: the exit code, after saying what to install. */
int ldr_python_run(struct ldr_cli *c);
#endif
