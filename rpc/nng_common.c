#include "rpc/nng_common.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CLOSE_S 1

int control_code(int rc)
{
    switch (rc) {
    case 0:
        return 0;
    case NNG_ENOMEM:
        return LDR_E_NOMEM;
    case NNG_ETIMEDOUT:
        return LDR_E_TIMEOUT;
    case NNG_ECLOSED:
        return LDR_E_CLOSED;
    case NNG_EMSGSIZE:
        return LDR_E_TOO_BIG;
    case NNG_EINVAL:
    case NNG_EADDRINVAL:
        return LDR_E_INVALID;
    case NNG_EADDRINUSE:
    case NNG_EPERM:
        return LDR_E_IO;
    default:
        return LDR_E_UNAVAILABLE;
    }
}

int control_url(const char *address, char *out, size_t size)
{
    int n = snprintf(out, size, "tcp://%s", address);
    return n > 0 && (size_t)n < size && strchr(address, ':') ? 0 : LDR_E_INVALID;
}

int control_limit(nng_socket s)
{
    return nng_socket_set_size(s, NNG_OPT_RECVMAXSZ, LDR_FRAME_MAX);
}

int control_listen(nng_socket s, const char *address, int *port, struct ldr_err *err)
{
    char url[512];
    nng_listener l;
    nng_sockaddr at;
    if (control_url(address, url, sizeof url))
        return ldr_fail(err, LDR_E_INVALID, "\"%s\" is not host:port", address);
    int rc = nng_listen(s, url, &l, 0);
    if (rc)
        return ldr_fail(err, LDR_E_IO, "cannot listen on %s: %s", address, nng_strerror(rc));
    *port = 0;
    if (nng_listener_get_addr(l, NNG_OPT_LOCADDR, &at) == 0) {
        uint16_t be = at.s_family == NNG_AF_INET6 ? at.s_in6.sa_port : at.s_in.sa_port;
        uint8_t bytes[2];
        memcpy(bytes, &be, 2);
        *port = bytes[0] << 8 | bytes[1];
    }
    return 0;
}

/* Whoever of the two is the last frees it. */
struct closing {
    nng_socket socket;
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool done; /* under mutex */
    atomic_int refs;
    nng_duration later_ms;
};

static void closing_release(struct closing *c)
{
    if (atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    pthread_cond_destroy(&c->cond);
    pthread_mutex_destroy(&c->mutex);
    free(c);
}

static void *close_it(void *arg)
{
    struct closing *c = arg;
    if (c->later_ms)
        nng_msleep(c->later_ms);
    nng_close(c->socket);
    pthread_mutex_lock(&c->mutex);
    c->done = true;
    pthread_cond_signal(&c->cond);
    pthread_mutex_unlock(&c->mutex);
    closing_release(c);
    return NULL;
}

static void close_after(nng_socket s, nng_duration later_ms)
{
    struct closing *c = ldr_calloc(NULL, 1, sizeof *c);
    pthread_condattr_t attr;
    pthread_t thread;
    struct timespec until;
    if (!c) {
        nng_close(s);
        return;
    }
    c->socket = s;
    c->later_ms = later_ms;
    atomic_store(&c->refs, 2);
    pthread_mutex_init(&c->mutex, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&c->cond, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&thread, NULL, close_it, c)) {
        nng_close(s);
        atomic_store(&c->refs, 1);
        closing_release(c);
        return;
    }
    pthread_detach(thread);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += CLOSE_S;
    pthread_mutex_lock(&c->mutex);
    for (int rc = later_ms ? ETIMEDOUT : 0; !c->done && rc == 0;)
        rc = pthread_cond_timedwait(&c->cond, &c->mutex, &until);
    pthread_mutex_unlock(&c->mutex);
    closing_release(c);
}

void control_close(nng_socket s)
{
    close_after(s, 0);
}

void control_close_later(nng_socket s, nng_duration ms)
{
    close_after(s, ms);
}

nng_msg *control_frame(const struct ldr_frame *f)
{
    nng_msg *m;
    if (nng_msg_alloc(&m, LDR_FRAME_HEAD_BARE + f->payload.n))
        return NULL;
    uint8_t *p = nng_msg_body(m);
    struct ldr_frame told = *f;
    told.flags |= LDR_PROTO_MAJOR << LDR_FRAME_MAJOR_SHIFT;
    ldr_frame_put(p, &told);
    if (f->payload.n)
        memcpy(p + LDR_FRAME_HEAD_BARE, f->payload.p, f->payload.n);
    return m;
}

int control_frame_of(nng_msg *m, struct ldr_frame *f)
{
    return ldr_frame_get(ldr_slice(nng_msg_body(m), nng_msg_len(m)), f);
}
