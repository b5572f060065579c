/* gateway/: HTTP and JSON before a store. Feast's paths and Larder's own. The one header for others. */
#ifndef LDR_GATEWAY_H
#define LDR_GATEWAY_H
#include "env/env.h"

/* What the daemon is told; deploy/larder-gateway.yaml documents every key. */
struct ldr_gateway_config {
    struct ldr_told told;
    const char *store, *dir, *listen, *fresh;
    uint64_t loops, threads, long_threads, connections, queue, rows, max_head_bytes, max_body_bytes,
        bodies_bytes, gzip_min_bytes, memory_bytes, latest_bytes, cache_bytes;
    int64_t head_us, body_us, idle_us, write_us, read_us, drain_us, stop_us;
};
/* The program: run is called with the struct ldr_gateway_config that the command line and its file make. */
int ldr_gateway_main(int argc, char **argv, int (*run)(void *config));
#endif
