/* Failures as answers, and what a thread has for itself. */
#include <stdio.h>
#include <time.h>

#include "gateway/call.h"

int ldr_gw_worker_init(struct ldr_gw_worker *w, struct ldr_gateway *g, struct ldr_store *s,
                       const struct ldr_gateway_config *c, struct ldr_gw_shared *shared)
{
    *w = (struct ldr_gw_worker){.gateway = g, .store = s, .config = c, .shared = shared};
    ldr_arena_init(&w->arena, NULL, 0);
    ldr_gw_queries_init(&w->queries, s);
    return ldr_rows_create(&w->rows);
}

void ldr_gw_worker_close(struct ldr_gw_worker *w)
{
    ldr_gw_queries_close(&w->queries);
    ldr_rows_destroy(w->rows);
    ldr_arena_close(&w->arena);
}

uint64_t ldr_gw_mono_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int ldr_gw_status(int code)
{
    switch (code) {
    case LDR_E_FORMAT: /* here: not JSON */
        return 400;
    case LDR_E_INVALID:
        return 422;
    case LDR_E_NOT_FOUND:
        return 404;
    case LDR_E_EXISTS:
    case LDR_E_CONFLICT:
    case LDR_E_REFUSED:
        return 409;
    case LDR_E_TOO_BIG:
        return 413;
    case LDR_E_UNSUPPORTED:
        return 501;
    case LDR_E_TIMEOUT:
        return 504;
    case LDR_E_BUSY:
    case LDR_E_UNAVAILABLE:
    case LDR_E_STALE:
    case LDR_E_NOT_LEADER:
    case LDR_E_CLOSED:
    case LDR_E_CANCELLED:
    case LDR_E_READ_ONLY:
        return 503;
    case LDR_E_NOSPACE:
        return 507;
    default:
        return 500;
    }
}

static void put_error(struct ldr_gw_answer *a, int status, int code, bool in_doubt, const char *text)
{
    struct ldr_json j;
    a->status = status;
    a->type = NULL;
    ldr_buf_reset(&a->body);
    ldr_json_init(&j, &a->body);
    ldr_json_object(&j);
    ldr_json_key(&j, "error");
    ldr_json_object(&j);
    ldr_json_key(&j, "code");
    ldr_json_cstr(&j, ldr_error_name(code));
    ldr_json_key(&j, "message");
    ldr_json_cstr(&j, text);
    ldr_json_key(&j, "retryable");
    ldr_json_bool(&j, ldr_error_retryable(code));
    ldr_json_key(&j, "in_doubt");
    ldr_json_bool(&j, in_doubt);
    ldr_json_object_end(&j);
    ldr_json_object_end(&j);
}

void ldr_gw_fail(struct ldr_gw_answer *a, int status, int code, bool in_doubt, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    put_error(a, status, code, in_doubt, text);
}

void ldr_gw_fail_err(struct ldr_gw_answer *a, int code, const struct ldr_err *err)
{
    put_error(a, ldr_gw_status(code), code, err->in_doubt, err->message);
}

void ldr_gw_fail_feast(struct ldr_gw_answer *a, int status, const char *cls, const struct ldr_err *err)
{
    struct ldr_buf inner;
    struct ldr_json j;
    if (!cls) {
        put_error(a, status, err->code, err->in_doubt, err->message);
        return;
    }
    ldr_buf_init(&inner, NULL, 0);
    ldr_json_init(&j, &inner);
    ldr_json_object(&j);
    ldr_json_key(&j, "module");
    ldr_json_cstr(&j, "feast.errors");
    ldr_json_key(&j, "class");
    ldr_json_cstr(&j, cls);
    ldr_json_key(&j, "message");
    ldr_json_cstr(&j, err->message);
    ldr_json_object_end(&j);
    a->status = status;
    a->type = NULL;
    ldr_buf_reset(&a->body);
    ldr_json_init(&j, &a->body);
    ldr_json_str(&j, ldr_buf_slice(&inner));
    if (inner.err)
        a->body.err = inner.err;
    ldr_buf_close(&inner);
}
