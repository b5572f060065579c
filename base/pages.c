#include "base/pages.h"

#include <stdint.h>
#include <sys/mman.h>

#include "base/alloc.h"

#define HUGE_BYTES ((size_t)2 << 20)
#define PAGE_BYTES ((size_t)4096)

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

static size_t map_bytes(size_t bytes)
{
    return round_up(bytes ? bytes : 1, bytes >= HUGE_BYTES ? HUGE_BYTES : PAGE_BYTES);
}

/* Large maps begin on a huge page: the surplus at both ends is given back. */
void *ldr_pages_map(size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return NULL;
    size_t want = map_bytes(bytes), extra = want >= HUGE_BYTES ? HUGE_BYTES : 0;
    uint8_t *p = mmap(NULL, want + extra, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    if (extra) {
        size_t before = round_up((uintptr_t)p, HUGE_BYTES) - (uintptr_t)p;
        if (before)
            munmap(p, before);
        p += before;
        if (extra > before)
            munmap(p + want, extra - before);
        madvise(p, want, MADV_HUGEPAGE); /* a wish: fine when it is not granted */
    }
    return p;
}

void ldr_pages_unmap(void *p, size_t bytes)
{
    if (p)
        munmap(p, map_bytes(bytes));
}

void *ldr_large_get(size_t bytes)
{
    return bytes < LDR_PAGES_FROM ? ldr_calloc(NULL, 1, bytes ? bytes : 1) : ldr_pages_map(bytes);
}

void ldr_large_release(void *p, size_t bytes)
{
    if (bytes < LDR_PAGES_FROM)
        ldr_release(NULL, p);
    else
        ldr_pages_unmap(p, bytes);
}
