/* larder-node: what its files share. Internal to node/daemon_*.c and main.c. */
#ifndef LDR_NODE_DAEMON_H
#define LDR_NODE_DAEMON_H
#include "env/env.h"
#include "node/node.h"
#include "node/vault_shard.h"
#include "rpc/rpc.h"

#define LDR_NODE_TYPES 64 /* numbers of data messages are less */
#define LDR_NODE_SPANS 14 /* of the histograms */

struct ldr_node_config {
    struct ldr_told told;
    const char *name, *dir, *listen, *advertise, *http, *cluster, *coordinators, *notices, *zone;
    uint64_t weight, threads;
    uint64_t cache_bytes, latest_bytes, write_buffer_bytes, queue_bytes, min_free_bytes, ballast_bytes,
        copy_bytes_s;
    int64_t scrub_every_us, lag_bound_us, tomb_grace_us, stop_us;
    const char *addresses[LDR_CONTROL_ADDRESSES_MAX];
    size_t naddresses;
    const char *notice_addresses[LDR_CONTROL_ADDRESSES_MAX];
    size_t nnotices;
};
/* The program: run is called with the struct ldr_node_config that the command line and its file make. */
int ldr_node_main(int argc, char **argv, int (*run)(void *config));

struct ldr_node_times { /* of one type of request */
    uint64_t count, failed, sum_us, cell[LDR_NODE_SPANS + 1];
};
struct ldr_node_daemon {
    const struct ldr_node_config *config;
    struct ldr_log_lines lines;
    struct ldr_uv_loop *loop;
    const struct ldr_loop *seam;
    struct ldr_pool *pool;
    struct ldr_vault_shard *vault;
    struct ldr_control *control;
    struct ldr_control_peers *control_peers;
    struct ldr_data_peers *peers;
    struct ldr_node *node;
    struct ldr_data_server *server;
    struct ldr_notices *notices;
    struct ldr_http *http;
    struct ldr_node_times times[LDR_NODE_TYPES];
    struct ldr_timer late; /* stopping takes too long */
    bool started, stopping;
    int code; /* what the process ends with */
};
void ldr_node_answered(void *ctx, unsigned type, int code, uint64_t took_us); /* daemon_measure.c */
void ldr_node_http(void *ctx, const char *path, struct ldr_http_answer *a);   /* daemon_http.c */
extern const uint32_t ldr_node_spans_us[LDR_NODE_SPANS];
#endif
