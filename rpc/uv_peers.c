/* Calls to many addresses from one loop: finds the link, and delivers what ended without an answer. */
#include "rpc/uv_link.h"

/* ---- Ends that come from here, not from an answer: never inside the call, so they wait for the loop's turn.
 * ---- */
void peers_end(struct ldr_data_peers *p, struct ldr_call *c, int code, bool never_sent)
{
    c->never_sent = never_sent;
    c->impl[0] = NULL;
    c->impl[1] = (void *)(intptr_t)code;
    c->impl[2] = NULL;
    *p->last_ended = c;
    p->last_ended = (struct ldr_call **)&c->impl[0];
}

static void say_protocol(struct ldr_buf *out)
{
    struct ldr_err err;
    ldr_fail(&err, LDR_E_FORMAT, "another protocol than %d is spoken there: one of the builds is too old",
             LDR_PROTO_MAJOR);
    if (ldr_msg_error_put(&err, 0, NULL, out) != 0)
        ldr_buf_reset(out);
}

static bool turn(struct wire *w)
{
    struct ldr_data_peers *p = w->owner;
    struct ldr_call *c = p->ended;
    if (!c)
        return false;
    p->ended = c->impl[0];
    if (!p->ended)
        p->last_ended = &p->ended;
    int code = (int)(intptr_t)c->impl[1];
    struct ldr_buf why;
    ldr_buf_init(&why, NULL, 0);
    if (code == LDR_E_FORMAT) /* the code alone would not say of what */
        say_protocol(&why);
    c->done(c, code, ldr_buf_slice(&why));
    ldr_buf_close(&why);
    return true;
}

static void look(struct wire *w)
{
    struct ldr_data_peers *p = w->owner;
    for (struct link *l = p->links; l; l = l->next)
        link_look(l, wire_now_ms(w));
}

/* ---- Calls. ---- */
static struct link *link_of(struct ldr_data_peers *p, const char *address)
{
    size_t n = strlen(address);
    uint64_t hash = ldr_hash64(address, n);
    for (struct link *l = p->links; l; l = l->next)
        if (l->hash == hash && strcmp(l->address, address) == 0)
            return l;
    struct link *l = ldr_calloc(NULL, 1, sizeof *l + n + 1);
    if (!l)
        return NULL;
    l->peers = p;
    l->hash = hash;
    memcpy(l->address, address, n + 1);
    l->next = p->links;
    p->links = l;
    return l;
}

void ldr_data_call(struct ldr_data_peers *p, const char *address, enum ldr_msg_type type,
                   struct ldr_slice payload, uint32_t timeout_ms, struct ldr_call *c)
{
    LDR_ASSERT(!p->closing);
    struct link *l = link_of(p, address);
    if (l)
        link_call(l, type, payload, timeout_ms, c);
    else
        peers_end(p, c, LDR_E_NOMEM, true);
}

static void seam_call(void *ctx, uint32_t to, enum ldr_msg_type type, struct ldr_slice payload,
                      uint32_t timeout_ms, struct ldr_call *c)
{
    struct ldr_data_peers *p = ctx;
    if (to == LDR_PEER_COORDINATOR && p->control.call) {
        p->control.call(p->control.ctx, to, type, payload, timeout_ms, c);
        return;
    }
    const char *address = to != LDR_PEER_COORDINATOR && p->address ? p->address(p->address_ctx, to) : NULL;
    if (address)
        ldr_data_call(p, address, type, payload, timeout_ms, c);
    else
        peers_end(p, c, LDR_E_UNAVAILABLE, true);
}

struct ldr_peers ldr_data_peers_seam(struct ldr_data_peers *p)
{
    return (struct ldr_peers){p, seam_call};
}

void ldr_data_cancel(struct ldr_data_peers *p, struct ldr_call *c)
{
    (void)p;
    if (c->impl[2])
        link_cancel(c->impl[2]);
}

/* ---- Life. ---- */
void peers_gone(struct ldr_data_peers *p)
{
    if (!p->closing || p->wire.handles > 0 || p->lookups > 0)
        return;
    void (*closed)(void *owner) = p->closed;
    void *owner = p->closed_owner;
    ldr_release(NULL, p);
    if (closed)
        closed(owner);
}

static void wire_gone(struct wire *w)
{
    struct ldr_data_peers *p = w->owner;
    for (struct link *l = p->links, *next; l; l = next) {
        next = l->next;
        link_destroy(l);
    }
    p->links = NULL;
    peers_gone(p);
}

int ldr_data_peers_create(const struct ldr_data_peers_options *o, struct ldr_data_peers **out)
{
    const char *cluster = o->cluster ? o->cluster : "", *name = o->name ? o->name : "";
    if (strlen(cluster) > LDR_NAME_MAX || strlen(name) > LDR_NAME_MAX)
        return LDR_E_TOO_BIG;
    struct ldr_data_peers *p = ldr_calloc(NULL, 1, sizeof *p);
    if (!p)
        return LDR_E_NOMEM;
    struct ldr_data_limits limits = o->limits;
    if (limits.outstanding == 0)
        limits.outstanding = 1024 * 16;
    if (wire_init(&p->wire, o->loop, &limits)) {
        ldr_release(NULL, p);
        return LDR_E_NOMEM;
    }
    p->wire.owner = p;
    p->wire.turn = turn;
    p->wire.look = look;
    p->wire.gone = wire_gone;
    p->seam = ldr_uv_loop_seam(o->loop);
    p->last_ended = &p->ended;
    p->role = o->role;
    p->address = o->address;
    p->address_ctx = o->address_ctx;
    p->known = o->known;
    p->known_ctx = o->known_ctx;
    if (o->control)
        p->control = *o->control;
    memcpy(p->cluster, cluster, strlen(cluster) + 1);
    memcpy(p->name, name, strlen(name) + 1);
    *out = p;
    return 0;
}

void ldr_data_peers_close(struct ldr_data_peers *p, void (*closed)(void *owner), void *owner)
{
    p->closing = true;
    p->closed = closed;
    p->closed_owner = owner;
    for (struct link *l = p->links; l; l = l->next)
        link_close(l, LDR_E_CLOSED);
    while (turn(&p->wire))
        ;
    wire_close(&p->wire);
}
