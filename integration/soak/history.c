#include "integration/soak/history.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* One version. Its apply takes effect at some moment in [lo, hi]: not before it began, nor before the version
 * before it was read last; and not after its end, nor after somebody was told of it or of a later one. */
struct slot {
    const struct history_op *winner; /* who made it */
    const struct history_op *seen;   /* who was told its value */
    const struct history_op *last;   /* the strict read of it that began last */
    const struct history_op *lo_by, *hi_by;
    uint64_t lo, hi;
};
struct check {
    const struct history_op *ops;
    size_t n;
    uint64_t first;
    size_t nslots; /* slot i: version first + i */
    struct slot *slots;
    char *why;
    size_t room;
};

__attribute__((format(printf, 2, 3))) static bool wrong(struct check *c, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    vsnprintf(c->why, c->room, format, ap);
    va_end(ap);
    return false;
}

static const char *verb(const struct history_op *o)
{
    return o->kind == HISTORY_APPLY ? "apply" : o->kind == HISTORY_READ ? "read" : "look";
}
/* It was told a version of ours: a member that has just started may not know yet what it knew. */
static bool told(const struct check *c, const struct history_op *o)
{
    return o->end == HISTORY_OK && (o->kind != HISTORY_PEEK || o->version >= c->first);
}
static uint64_t version_told(const struct history_op *o)
{
    return o->kind == HISTORY_APPLY ? o->expect + 1 : o->version;
}
static struct slot *slot_of(struct check *c, uint64_t version)
{
    return &c->slots[version - c->first];
}

/* Every version that somebody knows of. */
static bool measure(struct check *c)
{
    uint64_t most = c->first;
    for (size_t i = 0; i < c->n; i++) {
        const struct history_op *o = &c->ops[i];
        if (!told(c, o) && o->end != HISTORY_CONFLICT)
            continue;
        uint64_t v = version_told(o); /* a conflict says that what was expected is over */
        if (o->kind == HISTORY_APPLY && o->end == HISTORY_OK && o->version != v)
            return wrong(c, "client %u's apply on version %" PRIu64 " gave version %" PRIu64, o->client,
                         o->expect, o->version);
        if (v < c->first)
            return wrong(c, "client %u's %s found version %" PRIu64 "; at the beginning it was %" PRIu64,
                         o->client, verb(o), v, c->first);
        most = v > most ? v : most;
    }
    if (most - c->first > c->n)
        return wrong(
            c, "version %" PRIu64 " is there; %zu operations after version %" PRIu64 " cannot have made it",
            most, c->n, c->first);
    c->nslots = (size_t)(most - c->first) + 1;
    c->slots = calloc(c->nslots, sizeof *c->slots);
    return c->slots ? true : wrong(c, "out of memory");
}

/* Who acknowledged what: one apply a version, one value a version. */
static bool place(struct check *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct history_op *o = &c->ops[i];
        if (!told(c, o))
            continue;
        struct slot *s = slot_of(c, version_told(o));
        if (o->kind == HISTORY_APPLY) {
            if (s->winner)
                return wrong(c,
                             "two applies were acknowledged for version %" PRIu64 ": value %" PRIu64
                             " of client %u, value %" PRIu64 " of client %u",
                             o->version, s->winner->value, s->winner->client, o->value, o->client);
            s->winner = o;
            continue;
        }
        if (o->kind == HISTORY_READ && (!s->last || s->last->from_us < o->from_us))
            s->last = o;
        if (!o->value)
            continue;
        if (s->seen && s->seen->value != o->value)
            return wrong(c,
                         "version %" PRIu64 " was value %" PRIu64 " to client %u and value %" PRIu64
                         " to client %u",
                         o->version, s->seen->value, s->seen->client, o->value, o->client);
        s->seen = o;
    }
    return true;
}

/* Versions that nobody acknowledged were made by an apply in doubt: of several that fit, the one that began
 * first leaves most room. */
