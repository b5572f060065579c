/* Calls over one connection. A call waits while the link connects, is gathered when it is ready, and ends
 * once: by its answer, by time, or because the connection broke. */
#include <stdlib.h>

#include "rpc/uv_link.h"

#define BACK_OFF_MIN_US UINT64_C(20000)
#define BACK_OFF_MAX_US UINT64_C(1000000)
#define CONNECT_MS      3000
#define PATIENCE_US     UINT64_C(250000) /* calls wait so long for a connection; connecting goes on */
#define PATIENCE_2_US   UINT64_C(20000)  /* after an attempt that failed: likely, the next one will, too */
#define WAITING_BYTES   ((size_t)64 << 20)
#define TIMEOUTS_MAX    4 /* without a byte received: the other side is taken for gone */

static void connect_soon(struct link *l);
static void link_break(struct link *l, int code);

/* ---- Lists. ---- */
static void list_add(struct records *l, struct record *r)
{
    r->next = NULL;
    r->prev = l->last;
    *(l->last ? &l->last->next : &l->first) = r;
    l->last = r;
}

static void list_remove(struct records *l, struct record *r)
{
    *(r->prev ? &r->prev->next : &l->first) = r->next;
    *(r->next ? &r->next->prev : &l->last) = r->prev;
}

/* ---- Records: each keeps its slot; the high half of its id changes with every use. ---- */
static struct record *record_new(struct link *l)
{
    struct record *r = l->spare;
    if (r) {
        l->spare = r->next;
        return r;
    }
    if (l->n_slots == l->cap_slots) {
        uint32_t cap = l->cap_slots ? 2 * l->cap_slots : 16;
        struct record **slots = ldr_resize(NULL, l->slots, cap * sizeof *slots);
        if (!slots)
            return NULL;
        l->slots = slots;
        l->cap_slots = cap;
    }
    r = ldr_calloc(NULL, 1, sizeof *r);
    if (!r)
        return NULL;
    r->link = l;
    r->id = l->n_slots;
    l->slots[l->n_slots++] = r;
    return r;
}

static void record_free(struct record *r)
{
    struct link *l = r->link;
    l->peers->seam->timer_stop(l->peers->seam->ctx, &r->timer);
    list_remove(r->sent ? &l->sent : &l->waiting, r);
    if (!r->sent)
        l->waiting_bytes -= r->n;
    ldr_release(NULL, r->payload);
    r->payload = NULL;
    r->call = NULL;
    r->id += UINT64_C(1) << 32;
    r->next = l->spare;
    l->spare = r;
    l->running--;
}

/* Ends a call whose answer will not come. */
static void record_end(struct record *r, int code)
{
    struct link *l = r->link;
    struct ldr_call *c = r->call;
    /* Bytes that the kernel never had are gone with the connection; while it stands they still go out. */
    bool never = !r->sent || (l->state != LINK_READY && r->ends_at > l->tie->conn.handed);
    record_free(r);
    peers_end(l->peers, c, code, never);
}

static void record_late(struct ldr_timer *t)
{
    struct record *r = t->owner;
    struct link *l = r->link;
    bool was_sent = r->sent;
    record_end(r, LDR_E_TIMEOUT);
    if (was_sent && ++l->timeouts >= TIMEOUTS_MAX)
        link_break(l, LDR_E_UNAVAILABLE);
}

void link_cancel(struct record *r)
{
    record_end(r, LDR_E_CANCELLED);
}

