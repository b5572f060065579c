/* The only state in this folder, and only in test builds: which point is armed, and how often it was passed.
 */
#include "base/fault.h"

#ifdef LARDER_FAULTS
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"

static _Atomic(const char *) armed; /* LARDER_FAULT as first seen; "" when unset */
static atomic_long passes;

static const char *armed_spec(void)
{
    const char *spec = atomic_load(&armed);
    if (!spec) {
        spec = getenv("LARDER_FAULT");
        spec = spec ? spec : "";
        atomic_store(&armed, spec); /* racing threads store the same pointer */
    }
    return spec;
}

int ldr_fault_hit(const char *name)
{
    const char *spec = armed_spec();
    size_t n = strlen(name);
    if (strncmp(spec, name, n) != 0 || spec[n] != ':') {
        return 0;
    }
    char *rest;
    long nth = strtol(spec + n + 1, &rest, 10);
    if (rest == spec + n + 1 || atomic_fetch_add(&passes, 1) + 1 != nth) {
        return 0;
    }
    if (strcmp(rest, ":error") == 0) {
        return LDR_E_IO;
    }
    kill(getpid(), SIGKILL);
    for (;;) {
        pause(); /* the signal is on its way */
    }
}
#else
extern int ldr_fault_is_compiled_out; /* a translation unit must not be empty */
#endif
