/* Notices by publish/subscribe. A notice is 16 bytes: two versions. Lost ones do not matter, so nothing is
 * counted. */

#include "rpc/nng_common.h"

#define NOTICE_BYTES 16

struct ldr_notices {
    nng_socket socket;
    int port;
    /* a subscriber's */
    struct ldr_uv_loop *loop;
    nng_aio *aio;
    nng_mtx *mutex;
    uint64_t map_version, defs_version; /* the newest heard; under the mutex, with posted and closing */
    bool posted, closing;
    void (*changed)(void *ctx, uint64_t map_version, uint64_t defs_version);
    void *ctx;
    struct ldr_job job;
    struct publisher { /* whom a subscriber listens to; under the mutex */
        nng_dialer dialer;
        char address[256];
    } publishers[LDR_CONTROL_ADDRESSES_MAX];
    size_t npublishers;
};

int ldr_notices_publish_on(const char *listen, struct ldr_notices **out, struct ldr_err *err)
{
    struct ldr_notices *n = ldr_calloc(NULL, 1, sizeof *n);
    if (!n)
        return ldr_fail(err, LDR_E_NOMEM, "no memory for notices");
    int rc = nng_pub0_open(&n->socket);
    if (rc) {
        ldr_release(NULL, n);
        return ldr_fail(err, control_code(rc), "no notices on %s: %s", listen, nng_strerror(rc));
    }
    rc = nng_socket_set_size(n->socket, NNG_OPT_RECVMAXSZ, NOTICE_BYTES); /* subscribers say nothing */
    rc = rc ? control_code(rc) : control_listen(n->socket, listen, &n->port, err);
    if (rc) {
        control_close(n->socket);
        ldr_release(NULL, n);
        return rc;
    }
    *out = n;
    return 0;
}

int ldr_notices_port(const struct ldr_notices *n)
{
    return n->port;
}

void ldr_notices_publish(struct ldr_notices *n, uint64_t map_version, uint64_t defs_version)
{
    uint8_t bytes[NOTICE_BYTES];
    ldr_put_le64(bytes, map_version);
    ldr_put_le64(bytes + 8, defs_version);
    (void)nng_send(n->socket, bytes, sizeof bytes, NNG_FLAG_NONBLOCK); /* a hint */
}

static void on_loop(struct ldr_job *j)
{
    struct ldr_notices *n = (struct ldr_notices *)((char *)j - offsetof(struct ldr_notices, job));
    nng_mtx_lock(n->mutex);
    uint64_t map_version = n->map_version, defs_version = n->defs_version;
    bool closing = n->closing;
    n->posted = false;
    nng_mtx_unlock(n->mutex);
    if (!closing) {
        n->changed(n->ctx, map_version, defs_version);
        return;
    }
    nng_mtx_free(n->mutex);
    ldr_release(NULL, n);
}

static void heard(void *arg)
{
    struct ldr_notices *n = arg;
    int rc = nng_aio_result(n->aio);
    if (rc == NNG_ECLOSED || rc == NNG_ECANCELED)
        return;
    nng_msg *m = rc ? NULL : nng_aio_get_msg(n->aio);
    if (m && nng_msg_len(m) == NOTICE_BYTES) {
        const uint8_t *p = nng_msg_body(m);
        uint64_t map_version = ldr_get_le64(p), defs_version = ldr_get_le64(p + 8);
        nng_mtx_lock(n->mutex);
        if (map_version > n->map_version)
            n->map_version = map_version;
        if (defs_version > n->defs_version)
            n->defs_version = defs_version;
        bool post = !n->posted && !n->closing;
        n->posted |= post;
        nng_mtx_unlock(n->mutex);
        if (post)
            ldr_uv_loop_post(n->loop, &n->job);
    }
    if (m)
        nng_msg_free(m);
    nng_recv_aio(n->socket, n->aio);
}

static int publisher_add(struct ldr_notices *n, const char *address)
{
    struct publisher *all = n->publishers;
    char url[512];
    if (control_url(address, url, sizeof url) || strlen(address) >= sizeof all->address)
        return NNG_EADDRINVAL;
    for (size_t i = 0; i < n->npublishers; i++)
        if (strcmp(all[i].address, address) == 0)
            return 0;
    if (n->npublishers == LDR_CONTROL_ADDRESSES_MAX) {
        nng_dialer_close(all[0].dialer);
        memmove(&all[0], &all[1], --n->npublishers * sizeof *all);
    }
    struct publisher *p = &all[n->npublishers];
    int rc = nng_dial(n->socket, url, &p->dialer, NNG_FLAG_NONBLOCK);
    if (rc == 0) {
        memcpy(p->address, address, strlen(address) + 1);
        n->npublishers++;
    }
    return rc;
}

int ldr_notices_learn(struct ldr_notices *n, const char *address)
{
    nng_mtx_lock(n->mutex);
    int rc = n->closing ? 0 : publisher_add(n, address);
    nng_mtx_unlock(n->mutex);
    return control_code(rc);
}

int ldr_notices_subscribe(const char *const *addresses, size_t count, struct ldr_uv_loop *loop,
                          void (*changed)(void *ctx, uint64_t map_version, uint64_t defs_version), void *ctx,
                          struct ldr_notices **out, struct ldr_err *err)
{
    struct ldr_notices *n = ldr_calloc(NULL, 1, sizeof *n);
    if (!n || nng_mtx_alloc(&n->mutex)) {
        ldr_release(NULL, n);
        return ldr_fail(err, LDR_E_NOMEM, "no memory for notices");
    }
    n->loop = loop;
    n->changed = changed;
    n->ctx = ctx;
    n->job.run = on_loop;
    int rc = nng_sub0_open(&n->socket);
    if (rc)
        goto fail;
    rc = nng_socket_set_size(n->socket, NNG_OPT_RECVMAXSZ, NOTICE_BYTES);
    if (rc == 0)
        rc = nng_socket_set(n->socket, NNG_OPT_SUB_SUBSCRIBE, "", 0);
    if (rc == 0)
        rc = nng_socket_set_ms(n->socket, NNG_OPT_RECONNMINT, 100);
    if (rc == 0)
        rc = nng_socket_set_ms(n->socket, NNG_OPT_RECONNMAXT, 1000);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = publisher_add(n, addresses[i]);
    if (rc == 0)
        rc = nng_aio_alloc(&n->aio, heard, n);
    if (rc)
        goto fail_socket;
    nng_recv_aio(n->socket, n->aio);
    *out = n;
    return 0;
fail_socket:
    control_close(n->socket);
fail:
    nng_mtx_free(n->mutex);
    ldr_release(NULL, n);
    return ldr_fail(err, control_code(rc), "no notices: %s", nng_strerror(rc));
}

void ldr_notices_close(struct ldr_notices *n)
{
    if (!n)
        return;
    if (!n->aio) {
        control_close(n->socket);
        ldr_release(NULL, n);
        return;
    }
    nng_mtx_lock(n->mutex);
    n->closing = true;
    bool posted = n->posted; /* then its job frees what is left */
    nng_mtx_unlock(n->mutex);
    control_close(n->socket);
    nng_aio_stop(n->aio);
    nng_aio_free(n->aio);
    if (posted)
        return;
    nng_mtx_free(n->mutex);
    ldr_release(NULL, n);
}
