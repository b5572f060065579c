/* The engine: units of work find replicas by hash, over and over until they are done or time is up. One
 * thread runs a job; answers are noted by whichever thread runs the loop. */
#include <stdlib.h>

#include "client/cluster/cluster_gate.h"

#define BACKOFF_US  20000u
#define BACKOFF_MAX 500000u
#define MERGE_MOST  4096u
#define MERGE_BYTES ((size_t)4 << 20)  /* of requests that travel together */
#define OUT_BYTES   ((size_t)64 << 20) /* of requests under way, beyond the first */
#define SLOW_BYTES  32u                /* per microsecond of patience with a large request: 32 MB/s */
#define MAP_MS      1000u /* for coordinators to tell a newer map: without them the replicas may still answer */

/* ---- Running ---- */

struct run {
    struct ldr_errand *job;
    struct ldr_gate *gate;
    struct ldr_map_ref *map;
    uint64_t salt, deadline_us;
    size_t most;   /* units in one message */
    uint64_t when; /* the next moment at which a unit may have to be sent */
    size_t under_way, done, cut;
    size_t bytes_out;    /* of units under way */
    bool stale;          /* somebody knows a newer map */
    struct ldr_err last; /* of the latest failure, for the message in the end */
    size_t *list;        /* scratch: units of the message in the making */
    uint32_t *nodes;     /* scratch: chosen node of each unit, 0 = none */
};

static void look_again(struct run *r, uint64_t at)
{
    if (at < r->when)
        r->when = at;
}

static uint64_t later(uint64_t now, uint64_t by)
{
    return by > UINT64_MAX - now ? UINT64_MAX : now + by;
}

static int send_to(struct run *r, uint32_t node, size_t n, uint64_t now, struct ldr_err *err)
{
    struct ldr_errand *j = r->job;
    struct ldr_gate_call *b = ldr_gate_call_create(r->gate, node, n);
    if (!b)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    struct ldr_buf out;
    ldr_buf_init(&out, NULL, LDR_FRAME_MAX);
    memcpy(b->units, r->list, n * sizeof b->units[0]);
    b->sent_us = now;
    int rc = j->build(j, &r->map->map, b->units, n, &out);
    if (rc) {
        ldr_fail(err, rc, "a request could not be made: %s", ldr_code_text(rc));
        ldr_gate_call_free(b);
        ldr_buf_close(&out);
        return rc;
    }
    for (size_t i = 0; i < n; i++) {
        struct ldr_unit *u = &j->units[b->units[i]];
        r->under_way += u->out == 0;
        r->bytes_out += u->out == 0 ? u->bytes : 0;
        u->out++;
        u->last_node = node;
        u->sent_us = now;
        u->second_us = later(now, ldr_pace_patience_us(&j->remote->pace, j->pace));
        u->second_us = later(u->second_us, u->bytes / SLOW_BYTES);
        look_again(r, u->second_us);
    }
    uint64_t left_ms = (r->deadline_us - now) / 1000 + 1;
    ldr_gate_send(&j->remote->peers, j->type, ldr_buf_slice(&out),
                  left_ms < j->attempt_ms ? (uint32_t)left_ms : j->attempt_ms, b);
    ldr_buf_close(&out);
    return 0;
}

/* Is it time to send a unit (again)? */
static bool wants_sending(struct run *r, const struct ldr_unit *u, uint64_t now)
{
    const struct ldr_errand *j = r->job;
    if (u->done || u->cut)
        return false;
    uint64_t at = u->ready_us;
    if (u->out) {
        if (u->out > 1)
            return false;
        at = u->second_us > at ? u->second_us : at;
    } else if ((j->window && r->under_way >= j->window) ||
               (r->under_way && r->bytes_out + u->bytes > OUT_BYTES)) {
        return false; /* until an answer has come */
    }
    if (at <= now)
        return true;
    look_again(r, at);
    return false;
}

/* Whether a unit that is under way goes to another replica, too; if not, it is looked at again later. */
static bool second(struct run *r, struct ldr_unit *u, const struct ldr_map_shard *s, uint64_t now)
{
    struct ldr_pace *p = &r->job->remote->pace;
    uint32_t other = ldr_pace_choose(p, s, u->last_node, r->salt, now);
    if (other && other != u->last_node && ldr_pace_second(p, u->last_node, other, u->sent_us, now))
        return true;
    u->second_us = later(now, ldr_pace_patience_us(p, r->job->pace));
    look_again(r, u->second_us);
    return false;
}

