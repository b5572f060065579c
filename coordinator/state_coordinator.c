/* Where the coordinators are. Raft knows how they reach each other; this is how others reach them. */
#include "coordinator/state_parts.h"

const struct ldr_state_coordinator *ldr_state_coordinators(const struct ldr_state *s, uint32_t *n)
{
    *n = s->ncoordinators;
    return s->coordinators;
}

const struct ldr_state_coordinator *ldr_state_coordinator(const struct ldr_state *s, uint64_t id)
{
    for (uint32_t i = 0; i < s->ncoordinators; i++)
        if (s->coordinators[i].id == id)
            return &s->coordinators[i];
    return NULL;
}

int ldr_state_coordinator_put(struct ldr_state *s, uint64_t id, struct ldr_slice address,
                              struct ldr_slice notices, struct ldr_err *err)
{
    struct ldr_state_coordinator *all = s->coordinators;
    uint32_t at = 0, n = s->ncoordinators;
    while (at < n && all[at].id < id)
        at++;
    bool there = at < n && all[at].id == id;
    if (address.n == 0) {
        if (there)
            memmove(&all[at], &all[at + 1], (n - at - 1) * sizeof *all);
        s->ncoordinators -= there;
        return 0;
    }
    if (!there && n == LDR_STATE_COORDINATORS_MAX)
        return ldr_fail(err, LDR_E_TOO_BIG, "there are %u coordinators already", n);
    if (!there) {
        memmove(&all[at + 1], &all[at], (n - at) * sizeof *all);
        s->ncoordinators++;
    }
    all[at] = (struct ldr_state_coordinator){.id = id};
    memcpy(all[at].address, address.p, address.n); /* a command's addresses fit, and so do a snapshot's */
    if (notices.n)
        memcpy(all[at].notices, notices.p, notices.n);
    return 0;
}
