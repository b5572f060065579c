/* What stands in front of a payload, on both planes (docs/wire.md). */
#ifndef LDR_RPC_FRAME_H
#define LDR_RPC_FRAME_H
#include "rpc/message.h"
#include "rpc/proto.h"

/* flags */
#define LDR_FRAME_ANSWER      1u
#define LDR_FRAME_MAJOR_SHIFT 8 /* control plane: the high byte is the major protocol, 0 up to protocol 3 */

struct ldr_frame {
    uint16_t type, flags;
    uint64_t id;
    uint32_t arg; /* request: deadline_ms; answer: code, as two's complement */
    struct ldr_slice payload;
};

/* The head without the length: 20 bytes, in front of the payload in a message of the control plane. */
#define LDR_FRAME_HEAD_BARE (LDR_FRAME_HEAD - 4)
static inline void ldr_frame_put(uint8_t *p, const struct ldr_frame *f)
{
    ldr_put_le16(p, f->type);
    ldr_put_le16(p + 2, f->flags);
    ldr_put_le64(p + 4, f->id);
    ldr_put_le32(p + 12, f->arg);
    ldr_put_le32(p + 16, ldr_check32(f->payload.p, f->payload.n));
}
/* bytes: everything after the length. LDR_E_CORRUPT: too short, or the payload is not what its sum says. */
static inline int ldr_frame_get(struct ldr_slice bytes, struct ldr_frame *f)
{
    if (bytes.n < LDR_FRAME_HEAD_BARE)
        return LDR_E_CORRUPT;
    const uint8_t *p = bytes.p;
    *f = (struct ldr_frame){.type = ldr_get_le16(p),
                            .flags = ldr_get_le16(p + 2),
                            .id = ldr_get_le64(p + 4),
                            .arg = ldr_get_le32(p + 12),
                            .payload = ldr_slice(p + LDR_FRAME_HEAD_BARE, bytes.n - LDR_FRAME_HEAD_BARE)};
    return ldr_get_le32(p + 16) == ldr_check32(f->payload.p, f->payload.n) ? 0 : LDR_E_CORRUPT;
}
#endif
