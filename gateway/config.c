/* What the gateway is told. deploy/larder-gateway.yaml documents every key. */
#include <stdio.h>
#include <stdlib.h>

#include "env/env.h"
#include "gateway/gateway.h"

static size_t options(void *config, struct ldr_option out[LDR_PROGRAM_OPTIONS])
{
    struct ldr_gateway_config *c = config;
    const struct ldr_option all[] = {
        {"store", LDR_OPTION_TEXT, &c->store, "URL",
         "local:DIR or cluster:host:port,... (default: LARDER_STORE, else what the definitions say)"},
        {"dir", LDR_OPTION_TEXT, &c->dir, "DIR",
         "the definitions; sources that are materialized lie relative to them (default .)"},
        {"listen", LDR_OPTION_TEXT, &c->listen, "HOST:PORT",
         "where it answers HTTP (default 127.0.0.1:6566)"},
        {"loops", LDR_OPTION_U64, &c->loops, "N", "threads that serve connections (default: one a CPU)"},
        {"threads", LDR_OPTION_U64, &c->threads, "N",
         "threads that wait for the store (default: 4, before a cluster 32)"},
        {"long-threads", LDR_OPTION_U64, &c->long_threads, "N",
         "of materialize, joins, statistics, erasures (default 2)"},
        {"queue", LDR_OPTION_U64, &c->queue, "N",
         "requests waiting for a thread; more get 503 (default 1024)"},
        {"connections", LDR_OPTION_U64, &c->connections, "N",
         "open at one time; more get 503 (default 10000)"},
        {"rows", LDR_OPTION_U64, &c->rows, "N", "entities of one read (default 10000)"},
        {"max-head", LDR_OPTION_SIZE, &c->max_head_bytes, "SIZE", "request line and headers (default 16KiB)"},
        {"max-body", LDR_OPTION_SIZE, &c->max_body_bytes, "SIZE",
         "of one request; more gets 413 (default 32MiB)"},
        {"bodies", LDR_OPTION_SIZE, &c->bodies_bytes, "SIZE",
         "bodies held at one time; more get 503 (default 512MiB)"},
        {"gzip-min", LDR_OPTION_SIZE, &c->gzip_min_bytes, "SIZE",
         "answers from here on, and all that are streamed, are compressed for who takes it (default 32KiB; "
         "0: none)"},
        {"head-timeout", LDR_OPTION_TIME, &c->head_us, "TIME",
         "for the request's head to come in (default 10s)"},
        {"body-timeout", LDR_OPTION_TIME, &c->body_us, "TIME",
         "for its body, and a second more for each MiB (default 30s)"},
        {"idle-timeout", LDR_OPTION_TIME, &c->idle_us, "TIME",
         "between requests of a connection (default 75s)"},
        {"write-timeout", LDR_OPTION_TIME, &c->write_us, "TIME",
         "for who does not take his answer (default 30s)"},
        {"read-timeout", LDR_OPTION_TIME, &c->read_us, "TIME", "a cluster's online read (default 5s)"},
        {"fresh", LDR_OPTION_TEXT, &c->fresh, "HOW",
         "bounded, own or strict: what an online read may miss (default own)"},
        {"memory", LDR_OPTION_SIZE, &c->memory_bytes, "SIZE", "of one large join or load (default 1GiB)"},
        {"latest", LDR_OPTION_SIZE, &c->latest_bytes, "SIZE",
         "local store: newest rows in memory (default 256MiB)"},
        {"cache", LDR_OPTION_SIZE, &c->cache_bytes, "SIZE", "local store: block cache (default 128MiB)"},
        {"drain", LDR_OPTION_TIME, &c->drain_us, "TIME",
         "after SIGTERM: /health says 503 for so long before connections are refused (default 0)"},
        {"stop-after", LDR_OPTION_TIME, &c->stop_us, "TIME",
         "then: longest that requests under way may take (default 20s)"},
    };
    LDR_ASSERT(sizeof all / sizeof *all <= LDR_PROGRAM_OPTIONS);
    memcpy(out, all, sizeof all);
    return sizeof all / sizeof *all;
}

