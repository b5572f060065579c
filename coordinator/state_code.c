/* The whole state as bytes, and back.
 * head: 8 bytes magic, u32 format, u64 length of the body, u64 hash of the body
 * body: i64 now, u64 steps, u32 length and registry snapshot, u32 length and map, u32 count of sessions,
 * each: u64 client, seq, used, i32 code, u64 map version, defs version, value, u32 length and message, u32
 * length and events; since format 2: u32 count of coordinators, each: u64 id, address, notices (u32 length
 * and text) */
#include "coordinator/state_parts.h"

#define STATE_FORMAT      2
#define HEAD              28
#define SESSION_BYTES     60
#define COORDINATOR_BYTES 16
static const char magic[8] = {'L', 'D', 'R', 'C', 'O', 'O', 'R', 'D'};

/* Encodes a part and puts its length before it. */
static void put_part(struct ldr_buf *out, const struct ldr_state *s, bool map)
{
    size_t at = out->n;
    ldr_buf_u32(out, 0);
    int rc = map ? ldr_map_encode(&s->map, out) : ldr_registry_snapshot(s->registry, out);
    if (rc && !out->err)
        out->err = rc;
    if (!out->err)
        ldr_put_le32(out->p + at, (uint32_t)(out->n - at - 4));
}

static void put_sessions(struct ldr_buf *out, const struct ldr_state *s)
{
    uint32_t n = LDR_BUG(raft_sessions_not_in_snapshot) ? 0 : s->nsessions;
    ldr_buf_u32(out, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct ldr_session *x = &s->sessions[i];
        ldr_buf_u64(out, x->client);
        ldr_buf_u64(out, x->seq);
        ldr_buf_u64(out, x->used);
        ldr_buf_u32(out, (uint32_t)x->code);
        ldr_buf_u64(out, x->map_version);
        ldr_buf_u64(out, x->defs_version);
        ldr_buf_u64(out, x->value);
        ldr_buf_bytes(out, x->message);
        ldr_buf_bytes(out, x->events);
    }
}

static void put_coordinators(struct ldr_buf *out, const struct ldr_state *s)
{
    ldr_buf_u32(out, s->ncoordinators);
    for (uint32_t i = 0; i < s->ncoordinators; i++) {
        ldr_buf_u64(out, s->coordinators[i].id);
        ldr_buf_bytes(out, ldr_slice_str(s->coordinators[i].address));
        ldr_buf_bytes(out, ldr_slice_str(s->coordinators[i].notices));
    }
}

int ldr_state_snapshot(const struct ldr_state *s, struct ldr_buf *out)
{
    size_t start = out->n;
    ldr_buf_put(out, magic, sizeof magic);
    ldr_buf_u32(out, STATE_FORMAT);
    ldr_buf_u64(out, 0);
    ldr_buf_u64(out, 0);
    ldr_buf_u64(out, (uint64_t)s->now_us);
    ldr_buf_u64(out, s->steps);
    put_part(out, s, false);
    put_part(out, s, true);
    put_sessions(out, s);
    put_coordinators(out, s);
    if (out->err)
        return out->err;
    uint8_t *head = out->p + start;
    size_t n = out->n - start - HEAD;
    ldr_put_le64(head + 12, n);
    ldr_put_le64(head + 20, ldr_hash64(head + HEAD, n));
    return 0;
}

int ldr_state_hash(const struct ldr_state *s, uint64_t *hash)
{
    struct ldr_buf b;
    ldr_buf_init(&b, s->heap, 0);
    int rc = ldr_state_snapshot(s, &b);
    if (!rc)
        *hash = ldr_get_le64(b.p + 20);
    ldr_buf_close(&b);
    return rc;
}

static bool has_nul(struct ldr_slice s)
{
    return s.n && memchr(s.p, 0, s.n);
}

