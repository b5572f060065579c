/* gzip_source.h: reading gzip from a file descriptor. Internal to client/; zlib stays in gzip_source.c. */
#ifndef LDR_CLIENT_GZIP_SOURCE_H
#define LDR_CLIENT_GZIP_SOURCE_H
#include "base/base.h"

struct ldr_gzip;
int ldr_gzip_create(int fd, struct ldr_gzip **out); /* borrows fd; LDR_E_NOMEM */
void ldr_gzip_destroy(struct ldr_gzip *g);          /* NULL is fine */
/* Fills buf as far as the input reaches; members that follow each other are read as one. *taken is added the
 * compressed bytes that were used up. LDR_E_IO, or LDR_E_CORRUPT with *why (static text): bad data, or an
 * early end. */
int ldr_gzip_read(struct ldr_gzip *g, void *buf, size_t n, size_t *got, uint64_t *taken, const char **why);
#endif
