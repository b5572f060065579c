/* The yardstick: bare libuv. A connection says first how long its requests and the answers are (two u32),
 * then gets an answer of that many bytes for each request. No frames, no timers, nothing looked at. usage:
 * bench_uv_echo PORT */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { ANSWER_MAX = 1 << 20 };
struct client {
    uv_tcp_t tcp;
    uint32_t sizes[2];
    size_t came; /* bytes of the sizes, then of an unfinished request */
    bool told;
};
static char in[256 * 1024], out[ANSWER_MAX];

static void room(uv_handle_t *h, size_t n, uv_buf_t *b)
{
    (void)h;
    (void)n;
    *b = uv_buf_init(in, sizeof in);
}
static void gone(uv_handle_t *h)
{
    free(h->data);
}
static void sent(uv_write_t *w, int status)
{
    (void)status; /* the reader of this connection learns of it */
    free(w);
}
static void answer(struct client *c)
{
    uv_buf_t b = uv_buf_init(out, c->sizes[1]);
    int n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
    size_t done = n > 0 ? (size_t)n : 0;
    if (done == c->sizes[1])
        return;
    uv_write_t *w = malloc(sizeof *w);
    b = uv_buf_init(out + done, (unsigned)(c->sizes[1] - done));
    if (!w || uv_write(w, (uv_stream_t *)&c->tcp, &b, 1, sent))
        abort();
}
static void asked(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct client *c = s->data;
    size_t left = n > 0 ? (size_t)n : 0, at = 0;
    if (n < 0) {
        uv_close((uv_handle_t *)s, gone);
        return;
    }
    for (; !c->told && left; left--) {
        ((char *)c->sizes)[c->came++] = b->base[at++];
        if (c->came == sizeof c->sizes) {
            c->told = true;
            c->came = 0;
            if (c->sizes[0] == 0 || c->sizes[1] > ANSWER_MAX)
                abort();
        }
    }
    for (c->came += left; c->told && c->came >= c->sizes[0]; c->came -= c->sizes[0])
        answer(c);
}
static void accepted(uv_stream_t *l, int status)
{
    struct client *c = calloc(1, sizeof *c);
    if (status || !c)
        abort();
    uv_tcp_init(l->loop, &c->tcp);
    c->tcp.data = c;
    uv_accept(l, (uv_stream_t *)&c->tcp);
    uv_tcp_nodelay(&c->tcp, 1);
    uv_read_start((uv_stream_t *)&c->tcp, room, asked);
}
int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t l;
    struct sockaddr_in a;
    uv_tcp_init(loop, &l);
    if (argc != 2 || uv_ip4_addr("127.0.0.1", (int)strtol(argv[1], NULL, 10), &a) ||
        uv_tcp_bind(&l, (struct sockaddr *)&a, 0) || uv_listen((uv_stream_t *)&l, 64, accepted)) {
        fprintf(stderr, "usage: bench_uv_echo PORT\n");
        return 1;
    }
    return uv_run(loop, UV_RUN_DEFAULT);
}