static int launch(struct run *r, uint64_t now, struct ldr_err *err)
{
    struct ldr_errand *j = r->job;
    int rc = 0;
    size_t chosen = 0;
    const struct ldr_map_shard *s = NULL;
    uint32_t node = 0, last = 0; /* chosen for the unit before, if it is of s: neighbours mostly agree */
    for (size_t i = 0; i < j->n; i++) {
        struct ldr_unit *u = &j->units[i];
        r->nodes[i] = 0;
        if (!wants_sending(r, u, now))
            continue;
        if (!s || u->lo < s->lo || u->lo > s->hi) {
            s = ldr_map_shard_of(&r->map->map, u->lo);
            node = 0;
        }
        if (u->hi > s->hi) {
            if (u->out == 0) {
                u->cut = true;
                r->cut++;
            }
            continue;
        }
        if (u->out) {
            if (!second(r, u, s, now))
                continue;
            node = 0; /* somebody may be avoided since */
        }
        if (node == 0 || u->last_node != last)
            node = ldr_pace_choose(&j->remote->pace, s, u->last_node, r->salt, now);
        last = u->last_node;
        if (node == 0) {
            ldr_fail(&r->last, LDR_E_UNAVAILABLE, "shard %u has no replica in the map", s->id);
            u->ready_us = now + BACKOFF_MAX;
            look_again(r, u->ready_us);
            r->stale = true;
            continue;
        }
        r->nodes[i] = node;
        chosen++;
        if (!j->merge) {
            r->list[0] = i;
            rc = send_to(r, node, 1, now, err);
            if (rc)
                return rc;
            r->nodes[i] = 0;
        }
    }
    if (!j->merge || chosen == 0)
        return 0;
    for (size_t i = 0; i < j->n; i++) {
        size_t n = 0, bytes = 0;
        node = r->nodes[i];
        if (node == 0)
            continue;
        for (size_t k = i; k < j->n && n < r->most && (n == 0 || bytes + j->units[k].bytes <= MERGE_BYTES);
             k++)
            if (r->nodes[k] == node) {
                r->list[n++] = k;
                r->nodes[k] = 0;
                bytes += j->units[k].bytes;
            }
        rc = send_to(r, node, n, now, err);
        if (rc)
            return rc;
    }
    return 0;
}

/* Can another attempt help? A folder is in one process: what fails there has failed. */
static bool passing(const struct ldr_remote *r, int code)
{
    switch (code) {
    case LDR_E_STALE:
    case LDR_E_UNAVAILABLE:
    case LDR_E_TIMEOUT:
    case LDR_E_BUSY:
    case LDR_E_CLOSED:
        return true;
    case LDR_E_IO:
    case LDR_E_NOSPACE:
    case LDR_E_READ_ONLY:
    case LDR_E_CORRUPT:
    case LDR_E_NOT_FOUND: /* no such replica there: the map is on its way */
        return !r->guest;
    default:
        return false;
    }
}

static int take_failure(struct run *r, struct ldr_gate_call *b, uint64_t now, struct ldr_err *err)
{
    struct ldr_errand *j = r->job;
    struct ldr_err why;
    ldr_msg_error_fill(b->code, ldr_buf_slice(&b->answer), &why);
    bool unknown =
        j->writes &&
        (why.in_doubt || ((b->code == LDR_E_TIMEOUT || b->code == LDR_E_UNAVAILABLE) && !b->call.never_sent));
    j->in_doubt = j->in_doubt || unknown;
    if (b->code == LDR_E_TOO_BIG && b->n > 1) { /* the answer; fewer units have a smaller one */
        if (r->most > b->n / 2)
            r->most = b->n / 2;
        for (size_t i = 0; i < b->n; i++)
            j->units[b->units[i]].ready_us = now;
        return 0;
    }
    if (!passing(j->remote, b->code)) {
        if (err)
            *err = why;
        return b->code;
    }
    r->stale = r->stale || b->code == LDR_E_STALE || b->code == LDR_E_NOT_FOUND;
    if (b->code != LDR_E_STALE && b->code != LDR_E_BUSY)
        ldr_pace_failed(&j->remote->pace, b->node, now);
    r->last = why;
    if (!j->remote->guest)
        ldr_fail_context(&r->last, b->code, "node %u", b->node);
    for (size_t i = 0; i < b->n; i++) {
        struct ldr_unit *u = &j->units[b->units[i]];
        u->tries++;
        /* the first two replicas at once, then with growing patience */
        uint64_t wait = u->tries <= 2 ? 0
                                      : (uint64_t)(j->backoff_us ? j->backoff_us : BACKOFF_US)
                                            << (u->tries < 8 ? u->tries - 3 : 5);
        u->ready_us = now + (wait < BACKOFF_MAX ? wait : BACKOFF_MAX);
    }
    return 0;
}