/* ---- Sending. ---- */
static uint32_t left_ms(const struct record *r)
{
    uint64_t now = r->link->peers->seam->mono_us(r->link->peers->seam->ctx);
    uint64_t ms = r->until_us > now ? (r->until_us - now) / 1000 : 0;
    return ms == 0 ? 1 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

/* r is in neither list yet. */
static int record_send(struct link *l, struct record *r, struct ldr_slice payload, uint32_t timeout_ms)
{
    struct ldr_frame f = {r->type, 0, r->id, timeout_ms, payload};
    int rc = conn_send(&l->tie->conn, &f);
    r->ends_at = l->tie->conn.appended;
    return rc;
}

static void send_waiting(struct link *l)
{
    while (l->waiting.first && l->state == LINK_READY) {
        struct record *r = l->waiting.first;
        int rc = record_send(l, r, ldr_slice(r->payload, r->n), left_ms(r));
        if (rc) {
            record_end(r, rc);
            continue;
        }
        list_remove(&l->waiting, r);
        l->waiting_bytes -= r->n;
        ldr_release(NULL, r->payload);
        r->payload = NULL;
        r->sent = true;
        list_add(&l->sent, r);
    }
}

void link_call(struct link *l, enum ldr_msg_type type, struct ldr_slice payload, uint32_t timeout_ms,
               struct ldr_call *c)
{
    struct ldr_data_peers *p = l->peers;
    uint64_t now = p->seam->mono_us(p->seam->ctx);
    l->used_ms = wire_now_ms(&p->wire);
    if (l->tired || (l->state == LINK_IDLE && now < l->not_before_us)) {
        peers_end(p, c, l->tired ? LDR_E_TIMEOUT : LDR_E_UNAVAILABLE, true);
        return;
    }
    bool full = l->state == LINK_READY ? conn_unsent(&l->tie->conn) > p->wire.limits.unsent_max
                                       : l->waiting_bytes + payload.n > WAITING_BYTES;
    if (full || l->running >= p->wire.limits.outstanding) {
        peers_end(p, c, LDR_E_BUSY, true);
        return;
    }
    struct record *r = record_new(l);
    if (!r) {
        peers_end(p, c, LDR_E_NOMEM, true);
        return;
    }
    l->running++;
    r->call = c;
    r->type = (uint16_t)type;
    r->until_us = now + (uint64_t)timeout_ms * 1000;
    r->sent = l->state == LINK_READY;
    r->payload = NULL;
    r->n = payload.n;
    r->timer.fire = record_late;
    r->timer.owner = r;
    c->impl[2] = r;
    int rc;
    if (r->sent) {
        rc = record_send(l, r, payload, timeout_ms);
    } else {
        r->payload = ldr_alloc(NULL, payload.n);
        rc = payload.n > LDR_PAYLOAD_MAX ? LDR_E_TOO_BIG : r->payload ? 0 : LDR_E_NOMEM;
        if (rc == 0 && payload.n)
            memcpy(r->payload, payload.p, payload.n);
        l->waiting_bytes += payload.n;
    }
    list_add(r->sent ? &l->sent : &l->waiting, r);
    if (rc) {
        record_free(r);
        peers_end(p, c, rc, true);
        return;
    }
    p->seam->timer_start(p->seam->ctx, &r->timer, (uint64_t)timeout_ms * 1000);
    if (l->state == LINK_IDLE)
        connect_soon(l);
}

/* A host that is gone answers no connection for seconds: calls are better off with another one. */
static void patience_over(struct ldr_timer *t)
{
    struct link *l = t->owner;
    l->tired = true;
    while (l->waiting.first)
        record_end(l->waiting.first, LDR_E_TIMEOUT);
}

static void patience_begins(struct link *l)
{
    l->patience.fire = patience_over;
    l->patience.owner = l;
    l->peers->seam->timer_start(l->peers->seam->ctx, &l->patience,
                                l->back_off_us ? PATIENCE_2_US : PATIENCE_US);
}

static void patience_ends(struct link *l)
{
    l->peers->seam->timer_stop(l->peers->seam->ctx, &l->patience);
    l->tired = false;
}

/* ---- Answers. ---- */
static void greeted(struct link *l, const struct ldr_frame *f)
{
    struct ldr_hello_rep rep;
    int code = (int)f->arg;
    if (code == 0 && (ldr_hello_rep_decode(f->payload, NULL, &rep) || ldr_proto_check(rep.proto, NULL)))
        code = LDR_E_FORMAT;
    if (f->type != LDR_MSG_HELLO || f->id != 0 || code) {
        /* it answers, but is not one of ours: the calls say so instead of "unavailable" */
        link_break(l, code == LDR_E_REFUSED || code == LDR_E_FORMAT ? code : LDR_E_UNAVAILABLE);
        return;
    }
    if (l->peers->known && !l->peers->known(l->peers->known_ctx, l->address, rep.node, rep.incarnation)) {
        link_break(l, LDR_E_UNAVAILABLE);
        return;
    }
    patience_ends(l);
    l->state = LINK_READY;
    l->back_off_us = 0;
    l->tie->conn.frame_max = l->peers->wire.limits.frame_bytes;
    send_waiting(l);
}

static void on_frame(struct conn *c, const struct ldr_frame *f)
{
    struct tie *t = c->owner;
    struct link *l = t->link;
    l->timeouts = 0;
    if (!(f->flags & LDR_FRAME_ANSWER)) {
        conn_close(c); /* servers ask nothing */
        return;
    }
    if (l->state == LINK_GREETING) {
        greeted(l, f);
        return;
    }
    uint32_t slot = (uint32_t)f->id;
    struct record *r = slot < l->n_slots ? l->slots[slot] : NULL;
    if (!r || r->id != f->id || !r->sent || !r->call)
        return; /* its time was over */
    if (r->type != f->type) {
        conn_close(c);
        return;
    }
    struct ldr_call *call = r->call;
    l->used_ms = wire_now_ms(c->wire);
    record_free(r);
    call->never_sent = false;
    call->impl[2] = NULL;
    call->done(call, (int)f->arg, f->payload);
}

/* ---- Connecting. ---- */
static void back_off(struct link *l)
{
    const struct ldr_loop *seam = l->peers->seam;
    l->back_off_us = l->back_off_us ? 2 * l->back_off_us : BACK_OFF_MIN_US;
    if (l->back_off_us > BACK_OFF_MAX_US)
        l->back_off_us = BACK_OFF_MAX_US;
    /* between one and one and a half: not all at once after a restart */
    uint64_t jitter = seam->random(seam->ctx) % (l->back_off_us / 2 + 1);
    l->not_before_us = seam->mono_us(seam->ctx) + l->back_off_us + jitter;
}

/* Gives up the connection and ends what was running. */
static void link_break(struct link *l, int code)
{
    struct tie *t = l->tie;
    bool failed = l->state == LINK_CONNECTING || l->state == LINK_GREETING || l->state == LINK_RESOLVING;
    if (l->state == LINK_IDLE)
        return;
    patience_ends(l);
    l->state = LINK_IDLE;
    l->timeouts = 0;
    while (l->sent.first)
        record_end(l->sent.first, code);
    while (l->waiting.first)
        record_end(l->waiting.first, code);
    if (failed && code != LDR_E_CLOSED)
        back_off(l);
    l->tie = NULL;
    if (t) {
        t->link = NULL;
        conn_close(&t->conn);
    }
}

static void on_broken(struct conn *c)
{
    struct tie *t = c->owner;
    if (t->link)
        link_break(t->link, LDR_E_UNAVAILABLE);
}

static void on_freed(struct conn *c)
{
    ldr_release(NULL, c->owner);
}

static void say_hello(struct link *l)
{
    struct ldr_data_peers *p = l->peers;
    struct ldr_hello_req q = {.proto = LDR_PROTO,
                              .cluster = ldr_slice_str(p->cluster),
                              .role = (uint8_t)p->role,
                              .name = ldr_slice_str(p->name)};
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    int rc = ldr_hello_req_encode(&q, &b);
    struct ldr_frame f = {LDR_MSG_HELLO, 0, 0, 0, ldr_buf_slice(&b)};
    l->state = LINK_GREETING;
    conn_start(&l->tie->conn);
    if (rc || conn_send(&l->tie->conn, &f))
        link_break(l, LDR_E_NOMEM);
    ldr_buf_close(&b);
}

static void connected(uv_connect_t *req, int status)
{
    struct tie *t = req->data;
    if (!t->link)
        return;
    if (status < 0)
        link_break(t->link, LDR_E_UNAVAILABLE);
    else
        say_hello(t->link);
}

static struct tie *tie_begin(struct link *l, bool local)
{
    struct wire *w = &l->peers->wire;
    struct tie *t = ldr_calloc(NULL, 1, sizeof *t);
    if (!t) {
        link_break(l, LDR_E_NOMEM);
        return NULL;
    }
    l->state = LINK_CONNECTING;
    l->tie = t;
    t->link = l;
    t->since_ms = wire_now_ms(w);
    t->connect.data = t;
    t->conn.owner = t;
    t->conn.frame = on_frame;
    t->conn.broken = on_broken;
    t->conn.freed = on_freed;
    t->conn.local = local;
    conn_init(w, &t->conn);
    t->conn.frame_max = 64 * 1024; /* until it is known to be one of ours */
    return t;
}

static void connect_to(struct link *l, const struct sockaddr *address)
{
    struct tie *t = tie_begin(l, false);
    if (t && uv_tcp_connect(&t->connect, &t->conn.s.tcp, address, connected))
        link_break(l, LDR_E_UNAVAILABLE);
}

static void connect_local(struct link *l, const char *path)
{
    struct tie *t = local_fits(path) ? tie_begin(l, true) : NULL;
    if (t)
        uv_pipe_connect(&t->connect, &t->conn.s.pipe, path, connected); /* its failures come there, too */
    else if (l->state != LINK_IDLE)
        link_break(l, LDR_E_INVALID);
}

static void resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *found)
{
    struct lookup *k = req->data;
    struct ldr_data_peers *p = k->peers;
    struct link *l = k->link;
    bool mine = !p->closing && l->state == LINK_RESOLVING;
    if (mine && status == 0)
        connect_to(l, found->ai_addr);
    else if (mine)
        link_break(l, LDR_E_UNAVAILABLE);
    uv_freeaddrinfo(found);
    ldr_release(NULL, k);
    p->lookups--;
    peers_gone(p);
}

