/* The cluster as one JSON object, for people's tools. */
#include "coordinator/leader_parts.h"

static void put_u64(struct ldr_json *j, const char *key, uint64_t v)
{
    ldr_json_key(j, key);
    ldr_json_i64(j, v > INT64_MAX ? INT64_MAX : (int64_t)v);
}

static void put_text(struct ldr_json *j, const char *key, const char *v)
{
    ldr_json_key(j, key);
    ldr_json_cstr(j, v);
}

static void put_members(struct ldr_json *j, const struct ldr_leader_view *v)
{
    ldr_json_key(j, "members");
    ldr_json_array(j);
    for (uint32_t i = 0; i < v->nmembers; i++) {
        ldr_json_object(j);
        put_u64(j, "id", v->members[i].id);
        put_text(j, "address", v->members[i].address);
        put_text(j, "role", v->members[i].role);
        ldr_json_object_end(j);
    }
    ldr_json_array_end(j);
}

static const char *node_state(const struct ldr_map_node *n)
{
    static const char *const names[] = {"", "active", "draining", "down", "removed"};
    return ldr_map_node_fenced(n) ? "fenced" : names[n->state];
}

static void put_node(struct ldr_json *j, const struct ldr_leader *l, const struct ldr_leader_view *v,
                     const struct ldr_map_node *n)
{
    const struct ldr_watched *w = ldr_leader_watched(l, n->id);
    uint64_t replicas = 0, lag = 0, kept = 0, collected = 0;
    for (uint32_t i = 0; i < v->map->nshards; i++)
        replicas += ldr_map_replica(&v->map->shards[i], n->id) != NULL;
    for (uint32_t i = 0; w && i < w->nreports; i++) {
        lag = w->reports[i].lag_facts > lag ? w->reports[i].lag_facts : lag;
        kept += w->reports[i].tombs_kept;
        collected += w->reports[i].tombs_collected;
    }
    ldr_json_object(j);
    put_u64(j, "id", n->id);
    put_text(j, "address", n->address);
    put_text(j, "zone", n->zone);
    put_text(j, "state", node_state(n));
    ldr_json_key(j, "draining");
    ldr_json_bool(j, n->draining);
    put_u64(j, "weight", n->weight);
    ldr_json_key(j, "last_seen_ms");
    if (w)
        ldr_json_i64(j, v->mono_us > w->seen_us ? (int64_t)((v->mono_us - w->seen_us) / 1000) : 0);
    else
        ldr_json_null(j);
    put_u64(j, "replicas", replicas);
    put_u64(j, "disk_used", w ? w->disk_used : 0);
    put_u64(j, "disk_free", w ? w->disk_free : 0);
    put_u64(j, "lag_facts", lag);
    put_u64(j, "tombstones", kept);
    put_u64(j, "tombstones_collected", collected);
    put_text(j, "build", w ? w->build : "");
    ldr_json_object_end(j);
}

