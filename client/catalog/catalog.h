/* catalog.h: building and publishing catalogs; the rest of their interface stands in store.h. Internal to
 * client/. */
#ifndef LDR_CLIENT_CATALOG_H
#define LDR_CLIENT_CATALOG_H
#include "client/store.h"

/* A catalog of the registry, with one reference. Takes the registry, also on failure. LDR_E_NOMEM. */
int ldr_catalog_create(struct ldr_registry *take_registry, struct ldr_catalog **out, struct ldr_err *err);
/* Makes it the store's catalog; the store's reference to the one before is given back. */
void ldr_catalog_publish(struct ldr_store *s, struct ldr_catalog *take_catalog);
/* Tells every shard about every view of the catalog whose shape is not the same in `before` (NULL: all of
 * them). */
int ldr_catalog_to_shards(struct ldr_store *s, const struct ldr_catalog *c, const struct ldr_catalog *before,
                          struct ldr_err *err);
#endif
