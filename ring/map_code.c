/* A map as bytes, and back: u16 format, u64 version, the head, nodes, shards, moves (each a u32 count and
 * then so many), in format 2 wishes, u32 checksum of all before. Texts are u32 length and bytes. A map
 * without wishes is of format 1: what came before them reads it. */
#include "ring/ring.h"

#define MAP_FORMAT 2
#define NODE_MIN   26 /* bytes of the smallest one */
#define SHARD_MIN  36
#define MOVE_BYTES 34
#define WISH_BYTES 33

static void put_nodes(const struct ldr_map *m, struct ldr_buf *out)
{
    ldr_buf_u32(out, m->nnodes);
    for (uint32_t i = 0; i < m->nnodes; i++) {
        const struct ldr_map_node *n = &m->nodes[i];
        ldr_buf_u32(out, n->id);
        ldr_buf_u8(out, n->state);
        ldr_buf_u8(out, n->draining);
        ldr_buf_u32(out, n->weight);
        ldr_buf_u64(out, n->incarnation);
        ldr_buf_bytes(out, ldr_slice_str(n->address));
        ldr_buf_bytes(out, ldr_slice_str(n->zone));
    }
}

static void put_shards(const struct ldr_map *m, struct ldr_buf *out)
{
    ldr_buf_u32(out, m->nshards);
    for (uint32_t i = 0; i < m->nshards; i++) {
        const struct ldr_map_shard *s = &m->shards[i];
        ldr_buf_u32(out, s->id);
        ldr_buf_u32(out, s->parent);
        ldr_buf_u64(out, s->lo);
        ldr_buf_u64(out, s->hi);
        ldr_buf_u64(out, s->epoch);
        ldr_buf_u32(out, s->nreplicas);
        for (uint32_t j = 0; j < s->nreplicas; j++) {
            ldr_buf_u32(out, s->replicas[j].node);
            ldr_buf_u8(out, s->replicas[j].state);
        }
    }
}

static void put_moves(const struct ldr_map *m, struct ldr_buf *out)
{
    ldr_buf_u32(out, m->nmoves);
    for (uint32_t i = 0; i < m->nmoves; i++) {
        const struct ldr_map_move *v = &m->moves[i];
        ldr_buf_u64(out, v->id);
        ldr_buf_u8(out, v->kind);
        ldr_buf_u8(out, v->step);
        ldr_buf_u32(out, v->shard);
        ldr_buf_u32(out, v->other);
        ldr_buf_u32(out, v->from);
        ldr_buf_u32(out, v->to);
        ldr_buf_u64(out, (uint64_t)v->started_us);
    }
}

static void put_wishes(const struct ldr_map *m, struct ldr_buf *out)
{
    ldr_buf_u32(out, m->nwishes);
    for (uint32_t i = 0; i < m->nwishes; i++) {
        const struct ldr_map_wish *w = &m->wishes[i];
        ldr_buf_u64(out, w->id);
        ldr_buf_u8(out, w->kind);
        ldr_buf_u32(out, w->shard);
        ldr_buf_u32(out, w->other);
        ldr_buf_u64(out, w->at);
        ldr_buf_u64(out, (uint64_t)w->asked_us);
    }
}

int ldr_map_encode(const struct ldr_map *m, struct ldr_buf *out)
{
    size_t start = out->n;
    ldr_buf_u16(out, m->nwishes ? MAP_FORMAT : 1);
    ldr_buf_u64(out, m->version);
    ldr_buf_bytes(out, ldr_slice_str(m->cluster));
    ldr_buf_u32(out, m->replicas);
    ldr_buf_u32(out, m->write_quorum);
    ldr_buf_u32(out, m->wait_nodes);
    ldr_buf_u8(out, m->rebalance);
    ldr_buf_u32(out, m->next_node);
    ldr_buf_u32(out, m->next_shard);
    ldr_buf_u64(out, m->next_move);
    put_nodes(m, out);
    put_shards(m, out);
    put_moves(m, out);
    if (m->nwishes)
        put_wishes(m, out);
    if (!out->err)
        ldr_buf_u32(out, ldr_check32(out->p + start, out->n - start));
    return out->err;
}

/* ---- Reading ---- */

static bool get_text(struct ldr_cursor *c, char *out, size_t max)
{
    struct ldr_slice s = ldr_cursor_bytes(c, max);
    if (c->err || (s.n && memchr(s.p, 0, s.n)))
        return false;
    if (s.n)
        memcpy(out, s.p, s.n);
    out[s.n] = 0;
    return true;
}

static bool get_flag(struct ldr_cursor *c, bool *out)
{
    uint8_t v = ldr_cursor_u8(c);
    *out = v;
    return v <= 1;
}

/* Room for a counted array; *n is set when there is. */
static int get_count(const struct ldr_heap *heap, struct ldr_cursor *c, size_t min, uint32_t max, size_t size,
                     void **out, uint32_t *n)
{
    uint32_t count = ldr_cursor_count(c, min);
    *n = 0;
    if (c->err || count > max)
        return LDR_E_CORRUPT;
    if (!count)
        return 0;
    *out = ldr_calloc(heap, count, size);
    if (!*out)
        return LDR_E_NOMEM;
    *n = count;
    return 0;
}

