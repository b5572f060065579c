/* Whole requests to every handler that answers from the store: whatever they hold, the answer is JSON (or
 * lines of it) and its status says that the mistake was the client's. links: gateway */
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "gateway/handlers.h"
#include "gateway/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char definitions[] =
    "entities:\n"
    "  - {name: driver, join_keys: [{name: id, type: int64}]}\n"
    "  - {name: way, join_keys: [{name: from, type: string}, {name: at, type: timestamp}]}\n"
    "sources:\n"
    "  - {name: taps, type: push, event_timestamp: event_timestamp}\n"
    "feature_views:\n"
    "  - {name: v, entity: driver, source: taps, ttl: 1h, features: [{name: a, type: int32}, {name: b, type: "
    "string},\n"
    "     {name: c, type: float64}, {name: d, type: list<float32>}, {name: e, type: bytes}, {name: f, type: "
    "list<string>}]}\n"
    "  - {name: w, entity: way, features: [{name: a, type: bool}, {name: t, type: timestamp}]}\n"
    "feature_services:\n"
    "  - {name: s, features: [v, \"w:t\"]}\n";

static struct {
    struct ldr_gateway_config config;
    struct ldr_gw_shared shared;
    struct ldr_gw_worker worker;
} here;

static char dir[] = "/tmp/larder-fuzz-XXXXXX";

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static void remove_all(void)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void set_up(void)
{
    char path[64];
    const struct ldr_open_opts opts = {
        .no_sync = true, .threads = 1, .latest_bytes = 8 << 20, .cache_bytes = 8 << 20};
    struct ldr_table *changes = NULL, *problems = NULL;
    struct ldr_store *store = NULL;
    struct ldr_err err = {0};
    LDR_ASSERT(mkdtemp(dir) && atexit(remove_all) == 0);
    snprintf(path, sizeof path, "%s/defs", dir);
    LDR_ASSERT(mkdir(path, 0700) == 0);
    snprintf(path, sizeof path, "%s/defs/d.yaml", dir);
    FILE *f = fopen(path, "w");
    LDR_ASSERT(f && fputs(definitions, f) >= 0 && fclose(f) == 0);
    char url[64];
    snprintf(url, sizeof url, "local:%s/store", dir);
    snprintf(path, sizeof path, "%s/defs", dir);
    int rc = ldr_open(url, &opts, &store, &err);
    if (!rc)
        rc = ldr_apply(store, path, UINT64_MAX, &changes, NULL, NULL, &problems, &err);
    if (rc)
        fprintf(stderr, "%s\n", err.message);
    LDR_ASSERT(rc == 0);
    ldr_table_destroy(changes);
    ldr_table_destroy(problems);
    here.config = (struct ldr_gateway_config){.rows = 1000, .fresh = "own", .long_threads = 1, .dir = "."};
    pthread_mutex_init(&here.shared.lock, NULL);
    LDR_ASSERT(ldr_gw_worker_init(&here.worker, NULL, store, &here.config, &here.shared) == 0);
}

struct sink {
    struct ldr_buf bytes;
    struct ldr_gw_answer *answer;
};

static int put(void *ctx, struct ldr_slice bytes)
{
    struct sink *s = ctx;
    s->answer->streamed = true;
    return ldr_buf_put(&s->bytes, bytes.p, bytes.n);
}

static void is_json(struct ldr_slice text)
{
    struct ldr_json_reader r;
    ldr_json_reader_init(&r, text);
    enum ldr_json_token t = ldr_json_next(&r);
    LDR_ASSERT(t != LDR_JSON_ERROR && ldr_json_skip(&r, t) == 0 && ldr_json_next(&r) == LDR_JSON_END);
}

static void are_lines(struct ldr_slice text)
{
    while (text.n) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        LDR_ASSERT(end);
        size_t n = (size_t)(end - text.p);
        is_json(ldr_slice(text.p, n));
        text = ldr_slice(end + 1, text.n - n - 1);
    }
}

static void ask(const struct ldr_gw_request *q)
{
    struct sink sink = {0};
    struct ldr_gw_stream stream = {.ctx = &sink, .put = put};
    struct ldr_gw_answer a = {.stream = &stream};
    sink.answer = &a;
    ldr_buf_init(&sink.bytes, NULL, 0);
    ldr_buf_init(&a.body, NULL, 0);
    ldr_arena_reset(&here.worker.arena);
    q->route->handler(&here.worker, q, &a);
    bool mine = a.status == 0 || a.status == 200 || (a.status >= 400 && a.status < 500);
    LDR_ASSERT(mine && !a.after && !a.body.err && !sink.bytes.err);
    const struct ldr_slice told = ldr_buf_slice(&sink.bytes);
    if (!a.streamed && a.body.n)
        is_json(ldr_buf_slice(&a.body));
    else if (q->arrow && a.streamed)
        LDR_ASSERT(stream.broken ||
                   (told.n % 8 == 0 && memcmp(told.p + told.n - 8, "\xff\xff\xff\xff\0\0\0\0", 8) == 0));
    else
        are_lines(told);
    LDR_ASSERT(a.status < 400 || a.body.n);
    ldr_buf_close(&a.body);
    ldr_buf_close(&sink.bytes);
}

/* "METHOD address\nbody"; ARROW: POST, answered as Arrow. Materializing (files) and what asks the server
 * itself are left out. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!here.worker.store)
        set_up();
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL,
                  *space = line ? memchr(data, ' ', size) : NULL;
    if (!line || !space || space > line)
        return 0;
    struct ldr_gw_request q = {.method = *data == 'G' ? LDR_GW_GET : LDR_GW_POST, .arrow = *data == 'A'};
    q.path = ldr_slice(space + 1, (size_t)(line - space - 1));
    const uint8_t *mark = q.path.n ? memchr(q.path.p, '?', q.path.n) : NULL;
    if (mark) {
        q.query = ldr_slice(mark + 1, (size_t)(line - mark - 1));
        q.path.n = (size_t)(mark - q.path.p);
    }
    size_t n = size - (size_t)(line - data) - 1;
    uint8_t *body = malloc(n + 1); /* of its own: reading past it is seen */
    LDR_ASSERT(body);
    memcpy(body, line + 1, n);
    q.body = ldr_slice(body, n);
    const char *allow;
    if (ldr_gw_route_find(&q, &allow) == 0 && q.route->where != LDR_GW_HERE &&
        !strstr(q.route->path, "materialize"))
        ask(&q);
    free(body);
    return 0;
}
