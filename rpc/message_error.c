/* Failures on the wire. */
#include "rpc/message.h"

int ldr_msg_error_put(const struct ldr_err *err, uint64_t map_version, const char *leader,
                      struct ldr_buf *out)
{
    struct ldr_msg_error m = {.code = err->code,
                              .in_doubt = err->in_doubt,
                              .map_version = map_version,
                              .message = ldr_slice_str(err->message),
                              .leader = ldr_slice_str(leader ? leader : "")};
    return ldr_msg_error_encode(&m, out);
}

int ldr_msg_error_fill(int code, struct ldr_slice payload, struct ldr_err *err)
{
    struct ldr_msg_error m;
    LDR_ASSERT(code != 0);
    /* no list in it, so no arena; the code in front of the payload is the one that counts */
    if (ldr_msg_error_decode(payload, NULL, &m) || m.code != code || !ldr_utf8_valid(m.message))
        return ldr_fail(err, code, "%s", ldr_code_text(code));
    ldr_fail(err, code, "%.*s", (int)m.message.n, (const char *)m.message.p);
    if (err)
        err->in_doubt = m.in_doubt != 0;
    return code;
}
