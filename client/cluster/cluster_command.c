/* Commands to the coordinators: changes of the definitions and of the cluster itself. Each has a number of
 * its own, so that one whose answer was lost can be sent again and still runs once. */
#include "client/cluster/cluster.h"

#define COMMAND_MS 15000u

int ldr_cluster_control_command(const struct ldr_cluster_control *control, uint64_t client, uint64_t seq,
                                const struct ldr_map_command *c, struct ldr_command_result *out,
                                struct ldr_err *err)
{
    struct ldr_buf body, msg, in;
    struct ldr_arena arena;
    ldr_buf_init(&body, NULL, LDR_COMMAND_MAX);
    ldr_buf_init(&msg, NULL, LDR_FRAME_MAX);
    ldr_buf_init(&in, NULL, LDR_FRAME_MAX);
    ldr_arena_init(&arena, NULL, 0);
    int rc = ldr_map_command_encode(c, &body);
    struct ldr_command_req q = {.client = client, .seq = seq, .command = ldr_buf_slice(&body)};
    struct ldr_command_rep a;
    if (!rc)
        rc = ldr_command_req_encode(&q, &msg);
    if (rc)
        ldr_fail(err, rc, "a command of %zu bytes: %s", body.n, ldr_code_text(rc));
    else
        rc = control->ask(control->ctx, LDR_MSG_COMMAND, ldr_buf_slice(&msg), COMMAND_MS, &in, err);
    if (!rc && (rc = ldr_command_rep_decode(ldr_buf_slice(&in), &arena, &a)) != 0)
        ldr_fail(err, rc, "the coordinator's answer is not one: %s", ldr_code_text(rc));
    if (!rc && out)
        *out = (struct ldr_command_result){a.map_version, a.defs_version, a.result};
    ldr_arena_close(&arena);
    ldr_buf_close(&body);
    ldr_buf_close(&msg);
    ldr_buf_close(&in);
    return rc;
}

int ldr_cluster_command(struct ldr_remote *r, struct ldr_slice command, uint64_t *version,
                        struct ldr_err *err)
{
    struct ldr_map_command c = {.kind = LDR_CMD_REGISTRY, .registry = command};
    struct ldr_command_result res = {0};
    pthread_mutex_lock(&r->commands); /* numbers reach the coordinators in order */
    int rc = ldr_cluster_control_command(&r->control, r->client_id, ++r->command_seq, &c, &res, err);
    pthread_mutex_unlock(&r->commands);
    struct ldr_err why;
    if (!rc &&
        ldr_cluster_refresh(r, false, LDR_CLUSTER_CONTROL_MS, &why)) /* what we have done we also see */
        ldr_cluster_news(r);
    if (version)
        *version = rc ? atomic_load(&r->store->version) : res.defs_version;
    return rc;
}