static int get_nodes(struct ldr_map *m, struct ldr_cursor *c)
{
    void *p = NULL;
    int rc = get_count(m->heap, c, NODE_MIN, LDR_MAP_NODES_MAX, sizeof *m->nodes, &p, &m->nnodes);
    m->nodes = p;
    for (uint32_t i = 0; !rc && i < m->nnodes; i++) {
        struct ldr_map_node *n = &m->nodes[i];
        n->id = ldr_cursor_u32(c);
        n->state = ldr_cursor_u8(c);
        bool ok = get_flag(c, &n->draining);
        n->weight = ldr_cursor_u32(c);
        n->incarnation = ldr_cursor_u64(c);
        if (!ok || !get_text(c, n->address, LDR_ADDRESS_MAX) || !get_text(c, n->zone, LDR_ZONE_MAX))
            rc = LDR_E_CORRUPT;
    }
    return rc;
}

static int get_shards(struct ldr_map *m, struct ldr_cursor *c)
{
    void *p = NULL;
    int rc = get_count(m->heap, c, SHARD_MIN, LDR_MAP_SHARDS_MAX, sizeof *m->shards, &p, &m->nshards);
    m->shards = p;
    for (uint32_t i = 0; !rc && i < m->nshards; i++) {
        struct ldr_map_shard *s = &m->shards[i];
        s->id = ldr_cursor_u32(c);
        s->parent = ldr_cursor_u32(c);
        s->lo = ldr_cursor_u64(c);
        s->hi = ldr_cursor_u64(c);
        s->epoch = ldr_cursor_u64(c);
        uint32_t n = ldr_cursor_u32(c);
        if (c->err || n > LDR_REPLICAS_MAX)
            return LDR_E_CORRUPT;
        s->nreplicas = n;
        for (uint32_t j = 0; j < n; j++) {
            s->replicas[j].node = ldr_cursor_u32(c);
            s->replicas[j].state = ldr_cursor_u8(c);
        }
    }
    return rc;
}

static int get_moves(struct ldr_map *m, struct ldr_cursor *c)
{
    void *p = NULL;
    int rc = get_count(m->heap, c, MOVE_BYTES, LDR_MAP_SHARDS_MAX, sizeof *m->moves, &p, &m->nmoves);
    m->moves = p;
    for (uint32_t i = 0; !rc && i < m->nmoves; i++) {
        struct ldr_map_move *v = &m->moves[i];
        v->id = ldr_cursor_u64(c);
        v->kind = ldr_cursor_u8(c);
        v->step = ldr_cursor_u8(c);
        v->shard = ldr_cursor_u32(c);
        v->other = ldr_cursor_u32(c);
        v->from = ldr_cursor_u32(c);
        v->to = ldr_cursor_u32(c);
        v->started_us = (int64_t)ldr_cursor_u64(c);
    }
    return rc;
}

/* None at all would be format 1. */
static int get_wishes(struct ldr_map *m, struct ldr_cursor *c)
{
    void *p = NULL;
    int rc = get_count(m->heap, c, WISH_BYTES, LDR_MAP_SHARDS_MAX, sizeof *m->wishes, &p, &m->nwishes);
    m->wishes = p;
    for (uint32_t i = 0; !rc && i < m->nwishes; i++) {
        struct ldr_map_wish *w = &m->wishes[i];
        w->id = ldr_cursor_u64(c);
        w->kind = ldr_cursor_u8(c);
        w->shard = ldr_cursor_u32(c);
        w->other = ldr_cursor_u32(c);
        w->at = ldr_cursor_u64(c);
        w->asked_us = (int64_t)ldr_cursor_u64(c);
    }
    return !rc && !m->nwishes ? LDR_E_CORRUPT : rc;
}

static int get_head(struct ldr_map *m, struct ldr_cursor *c)
{
    m->version = ldr_cursor_u64(c);
    if (!get_text(c, m->cluster, LDR_NAME_MAX))
        return LDR_E_CORRUPT;
    m->replicas = ldr_cursor_u32(c);
    m->write_quorum = ldr_cursor_u32(c);
    m->wait_nodes = ldr_cursor_u32(c);
    if (!get_flag(c, &m->rebalance))
        return LDR_E_CORRUPT;
    m->next_node = ldr_cursor_u32(c);
    m->next_shard = ldr_cursor_u32(c);
    m->next_move = ldr_cursor_u64(c);
    return c->err;
}

int ldr_map_decode(struct ldr_map *m, const struct ldr_heap *heap, struct ldr_slice bytes)
{
    ldr_map_init(m, heap);
    struct ldr_cursor c = ldr_cursor(bytes);
    uint16_t format = ldr_cursor_u16(&c);
    if (c.err || format == 0)
        return LDR_E_CORRUPT;
    if (format > MAP_FORMAT)
        return LDR_E_FORMAT;
    if (bytes.n < 6 || bytes.n > LDR_MAP_BYTES_MAX ||
        ldr_check32(bytes.p, bytes.n - 4) != ldr_get_le32(bytes.p + bytes.n - 4))
        return LDR_E_CORRUPT;
    c.end -= 4;
    int rc = get_head(m, &c);
    if (!rc)
        rc = get_nodes(m, &c);
    if (!rc)
        rc = get_shards(m, &c);
    if (!rc)
        rc = get_moves(m, &c);
    if (!rc && format > 1)
        rc = get_wishes(m, &c);
    if (!rc)
        rc = ldr_cursor_end(&c);
    if (!rc)
        rc = ldr_map_index(m);
    if (!rc && ldr_map_validate(m, NULL))
        rc = LDR_E_CORRUPT;
    if (rc)
        ldr_map_close(m);
    return rc;
}