static void connect_soon(struct link *l)
{
    struct ldr_data_peers *p = l->peers;
    char host[256], port[16];
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    l->state = LINK_RESOLVING;
    patience_begins(l);
    const char *path = local_path(l->address);
    if (path) {
        connect_local(l, path);
        return;
    }
    bool whole = address_split(l->address, host, sizeof host, port, sizeof port) == 0;
    long number = whole ? strtol(port, NULL, 10) : 0;
    if (number < 1 || number > 65535) {
        link_break(l, LDR_E_INVALID);
        return;
    }
    if (uv_ip4_addr(host, (int)number, &v4) == 0) {
        connect_to(l, (struct sockaddr *)&v4);
        return;
    }
    if (uv_ip6_addr(host, (int)number, &v6) == 0) {
        connect_to(l, (struct sockaddr *)&v6);
        return;
    }
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct lookup *k = ldr_calloc(NULL, 1, sizeof *k);
    if (k) {
        k->req.data = k;
        k->peers = p;
        k->link = l;
        if (uv_getaddrinfo(p->wire.uv, &k->req, resolved, host, port, &hints) == 0) {
            p->lookups++;
            return;
        }
    }
    ldr_release(NULL, k);
    link_break(l, LDR_E_UNAVAILABLE);
}

/* ---- Time, end. ---- */
void link_look(struct link *l, uint64_t now_ms)
{
    uint64_t idle_ms = (uint64_t)l->peers->wire.limits.idle_ms * 2 / 5; /* before the server closes it */
    bool slow =
        (l->state == LINK_CONNECTING || l->state == LINK_GREETING) && now_ms - l->tie->since_ms > CONNECT_MS;
    bool idle = l->state == LINK_READY && l->running == 0 && now_ms - l->used_ms > idle_ms;
    if (slow || idle)
        link_break(l, LDR_E_UNAVAILABLE);
}

void link_close(struct link *l, int code)
{
    link_break(l, code);
}

void link_destroy(struct link *l)
{
    LDR_ASSERT(l->running == 0);
    for (uint32_t i = 0; i < l->n_slots; i++)
        ldr_release(NULL, l->slots[i]);
    ldr_release(NULL, l->slots);
    ldr_release(NULL, l);
}
