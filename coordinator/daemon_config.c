/* What the daemon is told. deploy/larder-coordinator.yaml documents every key. */
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/daemon.h"

static size_t options(void *config, struct ldr_option out[LDR_PROGRAM_OPTIONS])
{
    struct ldr_daemon_config *c = config;
    const struct ldr_option all[] = {
        {"id", LDR_OPTION_U64, &c->id, "N", "number of this member, never used again once removed"},
        {"dir", LDR_OPTION_TEXT, &c->dir, "DIR", "where its log is kept"},
        {"listen", LDR_OPTION_TEXT, &c->listen, "HOST:PORT",
         "for clients and nodes (default 127.0.0.1:7410)"},
        {"advertise", LDR_OPTION_TEXT, &c->advertise, "HOST:PORT",
         "where clients, nodes and other members reach it (default: --listen; when that is every interface, "
         "the host of "
         "--raft)"},
        {"notices", LDR_OPTION_TEXT, &c->notices, "HOST:PORT",
         "publish notices of changes there, or none (default: any free port of the host of --listen)"},
        {"raft", LDR_OPTION_TEXT, &c->raft, "HOST:PORT", "how the other members reach this one"},
        {"raft-listen", LDR_OPTION_TEXT, &c->raft_listen, "IP:PORT",
         "where it listens for them (default: --raft)"},
        {"http", LDR_OPTION_TEXT, &c->http, "HOST:PORT", "/metrics, /healthz, /readyz (default: none)"},
        {"cluster", LDR_OPTION_TEXT, &c->cluster, "LIST",
         "members of a new cluster: 1@host:port,2@host:port,..."},
        {"bootstrap", LDR_OPTION_FLAG, &c->bootstrap, NULL,
         "begin a cluster of --cluster when the folder is empty"},
        {"down-after", LDR_OPTION_TIME, &c->down_after_us, "TIME",
         "a silent node counts as down (default 5s)"},
        {"replace-after", LDR_OPTION_TIME, &c->replace_after_us, "TIME",
         "a silent node's replicas are made anew elsewhere (default: never)"},
        {"fence-after", LDR_OPTION_TIME, &c->fence_after_us, "TIME",
         "a node silent so long fills its replicas anew before it counts again; 0s: never (default 168h)"},
        {"moves-a-node", LDR_OPTION_U64, &c->moves_a_node, "N",
         "moves at one time onto or off one node (default 2)"},
    };
    LDR_ASSERT(sizeof all / sizeof *all <= LDR_PROGRAM_OPTIONS);
    memcpy(out, all, sizeof all);
    return sizeof all / sizeof *all;
}

/* "1@a:1,2@b:2" */
static int read_members(struct ldr_daemon_config *c, struct ldr_err *err)
{
    char *text = ldr_arena_strndup(&c->told.arena, c->cluster, strlen(c->cluster)), *next = NULL;
    if (!text)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    for (char *one = strtok_r(text, ",", &next); one; one = strtok_r(NULL, ",", &next)) {
        char *at = strchr(one, '@'), *end = NULL;
        uint64_t id = at && at != one ? strtoull(one, &end, 10) : 0;
        if (id == 0 || end != at || !ldr_address_valid(ldr_slice_str(at + 1)))
            return ldr_fail(err, LDR_E_INVALID, "cluster: found '%s', expected ID@HOST:PORT", one);
        for (size_t i = 0; i < c->nmembers; i++)
            if (c->members[i].id == id || strcmp(c->members[i].address, at + 1) == 0)
                return ldr_fail(err, LDR_E_INVALID,
                                "cluster: '%s' has a number or address that stands there already", one);
        if (c->nmembers == LDR_DAEMON_MEMBERS)
            return ldr_fail(err, LDR_E_INVALID, "cluster: more than %d members", LDR_DAEMON_MEMBERS);
        c->members[c->nmembers++] = (struct ldr_member){id, at + 1};
    }
    return 0;
}

static int check(void *config, struct ldr_err *err)
{
    struct ldr_daemon_config *c = config;
    const struct {
        const char *name, *value;
        bool needed;
    } addresses[] = {{"listen", c->listen, true},
                     {"advertise", c->advertise, false},
                     {"notices", c->notices && strcmp(c->notices, "none") == 0 ? NULL : c->notices, false},
                     {"raft", c->raft, true},
                     {"raft-listen", c->raft_listen, false},
                     {"http", c->http, false}};
    if (c->id == 0)
        return ldr_fail(err, LDR_E_INVALID, "id: a number over 0 is needed");
    if (!c->dir)
        return ldr_fail(err, LDR_E_INVALID, "dir: a folder is needed");
    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        if (!addresses[i].value && addresses[i].needed)
            return ldr_fail(err, LDR_E_INVALID, "%s: an address is needed", addresses[i].name);
        if (addresses[i].value && !ldr_address_valid(ldr_slice_str(addresses[i].value)))
            return ldr_fail(err, LDR_E_INVALID, "%s: found '%s', expected HOST:PORT", addresses[i].name,
                            addresses[i].value);
    }
    if (c->moves_a_node > 64)
        return ldr_fail(err, LDR_E_INVALID, "moves-a-node: at most 64");
    int rc = c->cluster ? read_members(c, err) : 0;
    if (rc)
        return rc;
    bool there = false;
    for (size_t i = 0; i < c->nmembers; i++)
        there = there || c->members[i].id == c->id;
    if (c->bootstrap && !there)
        return ldr_fail(err, LDR_E_INVALID, "bootstrap: this member (%llu) must be one of --cluster",
                        (unsigned long long)c->id);
    return 0;
}

int ldr_daemon_main(int argc, char **argv, int (*run)(void *config))
{
    const struct ldr_program program = {
        .name = "larder-coordinator",
        .about = "usage: larder-coordinator --id N --dir DIR --raft HOST:PORT [--cluster LIST "
                 "--bootstrap] [OPTION...]\n\n"
                 "A member of the replicated registry of a Larder cluster: 1, 3 or 5 of them.\n\n",
        .size = sizeof(struct ldr_daemon_config),
        .options = options,
        .check = check,
        .run = run};
    struct ldr_daemon_config c = {.listen = "127.0.0.1:7410", .fence_after_us = INT64_C(7) * 86400 * 1000000};
    return ldr_program_main(&program, &c, argc, argv);
}
