/* Redis: rows packed into one string each (GET, MGET), and rows as hashes of one field a feature (HMGET, for
 * many entities one after the other in one write). */
#include "bench/wire.h"

enum { LINE = 24 }; /* of a count */

static int port_open(const char *where, size_t batch)
{
    (void)batch;
    return (int)strtol(where, NULL, 10);
}

/* ---- Asking. ---- */
static uint8_t *put_text(uint8_t *p, const void *text, size_t n)
{
    p += snprintf((char *)p, LINE, "$%zu\r\n", n);
    memcpy(p, text, n);
    p += n;
    *p++ = '\r';
    *p++ = '\n';
    return p;
}
static uint8_t *put_word(uint8_t *p, const char *word)
{
    return put_text(p, word, strlen(word));
}
static uint8_t *put_key(uint8_t *p, uint64_t entity)
{
    char key[KEY_TEXT];
    return put_text(p, key, (size_t)snprintf(key, sizeof key, "v:%llu", (unsigned long long)entity));
}
static uint8_t *put_count(uint8_t *p, size_t n)
{
    return p + snprintf((char *)p, LINE, "*%zu\r\n", n);
}
static size_t get_ask(uint8_t out[ASK_MAX], const uint64_t *entity, size_t n)
{
    uint8_t *p = put_word(put_count(out, n + 1), n == 1 ? "GET" : "MGET");
    for (size_t i = 0; i < n; i++)
        p = put_key(p, entity[i]);
    return (size_t)(p - out);
}
static size_t hmget_ask(uint8_t out[ASK_MAX], const uint64_t *entity, size_t n)
{
    uint8_t *p = out;
    for (size_t i = 0; i < n; i++) {
        p = put_key(put_word(put_count(p, ROW_FEATURES + 2), "HMGET"), entity[i]);
        for (int k = 0; k < ROW_FEATURES; k++) {
            char name[4] = {'f', (char)('0' + k / 10), (char)('0' + k % 10), 0};
            p = put_word(p, name);
        }
    }
    return (size_t)(p - out);
}
static size_t get_put(uint8_t *out, uint64_t entity, const struct row *r, const char **answer)
{
    uint8_t packed[ROW_PACKED_MAX];
    uint8_t *p = put_key(put_word(put_count(out, 3), "SET"), entity);
    *answer = "+OK\r\n";
    return (size_t)(put_text(p, packed, row_pack(r, packed)) - out);
}
static size_t hmget_put(uint8_t *out, uint64_t entity, const struct row *r, const char **answer)
{
    uint8_t *p = put_key(put_word(put_count(out, 2 + 2 * ROW_FEATURES), "HSET"), entity);
    for (int k = 0; k < ROW_FEATURES; k++) {
        char name[4] = {'f', (char)('0' + k / 10), (char)('0' + k % 10), 0}, text[32];
        int f = k - ROW_INTS, b = f - ROW_FLOATS, t = b - ROW_BOOLS;
        if (f < 0)
            snprintf(text, sizeof text, "%lld", (long long)r->i[k]);
        else if (b < 0)
            snprintf(text, sizeof text, "%.2f", r->f[f]);
        else
            snprintf(text, sizeof text, "%s", t < 0 ? (r->b[b] ? "1" : "0") : r->t[t]);
        p = put_word(put_word(p, name), text);
    }
    *answer = ":25\r\n";
    return (size_t)(p - out);
}

/* ---- Answers: lines of '*' count what follows and are passed over, '$' carry a value. ---- */
static uint64_t number(const uint8_t *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n && p[i] != '.'; i++)
        v = v * 10 + (uint64_t)(p[i] - '0');
    return v;
}
static uint64_t feature(uint32_t k, const uint8_t *p, size_t n)
{
    return k < ROW_INTS + ROW_FLOATS + ROW_BOOLS ? number(p, n) : n + *p;
}
static size_t take(struct wire_at *at, const uint8_t *p, size_t n, uint32_t items, bool fields)
{
    while (at->items < items) {
        size_t i = at->pos, len = 0;
        if (i == n)
            return 0;
        uint8_t kind = p[i];
        if (kind != '*' && kind != '$')
            bench_die("redis", "an answer is an error");
        for (i++; i < n && p[i] != '\r'; i++) {
            if (p[i] == '-')
                bench_die("redis", "a value is missing");
            len = len * 10 + (size_t)(p[i] - '0');
        }
        if (i + 2 > n || (kind == '$' && i + 2 + len + 2 > n))
            return 0;
        i += 2;
        if (kind == '$') {
            at->sum += fields ? feature(at->items % ROW_FEATURES, p + i, len) : row_read(p + i);
            at->items++;
            i += len + 2;
        }
        at->pos = i;
    }
    return at->pos;
}
static size_t get_take(struct wire_at *at, const uint8_t *p, size_t n, size_t batch)
{
    return take(at, p, n, (uint32_t)batch, false);
}
static size_t hmget_take(struct wire_at *at, const uint8_t *p, size_t n, size_t batch)
{
    return take(at, p, n, (uint32_t)batch * ROW_FEATURES, true);
}

const struct wire wire_redis_get = {
    .name = "redis_get", .open = port_open, .ask = get_ask, .take = get_take, .put = get_put};
const struct wire wire_redis_hmget = {
    .name = "redis_hmget", .open = port_open, .ask = hmget_ask, .take = hmget_take, .put = hmget_put};
