/* A tiny HTTP/1.1 listener for health checks and metrics: GET only, one request a connection. */
#ifndef LDR_RPC_HTTP_H
#define LDR_RPC_HTTP_H
#include "env/env.h"

struct ldr_uv_loop;
struct ldr_http_server;
struct ldr_http_answer {
    int status;       /* 200 unless set; 404 and the like */
    const char *type; /* text/plain unless set; static text */
    struct ldr_buf body;
};
/* get is called on the loop, for each path asked for ("/metrics", without the query). At most 64 connections,
 * 8 KiB of request, 5 s for everything; more are closed. port 0 = any free one. LDR_E_INVALID, LDR_E_IO with
 * detail. */
int ldr_http_create(struct ldr_uv_loop *loop, const char *listen,
                    void (*get)(void *ctx, const char *path, struct ldr_http_answer *a), void *ctx,
                    struct ldr_http_server **out, struct ldr_err *err);
int ldr_http_port(const struct ldr_http_server *s);
/* On the loop; closed() when nothing of it is left. */
void ldr_http_close(struct ldr_http_server *s, void (*closed)(void *owner), void *owner);
#endif
