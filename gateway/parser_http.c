/* http-parser stays in this file. */
#include <http_parser.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/parser.h"

#define FIELDS_MAX 100
#define URL_MAX    ((size_t)8 << 10)

static struct ldr_gw_parser *of(http_parser *h)
{
    return h->data;
}

/* Ends the request with a status of ours; the library takes no more of it. */
static int end_with(struct ldr_gw_parser *p, int status, const char *why)
{
    if (!p->status) {
        p->status = status;
        p->why = why;
    }
    return -1;
}

static int end_saying(struct ldr_gw_parser *p, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int end_saying(struct ldr_gw_parser *p, int status, const char *fmt, ...)
{
    va_list ap;
    if (p->status)
        return -1;
    va_start(ap, fmt);
    vsnprintf(p->said, sizeof p->said, fmt, ap);
    va_end(ap);
    return end_with(p, status, p->said);
}

static int count_head(struct ldr_gw_parser *p, size_t n)
{
    p->head_bytes += n;
    if (p->head_bytes <= p->config->max_head_bytes)
        return 0;
    return end_saying(p, 431, "the request's head is too large: expected at most %llu bytes",
                      (unsigned long long)p->config->max_head_bytes);
}

static int on_begin(http_parser *h)
{
    of(h)->begun = true;
    return 0;
}

static int on_url(http_parser *h, const char *at, size_t n)
{
    struct ldr_gw_parser *p = of(h);
    if (p->url.n + n > URL_MAX)
        return end_saying(p, 414, "the address is too long: expected at most %zu bytes", URL_MAX);
    if (ldr_buf_put(&p->url, at, n))
        return end_with(p, 503, "out of memory");
    return count_head(p, n);
}

static bool lists(const char *value, const char *word)
{
    size_t n = strlen(word);
    for (const char *v = value; *v;) {
        v += strspn(v, " \t,");
        size_t len = strcspn(v, ",");
        if (strncasecmp(v, word, n) == 0 && strchr(" \t;,", v[n] ? v[n] : ',')) {
            const char *q = memmem(v, len, "q=", 2);
            return !q || strtod(q + 2, NULL) > 0; /* q=0: not that one */
        }
        v += len;
    }
    return false;
}

static int take_encoding(struct ldr_gw_parser *p)
{
    bool gzip = strcasecmp(p->value, "gzip") == 0 || strcasecmp(p->value, "x-gzip") == 0;
    if (!p->value_n || strcasecmp(p->value, "identity") == 0)
        return 0;
    if (!gzip || p->zipped)
        return end_saying(p, 415, "Content-Encoding: found '%s%.64s', expected gzip or nothing",
                          p->zipped ? "gzip, " : "", p->value);
    p->zipped = true;
    return 0;
}

static int take_field(struct ldr_gw_parser *p)
{
    p->name[p->name_n < sizeof p->name ? p->name_n : 0] = '\0';
    p->value[p->value_n < sizeof p->value ? p->value_n : sizeof p->value - 1] = '\0';
    switch (p->name_n) { /* few of those that come are looked at */
    case sizeof "host" - 1:
    case sizeof "accept" - 1: /* expect, too */
    case sizeof "content-type" - 1:
    case sizeof "accept-encoding" - 1:
    case sizeof "content-encoding" - 1:
        break;
    default:
        return 0;
    }
    if (strcmp(p->name, "host") == 0) {
        if (p->has_host)
            return end_with(p, 400, "Host: found two, expected one");
        p->has_host = true;
    } else if (strcmp(p->name, "expect") == 0) {
        p->expects = strcasecmp(p->value, "100-continue") == 0;
        if (!p->expects)
            return end_saying(p, 417, "Expect: found '%.64s', expected 100-continue", p->value);
    } else if (strcmp(p->name, "accept-encoding") == 0) {
        p->takes_gzip = lists(p->value, "gzip");
    } else if (strcmp(p->name, "accept") == 0) {
        p->takes_arrow |= lists(p->value, "application/vnd.apache.arrow.stream");
    } else if (strcmp(p->name, "content-type") == 0) {
        p->sent_arrow = lists(p->value, "application/vnd.apache.arrow.stream");
    } else if (strcmp(p->name, "content-encoding") == 0) {
        return take_encoding(p);
    }
    return 0;
}

static int on_field(http_parser *h, const char *at, size_t n)
{
    struct ldr_gw_parser *p = of(h);
    if (p->head_done) /* a trailer behind chunks: counted, not looked at */
        return count_head(p, n);
    if (p->in_value) {
        int rc = take_field(p);
        if (rc)
            return rc;
        p->in_value = false;
        p->name_n = 0;
        p->value_n = 0;
        if (++p->fields > FIELDS_MAX)
            return end_with(p, 431, "more than 100 headers");
    }
    size_t around = p->name_n == 0 ? 4 : 0; /* ": " and the line's end, once a field however it was cut */
    for (size_t i = 0; i < n; i++) {
        char c = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] | 32) : at[i];
        if (p->name_n < sizeof p->name)
            p->name[p->name_n++] = c; /* a longer one is none of those looked at */
    }
    return count_head(p, n + around);
}

static int on_value(http_parser *h, const char *at, size_t n)
{
    struct ldr_gw_parser *p = of(h);
    p->in_value = true;
    size_t room = sizeof p->value - 1 - p->value_n, take = n < room ? n : room;
    if (take && !p->head_done) {
        memcpy(p->value + p->value_n, at, take);
        p->value_n = (uint16_t)(p->value_n + take);
    }
    return count_head(p, n);
}

