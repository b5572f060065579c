/* zip.h: gzip of bodies: of an answer as a whole or while it is made, and of a request. */
#ifndef LDR_GATEWAY_ZIP_H
#define LDR_GATEWAY_ZIP_H
#include <stdatomic.h>

#include "base/base.h"

/* Appends. LDR_E_NOMEM. */
int ldr_gw_zip(struct ldr_slice in, struct ldr_buf *out);

/* A stream that is made piece by piece; has about 330 KiB. */
struct ldr_gw_zipper;
enum ldr_gw_zip_how {
    LDR_GW_ZIP_MORE,  /* may wait inside for what comes after it */
    LDR_GW_ZIP_FLUSH, /* all so far can be read when what came out is there */
    LDR_GW_ZIP_END,
};
typedef int (*ldr_gw_zip_put)(void *ctx, struct ldr_slice bytes);
int ldr_gw_zipper_create(struct ldr_gw_zipper **out); /* LDR_E_NOMEM */
/* Hands what comes out to put; what put returns when it is not 0. */
int ldr_gw_zipper_put(struct ldr_gw_zipper *z, struct ldr_slice in, enum ldr_gw_zip_how how,
                      ldr_gw_zip_put put, void *ctx);
void ldr_gw_zipper_destroy(struct ldr_gw_zipper *z); /* NULL is fine */

/* How much a body may become, and all bodies together: what this one takes of that is added to *held, and is
 * the caller's to give back, whatever comes of it. */
struct ldr_gw_unzip {
    size_t max, held_max;
    atomic_size_t *held;
    size_t counted;
};
/* Appends. One member or several; nothing but that. LDR_E_FORMAT, LDR_E_TOO_BIG (max), LDR_E_BUSY (held_max),
 * LDR_E_NOMEM; err says where and why. */
int ldr_gw_unzip(struct ldr_gw_unzip *u, struct ldr_slice in, struct ldr_buf *out, struct ldr_err *err);
#endif
