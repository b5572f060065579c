#include <stdio.h>

#include "coordinator/state_parts.h"

#define ENVELOPE_FORMAT 1

int ldr_state_create(const struct ldr_heap *heap, struct ldr_state **out)
{
    struct ldr_state *s = ldr_calloc(heap, 1, sizeof *s);
    if (!s)
        return LDR_E_NOMEM;
    s->heap = heap;
    s->now_us = LDR_TIME_MIN_US;
    ldr_map_init(&s->map, heap);
    ldr_buf_init(&s->events, heap, 0);
    int rc = ldr_registry_create(heap, &s->registry);
    if (rc) {
        ldr_state_destroy(s);
        return rc;
    }
    *out = s;
    return 0;
}

void ldr_state_destroy(struct ldr_state *s)
{
    if (!s)
        return;
    if (s->registry)
        ldr_registry_destroy(s->registry);
    ldr_state_sessions_close(s);
    ldr_buf_close(&s->events);
    ldr_map_close(&s->map);
    ldr_release(s->heap, s);
}

const struct ldr_map *ldr_state_map(const struct ldr_state *s)
{
    return &s->map;
}

const struct ldr_registry *ldr_state_registry(const struct ldr_state *s)
{
    return s->registry;
}

int ldr_envelope_encode(const struct ldr_envelope *e, struct ldr_buf *out)
{
    size_t start = out->n;
    ldr_buf_u16(out, ENVELOPE_FORMAT);
    ldr_buf_u64(out, (uint64_t)e->now_us);
    ldr_buf_u64(out, e->client);
    ldr_buf_u64(out, e->seq);
    ldr_buf_bytes(out, e->command);
    if (!out->err)
        ldr_buf_u32(out, ldr_check32(out->p + start, out->n - start));
    return out->err;
}

int ldr_envelope_decode(struct ldr_slice bytes, struct ldr_envelope *out)
{
    struct ldr_cursor c = ldr_cursor(bytes);
    uint16_t format = ldr_cursor_u16(&c);
    if (c.err || !format)
        return LDR_E_CORRUPT;
    if (format > ENVELOPE_FORMAT)
        return LDR_E_FORMAT;
    out->now_us = (int64_t)ldr_cursor_u64(&c);
    out->client = ldr_cursor_u64(&c);
    out->seq = ldr_cursor_u64(&c);
    out->command = ldr_cursor_bytes(&c, LDR_COMMAND_MAX);
    uint32_t check = ldr_cursor_u32(&c);
    if (ldr_cursor_end(&c) || check != ldr_check32(bytes.p, bytes.n - 4))
        return LDR_E_CORRUPT;
    return out->now_us < LDR_TIME_MIN_US || out->now_us > LDR_TIME_MAX_US ? LDR_E_CORRUPT : 0;
}

static int run(struct ldr_state *s, struct ldr_slice command, struct ldr_state_result *out)
{
    struct ldr_map_command c;
    struct ldr_err err = {0};
    int rc = ldr_map_command_decode(command, &c, &err);
    if (!rc && c.kind == LDR_CMD_REGISTRY)
        rc = ldr_registry_step(s->registry, c.registry, s->now_us, &s->events, &err);
    else if (!rc && c.kind == LDR_CMD_COORDINATOR)
        rc = ldr_state_coordinator_put(s, c.coordinator, c.address, c.notices, &err);
    else if (!rc)
        rc = ldr_state_map_step(&s->map, &c, s->now_us, &out->value, &err);
    if (rc == LDR_E_NOMEM || s->events.err)
        return LDR_E_NOMEM;
    if (rc)
        s->events.n = 0;
    out->code = rc;
    out->events = ldr_buf_slice(&s->events);
    out->map_version = s->map.version;
    out->defs_version = ldr_registry_version(s->registry);
    if (!rc && c.kind == LDR_CMD_REGISTRY)
        out->value = out->defs_version;
    if (rc)
        snprintf(out->message, sizeof out->message, "%.*s", (int)sizeof out->message - 1, err.message);
    return 0;
}

static void repeat(const struct ldr_session *x, struct ldr_state_result *out)
{
    out->code = x->code;
    out->repeated = true;
    out->map_version = x->map_version;
    out->defs_version = x->defs_version;
    out->value = x->value;
    out->events = x->events;
    if (x->message.n)
        memcpy(out->message, x->message.p, x->message.n);
    out->message[x->message.n] = 0;
}

int ldr_state_step(struct ldr_state *s, struct ldr_slice envelope, struct ldr_state_result *out)
{
    struct ldr_envelope e;
    *out = (struct ldr_state_result){0};
    int rc = ldr_envelope_decode(envelope, &e);
    if (rc)
        return rc;
    ldr_buf_reset(&s->events);
    if (e.now_us > s->now_us)
        s->now_us = e.now_us;
    if (!e.client)
        return run(s, e.command, out);
    s->steps++;
    struct ldr_session *x = ldr_state_session(s, e.client);
    if (x && e.seq <= x->seq) {
        x->used = s->steps;
        if (e.seq == x->seq) {
            repeat(x, out);
            return 0;
        }
        out->code = LDR_E_STALE;
        out->map_version = s->map.version;
        out->defs_version = ldr_registry_version(s->registry);
        snprintf(out->message, sizeof out->message, "command %llu of this client came after its command %llu",
                 (unsigned long long)e.seq, (unsigned long long)x->seq);
        return 0;
    }
    rc = run(s, e.command, out);
    return rc ? rc : ldr_state_session_put(s, e.client, e.seq, out);
}
