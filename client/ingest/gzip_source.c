#include "client/ingest/gzip_source.h"

#include <errno.h>
#include <unistd.h>
#include <zlib.h>

#define IN_BYTES ((size_t)256 << 10)

struct ldr_gzip {
    int fd;
    bool input_ended;
    bool in_member; /* between the first byte of a member and its last */
    z_stream z;
    uint8_t in[IN_BYTES];
};

int ldr_gzip_create(int fd, struct ldr_gzip **out)
{
    struct ldr_gzip *g = ldr_calloc(NULL, 1, sizeof *g);
    if (!g)
        return LDR_E_NOMEM;
    g->fd = fd;
    if (inflateInit2(&g->z, 15 + 16) != Z_OK) { /* the largest window, gzip framing only */
        ldr_release(NULL, g);
        return LDR_E_NOMEM;
    }
    *out = g;
    return 0;
}

void ldr_gzip_destroy(struct ldr_gzip *g)
{
    if (!g)
        return;
    inflateEnd(&g->z);
    ldr_release(NULL, g);
}

static int refill(struct ldr_gzip *g, uint64_t *taken, const char **why)
{
    ssize_t n;
    do {
        n = read(g->fd, g->in, sizeof g->in);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        *why = strerror(errno);
        return LDR_E_IO;
    }
    g->input_ended = n == 0;
    g->z.next_in = g->in;
    g->z.avail_in = (uInt)n;
    *taken += (uint64_t)n;
    return 0;
}

static int step(struct ldr_gzip *g, const char **why)
{
    int rc = inflate(&g->z, Z_NO_FLUSH);
    if (rc == Z_STREAM_END) {
        g->in_member = false;
        if (inflateReset(&g->z) == Z_OK)
            return 0;
        rc = Z_STREAM_ERROR;
    }
    if (rc == Z_OK || rc == Z_BUF_ERROR)
        return 0;
    *why = rc == Z_MEM_ERROR ? "out of memory" : "not gzip data, or damaged";
    return rc == Z_MEM_ERROR ? LDR_E_NOMEM : LDR_E_CORRUPT;
}

int ldr_gzip_read(struct ldr_gzip *g, void *buf, size_t n, size_t *got, uint64_t *taken, const char **why)
{
    size_t done = 0;
    while (done < n) {
        if (g->z.avail_in == 0 && !g->input_ended) {
            int rc = refill(g, taken, why);
            if (rc)
                return rc;
        }
        bool drained = g->z.avail_in == 0 && g->input_ended;
        if (drained && !g->in_member)
            break;
        size_t room = n - done < ((size_t)1 << 30) ? n - done : (size_t)1 << 30;
        g->in_member = true;
        g->z.next_out = (uint8_t *)buf + done;
        g->z.avail_out = (uInt)room;
        int rc = step(g, why);
        done += room - g->z.avail_out;
        if (rc)
            return rc;
        if (drained && g->in_member && g->z.avail_out == room) { /* zlib held nothing back either */
            *why = "the gzip data ends in the middle";
            return LDR_E_CORRUPT;
        }
    }
    *got = done;
    return 0;
}
