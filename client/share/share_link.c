#include "client/share/share_link.h"

#include <pthread.h>
#include <stdlib.h>

struct ldr_share_link {
    struct ldr_uv_loop *loop;
    struct ldr_helm *helm;
    struct ldr_data_peers *peers;
    void (*lost)(void *ctx);
    void *ctx;
    struct ldr_job closing;
    struct ldr_helm_wait wait;
    pthread_mutex_t lock;
    bool closed; /* under lock */
    char address[128];
};

struct handed {
    struct ldr_job job;
    struct ldr_call via;
    struct ldr_share_link *link;
    struct ldr_call *call;
    enum ldr_msg_type type;
    uint32_t timeout_ms;
    size_t n;
    uint8_t payload[];
};

static void done(struct ldr_call *via, int code, struct ldr_slice payload)
{
    struct handed *h = via->owner;
    struct ldr_call *call = h->call;
    bool silent = payload.n == 0 && (code == LDR_E_UNAVAILABLE || code == LDR_E_TIMEOUT);
    call->never_sent = via->never_sent;
    if (silent)
        h->link->lost(h->link->ctx);
    call->done(call, code, payload);
    free(h);
}

static void hand_over(struct ldr_job *job)
{
    struct handed *h = (struct handed *)(void *)job;
    ldr_data_call(h->link->peers, h->link->address, h->type, ldr_slice(h->payload, h->n), h->timeout_ms,
                  &h->via);
}

void ldr_share_link_call(struct ldr_share_link *l, enum ldr_msg_type type, struct ldr_slice payload,
                         uint32_t timeout_ms, struct ldr_call *c)
{
    struct handed *h = ldr_alloc(NULL, sizeof *h + payload.n);
    if (!h) {
        c->never_sent = true;
        c->done(c, LDR_E_NOMEM, ldr_slice(NULL, 0));
        return;
    }
    *h = (struct handed){.job = {.run = hand_over},
                         .via = {.done = done, .owner = h},
                         .link = l,
                         .call = c,
                         .type = type,
                         .timeout_ms = timeout_ms,
                         .n = payload.n};
    if (payload.n)
        memcpy(h->payload, payload.p, payload.n);
    ldr_helm_post(l->helm, &h->job);
}

static void peers_closed(void *owner)
{
    struct ldr_share_link *l = owner;
    pthread_mutex_lock(&l->lock);
    l->closed = true;
    ldr_helm_wake(&l->wait);
    pthread_mutex_unlock(&l->lock);
}

static void close_peers(struct ldr_job *job)
{
    struct ldr_share_link *l =
        (struct ldr_share_link *)((char *)job - offsetof(struct ldr_share_link, closing));
    ldr_data_peers_close(l->peers, peers_closed, l);
}

static void release(struct ldr_share_link *l)
{
    ldr_helm_destroy(l->helm);
    if (l->loop)
        ldr_uv_loop_destroy(l->loop);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

int ldr_share_link_create(const char *address, void (*lost)(void *ctx), void *ctx,
                          struct ldr_share_link **out, struct ldr_err *err)
{
    struct ldr_share_link *l = ldr_calloc(NULL, 1, sizeof *l);
    *out = NULL;
    if (!l)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    LDR_ASSERT(strlen(address) < sizeof l->address);
    memcpy(l->address, address, strlen(address) + 1);
    l->lost = lost;
    l->ctx = ctx;
    l->closing.run = close_peers;
    pthread_mutex_init(&l->lock, NULL);
    int rc = ldr_uv_loop_create(&l->loop);
    struct ldr_data_peers_options o = {
        .loop = l->loop, .cluster = "", .name = "guest", .role = LDR_ROLE_CLIENT};
    if (!rc)
        rc = ldr_data_peers_create(&o, &l->peers);
    if (!rc && (rc = ldr_helm_create(l->loop, &l->helm)) != 0)
        ldr_data_peers_close(l->peers, NULL, NULL); /* its handles close when the loop is destroyed */
    if (rc) {
        release(l);
        return ldr_fail(err, rc, "cannot start a connection: %s", ldr_code_text(rc));
    }
    *out = l;
    return 0;
}

void ldr_share_link_destroy(struct ldr_share_link *l)
{
    if (!l)
        return;
    ldr_helm_wait_init(&l->wait, l->helm);
    ldr_helm_post(l->helm, &l->closing);
    pthread_mutex_lock(&l->lock);
    while (!l->closed) {
        pthread_mutex_unlock(&l->lock);
        ldr_helm_wait(&l->wait, UINT64_MAX);
        pthread_mutex_lock(&l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    release(l);
}

struct ldr_helm *ldr_share_link_helm(struct ldr_share_link *l)
{
    return l->helm;
}
