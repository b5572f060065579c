/* Health and figures. */
#include "gateway/handlers.h"
#include "gateway/uv_server.h"

#define P "larder_gateway_"

void ldr_gw_health(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    (void)q;
    a->type = "text/plain";
    if (atomic_load(&w->gateway->unwell))
        a->status = 503;
}

void ldr_gw_healthz(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    (void)w;
    (void)q;
    a->type = "text/plain";
    ldr_buf_puts(&a->body, "ok\n");
}

static uint64_t cell(const ldr_gw_cell *c)
{
    return atomic_load_explicit(c, memory_order_relaxed);
}

static void one(struct ldr_buf *b, const char *name, const char *type, const char *help, uint64_t v)
{
    ldr_buf_printf(b, "# HELP " P "%s %s\n# TYPE " P "%s %s\n" P "%s %llu\n", name, help, name, type, name,
                   (unsigned long long)v);
}

struct sums {
    uint64_t count, sum_us, span[LDR_GW_SPANS], status[6];
};
static void sum_route(const struct ldr_gateway *g, size_t i, struct sums *s)
{
    *s = (struct sums){0};
    for (unsigned k = 0; k < g->nloops; k++) {
        const struct ldr_gw_times *t = &g->loops[k].figures.routes[i];
        s->count += cell(&t->count);
        s->sum_us += cell(&t->sum_us);
        for (int n = 0; n < LDR_GW_SPANS; n++)
            s->span[n] += cell(&t->span[n]);
        for (int n = 0; n < 6; n++)
            s->status[n] += cell(&t->status[n]);
    }
}

static const char *route_name(size_t i)
{
    return i < ldr_gw_route_count ? ldr_gw_routes[i].path : "none";
}

static void put_requests(const struct ldr_gateway *g, struct ldr_buf *b)
{
    struct sums s;
    ldr_buf_puts(b, "# HELP " P "requests_total requests answered\n# TYPE " P "requests_total counter\n");
    for (size_t i = 0; i <= LDR_GW_ROUTES_MAX; i++) {
        if (i >= ldr_gw_route_count && i < LDR_GW_ROUTES_MAX)
            continue;
        sum_route(g, i, &s);
        for (int n = 1; n < 6; n++)
            if (s.status[n])
                ldr_buf_printf(b, P "requests_total{route=\"%s\",status=\"%dxx\"} %llu\n", route_name(i), n,
                               (unsigned long long)s.status[n]);
    }
    ldr_buf_puts(b, "# HELP " P "request_seconds from the request's last byte to its answer\n"
                    "# TYPE " P "request_seconds histogram\n");
    for (size_t i = 0; i < ldr_gw_route_count; i++) {
        sum_route(g, i, &s);
        uint64_t n = 0;
        for (int k = 0; s.count && k < LDR_GW_SPANS; k++) {
            n += s.span[k];
            ldr_buf_printf(b, P "request_seconds_bucket{route=\"%s\",le=\"%g\"} %llu\n", route_name(i),
                           ldr_gw_spans_us[k] / 1e6, (unsigned long long)n);
        }
        if (s.count)
            ldr_buf_printf(b,
                           P "request_seconds_bucket{route=\"%s\",le=\"+Inf\"} %llu\n" P
                             "request_seconds_sum{route=\"%s\"} %g\n" P
                             "request_seconds_count{route=\"%s\"} %llu\n",
                           route_name(i), (unsigned long long)s.count, route_name(i), (double)s.sum_us / 1e6,
                           route_name(i), (unsigned long long)s.count);
    }
}

void ldr_gw_metrics(struct ldr_gw_worker *w, const struct ldr_gw_request *q, struct ldr_gw_answer *a)
{
    const struct ldr_gateway *g = w->gateway;
    struct ldr_buf *b = &a->body;
    uint64_t accepted = 0, refused = 0, in = 0, out = 0, slow = 0, bad = 0;
    (void)q;
    a->type = "text/plain; version=0.0.4";
    for (unsigned i = 0; i < g->nloops; i++) {
        const struct ldr_gw_figures *f = &g->loops[i].figures;
        accepted += cell(&f->accepted);
        refused += cell(&f->refused);
        in += cell(&f->bytes_in);
        out += cell(&f->bytes_out);
        slow += cell(&f->too_slow);
        bad += cell(&f->malformed);
    }
    one(b, "connections", "gauge", "open now", atomic_load(&g->conns));
    one(b, "connections_total", "counter", "accepted", accepted);
    one(b, "connections_refused_total", "counter", "beyond the most that may be open", refused);
    one(b, "bytes_in_total", "counter", "read from sockets", in);
    one(b, "bytes_out_total", "counter", "said to clients", out);
    one(b, "too_slow_total", "counter", "connections ended because a request or a reader took too long",
        slow);
    one(b, "malformed_total", "counter", "requests that were not HTTP, or over a limit", bad);
    one(b, "waiting", "gauge", "requests with a thread or waiting for one", atomic_load(&g->queued));
    one(b, "waiting_long", "gauge", "of materialize, joins, statistics, erasures",
        atomic_load(&g->long_queued));
    one(b, "bodies_bytes", "gauge", "request bodies held", atomic_load(&g->bodies));
    one(b, "unwell", "gauge", "1 while /health says 503", atomic_load(&g->unwell));
    put_requests(g, b);
}
