#include "rpc/proto.h"

int ldr_proto_check(unsigned theirs, struct ldr_err *err)
{
    unsigned major = theirs & 0xff;
    if (major == LDR_PROTO_MAJOR)
        return 0;
    return major ? ldr_fail(err, LDR_E_FORMAT,
                            "protocol %u is spoken there, %d here: one of the builds is too old", major,
                            LDR_PROTO_MAJOR)
                 : ldr_fail(err, LDR_E_FORMAT,
                            "protocol 3 or an earlier one is spoken there, %d here: that build is too old",
                            LDR_PROTO_MAJOR);
}
