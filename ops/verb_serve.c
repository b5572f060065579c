/* `larder serve`: the gateway before the store that the command line means. It is a program of its own, so
 * that a cluster's gateways need no command line; here it takes this process's place. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ops/cli.h"
#include "ops/verbs.h"

#define PROGRAM "larder-gateway"

/* The one that was installed beside this program, else the one that the shell would find. */
static const char *gateway_path(struct ldr_cli *c)
{
    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    if (n > 0) {
        path[n] = '\0';
        char *slash = strrchr(path, '/');
        const char *beside =
            slash ? ldr_arena_printf(&c->arena, "%.*s/%s", (int)(slash - path), path, PROGRAM) : NULL;
        if (beside && access(beside, X_OK) == 0)
            return beside;
    }
    return PROGRAM;
}

static int run_serve(struct ldr_cli *c)
{
    struct ldr_err err = {0};
    const char *url = NULL;
    int rc = ldr_cli_store_url(c, &url, &err);
    if (rc) {
        ldr_cli_fail(c, rc, &err);
        return ldr_exit_of(rc, &err);
    }
    const char *path = gateway_path(c), *listen = ldr_cli_opt(c, LDR_OPT_LISTEN),
               *config = ldr_cli_opt(c, LDR_OPT_CONFIG);
    const char *args[16] = {path, "--store", url, "--dir", c->dir};
    size_t n = 5;
    if (listen) {
        args[n++] = "--listen";
        args[n++] = listen;
    }
    if (config) {
        args[n++] = "--config";
        args[n++] = config;
    }
    args[n] = NULL;
    fflush(stdout);
    execvp(path, (char *const *)(uintptr_t)args);
    return ldr_cli_error(c, LDR_EXIT_REFUSED, "cannot start %s: %s", path, strerror(errno));
}

static const struct ldr_opt opts[] = {
    {"listen", 0, "HOST:PORT", LDR_OPT_LISTEN, "where to answer (default 127.0.0.1:6566)"},
    {"config", 0, "FILE", LDR_OPT_CONFIG, "settings of larder-gateway; see larder-gateway(8)"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_serve = {
    .name = "serve",
    .group = "Read",
    .synopsis = "[--listen HOST:PORT] [--config FILE]",
    .summary = "answer HTTP: online reads, writes, joins, the catalog",
    .text = "Runs larder-gateway(8) before the store until Ctrl-C: Feast's paths (/get-online-features ...) "
            "and Larder's "
            "own\n"
            "(/v1/...); GET /openapi.json describes them. A local store is held meanwhile: other commands "
            "find it locked.",
    .example = "larder serve --listen 127.0.0.1:6566\n"
               "curl -s 127.0.0.1:6566/get-online-features -d "
               "'{\"features\":[\"weather:temp\"],\"entities\":{\"origin\":"
               "[\"JFK\"]}}'",
    .opts = opts,
    .run = run_serve,
};
