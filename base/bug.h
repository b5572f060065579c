/* Planted bugs: the simulator switches one on and must notice. Compiled in only with LARDER_FAULTS; elsewhere
 * LDR_BUG(name) is the constant false. Listed in bug_list.h. */
#ifndef LDR_BASE_BUG_H
#define LDR_BASE_BUG_H
#include <stdbool.h>
#ifdef LARDER_FAULTS
#include "base/bug_list.h"
enum ldr_bug_id {
    LDR_BUG_none,
#define X(name, text) LDR_BUG_##name,
    LDR_BUG_LIST(X)
#undef X
};
/* For a test's main, before anything runs. False: there is no such bug. */
bool ldr_bug_switch(const char *name); /* NULL = none */
bool ldr_bug_on(enum ldr_bug_id id);
#define LDR_BUG(name) ldr_bug_on(LDR_BUG_##name)
#else
#define LDR_BUG(name) false
#endif
#endif
