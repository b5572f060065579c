/* The way to a cluster over the network: a loop that is run by whoever waits for an answer, and calls handed
 * to it from any thread. */
#include <stdlib.h>

#include "client/cluster/cluster.h"

struct net {
    struct ldr_uv_loop *loop;
    struct ldr_helm *helm;
    struct ldr_data_peers *peers;
    struct ldr_cluster_control control;
    struct ldr_remote *remote;
    struct ldr_notices *notices;
    pthread_mutex_t lock;
    struct ldr_map_node *nodes; /* under lock: who has which address */
    uint32_t nnodes;
    char told[LDR_ADDRESS_MAX + 1]; /* the loop's: what was answered last */
};

static const char *address_of(void *ctx, uint32_t node)
{
    struct net *n = ctx;
    bool found = false;
    pthread_mutex_lock(&n->lock);
    for (uint32_t i = 0; i < n->nnodes && !found; i++) {
        found = n->nodes[i].id == node && n->nodes[i].state != LDR_NODE_REMOVED;
        if (found)
            memcpy(n->told, n->nodes[i].address, sizeof n->told);
    }
    pthread_mutex_unlock(&n->lock);
    return found ? n->told : NULL;
}

/* Only who is in the map: the addresses may be those of another cluster by now, when the map is an old one.
 */
static bool known(void *ctx, const char *address, uint32_t node, uint64_t incarnation)
{
    struct net *n = ctx;
    bool found = false;
    pthread_mutex_lock(&n->lock);
    for (uint32_t i = 0; i < n->nnodes && !found; i++)
        found = n->nodes[i].id == node && n->nodes[i].incarnation == incarnation &&
                strcmp(n->nodes[i].address, address) == 0;
    pthread_mutex_unlock(&n->lock);
    return found;
}

static void map_news(void *ctx, const struct ldr_map *map)
{
    struct net *n = ctx;
    struct ldr_map_node *nodes = ldr_calloc(NULL, map->nnodes + 1, sizeof *nodes);
    if (!nodes)
        return; /* the next map will tell again */
    memcpy(nodes, map->nodes, map->nnodes * sizeof *nodes);
    pthread_mutex_lock(&n->lock);
    free(n->nodes);
    n->nodes = nodes;
    n->nnodes = map->nnodes;
    pthread_mutex_unlock(&n->lock);
}

/* ---- Calls from any thread ---- */

struct handed {
    struct ldr_job job;
    struct net *net;
    uint32_t to, timeout_ms;
    enum ldr_msg_type type;
    struct ldr_call *call;
    size_t n;
    uint8_t payload[];
};

static void hand_over(struct ldr_job *job)
{
    struct handed *h = (struct handed *)(void *)job;
    struct ldr_peers p = ldr_data_peers_seam(h->net->peers);
    p.call(p.ctx, h->to, h->type, ldr_slice(h->payload, h->n), h->timeout_ms, h->call);
    free(h);
}

static void call(void *ctx, uint32_t to, enum ldr_msg_type type, struct ldr_slice payload,
                 uint32_t timeout_ms, struct ldr_call *c)
{
    struct net *n = ctx;
    struct handed *h = ldr_alloc(NULL, sizeof *h + payload.n);
    if (!h) {
        c->never_sent = true;
        c->done(c, LDR_E_NOMEM, (struct ldr_slice){0});
        return;
    }
    *h = (struct handed){.job = {.run = hand_over},
                         .net = n,
                         .to = to,
                         .timeout_ms = timeout_ms,
                         .type = type,
                         .call = c,
                         .n = payload.n};
    if (payload.n)
        memcpy(h->payload, payload.p, payload.n);
    ldr_helm_post(n->helm, &h->job);
}

/* ---- Notices ---- */

static void changed(void *ctx, uint64_t map_version, uint64_t defs_version)
{
    ldr_cluster_heard(((struct net *)ctx)->remote, map_version, defs_version);
}

static void publisher_found(void *ctx, const char *address)
{
    (void)ldr_notices_learn(((struct net *)ctx)->notices, address); /* without it the watcher asks */
}

/* ---- Opening and closing ---- */

struct closing {
    struct ldr_job job;
    struct net *net;
    struct ldr_helm_wait wait;
    bool done; /* under net->lock */
};

static void peers_closed(void *owner)
{
    struct closing *c = owner;
    pthread_mutex_lock(&c->net->lock);
    c->done = true;
    ldr_helm_wake(&c->wait);
    pthread_mutex_unlock(&c->net->lock);
}

static void close_peers(struct ldr_job *job)
{
    struct closing *c = (struct closing *)(void *)job;
    ldr_notices_close(c->net->notices);
    c->net->notices = NULL;
    ldr_data_peers_close(c->net->peers, peers_closed, c);
}

