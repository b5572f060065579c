#include "rpc/message_shape.h"

/* The third exception from "no globals", next to fault points and planted bugs: test builds only. */
#ifdef LARDER_FAULTS
#include <stdatomic.h>
#include <stdlib.h>

static atomic_int shape; /* 0: not read yet */

enum ldr_msg_shape ldr_msg_shape(void)
{
    int s = atomic_load_explicit(&shape, memory_order_relaxed);
    if (s)
        return (enum ldr_msg_shape)s;
    const char *wire = getenv("LARDER_WIRE");
    s = !wire                          ? LDR_MSG_SHAPE_OWN
        : strcmp(wire, "earlier") == 0 ? LDR_MSG_SHAPE_EARLIER
        : strcmp(wire, "later") == 0   ? LDR_MSG_SHAPE_LATER
                                       : LDR_MSG_SHAPE_OWN;
    atomic_store_explicit(&shape, s, memory_order_relaxed);
    return (enum ldr_msg_shape)s;
}

void ldr_msg_shape_set(enum ldr_msg_shape s)
{
    atomic_store_explicit(&shape, s, memory_order_relaxed);
}
#endif
