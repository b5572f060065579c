#include "base/bug.h"

/* The second exception, next to fault points, from "no globals": test builds only. */
#ifdef LARDER_FAULTS
#include <string.h>

static enum ldr_bug_id on;

bool ldr_bug_switch(const char *name)
{
    static const char *const names[] = {"",
#define X(n, text) #n,
                                        LDR_BUG_LIST(X)
#undef X
    };
    on = LDR_BUG_none;
    if (!name)
        return true;
    for (unsigned i = 1; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) {
            on = (enum ldr_bug_id)i;
            return true;
        }
    return false;
}

bool ldr_bug_on(enum ldr_bug_id id)
{
    return on == id;
}
#endif
