/* Deleted views whose facts may still be there. */
#include <stdlib.h>

#include "client/disk/registry_file.h"

int ldr_drops_add(struct ldr_drops *d, uint32_t view)
{
    if (d->n == d->cap) {
        uint32_t cap = d->cap ? d->cap * 2 : 8;
        uint32_t *more = ldr_resize(NULL, d->views, cap * sizeof *more);
        if (!more)
            return LDR_E_NOMEM;
        d->views = more;
        d->cap = cap;
    }
    d->views[d->n++] = view;
    return 0;
}

void ldr_drops_remove(struct ldr_drops *d, uint32_t view)
{
    for (uint32_t i = 0; i < d->n; i++) {
        if (d->views[i] == view)
            d->views[i--] = d->views[--d->n];
    }
}

void ldr_drops_close(struct ldr_drops *d)
{
    free(d->views);
    *d = (struct ldr_drops){0};
}
