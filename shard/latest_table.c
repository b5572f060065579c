/* Open addressing with linear probing and backward-shift deletion, one table a stripe; CLOCK decides who
 * leaves. The slots of all stripes lie in one reserved mapping that never moves, so that prefetching may look
 * at them without a lock; a stripe uses the front of its part and doubles it by need. */
#include "shard/latest_table.h"

#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#define STRIPES     128
#define SLOTS_FIRST 16
#define ROW_LEAST   128 /* bytes that the smallest row takes, roughly: sizes the reservation */

struct row {
    uint64_t mixed;
    int64_t event_us, created_us;
    uint32_t view, row_n;
    uint16_t key_n;
    bool stamped;
    bool used;       /* since the clock's hand last passed */
    uint8_t bytes[]; /* key, row */
};
_Static_assert(LDR_KEY_MAX <= UINT16_MAX, "key_n holds every key length");

struct slot {
    _Atomic uint64_t mixed;
    _Atomic(struct row *) row; /* NULL = free */
};

struct stripe {
    pthread_mutex_t mutex;
    struct slot *slots;
    _Atomic uint32_t mask; /* slots in use, minus one */
    uint32_t rows, hand;
    size_t bytes, budget;
    uint64_t version; /* rises with everything a writer does here */
    uint64_t hits, misses;
} __attribute__((aligned(64)));

struct ldr_latest_table {
    struct stripe stripes[STRIPES];
    void *map;
    size_t map_n;
    uint32_t slots_max; /* a stripe */
};

static inline uint64_t mix(uint32_t view, uint64_t hash)
{
    return (hash ^ view * UINT64_C(0x9E3779B97F4A7C15)) * UINT64_C(0xD6E8FEB86659FD93);
}
static inline struct stripe *stripe_of(const struct ldr_latest_table *t, uint64_t mixed)
{
    return (struct stripe *)&t->stripes[mixed >> 57];
}
_Static_assert(STRIPES == 1 << (64 - 57), "the stripe is the top bits of the mixed hash");
static inline uint32_t home_of(uint64_t mixed, uint32_t mask)
{
    return (uint32_t)(mixed >> 24) & mask;
}
static inline struct row *slot_row(const struct slot *s)
{
    return atomic_load_explicit(&s->row, memory_order_relaxed);
}
static inline void slot_set(struct slot *s, struct row *r)
{
    atomic_store_explicit(&s->mixed, r ? r->mixed : 0, memory_order_relaxed);
    atomic_store_explicit(&s->row, r, memory_order_relaxed);
}
static inline uint32_t mask_of(const struct stripe *st)
{
    return atomic_load_explicit(&st->mask, memory_order_relaxed);
}
static inline size_t row_bytes(const struct row *r)
{
    return malloc_usable_size((void *)r) + sizeof(size_t);
}

int ldr_latest_create(size_t budget_bytes, struct ldr_latest_table **out)
{
    void *mem;
    if (posix_memalign(&mem, 64, sizeof(struct ldr_latest_table)) != 0)
        return LDR_E_NOMEM;
    struct ldr_latest_table *t = memset(mem, 0, sizeof *t);
    size_t budget = budget_bytes / STRIPES;
    t->slots_max = SLOTS_FIRST;
    while (t->slots_max < budget / ROW_LEAST * 3 / 2 && t->slots_max < 1u << 30)
        t->slots_max *= 2;
    t->map_n = STRIPES * (size_t)t->slots_max * sizeof(struct slot);
    t->map = mmap(NULL, t->map_n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (t->map == MAP_FAILED) {
        free(t);
        return LDR_E_NOMEM;
    }
    for (size_t i = 0; i < STRIPES; i++) {
        struct stripe *st = &t->stripes[i];
        pthread_mutex_init(&st->mutex, NULL);
        st->slots = (struct slot *)t->map + i * t->slots_max;
        atomic_init(&st->mask, SLOTS_FIRST - 1);
        st->budget = budget;
        st->bytes = SLOTS_FIRST * sizeof(struct slot);
    }
    *out = t;
    return 0;
}

void ldr_latest_destroy(struct ldr_latest_table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < STRIPES; i++) {
        struct stripe *st = &t->stripes[i];
        for (uint32_t k = 0; k <= mask_of(st); k++)
            free(slot_row(&st->slots[k]));
        pthread_mutex_destroy(&st->mutex);
    }
    munmap(t->map, t->map_n);
    free(t);
}