static bool explain(struct check *c, struct history_tally *t)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct history_op *o = &c->ops[i];
        if (o->kind != HISTORY_APPLY || o->end != HISTORY_IN_DOUBT || o->expect < c->first ||
            o->expect - c->first + 1 >= c->nslots)
            continue;
        struct slot *s = slot_of(c, o->expect + 1);
        bool fits = !s->seen || s->seen->value == o->value;
        if (fits && (!s->winner || (s->winner->end == HISTORY_IN_DOUBT && o->from_us < s->winner->from_us)))
            s->winner = o;
    }
    for (size_t k = 1; k < c->nslots; k++) {
        const struct slot *s = &c->slots[k];
        uint64_t v = c->first + k, value = s->seen ? s->seen->value : 0;
        if (!s->winner)
            return wrong(c,
                         "version %" PRIu64 " (value %" PRIu64 ", 0 = nobody was told) is there, but no "
                         "apply of it was acknowledged or in doubt",
                         v, value);
        if (value && s->winner->value != value)
            return wrong(c,
                         "version %" PRIu64 " has value %" PRIu64 "; acknowledged was value %" PRIu64
                         " of client %u",
                         v, value, s->winner->value, s->winner->client);
        t->in_doubt_seen += s->winner->end == HISTORY_IN_DOUBT;
    }
    return true;
}

static void at_least(struct slot *s, uint64_t us, const struct history_op *by)
{
    if (us > s->lo) {
        s->lo = us;
        s->lo_by = by;
    }
}
static void at_most(struct slot *s, uint64_t us, const struct history_op *by)
{
    if (us < s->hi) {
        s->hi = us;
        s->hi_by = by;
    }
}

/* Moments: each as early as those before it allow, which is never worse than later. */
static bool order(struct check *c)
{
    for (size_t k = 0; k < c->nslots; k++)
        c->slots[k].hi = UINT64_MAX;
    for (size_t i = 0; i < c->n; i++)
        if (told(c, &c->ops[i]))
            at_most(slot_of(c, version_told(&c->ops[i])), c->ops[i].to_us, &c->ops[i]);
    for (size_t k = c->nslots - 1; k-- > 0;)
        at_most(&c->slots[k], c->slots[k + 1].hi, c->slots[k + 1].hi_by);
    for (size_t k = 1; k < c->nslots; k++) {
        struct slot *s = &c->slots[k], *before = &c->slots[k - 1];
        at_least(s, before->lo, before->lo_by);
        at_least(s, s->winner->from_us, s->winner);
        if (before->last)
            at_least(s, before->last->from_us, before->last);
        if (s->lo > s->hi)
            return wrong(c,
                         "version %" PRIu64 ": client %u's %s (version %" PRIu64 ") began %" PRIu64
                         " us after the end of client %u's %s (version %" PRIu64 ")",
                         c->first + k, s->lo_by->client, verb(s->lo_by), version_told(s->lo_by),
                         s->lo - s->hi, s->hi_by->client, verb(s->hi_by), version_told(s->hi_by));
    }
    for (size_t i = 0; i < c->n; i++) {
        const struct history_op *o = &c->ops[i];
        if (o->end == HISTORY_CONFLICT && slot_of(c, o->expect + 1)->lo > o->to_us)
            return wrong(c,
                         "client %u's apply on version %" PRIu64 " was refused as too late, %" PRIu64
                         " us before anything newer can have been there",
                         o->client, o->expect, slot_of(c, o->expect + 1)->lo - o->to_us);
    }
    return true;
}

bool history_check(const struct history_op *ops, size_t n, uint64_t first, struct history_tally *t, char *why,
                   size_t room)
{
    struct check c = {.ops = ops, .n = n, .first = first, .why = why, .room = room};
    *t = (struct history_tally){0};
    for (size_t i = 0; i < n; i++) {
        const struct history_op *o = &ops[i];
        t->conflicts += o->end == HISTORY_CONFLICT;
        t->failed += o->end == HISTORY_FAILED && o->kind != HISTORY_PEEK; /* one member may well be gone */
        t->in_doubt += o->end == HISTORY_IN_DOUBT;
        if (o->end == HISTORY_OK)
            (*(o->kind == HISTORY_APPLY ? &t->applied : o->kind == HISTORY_READ ? &t->read : &t->peeked))++;
    }
    bool ok = measure(&c) && place(&c) && explain(&c, t) && order(&c);
    t->versions = c.nslots ? c.nslots - 1 : 0;
    free(c.slots);
    return ok;
}
