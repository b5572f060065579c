/* Reading many frames at once and writing them as one: a connection gathers what it has to say until the loop
 * is about to wait. Connections between frames hold no buffer; only the loop has one, for reading. */
#include <errno.h>
#include <sys/socket.h>

#include "rpc/uv_conn.h"

#define READ_BYTES ((size_t)256 * 1024)
#define PART_BYTES ((size_t)16 * 1024)
#define KEEP_BYTES ((size_t)1 << 20) /* a buffer that grew larger is given back once empty */

/* ---- Writing. ---- */
static void flush(struct conn *c);

static void touch(struct conn *c)
{
    if (!c->touch) {
        c->touch = true;
        c->next_touched = c->wire->touched;
        c->wire->touched = c;
    }
}

static void emptied(struct ldr_buf *b)
{
    if (b->cap > KEEP_BYTES)
        ldr_buf_close(b);
    ldr_buf_reset(b);
}

static void written(uv_write_t *req, int status)
{
    struct conn *c = req->data;
    c->flying = false;
    ldr_uv_loop_writes(c->wire->loop, -1);
    if (c->closing)
        return;
    if (status < 0) {
        conn_close(c);
        return;
    }
    c->tx_ms = wire_now_ms(c->wire);
    emptied(&c->flight);
    touch(c); /* more to send, or somebody waits for room */
}

/* Not uv_try_write: that raises SIGPIPE when the other end has gone, and whose thread this is we do not know.
 * Nothing of this connection waits in libuv. */
