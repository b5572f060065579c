/* plan_out.h: showing what plan found or apply did. */
#ifndef LDR_OPS_PLAN_OUT_H
#define LDR_OPS_PLAN_OUT_H
#include "ops/cli.h"

struct ldr_plan_result {
    bool done; /* apply: it is in the past */
    int rc;
    const struct ldr_err *err;
    struct ldr_table *changes, *problems; /* either may be NULL */
    uint64_t count, version;
};
/* Prints it; 0, or the exit code when there were problems or refusals. */
int ldr_plan_print(struct ldr_cli *c, const struct ldr_plan_result *r);
#endif
