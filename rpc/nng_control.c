/* Calling on the control plane. One REQ socket for each coordinator, so that whom to ask is ours to say; a
 * context and an operation for each call, waited for, so that receiving starts after sending is done and
 * nothing is cancelled halfway. nng sends nothing twice by itself: its resending is off. */
#include <stdio.h>

#include "rpc/data.h"
#include "rpc/nng_common.h"

#define NEVER_RESEND   NNG_DURATION_INFINITE
#define REACH_MS       300  /* for a connection, when there are others to try */
#define AGAIN_MS       50   /* the same, of one that was not to be reached a moment ago */
#define ANSWER_MS      2500 /* for an answer, when there are others to try */
#define PAUSE_FIRST_MS 5    /* between rounds in which nobody could help: twice as long each time, up to */
#define PAUSE_MOST_MS  50
#define LATE_MS        3000 /* for an answer that nobody waits for any more, before its socket is closed */
#define RENEW_MS       5000 /* without a connection: a new socket is made then; twice as long each time, up to */
#define RENEW_MOST_MS  60000
#define FIND_EVERY_MS  10000
#define FIND_SOON_MS   1000
#define FIND_MS        500

struct coordinator { /* all but the address is under the mutex */
    nng_socket socket;
    nng_time given_up; /* when a request was last left without its answer; 0 = never */
    nng_time renew_at; /* when it gets a new socket unless it is reached; 0 = it was reached */
    uint64_t renew_ms;
    char address[256];
};

struct ldr_control {
    nng_mtx *mutex;
    size_t n, preferred; /* under the mutex; coordinators are only added */
    uint64_t next_id;
    bool finding;     /* set before the first call */
    nng_time find_at; /* under the mutex */
    void (*notices)(void *ctx, const char *address);
    void *notices_ctx;
    struct coordinator coordinators[LDR_CONTROL_ADDRESSES_MAX];
};

/* ---- Coordinators. ---- */
static size_t known(const struct ldr_control *c, const char *address)
{
    size_t i = 0;
    while (i < c->n && strcmp(c->coordinators[i].address, address) != 0)
        i++;
    return i;
}

static int socket_open(const char *url, nng_socket *out)
{
    nng_socket s = NNG_SOCKET_INITIALIZER;
    int rc = nng_req0_open(&s);
    if (rc)
        return control_code(rc);
    rc = control_limit(s);
    if (rc == 0)
        rc = nng_socket_set_ms(s, NNG_OPT_REQ_RESENDTIME, NEVER_RESEND);
    if (rc == 0)
        rc = nng_socket_set_ms(s, NNG_OPT_RECONNMINT, 50);
    if (rc == 0)
        rc = nng_socket_set_ms(s, NNG_OPT_RECONNMAXT, 500);
    if (rc == 0)
        rc = nng_dial(s, url, NULL, NNG_FLAG_NONBLOCK);
    if (rc) {
        control_close(s);
        return control_code(rc);
    }
    *out = s;
    return 0;
}

static int coordinator_open(struct coordinator *k, const char *address)
{
    char url[512];
    if (control_url(address, url, sizeof url) || strlen(address) >= sizeof k->address)
        return LDR_E_INVALID;
    int rc = socket_open(url, &k->socket);
    if (rc == 0)
        memcpy(k->address, address, strlen(address) + 1);
    return rc;
}

/* A process in which a close hangs (nng_common.h) does not connect again what breaks: nng dials anew when the
 * old connection has been taken down, which it is no more. A new socket does connect. The old one stays for
 * those who wait on it. */
static void renew(struct coordinator *k, nng_time now)
{
    char url[512];
    nng_socket s = NNG_SOCKET_INITIALIZER;
    k->renew_ms = k->renew_ms * 2 < RENEW_MOST_MS ? k->renew_ms * 2 : RENEW_MOST_MS;
    k->renew_at = now + k->renew_ms;
    if (control_url(k->address, url, sizeof url) || socket_open(url, &s))
        return; /* tried again then */
    control_close_later(k->socket, RENEW_MOST_MS);
    k->socket = s;
}

int ldr_control_learn(struct ldr_control *c, const char *address)
{
    int rc = 0;
    nng_mtx_lock(c->mutex);
    if (known(c, address) == c->n) {
        rc = c->n == LDR_CONTROL_ADDRESSES_MAX ? LDR_E_TOO_BIG
                                               : coordinator_open(&c->coordinators[c->n], address);
        c->n += rc == 0;
    }
    nng_mtx_unlock(c->mutex);
    return rc;
}