static void net_close(void *ctx)
{
    struct net *n = ctx;
    if (n->helm) {
        struct closing c = {.job = {.run = close_peers}, .net = n};
        ldr_helm_wait_init(&c.wait, n->helm);
        ldr_helm_post(n->helm, &c.job);
        pthread_mutex_lock(&n->lock);
        while (!c.done) {
            pthread_mutex_unlock(&n->lock);
            ldr_helm_wait(&c.wait, UINT64_MAX);
            pthread_mutex_lock(&n->lock);
        }
        pthread_mutex_unlock(&n->lock);
        ldr_helm_destroy(n->helm);
    }
    if (n->loop)
        ldr_uv_loop_destroy(n->loop);
    ldr_cluster_control_close(&n->control);
    pthread_mutex_destroy(&n->lock);
    free(n->nodes);
    free(n);
}

int ldr_cluster_connect(struct ldr_remote *r, void *addresses, struct ldr_err *err)
{
    struct net *n = ldr_calloc(NULL, 1, sizeof *n);
    if (!n)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    pthread_mutex_init(&n->lock, NULL);
    r->net = n;
    r->net_close = net_close;
    r->map_news = map_news;
    r->news_ctx = n;
    int rc = ldr_cluster_control_open(addresses, &n->control, err);
    if (rc)
        return rc;
    r->control = n->control;
    rc = ldr_cluster_cache_open(r->store->opts.cache_dir, addresses, &r->cache);
    if (rc)
        return ldr_fail(err, rc, "cannot keep the map: %s", ldr_code_text(rc));
    rc = ldr_uv_loop_create(&n->loop);
    struct ldr_data_peers_options o = {.loop = n->loop,
                                       .cluster = "",
                                       .name = "liblarder",
                                       .role = LDR_ROLE_CLIENT,
                                       .address = address_of,
                                       .address_ctx = n,
                                       .known = known,
                                       .known_ctx = n};
    n->remote = r;
    if (!rc)
        rc = ldr_data_peers_create(&o, &n->peers);
    if (!rc)
        rc = ldr_notices_subscribe(NULL, 0, n->loop, changed, n, &n->notices, err);
    if (!rc)
        rc = ldr_helm_create(n->loop, &n->helm);
    if (rc)
        return ldr_fail(err, rc, "cannot start the network: %s", ldr_code_text(rc));
    ldr_control_find(n->control.ctx, publisher_found, n);
    r->peers = (struct ldr_peers){n, call};
    r->helm = n->helm;
    return 0;
}

/* ---- Coordinators ---- */

static int ask(void *ctx, enum ldr_msg_type type, struct ldr_slice payload, uint32_t timeout_ms,
               struct ldr_buf *answer, struct ldr_err *err)
{
    return ldr_control_call(ctx, type, payload, timeout_ms, answer, err);
}

int ldr_cluster_control_open(const char *addresses, struct ldr_cluster_control *control, struct ldr_err *err)
{
    const char *list[LDR_CONTROL_ADDRESSES_MAX];
    struct ldr_arena a;
    struct ldr_control *c = NULL;
    size_t n = 0;
    *control = (struct ldr_cluster_control){0};
    ldr_arena_init(&a, NULL, 0);
    char *text = ldr_arena_strndup(&a, addresses, strlen(addresses)), *next = NULL;
    int rc = text ? 0 : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    for (char *one = text ? strtok_r(text, ",", &next) : NULL; !rc && one; one = strtok_r(NULL, ",", &next)) {
        if (!ldr_address_valid(ldr_slice_str(one)))
            rc = ldr_fail(err, LDR_E_INVALID, "cluster:%.512s: found '%.256s', expected host:port", addresses,
                          one);
        else if (n == LDR_CONTROL_ADDRESSES_MAX)
            rc = ldr_fail(err, LDR_E_INVALID, "more than %d coordinators", LDR_CONTROL_ADDRESSES_MAX);
        else
            list[n++] = one;
    }
    if (!rc && n == 0)
        rc = ldr_fail(err, LDR_E_INVALID,
                      "cluster: a coordinator is needed: cluster:host:port[,host:port...]");
    if (!rc)
        rc = ldr_control_create(list, n, &c, err);
    ldr_arena_close(&a);
    if (!rc)
        *control = (struct ldr_cluster_control){c, ask};
    return rc;
}

void ldr_cluster_control_close(struct ldr_cluster_control *control)
{
    if (control->ctx)
        ldr_control_destroy(control->ctx);
    *control = (struct ldr_cluster_control){0};
}
