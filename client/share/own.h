/* own.h: whether a handle is used in the process that opened it. After fork() the child has a copy of the
 * memory, but not of the threads, and locks may be held for ever. Internal to client/.
 *
 * A page that the kernel empties in a child (MADV_WIPEONFORK): asking costs a load, no call. */
#ifndef LDR_CLIENT_OWN_H
#define LDR_CLIENT_OWN_H
#include <stdbool.h>
#include <stdint.h>

struct ldr_own {
    const volatile uint32_t *page; /* 1 in the process that made it, 0 in a child */
    long pid;
};
int ldr_own_init(struct ldr_own *o); /* LDR_E_NOMEM */
void ldr_own_close(struct ldr_own *o);
bool ldr_own_asks(const struct ldr_own *o); /* the long way: a kernel without such pages, or a child */
static inline bool ldr_own_here(const struct ldr_own *o)
{
    return *o->page || ldr_own_asks(o);
}
#endif
