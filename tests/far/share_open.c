#include "far/share_open.h"

#include <stdlib.h>

#include "client/share/share_guest.h"

struct both {
    struct ldr_store *base;
    void *net;
    void (*net_close)(void *net);
};

static void close_both(void *ctx)
{
    struct both *b = ctx;
    b->net_close(b->net);
    ldr_close(b->base);
    free(b);
}

int share_open(const char *url, const struct ldr_open_opts *opts, struct ldr_clock clock,
               struct ldr_store **out, struct ldr_err *err)
{
    struct both *b = calloc(1, sizeof *b);
    bool busy;
    LDR_ASSERT(b && strncmp(url, "local:", 6) == 0);
    *out = NULL;
    int rc = ldr_store_open_here(url, url + 6, opts, clock, &b->base, &busy, err);
    if (!rc)
        rc = ldr_guest_open(url, url + 6, opts, clock, out, err);
    if (rc) {
        ldr_close(b->base);
        free(b);
        return rc;
    }
    struct ldr_remote *r = (*out)->remote;
    b->net = r->net;
    b->net_close = r->net_close;
    r->net = b;
    r->net_close = close_both;
    return 0;
}
