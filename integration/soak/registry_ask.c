/* Questions to coordinators by whoever makes faults. */
#include <stdlib.h>

#include "client/cluster/cluster.h"
#include "integration/soak/registry.h"

static int ask(const char *hosts, enum ldr_msg_type type, const struct ldr_buf *q, uint32_t ms,
               struct ldr_buf *answer)
{
    struct ldr_cluster_control c = {0};
    struct ldr_err err;
    int rc = ldr_cluster_control_open(hosts, &c, &err);
    if (!rc)
        rc = c.ask(c.ctx, type, ldr_buf_slice(q), ms, answer, &err);
    ldr_cluster_control_close(&c);
    return rc;
}

uint64_t registry_leader(const char *hosts)
{
    struct ldr_status_req q = {.detail = 0};
    struct ldr_status_rep a;
    struct ldr_buf out, in;
    struct ldr_arena arena;
    uint64_t id = 0;
    ldr_buf_init(&out, NULL, 0);
    ldr_buf_init(&in, NULL, LDR_FRAME_MAX);
    ldr_arena_init(&arena, NULL, 0);
    ldr_status_req_encode(&q, &out);
    if (ask(hosts, LDR_MSG_STATUS, &out, 1000, &in) == 0 &&
        ldr_status_rep_decode(ldr_buf_slice(&in), &arena, &a) == 0) {
        char *text = ldr_arena_strndup(&arena, (const char *)a.json.p, a.json.n);
        const char *at = text ? strstr(text, "\"leader\":") : NULL;
        id = at ? strtoull(at + 9, NULL, 10) : 0;
    }
    ldr_arena_close(&arena);
    ldr_buf_close(&out);
    ldr_buf_close(&in);
    return id;
}

bool registry_answers(const char *host, uint32_t ms)
{
    struct ldr_state_req q = {.have_map = UINT64_MAX >> 1, .have_defs = UINT64_MAX >> 1, .strict = true};
    struct ldr_buf out, in;
    ldr_buf_init(&out, NULL, 0);
    ldr_buf_init(&in, NULL, LDR_FRAME_MAX);
    ldr_state_req_encode(&q, &out);
    int rc = ask(host, LDR_MSG_STATE, &out, ms, &in);
    ldr_buf_close(&out);
    ldr_buf_close(&in);
    return rc == 0;
}
