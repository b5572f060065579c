/* python.h: what the command line hands to the Python package. Internal to ops/. */
#ifndef LDR_OPS_PYTHON_H
#define LDR_OPS_PYTHON_H
#include "ops/cli.h"

/* Whether the Python package reads it: a URL, or a name that ends in .parquet or .pq. */
bool ldr_python_reads(const char *path);
/* What the interpreter has to have: tried by `import`, said as `what`, installed as python[extra]. */
struct ldr_python {
    const char *import, *what, *extra;
};
extern const struct ldr_python ldr_python_parquet, ldr_python_feast;
/* Becomes `python3 -m larder.cli VERB ...` with the options and arguments of c; LARDER_PYTHON names another
 * interpreter. Returns only when that cannot be: the exit code, after saying what to install. */
int ldr_python_run(struct ldr_cli *c, const struct ldr_python *needs);
#endif
