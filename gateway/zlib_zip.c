#include <zlib.h>

#include "gateway/zip.h"

int ldr_gw_zip(struct ldr_slice in, struct ldr_buf *out)
{
    z_stream z = {0};
    if (in.n > UINT32_MAX || deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
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
