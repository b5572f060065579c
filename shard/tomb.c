#include "shard/tomb.h"

#include "shard/shard_impl.h"

struct tomb {
    uint64_t hash;
    int64_t erase_us;
    uint32_t id;
    uint8_t scope;
    uint16_t key_n;
    uint8_t key[];
};

struct ldr_tombs {
    struct tomb *
        *slots; /* open addressing, linear probing, at most three quarters full; nothing ever leaves */
    size_t n, cap;
    struct ldr_arena arena;
    struct tomb *spare; /* of reserve */
    size_t spare_key;
};

int ldr_tombs_create(struct ldr_tombs **out)
{
    struct ldr_tombs *t = ldr_calloc(NULL, 1, sizeof *t);
    if (!t)
        return LDR_E_NOMEM;
    ldr_arena_init(&t->arena, NULL, 0);
    *out = t;
    return 0;
}

void ldr_tombs_destroy(struct ldr_tombs *t)
{
    if (!t)
        return;
    ldr_arena_close(&t->arena);
    ldr_release(NULL, (void *)t->slots);
    ldr_release(NULL, t);
}

static size_t place(const struct ldr_tombs *t, const struct tomb *like, struct ldr_slice key)
{
    size_t i = (like->hash ^ like->id * UINT64_C(0x9E3779B97F4A7C15) ^ like->scope) & (t->cap - 1);
    for (; t->slots[i]; i = (i + 1) & (t->cap - 1)) {
        const struct tomb *o = t->slots[i];
        if (o->hash == like->hash && o->id == like->id && o->scope == like->scope &&
            ldr_slice_eq(ldr_slice(o->key, o->key_n), key))
            break;
    }
    return i;
}

static int make_room(struct ldr_tombs *t)
{
    if ((t->n + 1) * 4 <= t->cap * 3)
        return 0;
    struct ldr_tombs bigger = {.cap = t->cap ? t->cap * 2 : 64};
    bigger.slots = (struct tomb **)ldr_calloc(NULL, bigger.cap, sizeof(struct tomb *));
    if (!bigger.slots)
        return LDR_E_NOMEM;
    for (size_t i = 0; i < t->cap; i++) {
        struct tomb *o = t->slots[i];
        if (o)
            bigger.slots[place(&bigger, o, ldr_slice(o->key, o->key_n))] = o;
    }
    ldr_release(NULL, (void *)t->slots);
    t->slots = bigger.slots;
    t->cap = bigger.cap;
    return 0;
}

int ldr_tombs_reserve(struct ldr_tombs *t, size_t key_n)
{
    if (!t->spare || t->spare_key < key_n) {
        t->spare = ldr_arena_alloc(&t->arena, sizeof *t->spare + key_n);
        t->spare_key = key_n;
    }
    return t->spare ? make_room(t) : LDR_E_NOMEM;
}

int ldr_tombs_set(struct ldr_tombs *t, enum ldr_tomb_scope scope, uint32_t id, uint64_t hash,
                  struct ldr_slice key, int64_t erase_us)
{
    int rc = ldr_tombs_reserve(t, key.n);
    if (rc)
        return rc;
    struct tomb like = {.hash = hash, .id = id, .scope = (uint8_t)scope};
    size_t at = place(t, &like, key);
    if (t->slots[at]) {
        if (erase_us > t->slots[at]->erase_us)
            t->slots[at]->erase_us = erase_us;
        return 0;
    }
    struct tomb *o = t->spare;
    t->spare = NULL;
    memcpy(o, &like, sizeof like);
    o->erase_us = erase_us;
    o->key_n = (uint16_t)key.n;
    if (key.n)
        memcpy(o->key, key.p, key.n);
    t->slots[at] = o;
    t->n++;
    return 0;
}

int64_t ldr_tombs_find(const struct ldr_tombs *t, enum ldr_tomb_scope scope, uint32_t id, uint64_t hash,
                       struct ldr_slice key)
{
    if (t->n == 0)
        return INT64_MIN;
    struct tomb like = {.hash = hash, .id = id, .scope = (uint8_t)scope};
    const struct tomb *o = t->slots[place(t, &like, key)];
    return o ? o->erase_us : INT64_MIN;
}

size_t ldr_tombs_count(const struct ldr_tombs *t)
{
    return t->n;
}

bool ldr_tomb_any(const struct ldr_tombs *t)
{
    return t->n > 0;
}

int64_t ldr_tomb_time(const struct ldr_tombs *t, uint32_t view, uint32_t entity_id, uint64_t hash,
                      struct ldr_slice key)
{
    int64_t one = ldr_tombs_find(t, LDR_TOMB_VIEW, view, hash, key);
    int64_t all = ldr_tombs_find(t, LDR_TOMB_ENTITY, entity_id, hash, key);
    return one > all ? one : all;
}
