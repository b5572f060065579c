/* memcached: rows packed into one value each, "get" with one key or a hundred. */
#include "bench/wire.h"

static int port_open(const char *where, size_t batch)
{
    (void)batch;
    return (int)strtol(where, NULL, 10);
}
static size_t ask(uint8_t out[ASK_MAX], const uint64_t *entity, size_t n)
{
    char *p = (char *)out;
    memcpy(p, "get", 3);
    p += 3;
    for (size_t i = 0; i < n; i++)
        p += snprintf(p, 1 + KEY_TEXT, " v:%llu", (unsigned long long)entity[i]);
    memcpy(p, "\r\n", 2);
    return (size_t)(p + 2 - (char *)out);
}
static size_t put(uint8_t *out, uint64_t entity, const struct row *r, const char **answer)
{
    uint8_t packed[ROW_PACKED_MAX];
    size_t n = row_pack(r, packed);
    char *p = (char *)out;
    p += snprintf(p, 64, "set v:%llu 0 0 %zu\r\n", (unsigned long long)entity, n);
    memcpy(p, packed, n);
    memcpy(p + n, "\r\n", 2);
    *answer = "STORED\r\n";
    return (size_t)(p + n + 2 - (char *)out);
}
/* "VALUE key flags bytes\r\n<bytes>\r\n" for each, then "END\r\n" */
static size_t take(struct wire_at *at, const uint8_t *p, size_t n, size_t batch)
{
    for (;;) {
        const uint8_t *line = p + at->pos, *end = memchr(line, '\r', n - at->pos);
        if (!end || end + 2 > p + n)
            return 0;
        if (*line == 'E' && line[1] == 'N') {
            if (at->items != batch)
                bench_die("memcached", "a value is missing");
            return at->pos + 5;
        }
        if (*line != 'V')
            bench_die("memcached", "an answer is an error");
        size_t len = 0, scale = 1;
        for (const uint8_t *d = end - 1; *d != ' '; d--, scale *= 10)
            len += scale * (size_t)(*d - '0');
        if (end + 2 + len + 2 > p + n)
            return 0;
        at->sum += row_read(end + 2);
        at->items++;
        at->pos = (size_t)(end + 2 + len + 2 - p);
    }
}
const struct wire wire_memcached = {
    .name = "memcached", .open = port_open, .ask = ask, .take = take, .put = put};
