#include "client/share/share_serve.h"

int ldr_serve_admits(const struct ldr_request *q, uint32_t shard, uint64_t epoch)
{
    const struct ldr_serving *s = q->serving;
    if (s->admits)
        return s->admits(s->ctx, shard, epoch);
    return shard != LDR_SHARE_SHARD ? LDR_E_NOT_FOUND : epoch != LDR_SHARE_EPOCH ? LDR_E_STALE : 0;
}

int ldr_serve_unreadable(const struct ldr_request *q, int rc)
{
    return ldr_fail(q->err, rc, "the request cannot be read: %s", ldr_code_text(rc));
}

const struct ldr_view_entry *ldr_serve_view(const struct ldr_request *q, uint32_t id)
{
    for (uint32_t i = 0; i < q->catalog->nviews; i++)
        if (q->catalog->views[i].schema->view_id == id)
            return &q->catalog->views[i];
    return NULL;
}

static int route(struct ldr_request *q, enum ldr_msg_type type)
{
    switch (type) {
    case LDR_MSG_LOOKUP:
        return ldr_serve_lookup(q);
    case LDR_MSG_ASOF:
        return ldr_serve_asof(q);
    case LDR_MSG_SCAN:
        return ldr_serve_scan(q);
    case LDR_MSG_WRITE:
        return ldr_serve_write(q);
    case LDR_MSG_ERASE:
        return ldr_serve_erase(q);
    case LDR_MSG_STAMP:
        return ldr_serve_stamp(q);
    case LDR_MSG_STATE:
        return ldr_serve_state(q);
    case LDR_MSG_COMMAND:
        return ldr_serve_command(q);
    case LDR_MSG_CHECK:
        return ldr_serve_check(q);
    case LDR_MSG_COMPACT:
        return ldr_serve_compact(q);
    case LDR_MSG_REPLICAS:
        return ldr_serve_replicas(q);
    case LDR_MSG_COPY_BEGIN:
        return ldr_serve_copy_begin(q);
    case LDR_MSG_COPY_END:
        return ldr_serve_copy_end(q);
    default:
        return ldr_fail(q->err, LDR_E_UNSUPPORTED, "%s is not served from a folder", ldr_msg_name(type));
    }
}

int ldr_serve(const struct ldr_serving *s, enum ldr_msg_type type, struct ldr_slice payload,
              struct ldr_buf *answer, struct ldr_err *err)
{
    struct ldr_request q = {.serving = s,
                            .store = s->store,
                            .catalog = ldr_store_catalog(s->store),
                            .payload = payload,
                            .answer = answer,
                            .err = err};
    ldr_err_clear(err);
    ldr_arena_init(&q.arena, NULL, 0);
    int rc = route(&q, type);
    if (rc && !err->code)
        ldr_fail(err, rc, "%s: %s", ldr_msg_name(type), ldr_code_text(rc));
    ldr_arena_close(&q.arena);
    ldr_catalog_release(q.catalog);
    return rc;
}
