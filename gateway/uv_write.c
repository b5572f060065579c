/* What a connection says. Answers of one turn go out together; what the socket does not take is kept and sent
 * in slices, each within the write time. */
#include <stdio.h>
#include <time.h>

#include "gateway/uv_server.h"
#include "gateway/zip.h"

const uint32_t ldr_gw_spans_us[LDR_GW_SPANS] = {100,   250,   500,    1000,    2500,    5000,
                                                10000, 50000, 250000, 1000000, 5000000, 30000000};

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } all[] = {{200, "OK"},
               {202, "Accepted"},
               {400, "Bad Request"},
               {404, "Not Found"},
               {405, "Method Not Allowed"},
               {408, "Request Timeout"},
               {409, "Conflict"},
               {413, "Content Too Large"},
               {414, "URI Too Long"},
               {415, "Unsupported Media Type"},
               {417, "Expectation Failed"},
               {422, "Unprocessable Content"},
               {431, "Request Header Fields Too Large"},
               {500, "Internal Server Error"},
               {501, "Not Implemented"},
               {503, "Service Unavailable"},
               {504, "Gateway Timeout"},
               {505, "HTTP Version Not Supported"},
               {507, "Insufficient Storage"}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].status == status)
            return all[i].text;
    return "Unknown";
}

static const char *date(struct ldr_gw_loop *l)
{
    time_t now = time(NULL);
    struct tm t;
    if (now != l->date_s && gmtime_r(&now, &t)) {
        static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        l->date_s = now;
        snprintf(l->date, sizeof l->date, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                 days + (size_t)3 * (unsigned)t.tm_wday, t.tm_mday, months + (size_t)3 * (unsigned)t.tm_mon,
                 t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    }
    return l->date;
}

void ldr_gw_say_head(struct ldr_gw_conn *c, const struct ldr_gw_request *q, const struct ldr_gw_answer *a,
                     bool chunked, size_t length, bool gzip)
{
    struct ldr_buf *out = &c->loop->out;
    char text[LDR_NUM_TEXT];
    int status = a->status ? a->status : 200;
    (void)q;
    if (status == 200)
        ldr_buf_puts(out, "HTTP/1.1 200 OK\r\nContent-Type: ");
    else
        ldr_buf_printf(out, "HTTP/1.1 %d %s\r\nContent-Type: ", status, reason(status));
    ldr_buf_puts(out, a->type ? a->type : "application/json");
    ldr_buf_puts(out, "\r\nDate: ");
    ldr_buf_puts(out, date(c->loop));
    if (!chunked) {
        ldr_buf_puts(out, "\r\nContent-Length: ");
        ldr_buf_put(out, text, ldr_u64_format(length, text));
    } else if (!c->parser.old) {
        ldr_buf_puts(out, "\r\nTransfer-Encoding: chunked");
    }
    ldr_buf_puts(out, "\r\n");
    if (gzip)
        ldr_buf_puts(out, "Content-Encoding: gzip\r\nVary: Accept-Encoding\r\n");
    if (a->extra)
        ldr_buf_puts(out, a->extra);
    if (c->last)
        ldr_buf_puts(out, "Connection: close\r\n");
    else if (c->parser.old)
        ldr_buf_puts(out, "Connection: keep-alive\r\n");
    ldr_buf_puts(out, "\r\n");
}

void ldr_gw_say(struct ldr_gw_conn *c, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    const struct ldr_gateway_config *g = c->loop->gateway->config;
    struct ldr_buf zipped = {0};
    const struct ldr_buf *body = &a->body;
    if (a->body.err) /* out of memory, or a gigabyte of answer */
        ldr_gw_fail(a, 500, a->body.err, false, "the answer could not be made: %s",
                    ldr_error_text(a->body.err));
    if (c->parser.takes_gzip && g->gzip_min_bytes && a->body.n >= g->gzip_min_bytes) {
        ldr_buf_init(&zipped, NULL, 0);
        if (ldr_gw_zip(ldr_buf_slice(&a->body), &zipped) == 0)
            body = &zipped;
    }
    ldr_gw_say_head(c, q, a, false, body->n, body == &zipped);
    if (q->method != LDR_GW_HEAD)
        ldr_buf_put(&c->loop->out, body->p, body->n);
    ldr_buf_close(&zipped);
}

void ldr_gw_count(struct ldr_gw_conn *c, const struct ldr_gw_request *q, int status)
{
    size_t i = q->route ? (size_t)(q->route - ldr_gw_routes) : LDR_GW_ROUTES_MAX;
    struct ldr_gw_times *t = &c->loop->figures.routes[i];
    uint64_t us = (uv_hrtime() - c->began_ns) / 1000;
    ldr_gw_add(&t->count, 1);
    ldr_gw_add(&t->sum_us, us);
    ldr_gw_add(&t->status[status ? status / 100 : 2], 1);
    for (size_t k = 0; k < LDR_GW_SPANS; k++)
        if (us <= ldr_gw_spans_us[k]) {
            ldr_gw_add(&t->span[k], 1);
            break;
        }
}

/* ---- Out to the socket ---- */

size_t ldr_gw_owed(const struct ldr_gw_conn *c)
{
    return c->sending.n - c->sent + c->queue.n + c->loop->out.n;
}

static void send_slice(struct ldr_gw_conn *c);

static void on_sent(uv_write_t *w, int status)
{
    struct ldr_gw_conn *c = w->data;
    c->writing = false;
    c->write_deadline_ms = UINT64_MAX;
    if (status < 0) {
        ldr_gw_conn_close(c);
        return;
    }
    if (c->closing)
        return;
    if (c->sent == c->sending.n) {
        struct ldr_buf done = c->sending;
        ldr_buf_reset(&done);
        c->sending = c->queue;
        c->queue = done;
        c->sent = 0;
    }
    if (c->sending.n) {
        send_slice(c);
        return;
    }
    /* a client who once was slow keeps no large buffers */
    ldr_buf_close(&c->sending);
    ldr_buf_close(&c->queue);
    if (c->work)
        ldr_gw_work_drained(c);
    if (c->stalled)
        ldr_gw_conn_resume(c);
    else
        ldr_gw_flush(c);
}

static void send_slice(struct ldr_gw_conn *c)
{
    size_t n = c->sending.n - c->sent;
    n = n > LDR_GW_SLICE_BYTES ? LDR_GW_SLICE_BYTES : n;
    uv_buf_t b = uv_buf_init((char *)c->sending.p + c->sent, (unsigned)n);
    c->sent += n;
    c->write.data = c;
    c->writing = true;
    c->write_deadline_ms = uv_now(c->tcp.loop) + (uint64_t)c->loop->gateway->config->write_us / 1000 + 1;
    if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &b, 1, on_sent)) {
        c->writing = false;
        ldr_gw_conn_close(c);
    }
}