static int get_session(struct ldr_state *s, struct ldr_cursor *c)
{
    struct ldr_state_result r = {0};
    uint64_t client = ldr_cursor_u64(c), seq = ldr_cursor_u64(c), used = ldr_cursor_u64(c);
    r.code = (int32_t)ldr_cursor_u32(c);
    r.map_version = ldr_cursor_u64(c);
    r.defs_version = ldr_cursor_u64(c);
    r.value = ldr_cursor_u64(c);
    struct ldr_slice message = ldr_cursor_bytes(c, sizeof r.message - 1);
    r.events = ldr_cursor_bytes(c, LDR_SESSION_EVENTS_MAX);
    if (c->err || !client || used > s->steps || has_nul(message))
        return LDR_E_CORRUPT;
    if (s->nsessions && s->sessions[s->nsessions - 1].client >= client)
        return LDR_E_CORRUPT;
    if (LDR_BUG(raft_sessions_not_restored))
        return 0;
    if (message.n)
        memcpy(r.message, message.p, message.n);
    int rc = ldr_state_session_put(s, client, seq, &r);
    if (!rc)
        s->sessions[s->nsessions - 1].used = used;
    return rc;
}

static int get_coordinators(struct ldr_state *s, struct ldr_cursor *c)
{
    uint32_t n = ldr_cursor_count(c, COORDINATOR_BYTES);
    uint64_t last = 0;
    for (uint32_t i = 0; !c->err && i < n; i++) {
        uint64_t id = ldr_cursor_u64(c);
        struct ldr_slice address = ldr_cursor_bytes(c, LDR_ADDRESS_MAX),
                         notices = ldr_cursor_bytes(c, LDR_ADDRESS_MAX);
        if (c->err || id <= last || !ldr_address_valid(address) ||
            (notices.n && !ldr_address_valid(notices)) ||
            ldr_state_coordinator_put(s, id, address, notices, NULL))
            return LDR_E_CORRUPT;
        last = id;
    }
    return c->err;
}

static int get_body(struct ldr_state *s, struct ldr_cursor *c, uint32_t format)
{
    s->now_us = (int64_t)ldr_cursor_u64(c);
    s->steps = ldr_cursor_u64(c);
    struct ldr_slice registry = ldr_cursor_bytes(c, LDR_SNAPSHOT_MAX);
    struct ldr_slice map = ldr_cursor_bytes(c, LDR_MAP_BYTES_MAX);
    uint32_t n = ldr_cursor_count(c, SESSION_BYTES);
    if (c->err || n > LDR_SESSIONS_MAX || s->now_us < LDR_TIME_MIN_US || s->now_us > LDR_TIME_MAX_US)
        return LDR_E_CORRUPT;
    struct ldr_registry *r;
    int rc = ldr_registry_restore(s->heap, registry, &r);
    if (rc)
        return rc;
    ldr_registry_destroy(s->registry);
    s->registry = r;
    ldr_map_close(&s->map);
    rc = ldr_map_decode(&s->map, s->heap, map);
    for (uint32_t i = 0; !rc && i < n; i++)
        rc = get_session(s, c);
    if (!rc && format >= 2)
        rc = get_coordinators(s, c);
    return rc ? rc : ldr_cursor_end(c);
}

int ldr_state_restore(const struct ldr_heap *heap, struct ldr_slice snapshot, struct ldr_state **out)
{
    struct ldr_cursor c = ldr_cursor(snapshot);
    struct ldr_slice head = ldr_cursor_take(&c, sizeof magic);
    uint32_t format = ldr_cursor_u32(&c);
    uint64_t n = ldr_cursor_u64(&c), hash = ldr_cursor_u64(&c);
    if (c.err || memcmp(head.p, magic, sizeof magic) != 0 || !format)
        return LDR_E_CORRUPT;
    if (format > STATE_FORMAT)
        return LDR_E_FORMAT;
    if (n != ldr_cursor_left(&c) || ldr_hash64(c.p, (size_t)n) != hash)
        return LDR_E_CORRUPT;
    struct ldr_state *s;
    int rc = ldr_state_create(heap, &s);
    if (rc)
        return rc;
    rc = get_body(s, &c, format);
    if (rc) {
        ldr_state_destroy(s);
        return rc;
    }
    *out = s;
    return 0;
}
