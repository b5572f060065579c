/* A small HTTP listener for health checks and metrics: GET and HEAD, one answer a connection, everything
 * bounded. It serves whoever can reach its address: what it shows is no secret. */
#ifndef LDR_RPC_HTTP_H
#define LDR_RPC_HTTP_H
#include "base/base.h"
#include "env/env.h"

struct ldr_http;
struct ldr_http_answer {
    int status;       /* 200, 404, 503 */
    const char *type; /* "text/plain" when NULL */
    struct ldr_buf body;
};
/* Fills the answer to GET path (without what follows a '?'), at once, on the loop. */
typedef void (*ldr_http_serve)(void *ctx, const char *path, struct ldr_http_answer *a);

/* Listens on "host:port" (port 0: any). LDR_E_INVALID, LDR_E_IO with err, LDR_E_NOMEM. On the loop's thread
 * or before it runs, as all below. */
int ldr_http_listen(struct ldr_uv_loop *loop, const char *address, ldr_http_serve serve, void *ctx,
                    struct ldr_http **out, struct ldr_err *err);
int ldr_http_port(const struct ldr_http *h);
/* Breaks off what is under way; then, on the loop, closed(owner), and it is gone. */
void ldr_http_close(struct ldr_http *h, void (*closed)(void *owner), void *owner);
#endif
