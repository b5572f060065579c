/* cluster_store.h: what the rest of client/ sees of a far store. Internal to client/. */
#ifndef LDR_CLIENT_CLUSTER_STORE_H
#define LDR_CLIENT_CLUSTER_STORE_H
#include "client/store.h"

struct ldr_remote;
/* Fills in s->shards, s->catalog and s->remote. connect sets up r->peers and r->control (ldr_cluster_connect,
 * or a test's). Also after a failure ldr_cluster_close tidies up. */
int ldr_cluster_open(struct ldr_store *s,
                     int (*connect)(struct ldr_remote *r, void *ctx, struct ldr_err *err), void *ctx,
                     struct ldr_err *err);
void ldr_cluster_close(struct ldr_store *s); /* fine when there is none */
/* connect over the network; ctx: the list of coordinators, "host:port,host:port". */
int ldr_cluster_connect(struct ldr_remote *r, void *addresses, struct ldr_err *err);
/* Version of the map as last heard, and how long ago a coordinator last said what is new; UINT64_MAX: never,
 * the map was on disk. */
void ldr_cluster_known(struct ldr_remote *r, uint64_t *map_version, uint64_t *age_us);
/* Whether another process has the folder and told of newer definitions than version `knew`. */
bool ldr_cluster_behind(struct ldr_remote *r, uint64_t knew);
/* A time of acceptance; see ldr_store_stamp. */
int ldr_cluster_stamp(struct ldr_remote *r, int64_t *stamp_us, struct ldr_err *err);
/* A registry command, run once however often it is sent. *version: after it. */
int ldr_cluster_command(struct ldr_remote *r, struct ldr_slice command, uint64_t *version,
                        struct ldr_err *err);
/* See ldr_backup. */
int ldr_cluster_backup(struct ldr_remote *r, const char *dir, void (*missing)(void *ctx, const char *text),
                       void *ctx, struct ldr_err *err);
#endif
