/* Running a cluster: its ring, nodes, shards and coordinators. Everything here talks to the coordinators
 * alone. */
#include "ops/cli.h"
#include "ops/verbs.h"

static int open_admin(struct ldr_cli *c, struct ldr_admin **out)
{
    struct ldr_err err = {0};
    const char *url = NULL;
    int rc = ldr_cli_store_url(c, &url, &err);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    if (strncmp(url, "cluster:", 8) != 0)
        return ldr_cli_error(c, LDR_EXIT_USAGE,
                             "%s is a store in one folder; this is for clusters: --store cluster:host:port",
                             url);
    rc = ldr_admin_open(url, out, &err);
    return rc ? ldr_cli_fail(c, rc, &err) : 0;
}

/* One part of the report, printed. */
static int print_part(struct ldr_cli *c, struct ldr_admin *a, const char *part)
{
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    int rc = ldr_admin_table(a, part, &t, &err);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    rc = ldr_print_table(c, t);
    ldr_table_destroy(t);
    return rc ? ldr_cli_fail(c, rc, NULL) : LDR_EXIT_DONE;
}

static int list_part(struct ldr_cli *c, const char *part)
{
    struct ldr_admin *a = NULL;
    int code = open_admin(c, &a);
    if (code)
        return code;
    code = print_part(c, a, part);
    ldr_admin_close(a);
    return code;
}

static int number(struct ldr_cli *c, const char *what, const char *text, uint64_t most, uint64_t *out)
{
    int code = ldr_cli_u64(c, what, text, out);
    if (!code && *out > most)
        return ldr_cli_usage(c, "%s %s is over %llu", what, text, (unsigned long long)most);
    return code;
}

/* ---- status ---- */

static int run_status(struct ldr_cli *c)
{
    static const char *const parts[] = {"summary", "members", "nodes", "moves"};
    struct ldr_admin *a = NULL;
    int code = open_admin(c, &a);
    if (code)
        return code;
    for (size_t i = 0; code == 0 && i < sizeof parts / sizeof *parts; i++) {
        struct ldr_table *t = NULL;
        struct ldr_err err = {0};
        int rc = ldr_admin_table(a, parts[i], &t, &err);
        if (rc) {
            code = ldr_cli_fail(c, rc, &err);
            break;
        }
        if (ldr_table_rows(t) || i < 3) {
            if (i)
                ldr_cli_say(c, "\n%s", parts[i]);
            if (ldr_print_table(c, t))
                code = ldr_cli_fail(c, LDR_E_NOMEM, NULL);
        }
        ldr_table_destroy(t);
    }
    ldr_admin_close(a);
    return code;
}

const struct ldr_verb ldr_verb_status = {
    .name = "status",
    .group = "Cluster",
    .synopsis = "",
    .summary = "one screen: coordinators, leader, nodes, lag, disk, moves under way",
    .text = "As the leader sees it. `shard list` has the shards.",
    .example = "larder --store cluster:10.0.0.1:7410 status",
    .run = run_status,
};

/* ---- cluster init ---- */

static int option(struct ldr_cli *c, enum ldr_opt_id id, const char *name, uint64_t most, uint64_t *out)
{
    const char *text = ldr_cli_opt(c, id);
    *out = 0;
    return text ? number(c, name, text, most, out) : 0;
}

static int run_cluster(struct ldr_cli *c)
{
    struct ldr_admin *a = NULL;
    struct ldr_err err = {0};
    uint64_t replicas, quorum, nodes;
    if (strcmp(c->args[0], "init") != 0)
        return ldr_cli_usage(c, "found '%s', expected init", c->args[0]);
    int code = option(c, LDR_OPT_REPLICAS, "--replicas", 7, &replicas);
    if (!code)
        code = option(c, LDR_OPT_WRITE_QUORUM, "--write-quorum", 7, &quorum);
    if (!code)
        code = option(c, LDR_OPT_NODES, "--nodes", 1000, &nodes);
    if (!code)
        code = open_admin(c, &a);
    if (code)
        return code;
    int rc = ldr_admin_init(a, ldr_cli_opt(c, LDR_OPT_NAME), c->shards, (uint32_t)replicas, (uint32_t)quorum,
                            (uint32_t)nodes, &err);
    ldr_admin_close(a);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    ldr_cli_say(c, "The ring is made. Shards are placed as soon as enough nodes have joined.");
    return LDR_EXIT_DONE;
}

