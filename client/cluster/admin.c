/* Administration of a cluster: commands to its coordinators, and what they report. */
#include <stdlib.h>

#include "client/cluster/cluster.h"
#include "client/json_table.h"

#define REPORT_MS 10000u

struct ldr_admin {
    struct ldr_cluster_control control;
    uint64_t client, seq;
};

int ldr_admin_open(const char *url, struct ldr_admin **out, struct ldr_err *err)
{
    static const char far[] = "cluster:";
    *out = NULL;
    ldr_err_clear(err);
    if (!url || strncmp(url, far, sizeof far - 1) != 0)
        return ldr_fail(err, LDR_E_INVALID,
                        "'%s' names no cluster: cluster:host:port[,host:port...] is wanted", url ? url : "");
    struct ldr_admin *a = ldr_calloc(NULL, 1, sizeof *a);
    if (!a)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    int rc = ldr_random_bytes(&a->client, sizeof a->client);
    if (rc)
        ldr_fail(err, rc, "no random numbers");
    if (!rc)
        rc = ldr_cluster_control_open(url + sizeof far - 1, &a->control, err);
    if (rc)
        ldr_admin_close(a);
    else
        *out = a;
    return rc;
}

void ldr_admin_close(struct ldr_admin *a)
{
    if (!a)
        return;
    ldr_cluster_control_close(&a->control);
    free(a);
}

static int run(struct ldr_admin *a, const struct ldr_map_command *c, uint64_t *value, struct ldr_err *err)
{
    struct ldr_command_result res = {0};
    ldr_err_clear(err);
    int rc = ldr_cluster_control_command(&a->control, a->client, ++a->seq, c, &res, err);
    if (!rc && value)
        *value = res.value;
    return rc;
}

static int report(struct ldr_admin *a, struct ldr_buf *in, struct ldr_status_rep *rep,
                  struct ldr_arena *arena, struct ldr_err *err)
{
    struct ldr_status_req q = {.detail = 1};
    struct ldr_buf out;
    ldr_buf_init(&out, NULL, 0);
    int rc = ldr_status_req_encode(&q, &out);
    rc = rc ? ldr_fail(err, rc, "out of memory")
            : a->control.ask(a->control.ctx, LDR_MSG_STATUS, ldr_buf_slice(&out), REPORT_MS, in, err);
    if (!rc && (rc = ldr_status_rep_decode(ldr_buf_slice(in), arena, rep)) != 0)
        ldr_fail(err, rc, "the coordinator's answer is not one: %s", ldr_code_text(rc));
    ldr_buf_close(&out);
    return rc;
}

int ldr_admin_table(struct ldr_admin *a, const char *part, struct ldr_table **out, struct ldr_err *err)
{
    struct ldr_buf in;
    struct ldr_arena arena;
    struct ldr_status_rep rep;
    *out = NULL;
    ldr_err_clear(err);
    ldr_buf_init(&in, NULL, LDR_FRAME_MAX);
    ldr_arena_init(&arena, NULL, 0);
    int rc = report(a, &in, &rep, &arena, err);
    if (!rc)
        rc = ldr_json_to_table(rep.json, part, out, err);
    ldr_arena_close(&arena);
    ldr_buf_close(&in);
    return rc;
}

int ldr_admin_init(struct ldr_admin *a, const char *name, uint32_t shards, uint32_t replicas,
                   uint32_t write_quorum, uint32_t nodes, struct ldr_err *err)
{
    struct ldr_map_command c = {.kind = LDR_CMD_INIT,
                                .cluster = ldr_slice_str(name && *name ? name : "larder"),
                                .shards = shards ? shards : 16,
                                .replicas = replicas ? replicas : 3,
                                .wait_nodes = nodes};
    c.write_quorum = write_quorum ? write_quorum : c.replicas / 2 + 1;
    return run(a, &c, NULL, err);
}