void ldr_gw_flush(struct ldr_gw_conn *c)
{
    struct ldr_buf *out = &c->loop->out;
    size_t at = 0;
    bool lost = out->err != 0; /* no memory for what was to be said */
    if (c->closing || lost) {
        ldr_buf_reset(out);
        if (lost)
            ldr_gw_conn_close(c);
        return;
    }
    ldr_gw_add(&c->loop->figures.bytes_out, out->n);
    if (out->n && !c->writing) {
        uv_buf_t b = uv_buf_init((char *)out->p, (unsigned)(out->n > INT32_MAX ? INT32_MAX : out->n));
        int n = uv_try_write((uv_stream_t *)&c->tcp, &b, 1);
        at = n > 0 ? (size_t)n : 0;
        if (n < 0 && n != UV_EAGAIN) {
            ldr_buf_reset(out);
            ldr_gw_conn_close(c);
            return;
        }
    }
    if (at < out->n) {
        struct ldr_buf *to = c->writing ? &c->queue : &c->sending;
        if (ldr_buf_put(to, out->p + at, out->n - at))
            ldr_gw_conn_close(c);
        else if (!c->writing)
            send_slice(c);
    }
    if (out->cap > (4u << 20))
        ldr_buf_close(out); /* one large answer does not keep its memory for ever */
    ldr_buf_reset(out);
    if (!c->closing && !c->writing && c->last && c->phase != LDR_GW_BUSY)
        ldr_gw_conn_finish(c);
}
