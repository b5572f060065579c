/* larder-gateway, or Feast's own server: Feast's online read over HTTP, with the names of all features in
 * every request, as Feast's SDK sends it. Every value of the answer is read. */
#include "bench/wire.h"

enum { PIECE = 64 };
static char features[ROW_FEATURES * 16];

static int port_open(const char *where, size_t batch)
{
    char *p = features;
    (void)batch;
    for (int k = 0; k < ROW_FEATURES; k++)
        p += snprintf(p, PIECE, "%s\"v:f%02d\"", k ? ", " : "", k);
    return (int)strtol(where, NULL, 10);
}

static size_t ask(uint8_t out[ASK_MAX], const uint64_t *entity, size_t n)
{
    static const char head[] =
        "POST /get-online-features HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: bench\r\n"
        "Accept: */*\r\nContent-Type: application/json\r\nContent-Length: %7zu\r\n\r\n";
    char body[BATCH_MAX * KEY_TEXT + sizeof features + 128], *p = body;
    p += snprintf(p, PIECE, "{\"entities\": {\"id\": [");
    for (size_t i = 0; i < n; i++)
        p += snprintf(p, PIECE, "%s%llu", i ? ", " : "", (unsigned long long)entity[i]);
    p += snprintf(p, sizeof body - (size_t)(p - body),
                  "]}, \"full_feature_names\": false, \"include_feature_view_version_metadata\": false, "
                  "\"features\": [%s]}",
                  features);
    size_t body_n = (size_t)(p - body), head_n = (size_t)snprintf((char *)out, ASK_MAX, head, body_n);
    memcpy(out + head_n, body, body_n);
    return head_n + body_n;
}

static const uint8_t *find(const uint8_t *p, const uint8_t *end, const char *what)
{
    const uint8_t *at = memmem(p, (size_t)(end - p), what, strlen(what));
    if (!at)
        bench_die("larder_http", "an answer is not as expected");
    return at + strlen(what);
}

/* One value as the other protocols add it up: whole numbers, fractions cut off, bools, texts by length and
 * first byte. */
static const uint8_t *value(const uint8_t *p, uint64_t *sum)
{
    uint64_t v = 0;
    if (*p == '"') {
        const uint8_t *from = ++p;
        while (*p != '"')
            p++;
        *sum += (uint64_t)(p - from) + *from;
        return p + 1;
    }
    if (*p == 't' || *p == 'f') {
        *sum += *p == 't';
        return p + (*p == 't' ? 4 : 5);
    }
    if (*p < '0' || *p > '9')
        bench_die("larder_http", "a value is missing");
    for (; *p >= '0' && *p <= '9'; p++)
        v = v * 10 + (uint64_t)(*p - '0');
    while (*p != ',' && *p != ']')
        p++;
    *sum += v;
    return p;
}

static size_t take(struct wire_at *at, const uint8_t *p, size_t n, size_t batch)
{
    if (at->pos == 0) { /* the head is not there, or not yet looked at */
        const uint8_t *end = memmem(p, n, "\r\n\r\n", 4);
        if (!end)
            return 0;
        if (memcmp(p, "HTTP/1.1 200", 12) != 0)
            bench_die("larder_http", "an answer is an error");
        char head[1024];
        size_t head_n = (size_t)(end - p) < sizeof head ? (size_t)(end - p) : sizeof head - 1;
        memcpy(head, p, head_n);
        head[head_n] = 0;
        const char *field = strcasestr(head, "\r\ncontent-length:");
        if (!field)
            bench_die("larder_http", "an answer without its length");
        size_t length = strtoul(field + 17, NULL, 10);
        at->pos = (size_t)(end - p) + 4 + length;
        at->items = (uint32_t)(end - p) + 4;
    }
    if (n < at->pos)
        return 0;
    const uint8_t *q = find(p + at->items, p + at->pos, "\"results\":"), *end = p + at->pos;
    q = find(q, end, "\"values\":["); /* of the key */
    for (int k = 0; k < ROW_FEATURES; k++) {
        q = find(q, end, "\"values\":[");
        for (size_t i = 0; i < batch; i++)
            q = value(q, &at->sum) + 1;
    }
    return at->pos;
}

const struct wire wire_http = {.name = "larder_http", .open = port_open, .ask = ask, .take = take};
