/* zip.h: gzip of an answer's body. */
#ifndef LDR_GATEWAY_ZIP_H
#define LDR_GATEWAY_ZIP_H
#include "base/base.h"

/* Appends. LDR_E_NOMEM. */
int ldr_gw_zip(struct ldr_slice in, struct ldr_buf *out);
#endif
