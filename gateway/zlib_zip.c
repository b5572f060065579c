#include <zlib.h>

#include "gateway/zip.h"

#define LEVEL      1
#define WITH_GZIP  (15 + 16)
#define ZIP_PIECE  ((size_t)64 << 10)
#define INPUT_MOST ((size_t)1 << 30) /* zlib counts in 32 bits */

struct ldr_gw_zipper {
    z_stream z;
    uint8_t out[ZIP_PIECE];
};

static bool begin(z_stream *z)
{
    return deflateInit2(z, LEVEL, Z_DEFLATED, WITH_GZIP, 8, Z_DEFAULT_STRATEGY) == Z_OK;
}

int ldr_gw_zip(struct ldr_slice in, struct ldr_buf *out)
{
    z_stream z = {0};
    if (in.n > UINT32_MAX || !begin(&z))
        return LDR_E_NOMEM;
    uLong most = deflateBound(&z, (uLong)in.n);
    uint8_t *to = ldr_buf_reserve(out, most);
    int rc = LDR_E_NOMEM;
    if (to) {
        z.next_in = (Bytef *)(uintptr_t)in.p;
        z.avail_in = (uInt)in.n;
        z.next_out = to;
        z.avail_out = (uInt)most;
        if (deflate(&z, Z_FINISH) == Z_STREAM_END) {
            out->n += z.total_out;
            rc = 0;
        }
    }
    deflateEnd(&z);
    return rc;
}

int ldr_gw_zipper_create(struct ldr_gw_zipper **out)
{
    struct ldr_gw_zipper *z = ldr_calloc(NULL, 1, sizeof *z);
    if (z && !begin(&z->z)) {
        ldr_release(NULL, z);
        z = NULL;
    }
    *out = z;
    return z ? 0 : LDR_E_NOMEM;
}

void ldr_gw_zipper_destroy(struct ldr_gw_zipper *z)
{
    if (z)
        deflateEnd(&z->z);
    ldr_release(NULL, z);
}

static int put_all(struct ldr_gw_zipper *z, int flush, ldr_gw_zip_put put, void *ctx)
{
    for (;;) {
        z->z.next_out = z->out;
        z->z.avail_out = ZIP_PIECE;
        int zrc = deflate(&z->z, flush);
        LDR_ASSERT(zrc == Z_OK || zrc == Z_STREAM_END || zrc == Z_BUF_ERROR); /* nothing to do */
        size_t n = ZIP_PIECE - z->z.avail_out;
        int rc = n ? put(ctx, ldr_slice(z->out, n)) : 0;
        if (rc || z->z.avail_out) /* room was left: there is no more of it */
            return rc;
    }
}

int ldr_gw_zipper_put(struct ldr_gw_zipper *z, struct ldr_slice in, enum ldr_gw_zip_how how,
                      ldr_gw_zip_put put, void *ctx)
{
    int last = how == LDR_GW_ZIP_END ? Z_FINISH : how == LDR_GW_ZIP_FLUSH ? Z_SYNC_FLUSH : Z_NO_FLUSH;
    int rc = 0;
    do {
        size_t n = in.n < INPUT_MOST ? in.n : INPUT_MOST;
        z->z.next_in = (Bytef *)(uintptr_t)in.p;
        z->z.avail_in = (uInt)n;
        in = ldr_slice(n ? in.p + n : in.p, in.n - n);
        rc = put_all(z, in.n ? Z_NO_FLUSH : last, put, ctx);
    } while (!rc && in.n);
    return rc;
}

/* ---- Requests ---- */

static int damaged(const z_stream *z, size_t at, size_t n, int zrc, struct ldr_err *err)
{
    if (zrc == Z_MEM_ERROR)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (at == n && zrc == Z_BUF_ERROR)
        return ldr_fail(err, LDR_E_FORMAT,
                        "the body is not whole gzip: it ends after %zu bytes, before its end", n);
    return ldr_fail(err, LDR_E_FORMAT, "the body is not gzip: %s at byte %zu of %zu",
                    z->msg ? z->msg : "something else", at, n);
}

/* Room for the next piece, within all limits. */
static int make_room(struct ldr_gw_unzip *u, struct ldr_buf *out, size_t *n, struct ldr_err *err)
{
    *n = u->max - out->n < ZIP_PIECE ? u->max - out->n : ZIP_PIECE;
    if (!*n)
        return ldr_fail(err, LDR_E_TOO_BIG, "the body is more than %zu bytes when it is unpacked", u->max);
    u->counted += *n;
    if (atomic_fetch_add(u->held, *n) + *n > u->held_max)
        return ldr_fail(err, LDR_E_BUSY, "too many large requests at one time");
    return ldr_buf_reserve(out, *n) ? 0 : ldr_fail(err, LDR_E_NOMEM, "out of memory");
}

static int unzip(struct ldr_gw_unzip *u, z_stream *z, size_t in_n, struct ldr_buf *out, struct ldr_err *err)
{
    for (;;) {
        size_t room;
        int zrc = Z_OK, rc = make_room(u, out, &room, err);
        if (rc && rc != LDR_E_TOO_BIG)
            return rc;
        uint8_t more; /* when no room is left, whether there is a byte more than may be */
        z->next_out = rc ? &more : out->p + out->n;
        z->avail_out = rc ? 1 : (uInt)room;
        while (z->avail_out && zrc == Z_OK) {
            zrc = inflate(z, Z_NO_FLUSH);
            if (zrc == Z_STREAM_END && z->avail_in) /* another member follows, or what is none */
                zrc = inflateReset(z);
        }
        if (rc && !z->avail_out)
            return rc;
        if (!rc)
            out->n += room - z->avail_out;
        if (zrc == Z_STREAM_END)
            return 0;
        if (zrc != Z_OK)
            return damaged(z, in_n - z->avail_in, in_n, zrc, err);
    }
}

int ldr_gw_unzip(struct ldr_gw_unzip *u, struct ldr_slice in, struct ldr_buf *out, struct ldr_err *err)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
    if (in.n > INPUT_MOST)
        return ldr_fail(err, LDR_E_TOO_BIG, "the body has %zu bytes", in.n);
    if (inflateInit2(&z, WITH_GZIP) != Z_OK)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int rc = unzip(u, &z, in.n, out, err);
    inflateEnd(&z);
    return rc;
}
