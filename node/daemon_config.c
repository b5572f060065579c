/* What the daemon is told. deploy/larder-node.yaml documents every key. */
#include <stdio.h>

#include "node/daemon.h"

static size_t options(void *config, struct ldr_option out[LDR_PROGRAM_OPTIONS])
{
    struct ldr_node_config *c = config;
    const struct ldr_option all[] = {
        {"name", LDR_OPTION_TEXT, &c->name, "NAME",
         "what it is called in logs and at its peers (default: node)"},
        {"dir", LDR_OPTION_TEXT, &c->dir, "DIR", "where it keeps its data; one process at a time"},
        {"coordinators", LDR_OPTION_TEXT, &c->coordinators, "LIST",
         "host:port,... of the coordinators (--listen there)"},
        {"notices", LDR_OPTION_TEXT, &c->notices, "LIST",
         "host:port,... of notices besides those that coordinators name (default: none)"},
        {"cluster", LDR_OPTION_TEXT, &c->cluster, "NAME",
         "the cluster it must belong to (default: the one it finds)"},
        {"listen", LDR_OPTION_TEXT, &c->listen, "HOST:PORT",
         "for clients and nodes (default 127.0.0.1:7420)"},
        {"advertise", LDR_OPTION_TEXT, &c->advertise, "HOST:PORT", "how they reach it (default: --listen)"},
        {"http", LDR_OPTION_TEXT, &c->http, "HOST:PORT", "/metrics, /healthz, /readyz (default: none)"},
        {"zone", LDR_OPTION_TEXT, &c->zone, "ZONE", "replicas of a shard spread over zones (default: none)"},
        {"weight", LDR_OPTION_U64, &c->weight, "N",
         "share of the data relative to other nodes (default 100)"},
        {"threads", LDR_OPTION_U64, &c->threads, "N", "for work on disks (default 8)"},
        {"cache", LDR_OPTION_SIZE, &c->cache_bytes, "SIZE", "block cache of one replica (default 16MiB)"},
        {"latest", LDR_OPTION_SIZE, &c->latest_bytes, "SIZE",
         "newest rows in memory, of one replica (default 32MiB)"},
        {"write-buffer", LDR_OPTION_SIZE, &c->write_buffer_bytes, "SIZE", "of one replica (default 8MiB)"},
        {"queue", LDR_OPTION_SIZE, &c->queue_bytes, "SIZE",
         "writes waiting for disks; more get BUSY (default 256MiB)"},
        {"min-free", LDR_OPTION_SIZE, &c->min_free_bytes, "SIZE",
         "writes are refused with less disk free (default 256MiB)"},
        {"ballast", LDR_OPTION_SIZE, &c->ballast_bytes, "SIZE",
         "file to delete when the disk is full (default 64MiB)"},
        {"copy-rate", LDR_OPTION_SIZE, &c->copy_bytes_s, "SIZE",
         "bytes a second taken in by moves (default 64MiB)"},
        {"scrub-every", LDR_OPTION_TIME, &c->scrub_every_us, "TIME",
         "a replica is compared so often (default 24h)"},
        {"lag-bound", LDR_OPTION_TIME, &c->lag_bound_us, "TIME",
         "a replica behind by more refuses reads (default 2s)"},
        {"tombstone-grace", LDR_OPTION_TIME, &c->tomb_grace_us, "TIME",
         "an erasure names its entity at least so long (default 240h)"},
        {"stop-after", LDR_OPTION_TIME, &c->stop_us, "TIME", "longest that stopping may take (default 20s)"},
    };
    LDR_ASSERT(sizeof all / sizeof *all <= LDR_PROGRAM_OPTIONS);
    memcpy(out, all, sizeof all);
    return sizeof all / sizeof *all;
}

static int read_list(struct ldr_node_config *c, const char *name, const char *list, const char **out,
                     size_t *n, struct ldr_err *err)
{
    char *text = ldr_arena_strndup(&c->told.arena, list, strlen(list)), *next = NULL;
    if (!text)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    for (char *one = strtok_r(text, ",", &next); one; one = strtok_r(NULL, ",", &next)) {
        if (!ldr_address_valid(ldr_slice_str(one)))
            return ldr_fail(err, LDR_E_INVALID, "%s: found '%s', expected HOST:PORT", name, one);
        if (*n == LDR_CONTROL_ADDRESSES_MAX)
            return ldr_fail(err, LDR_E_INVALID, "%s: more than %d", name, LDR_CONTROL_ADDRESSES_MAX);
        out[(*n)++] = one;
    }
    return 0;
}

static int check(void *config, struct ldr_err *err)
{
    struct ldr_node_config *c = config;
    if (!c->advertise)
        c->advertise = c->listen;
    const struct {
        const char *name, *value;
    } addresses[] = {{"listen", c->listen}, {"advertise", c->advertise}, {"http", c->http}};
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++)
        if (addresses[i].value && !ldr_address_valid(ldr_slice_str(addresses[i].value)))
            return ldr_fail(err, LDR_E_INVALID, "%s: found '%s', expected HOST:PORT", addresses[i].name,
                            addresses[i].value);
    if (!c->dir)
        return ldr_fail(err, LDR_E_INVALID, "dir: a folder is needed");
    int rc = c->coordinators
                 ? read_list(c, "coordinators", c->coordinators, c->addresses, &c->naddresses, err)
                 : 0;
    if (rc == 0 && c->notices)
        rc = read_list(c, "notices", c->notices, c->notice_addresses, &c->nnotices, err);
    if (rc)
        return rc;
    if (c->naddresses == 0)
        return ldr_fail(err, LDR_E_INVALID, "coordinators: at least one address is needed");
    if (c->weight < 1 || c->weight > LDR_WEIGHT_MAX)
        return ldr_fail(err, LDR_E_INVALID, "weight: 1 to %d", LDR_WEIGHT_MAX);
    if (c->threads < 1 || c->threads > 256)
        return ldr_fail(err, LDR_E_INVALID, "threads: 1 to 256");
    if (strlen(c->zone) > LDR_ZONE_MAX || strlen(c->cluster) > LDR_NAME_MAX)
        return ldr_fail(err, LDR_E_INVALID, "zone or cluster: at most %d and %d bytes", LDR_ZONE_MAX,
                        LDR_NAME_MAX);
    return 0;
}

int ldr_node_main(int argc, char **argv, int (*run)(void *config))
{
    const struct ldr_program program = {
        .name = "larder-node",
        .about = "usage: larder-node --dir DIR --coordinators LIST [OPTION...]\n\n"
                 "Stores replicas of the shards of a Larder cluster and answers for them.\n\n",
        .size = sizeof(struct ldr_node_config),
        .options = options,
        .check = check,
        .run = run};
    struct ldr_node_config c = {.name = "node",
                                .listen = "127.0.0.1:7420",
                                .cluster = "",
                                .zone = "",
                                .weight = 100,
                                .threads = 8,
                                .cache_bytes = 16 << 20,
                                .latest_bytes = 32 << 20,
                                .write_buffer_bytes = 8 << 20,
                                .queue_bytes = 256 << 20,
                                .min_free_bytes = 256 << 20,
                                .ballast_bytes = 64 << 20,
                                .copy_bytes_s = 64 << 20,
                                .scrub_every_us = INT64_C(86400000000),
                                .lag_bound_us = 2000000,
                                .tomb_grace_us = INT64_C(864000000000),
                                .stop_us = 20000000};
    return ldr_program_main(&program, &c, argc, argv);
}
