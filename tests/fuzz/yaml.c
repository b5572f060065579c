/* links: registry
 * Any text as a definition file: problems or definitions; definitions are applied, encoded and planned again
 * (no change). */
#include "registry/registry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ldr_arena a;
    struct ldr_defs *defs = NULL;
    struct ldr_problems problems = {0};
    struct ldr_def_file file = {"a.yaml", {data, size}};
    ldr_arena_init(&a, NULL, 0);
    int rc = ldr_defs_load(&a, &file, 1, NULL, &defs, &problems);
    LDR_ASSERT((rc == 0) == (problems.n == 0) || rc == LDR_E_TOO_BIG || rc == LDR_E_NOMEM);
    if (rc == 0) {
        struct ldr_registry *r;
        struct ldr_buf command;
        struct ldr_plan plan;
        struct ldr_err err;
        ldr_buf_init(&command, NULL, 0);
        LDR_ASSERT(ldr_registry_create(NULL, &r) == 0);
        LDR_ASSERT(ldr_command_apply(defs, LDR_VERSION_ANY, &command) == 0);
        LDR_ASSERT(ldr_registry_step(r, ldr_buf_slice(&command), 1, NULL, &err) == 0);
        LDR_ASSERT(ldr_registry_plan(r, defs, &a, &plan) == 0 && plan.nchanges == 0 && plan.problems.n == 0);
        ldr_registry_destroy(r);
        ldr_buf_close(&command);
    }
    ldr_arena_close(&a);
    return 0;
}