int ldr_control_create(const char *const *addresses, size_t n, struct ldr_control **out, struct ldr_err *err)
{
    if (n == 0 || n > LDR_CONTROL_ADDRESSES_MAX)
        return ldr_fail(err, LDR_E_INVALID, "%zu addresses of coordinators; 1 to %d are possible", n,
                        LDR_CONTROL_ADDRESSES_MAX);
    struct ldr_control *c = ldr_calloc(NULL, 1, sizeof *c);
    if (!c || nng_mtx_alloc(&c->mutex)) {
        ldr_release(NULL, c);
        return ldr_fail(err, LDR_E_NOMEM, "no memory for a client");
    }
    for (size_t i = 0; i < n; i++) {
        int rc = ldr_control_learn(c, addresses[i]);
        if (rc) {
            ldr_control_destroy(c);
            return ldr_fail(err, rc, "coordinator \"%s\": %s", addresses[i], ldr_code_text(rc));
        }
    }
    *out = c;
    return 0;
}

void ldr_control_destroy(struct ldr_control *c)
{
    if (!c)
        return;
    nng_time now = nng_clock();
    for (size_t i = 0; i < c->n; i++) {
        const struct coordinator *k = &c->coordinators[i];
        if (k->given_up && now < k->given_up + LATE_MS)
            control_close_later(k->socket, (nng_duration)(k->given_up + LATE_MS - now));
        else
            control_close(k->socket);
    }
    nng_mtx_free(c->mutex);
    ldr_release(NULL, c);
}

/* ---- One attempt. ---- */
struct attempt {
    int code;        /* of the answer; or nng's, when there is none */
    bool sent;       /* it may have arrived */
    nng_msg *answer; /* NULL = none */
    struct ldr_slice payload;
    struct ldr_err why; /* LDR_E_FORMAT: it speaks another protocol */
};

static nng_duration smaller(uint64_t a, uint64_t b)
{
    uint64_t ms = a < b ? a : b;
    return ms > INT32_MAX ? INT32_MAX : (nng_duration)ms;
}

/* The aio is waited for, never called back. */
static void attempt_with(struct attempt *t, nng_ctx ctx, nng_aio *aio, const struct ldr_frame *f,
                         uint64_t reach_ms, uint64_t left_ms)
{
    nng_time from = nng_clock();
    nng_msg *m = control_frame(f);
    if (!m) {
        t->code = LDR_E_NOMEM;
        return;
    }
    nng_aio_set_timeout(aio, smaller(reach_ms, left_ms));
    nng_aio_set_msg(aio, m);
    nng_ctx_send(ctx, aio);
    nng_aio_wait(aio);
    int rc = nng_aio_result(aio);
    if (rc) { /* it stands in line until a connection takes it: this one was not taken */
        nng_msg_free(m);
        t->code = rc == NNG_ETIMEDOUT ? LDR_E_UNAVAILABLE : control_code(rc);
        return;
    }
    t->sent = true;
    uint64_t spent = nng_clock() - from;
    nng_aio_set_timeout(aio, smaller(left_ms > spent ? left_ms - spent : 1, INT32_MAX));
    nng_ctx_recv(ctx, aio);
    nng_aio_wait(aio);
    rc = nng_aio_result(aio);
    if (rc) {
        t->code = control_code(rc);
        return;
    }
    struct ldr_frame got;
    t->answer = nng_aio_get_msg(aio);
    t->code = control_frame_of(t->answer, &got);
    if (t->code == 0)
        t->code = control_proto(&got, &t->why);
    if (t->code == 0 && (got.id != f->id || !(got.flags & LDR_FRAME_ANSWER)))
        t->code = LDR_E_CORRUPT;
    if (t->code) {
        nng_msg_free(t->answer);
        t->answer = NULL;
        return;
    }
    t->code = (int)got.arg;
    t->payload = got.payload;
}

static void attempt(struct attempt *t, nng_socket s, const struct ldr_frame *f, uint64_t reach_ms,
                    uint64_t left_ms)
{
    nng_ctx ctx;
    nng_aio *aio;
    *t = (struct attempt){0};
    int rc = nng_ctx_open(&ctx, s);
    if (rc) {
        t->code = control_code(rc);
        return;
    }
    rc = nng_aio_alloc(&aio, NULL, NULL);
    if (rc == 0) {
        attempt_with(t, ctx, aio, f, reach_ms, left_ms);
        nng_aio_free(aio);
    } else {
        t->code = control_code(rc);
    }
    nng_ctx_close(ctx);
}