/* Slot of the entity, or UINT32_MAX. */
static uint32_t find(const struct stripe *st, uint64_t mixed, uint32_t view, struct ldr_slice key)
{
    uint32_t mask = mask_of(st);
    for (uint32_t i = home_of(mixed, mask);; i = (i + 1) & mask) {
        const struct row *r = slot_row(&st->slots[i]);
        if (!r)
            return UINT32_MAX;
        if (atomic_load_explicit(&st->slots[i].mixed, memory_order_relaxed) == mixed && r->view == view &&
            r->key_n == key.n && memcmp(r->bytes, key.p, key.n) == 0)
            return i;
    }
}

/* Frees slot i and closes the gap, so that every probe still meets no free slot before its row. */
static void remove_at(struct stripe *st, uint32_t i)
{
    uint32_t mask = mask_of(st);
    struct row *r = slot_row(&st->slots[i]);
    st->bytes -= row_bytes(r);
    st->rows--;
    free(r);
    for (uint32_t j = (i + 1) & mask;; j = (j + 1) & mask) {
        struct row *next = slot_row(&st->slots[j]);
        if (!next)
            break;
        uint32_t home = home_of(next->mixed, mask);
        if (((j - home) & mask) >= ((j - i) & mask)) { /* its home is at or before the gap */
            slot_set(&st->slots[i], next);
            i = j;
        }
    }
    slot_set(&st->slots[i], NULL);
}

static void insert(struct stripe *st, struct row *r)
{
    uint32_t mask = mask_of(st), i = home_of(r->mixed, mask);
    while (slot_row(&st->slots[i]))
        i = (i + 1) & mask;
    slot_set(&st->slots[i], r);
}

static void evict_one(struct stripe *st)
{
    for (;;) {
        uint32_t i = st->hand & mask_of(st);
        struct row *r = slot_row(&st->slots[i]);
        if (r && !r->used) {
            remove_at(st, i); /* the hand stays: another row may have moved here */
            return;
        }
        if (r)
            r->used = false;
        st->hand = i + 1;
    }
}

static bool grow(struct stripe *st, uint32_t slots_max)
{
    uint32_t n = mask_of(st) + 1;
    if (n >= slots_max || st->bytes + n * sizeof(struct slot) > st->budget)
        return false;
    struct row **rows = (struct row **)malloc(((size_t)st->rows + 1) * sizeof *rows);
    if (!rows)
        return false;
    uint32_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        struct row *r = slot_row(&st->slots[i]);
        if (r)
            rows[at++] = r;
        slot_set(&st->slots[i], NULL);
    }
    atomic_store_explicit(&st->mask, 2 * n - 1, memory_order_relaxed);
    st->bytes += n * sizeof(struct slot);
    for (uint32_t i = 0; i < at; i++)
        insert(st, rows[i]);
    free((void *)rows);
    return true;
}

/* Puts a row in, replacing the entity's old one. Without room it is simply not there afterwards. */
static void put(struct ldr_latest_table *t, struct stripe *st, uint64_t mixed, uint32_t view,
                struct ldr_slice key, const struct ldr_latest_row *row)
{
    uint32_t i = find(st, mixed, view, key);
    struct row *r = i == UINT32_MAX ? NULL : slot_row(&st->slots[i]);
    size_t need = sizeof *r + key.n + row->row.n;
    bool used = r && r->used;
    if (r && malloc_usable_size(r) >= need && malloc_usable_size(r) <= 2 * need + 64) {
        memcpy(r->bytes + key.n, row->row.p, row->row.n); /* the common case: same size as before */
    } else {
        if (r)
            remove_at(st, i);
        if (need + sizeof(size_t) > st->budget / 2)
            return;
        r = malloc(need);
        if (!r)
            return;
        while (st->rows > 0 && st->bytes + row_bytes(r) > st->budget)
            evict_one(st);
        while ((st->rows + 1) * 4 > (mask_of(st) + 1) * 3 && !grow(st, t->slots_max))
            evict_one(st);
        r->mixed = mixed;
        r->view = view;
        r->key_n = (uint16_t)key.n;
        r->used = used;
        memcpy(r->bytes, key.p, key.n);
        memcpy(r->bytes + key.n, row->row.p, row->row.n);
        insert(st, r);
        st->rows++;
        st->bytes += row_bytes(r);
    }
    r->event_us = row->event_us;
    r->created_us = row->created_us;
    r->stamped = row->stamped;
    r->row_n = (uint32_t)row->row.n;
}

