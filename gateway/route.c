#include "gateway/route.h"

#include "gateway/handlers.h"

const struct ldr_gw_route ldr_gw_routes[] = {
    {LDR_GW_POST, "/get-online-features", LDR_GW_READ, ldr_gw_feast_online},
    {LDR_GW_POST, "/v1/online", LDR_GW_READ, ldr_gw_online},
    {LDR_GW_POST, "/push", LDR_GW_SHORT, ldr_gw_feast_push},
    {LDR_GW_POST, "/write-to-online-store", LDR_GW_SHORT, ldr_gw_feast_write},
    {LDR_GW_POST, "/materialize", LDR_GW_LONG, ldr_gw_feast_materialize},
    {LDR_GW_POST, "/materialize-incremental", LDR_GW_LONG, ldr_gw_feast_increment},
    {LDR_GW_POST, "/v1/historical", LDR_GW_LONG, ldr_gw_historical},
    {LDR_GW_POST, "/v1/scan", LDR_GW_LONG, ldr_gw_scan},
    {LDR_GW_POST, "/v1/write", LDR_GW_SHORT, ldr_gw_write},
    {LDR_GW_POST, "/v1/erase", LDR_GW_LONG, ldr_gw_erase},
    {LDR_GW_GET, "/v1/catalog/{kind}", LDR_GW_SHORT, ldr_gw_list},
    {LDR_GW_GET, "/v1/catalog/{kind}/{name}", LDR_GW_SHORT, ldr_gw_describe},
    {LDR_GW_GET, "/v1/catalog/{kind}/{name}/versions", LDR_GW_SHORT, ldr_gw_versions},
    {LDR_GW_GET, "/v1/search", LDR_GW_SHORT, ldr_gw_search},
    {LDR_GW_GET, "/v1/stats/{view}", LDR_GW_LONG, ldr_gw_stats},
    {LDR_GW_GET, "/v1/store", LDR_GW_SHORT, ldr_gw_store},
    {LDR_GW_GET, "/openapi.json", LDR_GW_HERE, ldr_gw_openapi},
    {LDR_GW_GET, "/health", LDR_GW_HERE, ldr_gw_health},
    {LDR_GW_GET, "/healthz", LDR_GW_HERE, ldr_gw_healthz},
    {LDR_GW_GET, "/readyz", LDR_GW_HERE, ldr_gw_health},
    {LDR_GW_GET, "/metrics", LDR_GW_HERE, ldr_gw_metrics},
};
const size_t ldr_gw_route_count = sizeof ldr_gw_routes / sizeof *ldr_gw_routes;

static bool fits(const char *pattern, struct ldr_slice path, struct ldr_slice args[LDR_GW_ARGS])
{
    const char *p = (const char *)path.p, *end = p + path.n;
    size_t n = 0;
    while (*pattern) {
        if (*pattern == '{') {
            const char *from = p;
            while (p < end && *p != '/')
                p++;
            if (p == from || n == LDR_GW_ARGS)
                return false;
            args[n++] = ldr_slice(from, (size_t)(p - from));
            pattern = strchr(pattern, '}') + 1;
        } else if (p == end || *p++ != *pattern++) {
            return false;
        }
    }
    return p == end;
}

int ldr_gw_route_find(struct ldr_gw_request *q, const char **allow)
{
    uint8_t method = q->method == LDR_GW_HEAD ? LDR_GW_GET : q->method;
    int status = 404;
    for (size_t i = 0; i < ldr_gw_route_count; i++) {
        const struct ldr_gw_route *r = &ldr_gw_routes[i];
        if (!fits(r->path, q->path, q->args))
            continue;
        if (r->method == method) {
            q->route = r;
            return 0;
        }
        status = 405;
        *allow = r->method == LDR_GW_GET ? "Allow: GET, HEAD\r\n" : "Allow: POST\r\n";
    }
    return status;
}

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

const char *ldr_gw_decoded(struct ldr_arena *a, struct ldr_slice text)
{
    char *to = ldr_arena_alloc(a, text.n + 1);
    size_t n = 0;
    for (size_t i = 0; to && i < text.n; i++) {
        uint8_t c = text.p[i];
        if (c == '%') {
            int high = i + 2 < text.n ? hex(text.p[i + 1]) : -1, low = high < 0 ? -1 : hex(text.p[i + 2]);
            if (low < 0)
                return NULL;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        if (c == 0)
            return NULL;
        to[n++] = (char)c;
    }
    if (to)
        to[n] = '\0';
    return to && ldr_utf8_valid(ldr_slice(to, n)) ? to : NULL;
}

int ldr_gw_param(const struct ldr_gw_request *q, struct ldr_arena *a, const char *name, const char **out,
                 struct ldr_err *err)
{
    size_t len = strlen(name);
    const uint8_t *p = q->query.p, *end = q->query.n ? p + q->query.n : p;
    *out = NULL;
    while (p < end) {
        const uint8_t *stop = memchr(p, '&', (size_t)(end - p));
        stop = stop ? stop : end;
        size_t n = (size_t)(stop - p);
        if (n >= len && memcmp(p, name, len) == 0 && (n == len || p[len] == '=')) {
            *out = n == len ? "" : ldr_gw_decoded(a, ldr_slice(p + len + 1, n - len - 1));
            if (!*out)
                return ldr_fail(err, LDR_E_INVALID, "?%s=: not text that is escaped as addresses are", name);
            return 0;
        }
        p = stop < end ? stop + 1 : end;
    }
    return 0;
}