static void attempt_at(struct ldr_control *c, size_t at, struct attempt *t, const struct ldr_frame *f,
                       uint64_t reach_ms, uint64_t left_ms)
{
    struct coordinator *k = &c->coordinators[at];
    nng_mtx_lock(c->mutex);
    nng_socket s = k->socket;
    nng_mtx_unlock(c->mutex);
    nng_time from = nng_clock();
    attempt(t, s, f, reach_ms < RENEW_MS ? reach_ms : RENEW_MS, left_ms);
    nng_time now = nng_clock();
    nng_mtx_lock(c->mutex);
    if (t->sent) {
        k->renew_at = 0;
        if (!t->answer)
            k->given_up = now; /* its answer may still come */
    } else if (t->code == LDR_E_UNAVAILABLE) {
        if (k->renew_at == 0) {
            k->renew_ms = RENEW_MS;
            k->renew_at = from + RENEW_MS;
        }
        if (now >= k->renew_at)
            renew(k, now);
    }
    nng_mtx_unlock(c->mutex);
}

/* ---- The call. ---- */
/* Where to go next: whom the answer names, else around. */
static size_t next_of(struct ldr_control *c, size_t at, const struct attempt *t)
{
    struct ldr_msg_error m;
    char leader[256];
    size_t next;
    if (t->answer && ldr_msg_error_decode(t->payload, NULL, &m) == 0 && m.leader.n > 0 &&
        m.leader.n < sizeof leader && !memchr(m.leader.p, 0, m.leader.n)) {
        memcpy(leader, m.leader.p, m.leader.n);
        leader[m.leader.n] = 0;
        (void)ldr_control_learn(c, leader); /* one too many or not an address: then around */
        nng_mtx_lock(c->mutex);
        next = known(c, leader);
        bool found = next < c->n && next != at;
        nng_mtx_unlock(c->mutex);
        if (found)
            return next;
    }
    nng_mtx_lock(c->mutex);
    LDR_ASSERT(c->n > 0); /* create wants one address at least */
    next = (at + 1) % c->n;
    nng_mtx_unlock(c->mutex);
    return next;
}

/* Whether this attempt may have been carried out, or still will be. */
static bool in_doubt(const struct attempt *t)
{
    struct ldr_msg_error m;
    if (!t->answer)
        return t->sent;
    return t->code != 0 && ldr_msg_error_decode(t->payload, NULL, &m) == 0 && m.in_doubt;
}

/* Whether the answer, or its lack, sends us to another coordinator. */
static bool goes_on(const struct attempt *t, enum ldr_msg_type type)
{
    if (t->answer)
        return t->code == LDR_E_NOT_LEADER || t->code == LDR_E_UNAVAILABLE ||
               (t->code == LDR_E_CLOSED && type != LDR_MSG_MEMBER); /* it stops, as it was told */
    return t->code != LDR_E_NOMEM && t->code != LDR_E_CLOSED && (!t->sent || type != LDR_MSG_MEMBER);
}

static int fail_silent(struct ldr_control *c, const struct attempt *t, const char *address,
                       enum ldr_msg_type type, bool sent_ever, bool doubt, struct ldr_err *err)
{
    /* Reached, and then silent until the end, is a timeout; not reached is not. */
    int code = t->code == LDR_E_TIMEOUT || t->code == LDR_E_UNAVAILABLE
                   ? (sent_ever ? LDR_E_TIMEOUT : LDR_E_UNAVAILABLE)
                   : t->code;
    nng_mtx_lock(c->mutex);
    size_t n = c->n;
    nng_mtx_unlock(c->mutex);
    if (code == LDR_E_FORMAT)
        ldr_fail(err, code, "%s: coordinator %s: %s", ldr_msg_name(type), address, t->why.message);
    else
        ldr_fail(err, code, "%s: no answer from %s (%zu coordinator%s known): %s", ldr_msg_name(type),
                 address, n, n == 1 ? "" : "s", ldr_code_text(t->code));
    if (err)
        err->in_doubt = doubt;
    return code;
}

/* ---- Finding the others. ---- */
void ldr_control_find(struct ldr_control *c, void (*notices)(void *ctx, const char *address), void *ctx)
{
    c->finding = true;
    c->notices = notices;
    c->notices_ctx = ctx;
}

size_t ldr_control_known(struct ldr_control *c)
{
    nng_mtx_lock(c->mutex);
    size_t n = c->n;
    nng_mtx_unlock(c->mutex);
    return n;
}