int ldr_latest_get(struct ldr_latest_table *t, uint32_t view, uint64_t hash, struct ldr_slice key,
                   struct ldr_buf *scratch, struct ldr_latest_row *out, uint64_t *version)
{
    uint64_t mixed = mix(view, hash);
    struct stripe *st = stripe_of(t, mixed);
    pthread_mutex_lock(&st->mutex);
    uint32_t i = find(st, mixed, view, key);
    if (i == UINT32_MAX) {
        if (version) {
            st->misses++;
            *version = st->version;
        }
        pthread_mutex_unlock(&st->mutex);
        return 0;
    }
    struct row *r = slot_row(&st->slots[i]);
    if (version) {
        r->used = true;
        st->hits++;
    }
    out->event_us = r->event_us;
    out->created_us = r->created_us;
    out->stamped = r->stamped;
    int rc = ldr_buf_put(scratch, r->bytes + r->key_n, r->row_n);
    out->row.n = r->row_n;
    pthread_mutex_unlock(&st->mutex);
    out->row.p = rc ? NULL : scratch->p + scratch->n - out->row.n;
    return rc ? rc : 1;
}

void ldr_latest_prefetch(const struct ldr_latest_table *t, uint32_t view, uint64_t hash)
{
    uint64_t mixed = mix(view, hash);
    const struct stripe *st = stripe_of(t, mixed);
    __builtin_prefetch(&st->slots[home_of(mixed, mask_of(st))]);
}

void ldr_latest_prefetch_row(const struct ldr_latest_table *t, uint32_t view, uint64_t hash)
{
    uint64_t mixed = mix(view, hash);
    const struct stripe *st = stripe_of(t, mixed);
    const struct slot *s = &st->slots[home_of(mixed, mask_of(st))];
    const char *p = (const char *)slot_row(s); /* may be freed by now: prefetching it is harmless */
    if (p) {
        __builtin_prefetch(p);
        __builtin_prefetch(p + 64);
        __builtin_prefetch(p + 128);
        __builtin_prefetch(p + 192);
    }
}

void ldr_latest_fill(struct ldr_latest_table *t, uint32_t view, uint64_t hash, struct ldr_slice key,
                     const struct ldr_latest_row *row, uint64_t version)
{
    uint64_t mixed = mix(view, hash);
    struct stripe *st = stripe_of(t, mixed);
    pthread_mutex_lock(&st->mutex);
    if (st->version == version)
        put(t, st, mixed, view, key, row);
    pthread_mutex_unlock(&st->mutex);
}

void ldr_latest_publish(struct ldr_latest_table *t, uint32_t view, uint64_t hash, struct ldr_slice key,
                        const struct ldr_latest_row *row)
{
    uint64_t mixed = mix(view, hash);
    struct stripe *st = stripe_of(t, mixed);
    pthread_mutex_lock(&st->mutex);
    st->version++;
    put(t, st, mixed, view, key, row);
    pthread_mutex_unlock(&st->mutex);
}

void ldr_latest_forget(struct ldr_latest_table *t, uint32_t view, uint64_t hash, struct ldr_slice key)
{
    uint64_t mixed = mix(view, hash);
    struct stripe *st = stripe_of(t, mixed);
    pthread_mutex_lock(&st->mutex);
    st->version++;
    uint32_t i = find(st, mixed, view, key);
    if (i != UINT32_MAX)
        remove_at(st, i);
    pthread_mutex_unlock(&st->mutex);
}

void ldr_latest_forget_view(struct ldr_latest_table *t, uint32_t view)
{
    for (size_t k = 0; k < STRIPES; k++) {
        struct stripe *st = &t->stripes[k];
        pthread_mutex_lock(&st->mutex);
        st->version++;
        for (uint32_t i = 0; i <= mask_of(st);) {
            const struct row *r = slot_row(&st->slots[i]);
            if (r && r->view == view)
                remove_at(st, i); /* look at i again: another row may have moved here */
            else
                i++;
        }
        /* A shift across the end of the array can only bring rows from its front, which were looked at
         * already. */
        pthread_mutex_unlock(&st->mutex);
    }
}

void ldr_latest_stats(struct ldr_latest_table *t, struct ldr_latest_stats *out)
{
    memset(out, 0, sizeof *out);
    for (size_t k = 0; k < STRIPES; k++) {
        struct stripe *st = &t->stripes[k];
        pthread_mutex_lock(&st->mutex);
        out->rows += st->rows;
        out->bytes += st->bytes;
        out->hits += st->hits;
        out->misses += st->misses;
        pthread_mutex_unlock(&st->mutex);
    }
}