static void put_hex(struct ldr_json *j, const char *key, uint64_t v)
{
    char text[17];
    for (int i = 0; i < 16; i++)
        text[i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
    text[16] = 0;
    put_text(j, key, text);
}

static void put_shard(struct ldr_json *j, const struct ldr_leader *l, const struct ldr_map_shard *s)
{
    static const char *const states[] = {"", "active", "pending", "leaving", "caught up", "working"};
    uint64_t facts = 0, bytes = 0;
    ldr_json_object(j);
    put_u64(j, "id", s->id);
    put_hex(j, "lo", s->lo);
    put_hex(j, "hi", s->hi);
    put_u64(j, "epoch", s->epoch);
    ldr_json_key(j, "replicas");
    ldr_json_array(j);
    for (uint32_t i = 0; i < s->nreplicas; i++) {
        const struct ldr_report *r = ldr_leader_report(l, s->replicas[i].node, s->id);
        ldr_json_object(j);
        put_u64(j, "node", s->replicas[i].node);
        put_text(j, "state", states[s->replicas[i].state]);
        put_u64(j, "lag", r ? r->lag_facts : 0);
        ldr_json_object_end(j);
        facts = r && r->facts > facts ? r->facts : facts;
        bytes = r && r->bytes > bytes ? r->bytes : bytes;
    }
    ldr_json_array_end(j);
    put_u64(j, "facts", facts);
    put_u64(j, "bytes", bytes);
    ldr_json_object_end(j);
}

static void put_move(struct ldr_json *j, const struct ldr_leader *l, const struct ldr_leader_view *v,
                     const struct ldr_map_move *m)
{
    static const char *const kinds[] = {"", "move", "split", "merge"};
    const struct ldr_report *r = m->to ? ldr_leader_report(l, m->to, m->shard) : NULL;
    uint64_t done = r ? r->moved_bytes : 0, total = r ? r->move_bytes_total : 0;
    uint64_t seconds = v->now_us > m->started_us ? (uint64_t)(v->now_us - m->started_us) / 1000000 : 0;
    ldr_json_object(j);
    put_u64(j, "id", m->id);
    put_text(j, "kind", kinds[m->kind]);
    put_text(j, "state", "running");
    put_u64(j, "shard", m->shard);
    put_u64(j, "other", m->other);
    put_u64(j, "from", m->from);
    put_u64(j, "to", m->to);
    put_u64(j, "done_bytes", done);
    put_u64(j, "total_bytes", total);
    put_u64(j, "seconds", seconds);
    ldr_json_key(j, "eta_seconds");
    if (done && total >= done)
        ldr_json_i64(j, (int64_t)((double)(total - done) / (double)done * (double)seconds));
    else
        ldr_json_null(j);
    put_text(j, "waits_for", "");
    ldr_json_object_end(j);
}

/* A split or merge that has not begun, with the same fields as a move. */
static void put_wish(struct ldr_json *j, const struct ldr_leader *l, const struct ldr_leader_view *v,
                     const struct ldr_map_wish *w)
{
    char why[LDR_LEADER_WHY];
    uint64_t seconds = v->now_us > w->asked_us ? (uint64_t)(v->now_us - w->asked_us) / 1000000 : 0;
    bool waits = ldr_leader_waits(l, v->map, w, why);
    ldr_json_object(j);
    put_u64(j, "id", w->id);
    put_text(j, "kind", w->kind == LDR_MOVE_SPLIT ? "split" : "merge");
    put_text(j, "state", "waiting");
    put_u64(j, "shard", w->shard);
    put_u64(j, "other", w->other);
    put_u64(j, "from", 0);
    put_u64(j, "to", 0);
    put_u64(j, "done_bytes", 0);
    put_u64(j, "total_bytes", 0);
    put_u64(j, "seconds", seconds);
    ldr_json_key(j, "eta_seconds");
    ldr_json_null(j);
    put_text(j, "waits_for", waits ? why : "");
    ldr_json_object_end(j);
}

static int put_plan(struct ldr_json *j, struct ldr_leader *l, const struct ldr_map *map)
{
    struct ldr_place_move *moves = ldr_calloc(l->o.heap, (size_t)map->nshards, sizeof *moves);
    uint32_t n = 0;
    if (!moves)
        return LDR_E_NOMEM;
    int rc = ldr_leader_plan(l, map, moves, map->nshards, &n);
    ldr_json_key(j, "plan");
    ldr_json_array(j);
    for (uint32_t i = 0; i < n; i++) {
        ldr_json_object(j);
        put_u64(j, "shard", moves[i].shard);
        put_u64(j, "from", moves[i].from);
        put_u64(j, "to", moves[i].to);
        ldr_json_object_end(j);
    }
    ldr_json_array_end(j);
    ldr_release(l->o.heap, moves);
    return rc;
}

int ldr_leader_status(struct ldr_leader *l, const struct ldr_leader_view *v, struct ldr_buf *out)
{
    struct ldr_json j;
    const struct ldr_map *map = v->map;
    int rc = 0;
    ldr_json_init(&j, out);
    ldr_json_object(&j);
    put_text(&j, "cluster", map->cluster);
    put_u64(&j, "map_version", map->version);
    put_u64(&j, "defs_version", v->defs_version);
    put_u64(&j, "replicas", map->replicas);
    put_u64(&j, "write_quorum", map->write_quorum);
    put_u64(&j, "wait_nodes", map->wait_nodes);
    ldr_json_key(&j, "rebalance");
    ldr_json_bool(&j, map->rebalance);
    put_u64(&j, "leader", v->leader);
    put_members(&j, v);
    ldr_json_key(&j, "nodes");
    ldr_json_array(&j);
    for (uint32_t i = 0; i < map->nnodes; i++)
        put_node(&j, l, v, &map->nodes[i]);
    ldr_json_array_end(&j);
    ldr_json_key(&j, "shards");
    ldr_json_array(&j);
    for (uint32_t i = 0; v->detail && i < map->nshards; i++)
        put_shard(&j, l, &map->shards[i]);
    ldr_json_array_end(&j);
    ldr_json_key(&j, "moves");
    ldr_json_array(&j);
    for (uint32_t i = 0; i < map->nmoves; i++)
        put_move(&j, l, v, &map->moves[i]);
    for (uint32_t i = 0; i < map->nwishes; i++)
        put_wish(&j, l, v, &map->wishes[i]);
    ldr_json_array_end(&j);
    if (v->detail)
        rc = put_plan(&j, l, map);
    ldr_json_object_end(&j);
    return rc ? rc : out->err;
}
