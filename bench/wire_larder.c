/* A node asked directly, without the client library: LOOKUP frames (docs/wire.md) and the row's bytes
 * (feature/row.h). An insider: it makes requests with the project's own encoder. where: HOST:PORT of a
 * coordinator, which tells the map; a single node has everything. */
#include "base/base.h"
#include "bench/wire.h"
#include "feature/feature.h"
#include "ring/ring.h"
#include "rpc/frame.h"
#include "rpc/rpc.h"

enum { VIEW = 1, SHARDS_MAX = 1024 }; /* the first view of a new cluster; larder.h */
static struct ldr_map map;
static uint64_t defs;
static struct ldr_buf made;

static int larder_open(const char *where, size_t batch)
{
    const char *list[1] = {where};
    struct ldr_control *c;
    struct ldr_err err;
    struct ldr_arena a;
    struct ldr_buf b;
    struct ldr_state_req q = {0};
    struct ldr_state_rep m;
    (void)batch;
    ldr_buf_init(&made, NULL, 0);
    ldr_buf_init(&b, NULL, 0);
    ldr_arena_init(&a, NULL, 0);
    if (ldr_control_create(list, 1, &c, &err) || ldr_state_req_encode(&q, &made) ||
        ldr_control_call(c, LDR_MSG_STATE, ldr_buf_slice(&made), 5000, &b, &err))
        bench_die("larder", err.message);
    if (ldr_state_rep_decode(ldr_buf_slice(&b), &a, &m) || ldr_map_decode(&map, NULL, m.map))
        bench_die("larder", "its map cannot be read");
    if (map.nnodes != 1 || map.nshards > SHARDS_MAX)
        bench_die("larder", "expected a cluster of one node");
    defs = m.defs_version;
    ldr_control_destroy(c);
    ldr_arena_close(&a);
    ldr_buf_close(&b);
    return (int)strtol(strrchr(map.nodes[0].address, ':') + 1, NULL, 10);
}

/* ---- Frames. ---- */
static size_t frame(uint8_t *out, uint16_t type, uint64_t id, struct ldr_slice payload)
{
    struct ldr_frame f = {type, 0, id, 10000, payload};
    ldr_put_le32(out, (uint32_t)(LDR_FRAME_HEAD_BARE + payload.n));
    ldr_frame_put(out + 4, &f);
    memcpy(out + LDR_FRAME_HEAD, payload.p, payload.n);
    return LDR_FRAME_HEAD + payload.n;
}
static void greet(int fd)
{
    uint8_t bytes[1024];
    struct ldr_frame f;
    struct ldr_hello_req q = {.proto = LDR_PROTO,
                              .role = LDR_ROLE_TOOL,
                              .name = ldr_slice_str("bench"),
                              .cluster = ldr_slice_str("")};
    ldr_buf_reset(&made);
    if (ldr_hello_req_encode(&q, &made))
        bench_die("larder", "memory");
    wire_send_all(fd, bytes, frame(bytes, LDR_MSG_HELLO, 0, ldr_buf_slice(&made)));
    wire_recv_all(fd, bytes, 4);
    uint32_t n = ldr_get_le32(bytes);
    if (n > sizeof bytes)
        bench_die("larder", "the greeting is too long");
    wire_recv_all(fd, bytes, n);
    if (ldr_frame_get(ldr_slice(bytes, n), &f) || f.arg)
        bench_die("larder", "it does not like the greeting");
}

/* Points of one shard stand together, so that there is one group for each. */
static size_t ask(uint8_t out[ASK_MAX], const uint64_t *entity, size_t n)
{
    static struct ldr_msg_point points[BATCH_MAX];
    static struct ldr_msg_group groups[BATCH_MAX];
    static uint32_t first[SHARDS_MAX + 1], shard[BATCH_MAX];
    static size_t ends[BATCH_MAX + 1];
    static struct ldr_buf keys;
    struct ldr_lookup_req q = {.defs = defs, .groups = groups};
    if (keys.max == 0)
        ldr_buf_init(&keys, NULL, 0);
    ldr_buf_reset(&keys);
    memset(first, 0, (map.nshards + 1) * sizeof *first);
    for (size_t i = 0; i < n; i++) {
        struct ldr_value v = {.type = LDR_INT64, .i = (int64_t)entity[i]};
        if (ldr_key_encode(&v, 1, &keys))
            bench_die("larder", "memory");
        ends[i + 1] = keys.n;
        uint64_t hash = ldr_key_hash(ldr_slice(keys.p + ends[i], ends[i + 1] - ends[i]));
        shard[i] = (uint32_t)(ldr_map_shard_of(&map, hash) - map.shards);
        first[shard[i] + 1]++;
    }
    for (uint32_t s = 0; s < map.nshards; s++) {
        if (first[s + 1])
            groups[q.n_groups++] = (struct ldr_msg_group){map.shards[s].id, map.shards[s].epoch,
                                                          &points[first[s]], first[s + 1]};
        first[s + 1] += first[s];
    }
    for (size_t i = 0; i < n; i++)
        points[first[shard[i]]++] =
            (struct ldr_msg_point){VIEW, ldr_slice(keys.p + ends[i], ends[i + 1] - ends[i])};
    ldr_buf_reset(&made);
    if (ldr_lookup_req_encode(&q, &made))
        bench_die("larder", "a request cannot be made");
    return frame(out, LDR_MSG_LOOKUP, 1, ldr_buf_slice(&made));
}

/* Every feature of a row, found as feature/row.h says; none is null here. */
static uint64_t row_sum_of(const uint8_t *row)
{
    const uint8_t *p = row + LDR_ROW_HEAD + (ldr_get_le16(row + 4) + 7) / 8,
                  *texts = p + ldr_get_le16(row + 6);
    uint64_t sum = 0;
    for (int k = 0; k < ROW_INTS; k++, p += 8)
        sum += ldr_get_le64(p);
    for (int k = 0; k < ROW_FLOATS; k++, p += 8) {
        double v;
        memcpy(&v, p, sizeof v);
        sum += (uint64_t)v;
    }
    for (int k = 0; k < ROW_BOOLS; k++)
        sum += *p++;
    for (uint32_t k = 0, start = 0, end; k < ROW_TEXTS; k++, p += 4, start = end) {
        end = ldr_get_le32(p);
        sum += end - start + texts[start];
    }
    return sum;
}
static size_t take(struct wire_at *at, const uint8_t *p, size_t n, size_t batch)
{
    struct ldr_frame f;
    size_t len = n < 4 ? 0 : ldr_get_le32(p);
    if (n < 4 || n - 4 < len)
        return 0;
    if (ldr_frame_get(ldr_slice(p + 4, len), &f))
        bench_die("larder", "an answer cannot be read");
    if (f.arg)
        bench_die("larder", "an answer is an error");
    struct ldr_cursor c = ldr_cursor(f.payload);
    (void)ldr_cursor_u64(&c);
    uint32_t answers = ldr_cursor_u32(&c);
    if (answers != batch)
        bench_die("larder", "answers are missing");
    for (uint32_t i = 0; i < answers; i++) {
        bool found = ldr_cursor_u8(&c) & 1;
        (void)ldr_cursor_u64(&c);
        (void)ldr_cursor_u64(&c);
        struct ldr_slice row = ldr_cursor_bytes(&c, LDR_ROW_MAX);
        if (c.err || !found)
            bench_die("larder", "a row is missing");
        at->sum += row_sum_of(row.p);
    }
    at->items = answers;
    return 4 + len;
}
const struct wire wire_larder = {
    .name = "larder", .open = larder_open, .greet = greet, .ask = ask, .take = take};