static int take_batch(struct run *r, struct ldr_gate_call *b, struct ldr_err *err)
{
    struct ldr_errand *j = r->job;
    uint64_t now = ldr_cluster_mono_us(j->remote);
    size_t open = 0;
    for (size_t i = 0; i < b->n; i++) {
        struct ldr_unit *u = &j->units[b->units[i]];
        u->out--;
        r->under_way -= u->out == 0;
        r->bytes_out -= u->out == 0 ? u->bytes : 0;
        open += !u->done;
    }
    if (b->code == 0 || b->answer.n) /* a failure with words comes from the node itself */
        ldr_pace_heard(&j->remote->pace, b->node, now);
    if (b->code)
        return open ? take_failure(r, b, now, err) : 0;
    ldr_pace_learn(&j->remote->pace, j->pace, now - b->sent_us);
    if (open == 0)
        return 0;
    int rc = j->finish(j, b->units, b->n, ldr_buf_slice(&b->answer), err);
    for (size_t i = 0; !rc && i < b->n; i++) {
        struct ldr_unit *u = &j->units[b->units[i]];
        r->done += !u->done;
        u->done = true;
    }
    return rc;
}

static void follow_map(struct run *r, uint64_t now)
{
    struct ldr_err why;
    uint64_t left_ms = (r->deadline_us - now) / 1000 + 1;
    if (ldr_cluster_refresh(r->job->remote, false, left_ms < MAP_MS ? (uint32_t)left_ms : MAP_MS, &why))
        r->last = why; /* go on with the map there is: the replicas may still answer */
    ldr_cluster_map_release(r->map);
    r->map = ldr_cluster_map(r->job->remote);
    r->stale = false;
}

static int out_of_time(const struct run *r, struct ldr_err *err)
{
    int code = r->last.code ? r->last.code : LDR_E_TIMEOUT;
    if (err && r->last.code)
        *err = r->last;
    else
        ldr_fail(err, code, "no answer within %u ms", r->job->deadline_ms);
    return code;
}

static int loop(struct run *r, struct ldr_err *err)
{
    struct ldr_errand *j = r->job;
    int rc = 0;
    while (rc == 0 && r->done + r->cut < j->n) {
        uint64_t now = ldr_cluster_mono_us(j->remote);
        if (now >= r->deadline_us)
            return out_of_time(r, err);
        if (r->stale)
            follow_map(r, now);
        r->when = r->deadline_us;
        rc = launch(r, now, err);
        if (rc || r->done + r->cut >= j->n)
            break;
        struct ldr_gate_call *b = ldr_gate_wait(r->gate, r->when > now ? r->when - now : 0), *next;
        for (; b; b = next) {
            next = b->next;
            if (rc == 0)
                rc = take_batch(r, b, err);
            ldr_gate_call_free(b);
        }
    }
    return rc;
}

int ldr_errand_run(struct ldr_errand *j, struct ldr_err *err)
{
    struct run r = {.job = j, .most = j->most ? j->most : MERGE_MOST};
    if (j->n == 0)
        return 0;
    r.deadline_us = ldr_cluster_mono_us(j->remote) + (uint64_t)j->deadline_ms * 1000;
    r.salt = j->leader_first ? 0 : r.deadline_us * UINT64_C(0x9E3779B97F4A7C15);
    r.gate = ldr_gate_create(j->remote->helm);
    r.list = ldr_calloc(NULL, j->n, sizeof *r.list);
    r.nodes = ldr_calloc(NULL, j->n, sizeof *r.nodes);
    int rc = LDR_E_NOMEM;
    if (!r.gate || !r.list || !r.nodes) {
        ldr_fail(err, rc, "out of memory");
    } else {
        r.map = ldr_cluster_map(j->remote);
        rc = loop(&r, err);
        ldr_cluster_map_release(r.map);
        if (rc == 0 && r.cut)
            rc = ldr_fail(err, LDR_E_STALE, "the shard map has changed");
    }
    if (rc && rc != LDR_E_STALE && err)
        err->in_doubt = err->in_doubt || (j->writes && (j->in_doubt || r.under_way || r.done));
    ldr_gate_leave(r.gate);
    free(r.list);
    free(r.nodes);
    return rc;
}
