/* fake_cluster.h: a cluster that is not one: the far side of a store, served from an embedded store behind
 * it, so that every test of the embedded store can be run against the cluster's client. Its nodes are moody:
 * some requests meet a dead node, a busy or a slow one, or a map that has just changed. What is answered must
 * be the same all the same. */
#ifndef LDR_TESTS_FAKE_CLUSTER_H
#define LDR_TESTS_FAKE_CLUSTER_H
#include "client/store.h"

struct ldr_open_opts;
/* A far store over `url` ("local:DIR"), opened with the options. Closing it closes both. */
int fake_cluster_open(const char *url, const struct ldr_open_opts *opts, struct ldr_clock clock,
                      struct ldr_store **out, struct ldr_err *err);
#endif
