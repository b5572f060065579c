#include "shard/tomb.h"

#include "shard/shard_impl.h"

struct tomb {
    uint64_t hash, second;
    int64_t erase_us;
    uint32_t id;
    uint8_t scope;
    bool used, collected;
};

struct ldr_tombs {
    struct tomb
        *slots; /* open addressing, linear probing, at most three quarters full; nothing ever leaves */
    size_t n, cap, collected;
};

int ldr_tombs_create(struct ldr_tombs **out)
{
    struct ldr_tombs *t = ldr_calloc(NULL, 1, sizeof *t);
    if (!t)
        return LDR_E_NOMEM;
    *out = t;
    return 0;
}

void ldr_tombs_destroy(struct ldr_tombs *t)
{
    if (!t)
        return;
    ldr_release(NULL, t->slots);
    ldr_release(NULL, t);
}

static struct tomb *place(const struct ldr_tombs *t, const struct ldr_tomb_id *who)
{
    size_t i = (who->second ^ who->id * UINT64_C(0x9E3779B97F4A7C15) ^ who->scope) & (t->cap - 1);
    for (; t->slots[i].used; i = (i + 1) & (t->cap - 1)) {
        const struct tomb *o = &t->slots[i];
        if (o->second == who->second && o->hash == who->hash && o->id == who->id && o->scope == who->scope)
            break;
    }
    return &t->slots[i];
}

static struct tomb *find(const struct ldr_tombs *t, const struct ldr_tomb_id *who)
{
    struct tomb *o = t->n ? place(t, who) : NULL;
    return o && o->used ? o : NULL;
}

int ldr_tombs_reserve(struct ldr_tombs *t)
{
    if ((t->n + 1) * 4 <= t->cap * 3)
        return 0;
    struct ldr_tombs bigger = {.cap = t->cap ? t->cap * 2 : 64};
    bigger.slots = ldr_calloc(NULL, bigger.cap, sizeof *bigger.slots);
    if (!bigger.slots)
        return LDR_E_NOMEM;
    for (size_t i = 0; i < t->cap; i++) {
        const struct tomb *o = &t->slots[i];
        const struct ldr_tomb_id who = {o->hash, o->second, o->id, o->scope};
        if (o->used)
            *place(&bigger, &who) = *o;
    }
    ldr_release(NULL, t->slots);
    t->slots = bigger.slots;
    t->cap = bigger.cap;
    return 0;
}

int ldr_tombs_set(struct ldr_tombs *t, const struct ldr_tomb_id *who, int64_t erase_us, bool collected)
{
    int rc = ldr_tombs_reserve(t);
    if (rc)
        return rc;
    struct tomb *o = place(t, who);
    if (o->used && o->erase_us >= erase_us)
        return 0;
    t->n += !o->used;
    t->collected += collected;
    t->collected -= o->used && o->collected;
    *o = (struct tomb){who->hash, who->second, erase_us, who->id, who->scope, true, collected};
    return 0;
}

int64_t ldr_tombs_find(const struct ldr_tombs *t, const struct ldr_tomb_id *who, bool *collected)
{
    const struct tomb *o = find(t, who);
    if (collected)
        *collected = o && o->collected;
    return o ? o->erase_us : INT64_MIN;
}

void ldr_tombs_collected(struct ldr_tombs *t, const struct ldr_tomb_id *who)
{
    struct tomb *o = find(t, who);
    LDR_ASSERT(o);
    t->collected += !o->collected;
    o->collected = true;
}

void ldr_tombs_count(const struct ldr_tombs *t, uint64_t *kept, uint64_t *collected)
{
    *kept = t->n - t->collected;
    *collected = t->collected;
}

bool ldr_tomb_any(const struct ldr_tombs *t)
{
    return t->n > 0;
}

int64_t ldr_tomb_time(const struct ldr_tombs *t, uint32_t view, uint32_t entity_id, uint64_t hash,
                      struct ldr_slice key)
{
    if (t->n == 0)
        return INT64_MIN;
    struct ldr_tomb_id who = ldr_tomb_id(LDR_TOMB_VIEW, view, hash, key);
    int64_t one = ldr_tombs_find(t, &who, NULL);
    who.scope = LDR_TOMB_ENTITY;
    who.id = entity_id;
    int64_t all = ldr_tombs_find(t, &who, NULL);
    return one > all ? one : all;
}
