/* Test builds can speak as other builds of the same major protocol do, so that a cluster of several builds
 * can be tried with one: LARDER_WIRE=earlier leaves out all that messages gained (LATER of the list), =later
 * puts fields behind every message that nobody knows. Read once, when the first message is made; elsewhere
 * all of it is constant. */
#ifndef LDR_RPC_MESSAGE_SHAPE_H
#define LDR_RPC_MESSAGE_SHAPE_H
#include "base/base.h"

enum ldr_msg_shape { LDR_MSG_SHAPE_OWN = 1, LDR_MSG_SHAPE_EARLIER, LDR_MSG_SHAPE_LATER };
#ifdef LARDER_FAULTS
enum ldr_msg_shape ldr_msg_shape(void);           /* any thread */
void ldr_msg_shape_set(enum ldr_msg_shape shape); /* for tests of the codec */
#define LDR_MSG_SHAPE      ldr_msg_shape()
#define LDR_MSG_SHAPE_MORE (LDR_MSG_SHAPE == LDR_MSG_SHAPE_LATER ? (size_t)12 : 0)
static inline uint8_t *ldr_msg_shape_more(uint8_t *p)
{
    if (LDR_MSG_SHAPE != LDR_MSG_SHAPE_LATER)
        return p;
    ldr_put_le64(p, UINT64_MAX); /* a number, and a text of no length */
    ldr_put_le32(p + 8, 0);
    return p + 12;
}
#else
#define LDR_MSG_SHAPE      LDR_MSG_SHAPE_OWN
#define LDR_MSG_SHAPE_MORE ((size_t)0)
static inline uint8_t *ldr_msg_shape_more(uint8_t *p)
{
    return p;
}
#endif
#endif
