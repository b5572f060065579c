/* Whole requests to every handler that answers from the store: whatever they hold, the answer is JSON (or
 * lines of it) and its status says that the mistake was the client's. links: gateway */
#include "gateway/handlers.h"
#include "gateway/route.h"
#include "gateway_store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    struct ldr_gateway_config config;
    struct ldr_gw_shared shared;
    struct ldr_gw_worker worker;
} here;

static void set_up(void)
{
    struct ldr_store *store = fuzz_store();
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

/* "METHOD address\nbody"; ARROW: POST, answered as Arrow; SPINE: its body is
 * Arrow; BOTH. Materializing (files) and what asks the server
 * itself are left out. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!here.worker.store)
        set_up();
    const uint8_t *line = size ? memchr(data, '\n', size) : NULL,
                  *space = line ? memchr(data, ' ', size) : NULL;
    if (!line || !space || space > line)
        return 0;
    struct ldr_gw_request q = {.method = *data == 'G' ? LDR_GW_GET : LDR_GW_POST,
                               .arrow = *data == 'A' || *data == 'B',
                               .sent_arrow = *data == 'S' || *data == 'B'};
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
