/* What the nng files share. */
#ifndef LDR_RPC_NNG_COMMON_H
#define LDR_RPC_NNG_COMMON_H
#include <nng/nng.h>
/* nng's own headers do not stand alone: this one first */
#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <nng/supplemental/util/platform.h>

#include "rpc/control.h"
#include "rpc/frame.h"

int control_code(int rc);                                     /* nng's errors as ours */
int control_url(const char *address, char *out, size_t size); /* "tcp://host:port" */
int control_limit(nng_socket s); /* before listen and dial: a length alone gets no memory */
int control_listen(nng_socket s, const char *address, int *port, struct ldr_err *err);
/* As nng_close, but comes back within a second. nng 1.5.2 waits for ever when a connection is closed while
 * the two parts of a message (its length, the rest) are coming in: reading the second is not begun any more,
 * and nobody is told. The one thread that takes connections down is lost with it, and every later close in
 * this process waits as well. What it then holds is lost. No operation of ours on the socket may need it to
 * end. */
void control_close(nng_socket s);
/* Comes back at once; it is closed after that time. For one to which something may still come. */
void control_close_later(nng_socket s, nng_duration ms);
nng_msg *control_frame(const struct ldr_frame *f); /* NULL: no memory */
/* LDR_E_CORRUPT. Of which protocol it is stands in its flags. */
int control_frame_of(nng_msg *m, struct ldr_frame *f);
static inline int control_proto(const struct ldr_frame *f, struct ldr_err *err)
{
    return ldr_proto_check(f->flags >> LDR_FRAME_MAJOR_SHIFT, err);
}
#endif
