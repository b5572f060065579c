#include "client/share/own.h"

#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"

int ldr_own_init(struct ldr_own *o)
{
    size_t n = (size_t)sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *o = (struct ldr_own){.pid = (long)getpid()};
    if (p == MAP_FAILED)
        return LDR_E_NOMEM;
    o->page = p;
    if (madvise(p, n, MADV_WIPEONFORK) == 0)
        *(uint32_t *)p = 1;
    return 0;
}

void ldr_own_close(struct ldr_own *o)
{
    if (o->page)
        munmap((void *)(uintptr_t)o->page, (size_t)sysconf(_SC_PAGESIZE));
    o->page = NULL;
}

bool ldr_own_asks(const struct ldr_own *o)
{
    return (long)getpid() == o->pid;
}
