/* Filling pages: keys and rows are copied. */
#ifndef LDR_SHARD_PAGE_H
#define LDR_SHARD_PAGE_H
#include "shard/shard.h"
int ldr_page_fact(struct ldr_page *p, const struct ldr_fact *f, struct ldr_err *err);
int ldr_page_tomb(struct ldr_page *p, const struct ldr_tomb *t, struct ldr_err *err);
#endif
