#include "integration/coordinator_ask.h"

#include <stdlib.h>

#define PATIENCE_MS 2000

struct question {
    struct ldr_buf out, in;
    struct ldr_arena arena;
};

static void begin(struct question *q)
{
    ldr_buf_init(&q->out, NULL, 0);
    ldr_buf_init(&q->in, NULL, LDR_FRAME_MAX);
    ldr_arena_init(&q->arena, NULL, 0);
}
static bool ask(struct ldr_cluster_control *c, struct question *q, enum ldr_msg_type type)
{
    struct ldr_err err;
    return c->ask(c->ctx, type, ldr_buf_slice(&q->out), PATIENCE_MS, &q->in, &err) == 0;
}
static void end(struct question *q)
{
    ldr_arena_close(&q->arena);
    ldr_buf_close(&q->out);
    ldr_buf_close(&q->in);
}

uint64_t ask_version(struct ldr_cluster_control *c, bool strict)
{
    struct ldr_state_req m = {.have_map = UINT64_MAX >> 1, .have_defs = UINT64_MAX >> 1, .strict = strict};
    struct ldr_state_rep a = {0};
    struct question q;
    begin(&q);
    ldr_state_req_encode(&m, &q.out);
    bool told = ask(c, &q, LDR_MSG_STATE) && ldr_state_rep_decode(ldr_buf_slice(&q.in), &q.arena, &a) == 0;
    end(&q);
    return told ? a.defs_version : 0;
}

uint64_t ask_leader(struct ldr_cluster_control *c)
{
    struct ldr_status_req m = {.detail = 0};
    struct ldr_status_rep a;
    struct question q;
    uint64_t id = 0;
    begin(&q);
    ldr_status_req_encode(&m, &q.out);
    if (ask(c, &q, LDR_MSG_STATUS) && ldr_status_rep_decode(ldr_buf_slice(&q.in), &q.arena, &a) == 0) {
        char *text = ldr_arena_strndup(&q.arena, (const char *)a.json.p, a.json.n);
        const char *at = text ? strstr(text, "\"leader\":") : NULL;
        id = at ? strtoull(at + 9, NULL, 10) : 0;
    }
    end(&q);
    return id;
}

uint32_t ask_addresses(struct ldr_cluster_control *c)
{
    struct ldr_coordinators_req m = {.proto = LDR_PROTO};
    struct ldr_coordinators_rep a = {0};
    struct question q;
    begin(&q);
    ldr_coordinators_req_encode(&m, &q.out);
    bool told = ask(c, &q, LDR_MSG_COORDINATORS) &&
                ldr_coordinators_rep_decode(ldr_buf_slice(&q.in), &q.arena, &a) == 0;
    end(&q);
    return told ? a.n_coordinators : 0;
}