static const struct ldr_opt cluster_opts[] = {
    {"name", 0, "NAME", LDR_OPT_NAME, "name of the cluster (default larder)"},
    {"replicas", 0, "N", LDR_OPT_REPLICAS, "copies of each shard (default 3)"},
    {"write-quorum", 0, "W", LDR_OPT_WRITE_QUORUM,
     "durable copies before a write is acknowledged (default N/2 + 1)"},
    {"nodes", 0, "N", LDR_OPT_NODES,
     "place the shards when so many nodes have joined (default: as many as replicas)"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_cluster = {
    .name = "cluster",
    .group = "Cluster",
    .synopsis = "init [--shards N] [--replicas N] [--write-quorum W] [--nodes N]",
    .summary = "make the ring of a new cluster",
    .text = "Once. The same again changes nothing. Shards can be split and merged later; 16 is a good start "
            "for a "
            "few nodes.",
    .example = "larder --store cluster:10.0.0.1:7410 --shards 32 cluster init --replicas 3",
    .opts = cluster_opts,
    .min_args = 1,
    .max_args = 1,
    .run = run_cluster,
};

/* ---- node ---- */

static int run_node(struct ldr_cli *c)
{
    const char *what = c->args[0];
    struct ldr_admin *a = NULL;
    struct ldr_err err = {0};
    uint64_t weight = 0;
    if (strcmp(what, "list") == 0)
        return list_part(c, "nodes");
    if (strcmp(what, "add") == 0) {
        ldr_cli_say(c,
                    "A node adds itself: start `larder-node --coordinators ...` with an empty folder. Then\n"
                    "`larder rebalance` moves its share of the data to it.");
        return LDR_EXIT_DONE;
    }
    bool weighs = strcmp(what, "weight") == 0;
    if (!weighs && strcmp(what, "drain") != 0 && strcmp(what, "undrain") != 0 && strcmp(what, "remove") != 0)
        return ldr_cli_usage(c, "found '%s', expected list, add, drain, undrain, remove or weight", what);
    if (c->nargs != (weighs ? 3 : 2))
        return ldr_cli_usage(c, weighs ? "node weight NODE N" : "a node is wanted: its number or host:port");
    int code = weighs ? number(c, "the weight", c->args[2], 10000, &weight) : 0;
    if (!code)
        code = open_admin(c, &a);
    if (code)
        return code;
    int rc = ldr_admin_node(a, c->args[1], what, (uint32_t)weight, &err);
    ldr_admin_close(a);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    if (strcmp(what, "drain") == 0)
        ldr_cli_say(c, "Its shards are being moved away: `larder status` shows the moves. When none is left, "
                       "`larder node "
                       "remove` takes it out.");
    return LDR_EXIT_DONE;
}

const struct ldr_verb ldr_verb_node = {
    .name = "node",
    .group = "Cluster",
    .synopsis = "list | add | drain NODE | undrain NODE | remove NODE | weight NODE N",
    .summary = "storage nodes: list them, empty one, take one out",
    .text = "NODE is a number or host:port. Draining moves all its replicas to others and can be undone; a "
            "node that still\n"
            "has replicas is not removed. weight is its share relative to the others (100 is usual).",
    .example = "larder node list\nlarder node drain 4",
    .min_args = 1,
    .max_args = 3,
    .run = run_node,
};

/* ---- shard ---- */

static int describe_shard(struct ldr_cli *c, uint64_t shard)
{
    struct ldr_admin *a = NULL;
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    int code = open_admin(c, &a);
    if (code)
        return code;
    int rc = ldr_admin_table(a, "shards", &t, &err);
    ldr_admin_close(a);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    code = -1;
    for (size_t i = 0; i < ldr_table_rows(t); i++) {
        if ((uint64_t)ldr_table_int(t, i, "id") != shard)
            continue;
        struct ldr_buf b;
        struct ldr_json j;
        ldr_buf_init(&b, NULL, 0);
        ldr_json_init(&j, &b);
        if (c->json)
            ldr_table_row_json(t, i, &j);
        for (size_t col = 0; !c->json && col < ldr_table_columns(t); col++)
            ldr_buf_printf(&b, "%-12s %s%s", ldr_table_column(t, col),
                           ldr_table_string(c, t, i, ldr_table_column(t, col)),
                           col + 1 < ldr_table_columns(t) ? "\n" : "");
        ldr_buf_putc(&b, '\n');
        ldr_out_flush(&b);
        ldr_buf_close(&b);
        code = LDR_EXIT_DONE;
    }
    ldr_table_destroy(t);
    return code < 0 ? ldr_cli_error(c, LDR_EXIT_REFUSED, "there is no shard %llu", (unsigned long long)shard)
                    : code;
}

static int change_shard(struct ldr_cli *c, const char *what, uint64_t shard)
{
    struct ldr_admin *a = NULL;
    struct ldr_err err = {0};
    uint64_t move = 0, other = 0;
    uint32_t child = 0;
    bool merge = strcmp(what, "merge") == 0, moving = strcmp(what, "move") == 0;
    int code = 0;
    if (merge)
        code = c->nargs == 3 ? number(c, "a shard", c->args[2], UINT32_MAX, &other)
                             : ldr_cli_usage(c, "shard merge SHARD NEIGHBOUR");
    else if (moving && c->nargs != 4)
        code = ldr_cli_usage(c, "shard move SHARD FROM TO (FROM '-' = one more replica)");
    if (!code)
        code = open_admin(c, &a);
    if (code)
        return code;
    int rc = moving  ? ldr_admin_move(a, (uint32_t)shard, strcmp(c->args[2], "-") == 0 ? NULL : c->args[2],
                                      c->args[3], &move, &err)
             : merge ? ldr_admin_merge(a, (uint32_t)shard, (uint32_t)other, &move, &err)
                     : ldr_admin_split(a, (uint32_t)shard, &child, &err);
    ldr_admin_close(a);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    if (child)
        ldr_cli_say(c,
                    "Shard %u takes the upper half, once every node has taken over earlier splits: "
                    "`larder status`.",
                    child);
    else if (merge)
        ldr_cli_say(c, "Move %llu is taken on: `larder status` shows it and what it waits for.",
                    (unsigned long long)move);
    else
        ldr_cli_say(c, "Move %llu is under way: `larder status` shows it.", (unsigned long long)move);
    return LDR_EXIT_DONE;
}

static int abort_move(struct ldr_cli *c, uint64_t move)
{
    struct ldr_admin *a = NULL;
    struct ldr_err err = {0};
    int code = open_admin(c, &a);
    if (code)
        return code;
    int rc = ldr_admin_abort(a, move, &err);
    ldr_admin_close(a);
    return rc ? ldr_cli_fail(c, rc, &err) : LDR_EXIT_DONE;
}

static int run_shard(struct ldr_cli *c)
{
    const char *what = c->args[0];
    uint64_t shard = 0;
    if (strcmp(what, "list") == 0)
        return list_part(c, "shards");
    bool aborts = strcmp(what, "abort") == 0;
    if (!aborts && strcmp(what, "describe") != 0 && strcmp(what, "move") != 0 && strcmp(what, "split") != 0 &&
        strcmp(what, "merge") != 0)
        return ldr_cli_usage(c, "found '%s', expected list, describe, move, split, merge or abort", what);
    if (c->nargs < 2)
        return ldr_cli_usage(c,
                             aborts ? "the number of a move is wanted" : "the number of a shard is wanted");
    int code = number(c, aborts ? "a move" : "a shard", c->args[1], aborts ? UINT64_MAX : UINT32_MAX, &shard);
    if (code)
        return code;
    if (aborts)
        return abort_move(c, shard);
    return strcmp(what, "describe") == 0 ? describe_shard(c, shard) : change_shard(c, what, shard);
}

const struct ldr_verb ldr_verb_shard = {
    .name = "shard",
    .group = "Cluster",
    .synopsis =
        "list | describe SHARD | move SHARD FROM TO | split SHARD | merge SHARD NEIGHBOUR | abort MOVE",
    .summary = "shards: list them, move a replica, split, merge",
    .text = "Reads and writes go on throughout. FROM and TO are nodes; FROM '-' adds a replica. SHARD takes "
            "over its NEIGHBOUR,\n"
            "whose replicas are first brought to the same nodes. A split or merge waits until every node has "
            "taken over earlier\n"
            "ones, and while a node is down; `larder status` says what for. All of it survives crashes of "
            "anybody: it resumes\n"
            "from the map. abort takes back a move, or a split or merge that has not begun.",
    .example = "larder shard list\nlarder shard move 7 1 4\nlarder shard split 7\nlarder shard merge 7 23",
    .min_args = 1,
    .max_args = 4,
    .run = run_shard,
};

/* ---- rebalance ---- */

static int run_rebalance(struct ldr_cli *c)
{
    struct ldr_admin *a = NULL;
    struct ldr_err err = {0};
    if (ldr_cli_has(c, LDR_OPT_DRY_RUN))
        return list_part(c, "plan");
    int code = open_admin(c, &a);
    if (code)
        return code;
    int rc = ldr_admin_rebalance(a, !ldr_cli_has(c, LDR_OPT_STOP), &err);
    ldr_admin_close(a);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    ldr_cli_say(c, ldr_cli_has(c, LDR_OPT_STOP)
                       ? "No further moves are started; those under way finish."
                       : "Data is being spread anew: `larder status` shows the moves.");
    return LDR_EXIT_DONE;
}

static const struct ldr_opt rebalance_opts[] = {
    {"dry-run", 0, NULL, LDR_OPT_DRY_RUN, "show the moves, start none"},
    {"stop", 0, NULL, LDR_OPT_STOP, "start no further moves"},
    {NULL, 0, NULL, 0, NULL},
};

const struct ldr_verb ldr_verb_rebalance = {
    .name = "rebalance",
    .group = "Cluster",
    .synopsis = "[--dry-run | --stop]",
    .summary = "spread the data evenly over the nodes there are, with as few moves as possible",
    .text = "By size and weight, replicas of a shard in different zones where there are enough. A few moves "
            "run at a time,\n"
            "throttled; reads and writes go on.",
    .example = "larder rebalance --dry-run\nlarder rebalance",
    .opts = rebalance_opts,
    .run = run_rebalance,
};

/* ---- coordinator ---- */

/* One that is gone already, by an earlier attempt, is no hindrance. */
static int replace_coordinator(struct ldr_cli *c)
{
    struct ldr_admin *a = NULL;
    struct ldr_err err = {0};
    uint64_t old = 0, id = 0;
    if (c->nargs != 4)
        return ldr_cli_usage(c, "coordinator replace ID NEW-ID HOST:PORT");
    int code = number(c, "a coordinator", c->args[1], UINT64_MAX, &old);
    if (!code)
        code = number(c, "a coordinator", c->args[2], UINT64_MAX, &id);
    if (!code)
        code = open_admin(c, &a);
    if (code)
        return code;
    int rc = ldr_admin_member(a, "remove", old, NULL, &err);
    if (rc == 0 || rc == LDR_E_NOT_FOUND)
        rc = ldr_admin_member(a, "add", id, c->args[3], &err);
    ldr_admin_close(a);
    return rc ? ldr_cli_fail(c, rc, &err) : LDR_EXIT_DONE;
}

static int run_coordinator(struct ldr_cli *c)
{
    const char *what = c->args[0];
    struct ldr_admin *a = NULL;
    struct ldr_err err = {0};
    uint64_t id = 0;
    if (strcmp(what, "list") == 0)
        return list_part(c, "members");
    bool replace = strcmp(what, "replace") == 0;
    bool add = strcmp(what, "add") == 0, transfer = strcmp(what, "transfer") == 0;
    if (replace)
        return replace_coordinator(c);
    if (!add && !transfer && strcmp(what, "remove") != 0)
        return ldr_cli_usage(c, "found '%s', expected list, add, remove, replace or transfer", what);
    if ((add && c->nargs != 3) || (!add && !transfer && c->nargs != 2) || (transfer && c->nargs > 2))
        return ldr_cli_usage(
            c, "coordinator add ID HOST:PORT | remove ID | replace ID NEW-ID HOST:PORT | transfer [ID]");
    int code = c->nargs > 1 ? number(c, "a coordinator", c->args[1], UINT64_MAX, &id) : 0;
    if (!code)
        code = open_admin(c, &a);
    if (code)
        return code;
    int rc = ldr_admin_member(a, what, id, add ? c->args[2] : NULL, &err);
    ldr_admin_close(a);
    return rc ? ldr_cli_fail(c, rc, &err) : LDR_EXIT_DONE;
}

const struct ldr_verb ldr_verb_coordinator = {
    .name = "coordinator",
    .group = "Cluster",
    .synopsis = "list | add ID HOST:PORT | remove ID | replace ID NEW-ID HOST:PORT | transfer [ID]",
    .summary = "coordinators: list, add, remove, hand over leadership",
    .text =
        "A lost coordinator is replaced by a new one with a new ID and an empty folder: start it, then "
        "`replace`, which\n"
        "may be repeated. HOST:PORT is where it listens for its peers (--raft). Done means: it has caught up "
        "and votes.",
    .example = "larder coordinator list\nlarder coordinator transfer 2",
    .min_args = 1,
    .max_args = 4,
    .run = run_coordinator,
};

/* ---- scrub ---- */

static int run_scrub(struct ldr_cli *c)
{
    struct ldr_store *s = NULL;
    struct ldr_table *t = NULL;
    struct ldr_err err = {0};
    uint64_t shard = 0, bad = 0;
    int code = c->nargs ? number(c, "a shard", c->args[0], UINT32_MAX, &shard) : 0;
    if (!code)
        code = ldr_cli_open(c, LDR_OPEN_EXISTING, &s);
    if (code)
        return code;
    int rc = ldr_scrub(s, (uint32_t)shard, &t, &err);
    ldr_close(s);
    if (rc)
        return ldr_cli_fail(c, rc, &err);
    for (size_t i = 0; i < ldr_table_rows(t); i++)
        bad += *ldr_table_string(c, t, i, "problem") != '\0';
    rc = ldr_print_table(c, t);
    ldr_table_destroy(t);
    if (bad)
        ldr_cli_warn(c, "%llu replica%s could not be compared", (unsigned long long)bad, ldr_plural(bad));
    return rc ? ldr_cli_fail(c, rc, NULL) : bad ? LDR_EXIT_PARTLY : LDR_EXIT_DONE;
}

const struct ldr_verb ldr_verb_scrub = {
    .name = "scrub",
    .group = "Cluster",
    .synopsis = "[SHARD]",
    .summary = "compare the replicas of each shard and bring over what one lacks",
    .text =
        "By hashes of ranges, so that little travels when all is well. Nodes do it by themselves as well.",
    .example = "larder scrub\nlarder scrub 7",
    .max_args = 1,
    .run = run_scrub,
};