static int in_range(const char *name, uint64_t v, uint64_t from, uint64_t to, struct ldr_err *err)
{
    return v >= from && v <= to
               ? 0
               : ldr_fail(err, LDR_E_INVALID, "%s: found %llu, expected %llu to %llu", name,
                          (unsigned long long)v, (unsigned long long)from, (unsigned long long)to);
}

static int check(void *config, struct ldr_err *err)
{
    const struct ldr_gateway_config *c = config;
    const struct {
        const char *name;
        uint64_t v, from, to;
    } ranges[] = {
        {"loops", c->loops, 0, 256},
        {"threads", c->threads, 0, 256},
        {"long-threads", c->long_threads, 1, 64},
        {"queue", c->queue, 1, 65536},
        {"connections", c->connections, 1, 1000000},
        {"rows", c->rows, 1, 1000000},
        {"max-head", c->max_head_bytes, 1024, 64u << 10},
        {"max-body", c->max_body_bytes, 1024, 512u << 20},
        {"bodies", c->bodies_bytes, c->max_body_bytes, UINT64_C(1) << 40},
        {"head-timeout (us)", (uint64_t)c->head_us, 100000, UINT64_C(3600000000)},
        {"body-timeout (us)", (uint64_t)c->body_us, 100000, UINT64_C(3600000000)},
        {"idle-timeout (us)", (uint64_t)c->idle_us, 100000, UINT64_C(86400000000)},
        {"write-timeout (us)", (uint64_t)c->write_us, 100000, UINT64_C(3600000000)},
        {"read-timeout (us)", (uint64_t)c->read_us, 1000, UINT64_C(600000000)},
        {"drain (us)", (uint64_t)c->drain_us, 0, UINT64_C(600000000)},
        {"stop-after (us)", (uint64_t)c->stop_us, 0, UINT64_C(3600000000)},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        int rc = in_range(ranges[i].name, ranges[i].v, ranges[i].from, ranges[i].to, err);
        if (rc)
            return rc;
    }
    const char *colon = strrchr(c->listen, ':');
    if (!colon || colon == c->listen || !colon[1])
        return ldr_fail(err, LDR_E_INVALID, "listen: found '%s', expected HOST:PORT", c->listen);
    if (strcmp(c->fresh, "bounded") != 0 && strcmp(c->fresh, "own") != 0 && strcmp(c->fresh, "strict") != 0)
        return ldr_fail(err, LDR_E_INVALID, "fresh: found '%s', expected bounded, own or strict", c->fresh);
    return 0;
}

int ldr_gateway_main(int argc, char **argv, int (*run)(void *config))
{
    const struct ldr_program program = {
        .name = "larder-gateway",
        .about = "usage: larder-gateway [--store URL] [OPTION...]\n\n"
                 "Answers HTTP with JSON for a Larder store: Feast's paths and Larder's own.\n\n",
        .size = sizeof(struct ldr_gateway_config),
        .options = options,
        .check = check,
        .run = run};
    struct ldr_gateway_config c = {.dir = ".",
                                   .listen = "127.0.0.1:6566",
                                   .fresh = "own",
                                   .long_threads = 2,
                                   .queue = 1024,
                                   .connections = 10000,
                                   .rows = 10000,
                                   .max_head_bytes = 16u << 10,
                                   .max_body_bytes = 32u << 20,
                                   .bodies_bytes = 512u << 20,
                                   .gzip_min_bytes = 32u << 10,
                                   .head_us = 10000000,
                                   .body_us = 30000000,
                                   .idle_us = 75000000,
                                   .write_us = 30000000,
                                   .read_us = 5000000,
                                   .stop_us = 20000000};
    return ldr_program_main(&program, &c, argc, argv);
}