static ssize_t write_now(struct conn *c)
{
    uv_os_fd_t fd;
    ssize_t n;
    if (uv_fileno(&c->s.handle, &fd))
        return -1;
    do
        n = send(fd, c->out.p, c->out.n, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 && (errno == EAGAIN || errno == ENOBUFS) ? 0 : n;
}

static void flush(struct conn *c)
{
    if (c->closing || c->flying)
        return;
    if (c->out.n == 0) {
        if (c->last)
            conn_close(c);
        return;
    }
    ssize_t n = write_now(c);
    if (n < 0) {
        conn_close(c);
        return;
    }
    size_t done = (size_t)n;
    c->tx_ms = wire_now_ms(c->wire);
    if (done == c->out.n) {
        c->handed += done;
        emptied(&c->out);
        if (c->paused || c->last)
            touch(c); /* there is room now, or it may go */
        return;
    }
    struct ldr_buf rest = c->out;
    c->out = c->flight;
    c->flight = rest;
    /* from here on libuv may write any part of it at any time */
    c->handed += rest.n;
    c->flying = true;
    c->write.data = c;
    uv_buf_t b = {.base = (char *)rest.p + done, .len = rest.n - done};
    ldr_uv_loop_writes(c->wire->loop, 1);
    if (uv_write(&c->write, &c->s.stream, &b, 1, written)) {
        ldr_uv_loop_writes(c->wire->loop, -1);
        c->flying = false;
        conn_close(c);
    }
}

struct ldr_buf *conn_room(struct conn *c)
{
    LDR_ASSERT(!c->room);
    if (c->closing || !ldr_buf_reserve(&c->out, LDR_FRAME_HEAD)) {
        c->out.err = 0; /* what was gathered before is whole and still goes out */
        return NULL;
    }
    c->room = true;
    c->room_at = c->out.n;
    c->out.n += LDR_FRAME_HEAD;
    c->out.max = c->out.n + LDR_PAYLOAD_MAX;
    return &c->out;
}

/* Ends a room; whether the payload lies in it, whole. */
static bool in_room(struct conn *c, struct ldr_slice payload)
{
    if (!c->room)
        return false;
    size_t from = c->room_at + LDR_FRAME_HEAD;
    bool here = c->out.err == 0 && payload.n == c->out.n - from && payload.p == c->out.p + from;
    c->room = false;
    c->out.max = c->wire->limits.unsent_max + LDR_FRAME_MAX;
    c->out.err = 0;
    c->out.n = c->room_at;
    return here;
}

int conn_send(struct conn *c, const struct ldr_frame *f)
{
    bool here = in_room(c, f->payload);
    if (c->closing)
        return LDR_E_UNAVAILABLE;
    if (f->payload.n > LDR_PAYLOAD_MAX)
        return LDR_E_TOO_BIG;
    uint8_t *p = ldr_buf_reserve(&c->out, LDR_FRAME_HEAD + f->payload.n);
    if (!p) {
        int rc = c->out.err;
        c->out.err = 0; /* what was gathered before is whole and still goes out */
        return rc;
    }
    ldr_put_le32(p, (uint32_t)(LDR_FRAME_HEAD_BARE + f->payload.n));
    ldr_frame_put(p + 4, f);
    if (f->payload.n && !here)
        memcpy(p + LDR_FRAME_HEAD, f->payload.p, f->payload.n);
    c->out.n += LDR_FRAME_HEAD + f->payload.n;
    c->appended += LDR_FRAME_HEAD + f->payload.n;
    touch(c);
    return 0;
}

/* ---- Reading. ---- */
/* Handles whole frames in [p, p + n); returns how many bytes they took. */
static size_t parse(struct conn *c, const uint8_t *p, size_t n)
{
    size_t at = 0;
    c->parsing = true;
    while (!c->closing && !c->paused && n - at >= 4) {
        struct ldr_frame f;
        size_t len = ldr_get_le32(p + at);
        if (len < LDR_FRAME_HEAD_BARE || len > c->frame_max - 4) {
            conn_close(c);
            break;
        }
        if (len > n - at - 4)
            break;
        if (ldr_frame_get(ldr_slice(p + at + 4, len), &f)) {
            conn_close(c);
            break;
        }
        at += 4 + len;
        c->half_ms = 0;
        c->frame(c, &f);
    }
    c->parsing = false;
    return at;
}

static void part_size(struct conn *c, size_t n, size_t cap)
{
    c->wire->partial_bytes += cap - c->part_cap; /* wraps when it shrinks, and that is right */
    c->part_n = n;
    c->part_cap = cap;
}

static bool part_grow(struct conn *c, size_t cap)
{
    if (cap <= c->part_cap)
        return true;
    uint8_t *p = c->wire->partial_bytes + cap - c->part_cap <= c->wire->limits.partial_bytes
                     ? ldr_resize(NULL, c->part, cap)
                     : NULL;
    if (!p)
        return false;
    c->part = p;
    part_size(c, c->part_n, cap);
    return true;
}

/* Looks at what is in `part` and keeps what is left of it. */
static void parse_part(struct conn *c)
{
    if (c->part_n == 0)
        return;
    size_t took = parse(c, c->part, c->part_n);
    if (c->closing)
        return;
    memmove(c->part, c->part + took, c->part_n - took);
    c->part_n -= took;
    if (c->part_n == 0) {
        ldr_release(NULL, c->part);
        c->part = NULL;
        part_size(c, 0, 0);
    }
}

static void room(uv_handle_t *h, size_t suggested, uv_buf_t *out)
{
    struct conn *c = h->data;
    (void)suggested;
    *out = (uv_buf_t){.base = (char *)c->wire->read_buf, .len = READ_BYTES};
    if (c->part_n == 0)
        return;
    /* Room for the frame, but never more than twice what has come: a length alone gets no memory. */
    size_t need = c->part_n >= 4 ? ldr_get_le32(c->part) + (size_t)4 : PART_BYTES;
    size_t cap = 2 * c->part_n > PART_BYTES ? 2 * c->part_n : PART_BYTES;
    if (cap > need && need > c->part_n)
        cap = need > PART_BYTES ? need : PART_BYTES;
    if (cap <= c->part_n)
        cap = c->part_n + PART_BYTES;
    *out = part_grow(c, cap) ? (uv_buf_t){.base = (char *)c->part + c->part_n, .len = c->part_cap - c->part_n}
                             : (uv_buf_t){0};
}

static void came(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    struct conn *c = s->data;
    if (c->closing || n == 0)
        return;
    if (n < 0) { /* the end, an error, or no room for an unfinished frame (UV_ENOBUFS) */
        conn_close(c);
        return;
    }
    c->rx_ms = wire_now_ms(c->wire);
    if (c->part_n) {
        part_size(c, c->part_n + (size_t)n, c->part_cap);
        parse_part(c);
    } else {
        const uint8_t *p = (const uint8_t *)b->base;
        size_t took = parse(c, p, (size_t)n), left = (size_t)n - took;
        if (c->closing)
            return;
        if (left && !part_grow(c, left)) {
            conn_close(c);
            return;
        }
        if (left)
            memcpy(c->part, p + took, left);
        c->part_n = left;
    }
    if (!c->closing && c->part_n && !c->paused && c->half_ms == 0)
        c->half_ms = c->rx_ms;
}

static void read_as_told(struct conn *c)
{
    bool want = !c->paused && !c->closing;
    if (want == c->reading)
        return;
    c->reading = want;
    if (!want)
        uv_read_stop(&c->s.stream);
    else if (uv_read_start(&c->s.stream, room, came))
        conn_close(c);
}

void conn_start(struct conn *c)
{
    if (!c->local) {
        uv_tcp_nodelay(&c->s.tcp, 1);
        uv_tcp_keepalive(&c->s.tcp, 1, 30);
    }
    c->rx_ms = c->tx_ms = wire_now_ms(c->wire);
    read_as_told(c);
}

void conn_pause(struct conn *c)
{
    c->paused = true;
    c->half_ms = 0;
    touch(c);
}

void conn_resume(struct conn *c)
{
    c->paused = false;
    touch(c);
}

/* ---- Turns of the loop. ---- */
static void before_wait(uv_prepare_t *h)
{
    struct wire *w = h->data;
    /* again as long as something came of it: nothing may be left undone when the loop waits */
    for (;;) {
        bool more = w->turn && w->turn(w);
        struct conn *c = w->touched;
        if (!c && !more)
            break;
        if (!c)
            continue;
        if (c->paused && c->relieved)
            c->relieved(c); /* while it is touched: pausing again is no reason to look at it again */
        w->touched = c->next_touched;
        c->touch = false;
        if (!c->paused && !c->parsing) {
            parse_part(c);
            if (!c->closing && c->part_n && !c->paused && c->half_ms == 0)
                c->half_ms = wire_now_ms(w);
        }
        flush(c);
        if (!c->closing)
            read_as_told(c);
    }
}

static void tick_start(struct wire *w)
{
    const struct ldr_loop *loop = ldr_uv_loop_seam(w->loop);
    loop->timer_start(loop->ctx, &w->tick, LDR_TICK_MS * 1000);
}

static void tick(struct ldr_timer *t)
{
    struct wire *w = t->owner;
    uint64_t now = wire_now_ms(w);
    for (struct conn *c = w->all, *next; c; c = next) {
        next = c->next;
        if (c->closing)
            continue;
        size_t queued = uv_stream_get_write_queue_size(&c->s.stream);
        if (queued != c->queued) {
            c->queued = queued;
            c->tx_ms = now; /* some of it was taken */
        }
        bool half = c->half_ms && now - c->half_ms > w->limits.half_ms;
        bool stalled = c->flying && now - c->tx_ms > w->limits.stall_ms;
        if (half || stalled)
            conn_close(c);
    }
    if (w->look)
        w->look(w);
    tick_start(w);
}

/* ---- Life. ---- */
#define DEFAULT(field, value) \
    if (w->limits.field == 0) \
        w->limits.field = (value);

static void handle_closed(struct wire *w)
{
    if (--w->handles > 0)
        return;
    ldr_release(NULL, w->read_buf);
    w->gone(w);
}

static void own_closed(uv_handle_t *h)
{
    handle_closed(h->data);
}

int wire_init(struct wire *w, struct ldr_uv_loop *loop, const struct ldr_data_limits *limits)
{
    w->loop = loop;
    w->uv = ldr_uv_loop_handle(loop);
    w->limits = *limits;
    DEFAULT(connections, 1024)
    DEFAULT(outstanding, 1024)
    DEFAULT(frame_bytes, LDR_FRAME_MAX)
    DEFAULT(partial_bytes, UINT64_C(256) << 20)
    DEFAULT(unsent_bytes, UINT64_C(8) << 20)
    DEFAULT(unsent_max, UINT64_C(128) << 20)
    DEFAULT(hello_ms, 5000)
    DEFAULT(half_ms, 30000)
    DEFAULT(stall_ms, 30000)
    DEFAULT(idle_ms, 300000)
    if (w->limits.frame_bytes > LDR_FRAME_MAX)
        w->limits.frame_bytes = LDR_FRAME_MAX;
    w->read_buf = ldr_alloc(NULL, READ_BYTES);
    if (!w->read_buf)
        return LDR_E_NOMEM;
    uv_prepare_init(w->uv, &w->prepare);
    w->prepare.data = w;
    w->handles = 1;
    uv_prepare_start(&w->prepare, before_wait);
    w->tick = (struct ldr_timer){.fire = tick, .owner = w};
    tick_start(w);
    return 0;
}

void wire_close(struct wire *w)
{
    const struct ldr_loop *loop = ldr_uv_loop_seam(w->loop);
    w->closing = true;
    loop->timer_stop(loop->ctx, &w->tick);
    for (struct conn *c = w->all, *next; c; c = next) {
        next = c->next;
        conn_close(c);
    }
    uv_close((uv_handle_t *)&w->prepare, own_closed);
}

void conn_init(struct wire *w, struct conn *c)
{
    c->wire = w;
    if (c->local)
        uv_pipe_init(w->uv, &c->s.pipe, 0);
    else
        uv_tcp_init(w->uv, &c->s.tcp); /* neither makes a socket yet: they cannot fail */
    c->s.handle.data = c;
    ldr_buf_init(&c->out, NULL, w->limits.unsent_max + LDR_FRAME_MAX);
    ldr_buf_init(&c->flight, NULL, w->limits.unsent_max + LDR_FRAME_MAX);
    c->frame_max = w->limits.frame_bytes;
    c->next = w->all;
    if (w->all)
        w->all->prev = c;
    w->all = c;
    w->handles++;
}

static void conn_gone(uv_handle_t *h)
{
    struct conn *c = h->data;
    struct wire *w = c->wire;
    ldr_buf_close(&c->out);
    ldr_buf_close(&c->flight);
    ldr_release(NULL, c->part);
    part_size(c, 0, 0);
    c->freed(c);
    handle_closed(w);
}

void conn_close(struct conn *c)
{
    struct wire *w = c->wire;
    if (c->closing)
        return;
    c->closing = true;
    *(c->prev ? &c->prev->next : &w->all) = c->next;
    if (c->next)
        c->next->prev = c->prev;
    if (c->touch) {
        struct conn **at = &w->touched;
        while (*at != c)
            at = &(*at)->next_touched;
        *at = c->next_touched;
        c->touch = false;
    }
    c->broken(c);
    uv_close(&c->s.handle, conn_gone);
}