/* A node by its number or its address, as the map has it. */
static int find_node(struct ldr_admin *a, const char *node, uint32_t *id, struct ldr_err *err)
{
    struct ldr_state_req q = {.strict = 1}; /* a member that has just started knows nothing yet */
    struct ldr_state_rep rep;
    struct ldr_buf out, in;
    struct ldr_arena arena;
    struct ldr_map map;
    *id = 0;
    ldr_buf_init(&out, NULL, 0);
    ldr_buf_init(&in, NULL, LDR_FRAME_MAX);
    ldr_arena_init(&arena, NULL, 0);
    int rc = ldr_state_req_encode(&q, &out);
    rc = rc ? ldr_fail(err, rc, "out of memory")
            : a->control.ask(a->control.ctx, LDR_MSG_STATE, ldr_buf_slice(&out), REPORT_MS, &in, err);
    if (!rc &&
        (ldr_state_rep_decode(ldr_buf_slice(&in), &arena, &rep) || ldr_map_decode(&map, NULL, rep.map)))
        rc = ldr_fail(err, LDR_E_CORRUPT, "the coordinator's answer is not one");
    if (!rc) {
        for (uint32_t i = 0; i < map.nnodes; i++) {
            char number[LDR_NUM_TEXT];
            ldr_u64_format(map.nodes[i].id, number);
            if (map.nodes[i].state != LDR_NODE_REMOVED &&
                (strcmp(node, number) == 0 || strcmp(node, map.nodes[i].address) == 0))
                *id = map.nodes[i].id;
        }
        if (*id == 0)
            rc = ldr_fail(err, LDR_E_NOT_FOUND,
                          "there is no node '%.256s' (a number or host:port; `larder node list`)", node);
        ldr_map_close(&map);
    }
    ldr_arena_close(&arena);
    ldr_buf_close(&out);
    ldr_buf_close(&in);
    return rc;
}

int ldr_admin_node(struct ldr_admin *a, const char *node, const char *action, uint32_t weight,
                   struct ldr_err *err)
{
    struct ldr_map_command c = {.kind = LDR_CMD_NODE_STATE};
    ldr_err_clear(err);
    if (strcmp(action, "drain") == 0)
        c.node_state = LDR_NODE_DRAINING;
    else if (strcmp(action, "undrain") == 0)
        c.node_state = LDR_NODE_ACTIVE;
    else if (strcmp(action, "remove") == 0)
        c.node_state = LDR_NODE_REMOVED;
    else if (strcmp(action, "weight") == 0) {
        c.kind = LDR_CMD_NODE_WEIGHT;
        c.weight = weight;
    } else
        return ldr_fail(err, LDR_E_INVALID, "'%s' is nothing that a node does", action);
    int rc = find_node(a, node, &c.node, err);
    return rc ? rc : run(a, &c, NULL, err);
}

int ldr_admin_move(struct ldr_admin *a, uint32_t shard, const char *from, const char *to, uint64_t *move,
                   struct ldr_err *err)
{
    struct ldr_map_command c = {.kind = LDR_CMD_MOVE_START, .shard = shard};
    ldr_err_clear(err);
    int rc = from ? find_node(a, from, &c.from, err) : 0;
    if (!rc)
        rc = find_node(a, to, &c.to, err);
    return rc ? rc : run(a, &c, move, err);
}

int ldr_admin_abort(struct ldr_admin *a, uint64_t move, struct ldr_err *err)
{
    return run(a, &(struct ldr_map_command){.kind = LDR_CMD_MOVE_ABORT, .move = move}, NULL, err);
}

int ldr_admin_split(struct ldr_admin *a, uint32_t shard, uint32_t *child, struct ldr_err *err)
{
    uint64_t id = 0;
    int rc = run(a, &(struct ldr_map_command){.kind = LDR_CMD_SPLIT, .shard = shard}, &id, err);
    if (!rc && child)
        *child = (uint32_t)id;
    return rc;
}

int ldr_admin_merge(struct ldr_admin *a, uint32_t shard, uint32_t other, uint64_t *move, struct ldr_err *err)
{
    return run(a, &(struct ldr_map_command){.kind = LDR_CMD_MERGE, .shard = shard, .other = other}, move,
               err);
}

int ldr_admin_rebalance(struct ldr_admin *a, bool on, struct ldr_err *err)
{
    return run(a, &(struct ldr_map_command){.kind = LDR_CMD_REBALANCE, .on = on}, NULL, err);
}

int ldr_admin_member(struct ldr_admin *a, const char *action, uint64_t id, const char *address,
                     struct ldr_err *err)
{
    static const char *const actions[] = {"add", "remove", "transfer"};
    struct ldr_member_req q = {.id = id, .address = ldr_slice_str(address ? address : "")};
    struct ldr_buf out, in;
    ldr_err_clear(err);
    for (size_t i = 0; i < 3; i++)
        if (strcmp(action, actions[i]) == 0)
            q.op = (uint8_t)(i + 1);
    if (q.op == 0)
        return ldr_fail(err, LDR_E_INVALID, "'%s' is nothing that a coordinator does", action);
    ldr_buf_init(&out, NULL, 0);
    ldr_buf_init(&in, NULL, LDR_FRAME_MAX);
    int rc = ldr_member_req_encode(&q, &out);
    rc = rc ? ldr_fail(err, rc, "out of memory")
            : a->control.ask(a->control.ctx, LDR_MSG_MEMBER, ldr_buf_slice(&out), 60000, &in, err);
    ldr_buf_close(&out);
    ldr_buf_close(&in);
    return rc;
}