static int on_head(http_parser *h)
{
    struct ldr_gw_parser *p = of(h);
    if (p->in_value && take_field(p))
        return -1;
    p->head_done = true;
    p->in_value = false;
    p->method = h->method == HTTP_GET      ? LDR_GW_GET
                : h->method == HTTP_POST   ? LDR_GW_POST
                : h->method == HTTP_HEAD   ? LDR_GW_HEAD
                : h->method == HTTP_DELETE ? LDR_GW_DELETE
                                           : LDR_GW_OTHER;
    p->old = h->http_minor == 0;
    p->length = h->flags & F_CHUNKED ? UINT64_MAX : h->flags & F_CONTENTLENGTH ? h->content_length : 0;
    if (h->http_major != 1)
        return end_saying(p, 505, "found HTTP/%d.%d, expected HTTP/1.1", h->http_major, h->http_minor);
    if (h->method == HTTP_CONNECT)
        return end_with(p, 501, "this is not a proxy");
    if (!p->old && !p->has_host)
        return end_with(p, 400, "a request without Host");
    if (p->length != UINT64_MAX && p->length > p->config->max_body_bytes)
        return end_saying(p, 413, "the body is too large: found %llu bytes, expected at most %llu",
                          (unsigned long long)p->length, (unsigned long long)p->config->max_body_bytes);
    h->upgrade = 0; /* to other protocols: not heeded, as the standard allows */
    return 0;
}

static int append(struct ldr_gw_parser *p, const void *at, size_t n)
{
    if (p->held.n + n > p->config->max_body_bytes)
        return end_saying(p, 413, "the body is too large: expected at most %llu bytes",
                          (unsigned long long)p->config->max_body_bytes);
    p->counted += n;
    if (p->bodies && atomic_fetch_add(p->bodies, n) + n > p->config->bodies_bytes)
        return end_with(p, 503, "too many large requests at one time");
    return ldr_buf_put(&p->held, at, n) ? end_with(p, 503, "out of memory") : 0;
}

static int on_body(http_parser *h, const char *at, size_t n)
{
    struct ldr_gw_parser *p = of(h);
    if (p->length == n && p->held.n == 0) {
        p->body = ldr_slice(at, n);
        return 0;
    }
    return append(p, at, n);
}

static int on_done(http_parser *h)
{
    struct ldr_gw_parser *p = of(h);
    p->keep_alive = http_should_keep_alive(h) != 0;
    p->target = ldr_buf_slice(&p->url);
    if (p->held.n)
        p->body = ldr_buf_slice(&p->held);
    http_parser_pause(h, 1); /* one request at a time */
    return 0;
}

static const http_parser_settings callbacks = {
    .on_message_begin = on_begin,
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_done,
};

enum ldr_gw_parsed ldr_gw_parser_feed(struct ldr_gw_parser *p, const uint8_t *bytes, size_t n, size_t *used)
{
    http_parser *h = p->http;
    *used = http_parser_execute(h, &callbacks, (const char *)bytes, n);
    *used = *used < n ? *used : n; /* at the end, in the middle of a request, it says 1 */
    enum http_errno e = HTTP_PARSER_ERRNO(h);
    if (e == HPE_PAUSED) {
        http_parser_pause(h, 0);
        return LDR_GW_DONE;
    }
    if (e == HPE_OK && (*used == n))
        return LDR_GW_MORE;
    if (!p->status) {
        bool other_word = e == HPE_INVALID_METHOD && *used < n && bytes[*used] >= 'A' && bytes[*used] <= 'Z';
        p->status = e == HPE_INVALID_VERSION ? 505 : e == HPE_HEADER_OVERFLOW ? 431 : other_word ? 501 : 400;
        p->why = e == HPE_OK ? "unexpected bytes" : http_errno_description(e);
    }
    return LDR_GW_BAD;
}

int ldr_gw_parser_hold(struct ldr_gw_parser *p)
{
    if (p->held.n || p->body.n == 0)
        return 0;
    int rc = append(p, p->body.p, p->body.n);
    p->body = ldr_buf_slice(&p->held);
    return rc ? p->held.err ? LDR_E_NOMEM : LDR_E_BUSY : 0;
}

void ldr_gw_parser_reset(struct ldr_gw_parser *p)
{
    if (p->bodies && p->counted)
        atomic_fetch_sub(p->bodies, p->counted);
    ldr_buf_reset(&p->url);
    if (p->held.cap > (64u << 10))
        ldr_buf_close(&p->held);
    ldr_buf_reset(&p->held);
    p->counted = p->head_bytes = 0;
    p->fields = 0;
    p->name_n = 0;
    p->value_n = 0;
    p->begun = p->head_done = p->keep_alive = p->old = p->expects = p->takes_gzip = p->takes_arrow =
        p->in_value = p->has_host = p->zipped = p->sent_arrow = false;
    p->method = LDR_GW_OTHER; /* what is no request is answered with a body, whatever came before it */
    p->length = 0;
    p->target = p->body = ldr_slice(NULL, 0);
    p->status = 0;
    p->why = NULL;
}

int ldr_gw_parser_init(struct ldr_gw_parser *p, const struct ldr_gateway_config *c, atomic_size_t *bodies)
{
    *p = (struct ldr_gw_parser){.config = c, .bodies = bodies, .method = LDR_GW_OTHER};
    http_parser *h = ldr_calloc(NULL, 1, sizeof *h);
    if (!h)
        return LDR_E_NOMEM;
    http_parser_init(h, HTTP_REQUEST);
    h->data = p;
    p->http = h;
    ldr_buf_init(&p->url, NULL, URL_MAX);
    ldr_buf_init(&p->held, NULL, c->max_body_bytes);
    return 0;
}

void ldr_gw_parser_close(struct ldr_gw_parser *p)
{
    ldr_gw_parser_reset(p);
    ldr_buf_close(&p->url);
    ldr_buf_close(&p->held);
    ldr_release(NULL, p->http);
}
