#include "registry/command.h"

/* ---- Making ---- */

static int finish(struct ldr_buf *out, size_t start)
{
    if (!out->err && out->n - start > LDR_COMMAND_MAX) {
        out->n = start;
        return LDR_E_TOO_BIG;
    }
    return out->err;
}

int ldr_command_apply(const struct ldr_defs *d, uint64_t expect_version, struct ldr_buf *out)
{
    size_t start = out->n;
    ldr_buf_u8(out, LDR_COMMAND_FORMAT);
    ldr_buf_u8(out, LDR_COMMAND_APPLY);
    ldr_buf_u64(out, expect_version);
    ldr_defs_encode(d, out);
    return finish(out, start);
}

int ldr_command_delete(enum ldr_kind kind, const char *name, uint64_t expect_version, struct ldr_buf *out)
{
    size_t start = out->n;
    if ((unsigned)kind < LDR_KIND_ENTITY || kind >= LDR_KIND_PROJECT || strlen(name) > LDR_TEXT_MAX)
        return LDR_E_INVALID;
    ldr_buf_u8(out, LDR_COMMAND_FORMAT);
    ldr_buf_u8(out, LDR_COMMAND_DELETE);
    ldr_buf_u64(out, expect_version);
    ldr_buf_u8(out, (uint8_t)kind);
    ldr_buf_bytes(out, ldr_slice_str(name));
    return finish(out, start);
}

int ldr_command_materialized(const char *view, int64_t start_us, int64_t end_us, struct ldr_buf *out)
{
    size_t start = out->n;
    if (strlen(view) > LDR_TEXT_MAX || start_us < LDR_TIME_MIN_US || end_us > LDR_TIME_MAX_US ||
        start_us > end_us)
        return LDR_E_INVALID;
    ldr_buf_u8(out, LDR_COMMAND_FORMAT);
    ldr_buf_u8(out, LDR_COMMAND_MATERIALIZED);
    ldr_buf_bytes(out, ldr_slice_str(view));
    ldr_buf_u64(out, (uint64_t)start_us);
    ldr_buf_u64(out, (uint64_t)end_us);
    return finish(out, start);
}

int ldr_command_restore(struct ldr_slice snapshot, struct ldr_buf *out)
{
    size_t start = out->n;
    if (snapshot.n > LDR_COMMAND_MAX)
        return LDR_E_TOO_BIG;
    ldr_buf_u8(out, LDR_COMMAND_FORMAT);
    ldr_buf_u8(out, LDR_COMMAND_RESTORE);
    ldr_buf_bytes(out, snapshot);
    return finish(out, start);
}

/* ---- Reading ---- */

static int get_name(struct ldr_cursor *c, struct ldr_arena *a, const char **out)
{
    struct ldr_slice s = ldr_cursor_bytes(c, LDR_TEXT_MAX);
    if (c->err || !ldr_text_valid(s))
        return LDR_E_CORRUPT;
    *out = ldr_arena_strndup(a, (const char *)s.p, s.n);
    return *out ? 0 : LDR_E_NOMEM;
}

static int get_delete(struct ldr_cursor *c, struct ldr_arena *a, struct ldr_command *out)
{
    out->expect_version = ldr_cursor_u64(c);
    uint8_t kind = ldr_cursor_u8(c);
    if (kind < LDR_KIND_ENTITY || kind >= LDR_KIND_PROJECT)
        return LDR_E_CORRUPT;
    out->kind = (enum ldr_kind)kind;
    return get_name(c, a, &out->name);
}

static int get_materialized(struct ldr_cursor *c, struct ldr_arena *a, struct ldr_command *out)
{
    out->expect_version = LDR_VERSION_ANY;
    int rc = get_name(c, a, &out->name);
    out->start_us = (int64_t)ldr_cursor_u64(c);
    out->end_us = (int64_t)ldr_cursor_u64(c);
    if (!rc &&
        (out->start_us < LDR_TIME_MIN_US || out->end_us > LDR_TIME_MAX_US || out->start_us > out->end_us))
        rc = LDR_E_CORRUPT;
    return rc;
}

int ldr_command_decode(struct ldr_slice bytes, struct ldr_arena *a, struct ldr_command *out)
{
    if (bytes.n > LDR_COMMAND_MAX)
        return LDR_E_CORRUPT;
    struct ldr_cursor c = ldr_cursor(bytes);
    uint8_t format = ldr_cursor_u8(&c), op = ldr_cursor_u8(&c);
    int rc;
    if (c.err || format == 0)
        return LDR_E_CORRUPT;
    if (format > LDR_COMMAND_FORMAT)
        return LDR_E_FORMAT;
    *out = (struct ldr_command){.op = (enum ldr_command_op)op, .name = ""};
    switch (op) {
    case LDR_COMMAND_APPLY:
        out->expect_version = ldr_cursor_u64(&c);
        rc = ldr_defs_decode(a, &c, &out->defs);
        break;
    case LDR_COMMAND_DELETE:
        rc = get_delete(&c, a, out);
        break;
    case LDR_COMMAND_MATERIALIZED:
        rc = get_materialized(&c, a, out);
        break;
    case LDR_COMMAND_RESTORE:
        out->expect_version = LDR_VERSION_ANY;
        out->snapshot = ldr_cursor_bytes(&c, LDR_COMMAND_MAX);
        rc = c.err;
        break;
    default:
        rc = LDR_E_CORRUPT;
    }
    return rc ? rc : ldr_cursor_end(&c);
}

/* ---- Events ---- */

int ldr_event_encode(const struct ldr_event *e, struct ldr_buf *out)
{
    ldr_buf_u8(out, LDR_EVENT_FORMAT);
    ldr_buf_u64(out, e->version);
    ldr_buf_u64(out, (uint64_t)e->at_us);
    ldr_buf_u8(out, (uint8_t)e->op);
    ldr_buf_u8(out, (uint8_t)e->kind);
    ldr_buf_u32(out, e->id);
    return ldr_buf_bytes(out, ldr_slice_str(e->name));
}

#define EVENT_BYTES_MIN 27 /* without the name */

int ldr_events_read(struct ldr_slice events, struct ldr_arena *a, struct ldr_event **out, uint32_t *n)
{
    struct ldr_cursor c = ldr_cursor(events);
    size_t most = events.n / EVENT_BYTES_MIN;
    *n = 0;
    *out = ldr_arena_calloc(a, most + 1, sizeof **out);
    if (!*out)
        return LDR_E_NOMEM;
    while (ldr_cursor_left(&c)) {
        uint8_t format = ldr_cursor_u8(&c);
        struct ldr_event e = {.version = ldr_cursor_u64(&c)};
        e.at_us = (int64_t)ldr_cursor_u64(&c);
        uint8_t op = ldr_cursor_u8(&c), kind = ldr_cursor_u8(&c);
        e.op = (enum ldr_change_op)op;
        e.kind = (enum ldr_kind)kind;
        e.id = ldr_cursor_u32(&c);
        int rc = get_name(&c, a, &e.name);
        if (rc)
            return rc;
        if (c.err || format != LDR_EVENT_FORMAT || op < LDR_CHANGE_ADD || op > LDR_CHANGE_REMOVE ||
            kind < LDR_KIND_ENTITY || kind > LDR_KIND_PROJECT || *n == most)
            return LDR_E_CORRUPT;
        (*out)[(*n)++] = e;
    }
    return 0;
}
