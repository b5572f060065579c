/* The bare echo: as many bytes each way as the system it stands for. where: PORT:ASK:ANSWER. */
#include "bench/wire.h"

static uint32_t sizes[2];

static int echo_open(const char *where, size_t batch)
{
    char *end;
    (void)batch;
    long port = strtol(where, &end, 10);
    for (int i = 0; i < 2; i++) {
        if (*end != ':')
            bench_die("echo", "its place is PORT:ASK:ANSWER");
        sizes[i] = (uint32_t)strtoul(end + 1, &end, 10);
    }
    if (sizes[0] == 0 || sizes[0] > ASK_MAX || sizes[1] == 0)
        bench_die("echo", "sizes of nothing, or too much");
    return (int)port;
}
static void echo_greet(int fd)
{
    wire_send_all(fd, sizes, sizeof sizes);
}
static size_t echo_ask(uint8_t out[ASK_MAX], const uint64_t *entity, size_t n)
{
    (void)n;
    memcpy(out, entity, sizeof *entity); /* the rest does not matter to anybody */
    return sizes[0];
}
static size_t echo_take(struct wire_at *at, const uint8_t *p, size_t n, size_t batch)
{
    (void)at;
    (void)p;
    (void)batch;
    return n >= sizes[1] ? sizes[1] : 0;
}
const struct wire wire_echo = {.name = "echo",
                               .open = echo_open,
                               .greet = echo_greet,
                               .ask = echo_ask,
                               .take = echo_take,
                               .empty = true};