static const char *text_of(struct ldr_slice s, char out[256])
{
    if (s.n == 0 || s.n >= 256 || memchr(s.p, 0, s.n))
        return NULL;
    memcpy(out, s.p, s.n);
    out[s.n] = 0;
    return out;
}

/* Asks the one that just answered. What goes wrong here is found out by the calls that need it. */
static void find_others(struct ldr_control *c, size_t at)
{
    nng_time now = nng_clock();
    nng_mtx_lock(c->mutex);
    bool due = now >= c->find_at;
    if (due)
        c->find_at = now + (c->n > 1 ? FIND_EVERY_MS : FIND_SOON_MS); /* one alone may go any time */
    uint64_t id = ++c->next_id;
    nng_mtx_unlock(c->mutex);
    if (!due)
        return;
    struct ldr_coordinators_req q = {.proto = LDR_PROTO};
    struct ldr_coordinators_rep rep;
    struct ldr_arena a;
    struct ldr_buf out;
    struct attempt t = {0};
    char text[256];
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&out, NULL, 0);
    if (ldr_coordinators_req_encode(&q, &out) == 0) {
        struct ldr_frame f = {LDR_MSG_COORDINATORS, 0, id, FIND_MS, ldr_buf_slice(&out)};
        attempt_at(c, at, &t, &f, FIND_MS, FIND_MS);
    }
    if (t.answer && t.code == 0 && ldr_coordinators_rep_decode(t.payload, &a, &rep) == 0)
        for (uint32_t i = 0; i < rep.n_coordinators; i++) {
            const struct ldr_msg_coordinator *k = &rep.coordinators[i];
            const char *address = text_of(k->control, text);
            if (address)
                (void)ldr_control_learn(c, address); /* one too many, or no address: not this one */
            address = text_of(k->notices, text);
            if (address && c->notices)
                c->notices(c->notices_ctx, address);
        }
    if (t.answer)
        nng_msg_free(t.answer);
    ldr_buf_close(&out);
    ldr_arena_close(&a);
}

int ldr_control_call(struct ldr_control *c, enum ldr_msg_type type, struct ldr_slice payload,
                     uint32_t timeout_ms, struct ldr_buf *answer, struct ldr_err *err)
{
    nng_time until = nng_clock() + timeout_ms;
    struct attempt t;
    bool sent_ever = false, doubt = false; /* of all attempts */
    uint64_t pause_ms = PAUSE_FIRST_MS;
    if (payload.n > LDR_PAYLOAD_MAX)
        return ldr_fail(err, LDR_E_TOO_BIG, "%s: %zu bytes are too many", ldr_msg_name(type), payload.n);
    nng_mtx_lock(c->mutex);
    size_t at = c->preferred, n = c->n;
    uint64_t id = ++c->next_id;
    nng_mtx_unlock(c->mutex);
    for (size_t tries = 1;; tries++) {
        nng_time now = nng_clock();
        uint64_t left = until > now ? until - now : 1;
        uint64_t answer_ms = n > 1 && left > ANSWER_MS ? ANSWER_MS : left;
        struct ldr_frame f = {(uint16_t)type, 0, id, (uint32_t)answer_ms, payload};
        attempt_at(c, at, &t, &f, n > 1 ? (tries > n ? AGAIN_MS : REACH_MS) : left, answer_ms);
        sent_ever |= t.sent && !t.answer;
        doubt |= in_doubt(&t);
        now = nng_clock();
        if (!goes_on(&t, type) || now >= until)
            break;
        at = next_of(c, at, &t);
        if (t.answer)
            nng_msg_free(t.answer);
        nng_mtx_lock(c->mutex);
        n = c->n;
        nng_mtx_unlock(c->mutex);
        if (tries % n == 0) {
            nng_msleep(smaller(pause_ms, until - now));
            pause_ms = pause_ms * 2 < PAUSE_MOST_MS ? pause_ms * 2 : PAUSE_MOST_MS;
        }
    }
    if (!t.answer)
        return fail_silent(c, &t, c->coordinators[at].address, type, sent_ever, doubt, err);
    int rc = t.code;
    if (rc == 0)
        rc = ldr_buf_put(answer, t.payload.p, t.payload.n);
    if (rc == 0) {
        nng_mtx_lock(c->mutex);
        c->preferred = at;
        nng_mtx_unlock(c->mutex);
        if (c->finding)
            find_others(c, at);
    } else {
        ldr_msg_error_fill(rc, t.code ? t.payload : ldr_slice(NULL, 0), err);
        if (err)
            err->in_doubt |= doubt; /* an earlier attempt may have been carried out */
    }
    nng_msg_free(t.answer);
    return rc;
}
