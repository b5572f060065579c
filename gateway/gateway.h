/* gateway/: HTTP and JSON before a store. Feast's paths and Larder's own. The one header for others. */
#ifndef LDR_GATEWAY_H
#define LDR_GATEWAY_H
#include "base/base.h"

/* What the daemon is told; deploy/larder-gateway.yaml documents every key. */
struct ldr_gateway_config {
    const char *config, *store, *dir, *listen, *fresh, *log_format, *log_level;
    uint64_t loops, threads, long_threads, connections, queue, rows, max_head_bytes, max_body_bytes,
        bodies_bytes, gzip_min_bytes, memory_bytes, latest_bytes, cache_bytes;
    int64_t head_us, body_us, idle_us, write_us, read_us, drain_us, stop_us;
    bool check_config, help, version;
    struct ldr_arena arena; /* to be closed whatever configure returned */
};
/* Command line and file. LDR_E_INVALID with what is wrong. */
int ldr_gateway_configure(struct ldr_gateway_config *c, int argc, char **argv, struct ldr_err *err);
int ldr_gateway_config_help(struct ldr_buf *out);
#endif
