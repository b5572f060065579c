#include "coordinator/state_parts.h"

static uint32_t place_of(const struct ldr_state *s, uint64_t client)
{
    uint32_t lo = 0, hi = s->nsessions;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (s->sessions[mid].client < client)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct ldr_session *ldr_state_session(struct ldr_state *s, uint64_t client)
{
    uint32_t i = place_of(s, client);
    return i < s->nsessions && s->sessions[i].client == client ? &s->sessions[i] : NULL;
}

static void forget(struct ldr_state *s, uint32_t i)
{
    ldr_release(s->heap, (void *)(uintptr_t)s->sessions[i].message.p);
    memmove(&s->sessions[i], &s->sessions[i + 1], (s->nsessions - i - 1) * sizeof *s->sessions);
    s->nsessions--;
}

static void forget_least_used(struct ldr_state *s)
{
    uint32_t least = 0;
    for (uint32_t i = 1; i < s->nsessions; i++)
        if (s->sessions[i].used < s->sessions[least].used)
            least = i;
    forget(s, least);
}

static int reserve(struct ldr_state *s)
{
    if (s->nsessions < s->cap)
        return 0;
    uint32_t cap = s->cap ? s->cap * 2 : 16;
    struct ldr_session *p = ldr_resize(s->heap, s->sessions, cap * sizeof *p);
    if (!p)
        return LDR_E_NOMEM;
    s->sessions = p;
    s->cap = cap;
    return 0;
}

int ldr_state_session_put(struct ldr_state *s, uint64_t client, uint64_t seq,
                          const struct ldr_state_result *result)
{
    size_t text = strlen(result->message);
    size_t events = result->events.n <= LDR_SESSION_EVENTS_MAX ? result->events.n : 0;
    struct ldr_session *old = ldr_state_session(s, client);
    if (!old && s->nsessions == LDR_SESSIONS_MAX)
        forget_least_used(s);
    uint8_t *p = ldr_alloc(s->heap, text + events);
    if (!p || reserve(s)) {
        ldr_release(s->heap, p);
        return LDR_E_NOMEM;
    }
    uint32_t i = place_of(s, client);
    if (old) {
        ldr_release(s->heap, (void *)(uintptr_t)s->sessions[i].message.p);
    } else {
        memmove(&s->sessions[i + 1], &s->sessions[i], (s->nsessions - i) * sizeof *s->sessions);
        s->nsessions++;
    }
    if (text)
        memcpy(p, result->message, text);
    if (events)
        memcpy(p + text, result->events.p, events);
    s->sessions[i] = (struct ldr_session){.client = client,
                                          .seq = seq,
                                          .used = s->steps,
                                          .code = result->code,
                                          .map_version = result->map_version,
                                          .defs_version = result->defs_version,
                                          .value = result->value,
                                          .message = ldr_slice(p, text),
                                          .events = ldr_slice(p + text, events)};
    return 0;
}

void ldr_state_sessions_close(struct ldr_state *s)
{
    for (uint32_t i = 0; i < s->nsessions; i++)
        ldr_release(s->heap, (void *)(uintptr_t)s->sessions[i].message.p);
    ldr_release(s->heap, s->sessions);
    s->sessions = NULL;
    s->nsessions = s->cap = 0;
}
