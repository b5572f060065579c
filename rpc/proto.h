/* Which protocol is spoken. Builds of one major version understand each other, whatever their minor ones:
 * later fields are skipped or get their values (message_list.h). Others are refused at the first message:
 * HELLO on the data plane, every frame on the control plane, where there is no first. */
#ifndef LDR_RPC_PROTO_H
#define LDR_RPC_PROTO_H
#include "base/base.h"

/* 1: no collected tombstones. 2: no arcs in reports. 3: nothing behind the last field. 4.1: build in
 * HEARTBEAT. */
#define LDR_PROTO_MAJOR 4
#define LDR_PROTO_MINOR 1
/* As HELLO and COORDINATORS have it; earlier ones had their version in the same place. */
#define LDR_PROTO (LDR_PROTO_MINOR << 8 | LDR_PROTO_MAJOR)

/* 0, or LDR_E_FORMAT with both versions named. theirs: as LDR_PROTO; 0 = up to 3, where it was not told. */
int ldr_proto_check(unsigned theirs, struct ldr_err *err);
#endif
