/* Open addressing with linear probing and backward-shift deletion, one table a stripe. A slot is one word:
 * some bits of the hash and the place of the row, so that a probe reads a row only where it most likely finds
 * it. The slots of all stripes lie in one reserved mapping that never moves, so that prefetching may look at
 * them without a lock; a stripe uses the front of its part and takes a quarter more by need: a table that
 * doubles would spend as much as a key on each row. Where rows lie and who leaves is the matter of
 * latest_rows.h. */
#include "shard/latest_table.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "shard/latest_rows.h"

#define STRIPES      128
#define SLOTS_FIRST  16
#define PROBES_AHEAD 8 /* slots that a prefetch looks at */

struct stripe {
    pthread_mutex_t mutex;
    _Atomic uint64_t *slots; /* 0 = free */
    _Atomic uint32_t n;      /* slots in use */
    uint32_t rows;
    uint64_t hits; /* the last of what a read that finds its row touches: 64 bytes so far */
    struct ldr_rows_log log;
    uint64_t version; /* rises with everything a writer does here */
    uint64_t misses;
} __attribute__((aligned(64)));

struct ldr_latest_table {
    struct stripe stripes[STRIPES];
    struct ldr_rows rows;
    void *map;
    size_t map_n;
    uint32_t slots_max; /* a stripe */
};

/* The hash, mixed: 7 bits of stripe, then 29 bits of tag; a row likes best the slot that lies as far into the
 * table as its tag lies into all tags. */
#define TAG_BITS (64 - LDR_PLACE_BITS)
static inline uint64_t mix(uint32_t view, uint64_t hash)
{
    return (hash ^ view * UINT64_C(0x9E3779B97F4A7C15)) * UINT64_C(0xD6E8FEB86659FD93);
}
static inline struct stripe *stripe_of(const struct ldr_latest_table *t, uint64_t mixed)
{
    return (struct stripe *)&t->stripes[mixed >> 57];
}
_Static_assert(STRIPES == 1 << (64 - 57), "the stripe is the top bits of the mixed hash");
static inline uint32_t tag_of(uint64_t mixed)
{
    return (uint32_t)(mixed >> (57 - TAG_BITS)) & ((1u << TAG_BITS) - 1);
}
static inline uint64_t slot_of(uint32_t tag, uint64_t place)
{
    return (uint64_t)tag << LDR_PLACE_BITS | place;
}
static inline uint32_t slot_tag(uint64_t slot)
{
    return (uint32_t)(slot >> LDR_PLACE_BITS);
}
static inline uint64_t slot_place(uint64_t slot)
{
    return slot & ((UINT64_C(1) << LDR_PLACE_BITS) - 1);
}
static inline uint64_t slot_at(const struct stripe *st, uint32_t i)
{
    return atomic_load_explicit(&st->slots[i], memory_order_relaxed);
}
static inline void slot_set(struct stripe *st, uint32_t i, uint64_t slot)
{
    atomic_store_explicit(&st->slots[i], slot, memory_order_relaxed);
}
static inline uint32_t slots_of(const struct stripe *st)
{
    return atomic_load_explicit(&st->n, memory_order_relaxed);
}
static inline uint32_t home_of(uint32_t tag, uint32_t n)
{
    return (uint32_t)((uint64_t)tag * n >> TAG_BITS);
}
static inline uint32_t after(uint32_t i, uint32_t n)
{
    return i + 1 == n ? 0 : i + 1;
}
/* How far it is from slot a on to slot b. */
static inline uint32_t distance(uint32_t a, uint32_t b, uint32_t n)
{
    return b >= a ? b - a : b + n - a;
}

int ldr_latest_create(size_t budget_bytes, struct ldr_latest_table **out)
{
    void *mem;
    if (posix_memalign(&mem, 64, sizeof(struct ldr_latest_table)) != 0)
        return LDR_E_NOMEM;
    struct ldr_latest_table *t = memset(mem, 0, sizeof *t);
    size_t budget = budget_bytes / STRIPES;
    /* an eighth of the budget: the rest is full first unless rows are tiny */
    size_t slots = budget / 8 / sizeof(uint64_t);
    t->slots_max = slots < SLOTS_FIRST      ? SLOTS_FIRST
                   : slots > 1u << TAG_BITS ? 1u << TAG_BITS
                                            : (uint32_t)slots;
    size_t slots_n = t->slots_max * sizeof(uint64_t);
    struct ldr_rows_log *logs[STRIPES];
    for (size_t i = 0; i < STRIPES; i++)
        logs[i] = &t->stripes[i].log;
    if (ldr_rows_open(&t->rows, logs, STRIPES, budget > slots_n ? budget - slots_n : 0)) {
        free(t);
        return LDR_E_NOMEM;
    }
    t->map_n = STRIPES * slots_n;
    t->map = mmap(NULL, t->map_n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (t->map == MAP_FAILED) {
        ldr_rows_close(&t->rows, logs, STRIPES);
        free(t);
        return LDR_E_NOMEM;
    }
    for (size_t i = 0; i < STRIPES; i++) {
        struct stripe *st = &t->stripes[i];
        pthread_mutex_init(&st->mutex, NULL);
        st->slots = (_Atomic uint64_t *)t->map + i * t->slots_max;
        atomic_init(&st->n, SLOTS_FIRST);
    }
    *out = t;
    return 0;
}

void ldr_latest_destroy(struct ldr_latest_table *t)
{
    if (!t)
        return;
    struct ldr_rows_log *logs[STRIPES];
    for (size_t i = 0; i < STRIPES; i++) {
        logs[i] = &t->stripes[i].log;
        pthread_mutex_destroy(&t->stripes[i].mutex);
    }
    ldr_rows_close(&t->rows, logs, STRIPES);
    munmap(t->map, t->map_n);
    free(t);
}

/* Slot of the entity, or UINT32_MAX. */
static uint32_t find(const struct ldr_latest_table *t, const struct stripe *st, uint64_t mixed, uint32_t view,
                     struct ldr_slice key)
{
    uint32_t n = slots_of(st), tag = tag_of(mixed);
    for (uint32_t i = home_of(tag, n);; i = after(i, n)) {
        uint64_t slot = slot_at(st, i);
        if (!slot)
            return UINT32_MAX;
        if (slot_tag(slot) != tag)
            continue;
        const struct ldr_placed *r = ldr_rows_at(&t->rows, slot_place(slot));
        if (r->view == view && r->key_n == key.n && memcmp(r->bytes, key.p, key.n) == 0)
            return i;
    }
}

/* Frees slot i and closes the gap, so that every probe still meets no free slot before its row. */
static void unlink_at(struct stripe *st, uint32_t i)
{
    uint32_t n = slots_of(st);
    st->rows--;
    for (uint32_t j = after(i, n);; j = after(j, n)) {
        uint64_t next = slot_at(st, j);
        if (!next)
            break;
        uint32_t home = home_of(slot_tag(next), n);
        if (distance(home, j, n) >= distance(i, j, n)) { /* its home is at or before the gap */
            slot_set(st, i, next);
            i = j;
        }
    }
    slot_set(st, i, 0);
}

static void remove_at(struct ldr_latest_table *t, struct stripe *st, uint32_t i)
{
    ldr_rows_drop(&t->rows, &st->log, slot_place(slot_at(st, i)));
    unlink_at(st, i);
}

static void insert(struct stripe *st, uint64_t slot)
{
    uint32_t n = slots_of(st), i = home_of(slot_tag(slot), n);
    while (slot_at(st, i))
        i = after(i, n);
    slot_set(st, i, slot);
}

/* The slot of a row: its tag is not kept, because it is found again only when the row moves or leaves. */
static uint32_t slot_with(const struct stripe *st, const struct ldr_placed *row, uint64_t place,
                          uint64_t *slot)
{
    uint32_t n = slots_of(st), tag = tag_of(mix(row->view, ldr_key_hash(ldr_slice(row->bytes, row->key_n))));
    uint32_t i = home_of(tag, n);
    *slot = slot_of(tag, place);
    for (uint64_t s; (s = slot_at(st, i)) != *slot; i = after(i, n))
        LDR_ASSERT(s != 0);
    return i;
}
static void row_moved(void *ctx, struct ldr_placed *row, uint64_t from, uint64_t to)
{
    struct stripe *st = ctx;
    uint64_t slot;
    uint32_t i = slot_with(st, row, from, &slot);
    slot_set(st, i, slot_of(slot_tag(slot), to));
}
static void row_evicted(void *ctx, struct ldr_placed *row, uint64_t place)
{
    struct stripe *st = ctx;
    uint64_t slot;
    unlink_at(st, slot_with(st, row, place, &slot));
}

static bool grow(struct stripe *st, uint32_t slots_max)
{
    uint32_t n = slots_of(st), more = n + n / 4;
    if (n >= slots_max)
        return false;
    uint64_t *old = malloc(((size_t)st->rows + 1) * sizeof *old);
    if (!old)
        return false;
    uint32_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t slot = slot_at(st, i);
        if (slot)
            old[at++] = slot;
        slot_set(st, i, 0);
    }
    LDR_ASSERT(at == st->rows);
    atomic_store_explicit(&st->n, more < slots_max ? more : slots_max, memory_order_relaxed);
    for (uint32_t i = 0; i < at; i++)
        insert(st, old[i]);
    free(old);
    return true;
}

/* A place for a new row of the stripe, and a free slot for it; 0 = it is not kept. */
static uint64_t room_for(struct ldr_latest_table *t, struct stripe *st, size_t bytes)
{
    const struct ldr_rows_owner owner = {st, row_moved, row_evicted};
    while ((uint64_t)(st->rows + 1) * 6 > (uint64_t)slots_of(st) * 5 && !grow(st, t->slots_max))
        ldr_rows_evict(&t->rows, &st->log, &owner);
    return ldr_rows_take(&t->rows, &st->log, bytes, &owner);
}

/* Puts a row in, replacing the entity's old one. Without room it is simply not there afterwards. */
static void put(struct ldr_latest_table *t, struct stripe *st, uint64_t mixed, uint32_t view,
                struct ldr_slice key, const struct ldr_latest_row *row)
{
    uint32_t i = find(t, st, mixed, view, key);
    struct ldr_placed *r = i == UINT32_MAX ? NULL : ldr_rows_at(&t->rows, slot_place(slot_at(st, i)));
    size_t need = LDR_PLACED_HEAD + key.n + row->row.n;
    size_t extent = r ? ldr_placed_extent(r) : 0;
    if (!r || extent < need || extent > 2 * need + 64) { /* else the common case: same size as before */
        bool used = r && r->used;
        if (r)
            remove_at(t, st, i);
        uint64_t place = room_for(t, st, need);
        if (!place)
            return;
        r = ldr_rows_at(&t->rows, place);
        r->view = view;
        r->key_n = key.n;
        r->used = used;
        memcpy(r->bytes, key.p, key.n);
        insert(st, slot_of(tag_of(mixed), place));
        st->rows++;
    }
    memcpy(r->bytes + key.n, row->row.p, row->row.n);
    r->event_us = row->event_us;
    r->created_us = row->created_us;
    r->stamped = row->stamped;
    r->row_n = row->row.n;
}

int ldr_latest_get(struct ldr_latest_table *t, uint32_t view, uint64_t hash, struct ldr_slice key,
                   struct ldr_buf *scratch, struct ldr_latest_row *out, uint64_t *version)
{
    uint64_t mixed = mix(view, hash);
    struct stripe *st = stripe_of(t, mixed);
    pthread_mutex_lock(&st->mutex);
    uint32_t i = find(t, st, mixed, view, key);
    if (i == UINT32_MAX) {
        if (version) {
            st->misses++;
            *version = st->version;
        }
        pthread_mutex_unlock(&st->mutex);
        return 0;
    }
    struct ldr_placed *r = ldr_rows_at(&t->rows, slot_place(slot_at(st, i)));
    if (version) {
        if (!r->used) /* a line that nothing is written to need not be written back */
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

bool ldr_latest_has(struct ldr_latest_table *t, uint32_t view, uint64_t hash, struct ldr_slice key,
                    uint64_t *version)
{
    uint64_t mixed = mix(view, hash);
    struct stripe *st = stripe_of(t, mixed);
    pthread_mutex_lock(&st->mutex);
    bool has = find(t, st, mixed, view, key) != UINT32_MAX;
    *version = st->version;
    pthread_mutex_unlock(&st->mutex);
    return has;
}

void ldr_latest_prefetch(const struct ldr_latest_table *t, uint32_t view, uint64_t hash)
{
    uint64_t mixed = mix(view, hash);
    const struct stripe *st = stripe_of(t, mixed);
    __builtin_prefetch((const void *)&st->slots[home_of(tag_of(mixed), slots_of(st))]);
}

void ldr_latest_prefetch_row(const struct ldr_latest_table *t, uint32_t view, uint64_t hash)
{
    uint64_t mixed = mix(view, hash);
    const struct stripe *st = stripe_of(t, mixed);
    uint32_t n = slots_of(st), tag = tag_of(mixed);
    for (uint32_t i = home_of(tag, n), k = 0; k < PROBES_AHEAD; i = after(i, n), k++) {
        uint64_t slot = slot_at(st, i);
        if (!slot)
            return;
        if (slot_tag(slot) != tag)
            continue;
        /* The row may be another by now: fetching it is harmless, the mapping stays. */
        const char *p = (const char *)ldr_rows_at(&t->rows, slot_place(slot));
        __builtin_prefetch(p);
        __builtin_prefetch(p + 64);
        __builtin_prefetch(p + 128);
        __builtin_prefetch(p + 192);
        __builtin_prefetch(p + 248); /* a row of four lines mostly lies across five */
        return;
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
    uint32_t i = find(t, st, mixed, view, key);
    if (i != UINT32_MAX)
        remove_at(t, st, i);
    pthread_mutex_unlock(&st->mutex);
}

void ldr_latest_forget_view(struct ldr_latest_table *t, uint32_t view)
{
    for (size_t k = 0; k < STRIPES; k++) {
        struct stripe *st = &t->stripes[k];
        pthread_mutex_lock(&st->mutex);
        st->version++;
        for (uint32_t i = 0; i < slots_of(st);) {
            uint64_t slot = slot_at(st, i);
            if (slot && ldr_rows_at(&t->rows, slot_place(slot))->view == view)
                remove_at(t, st, i); /* look at i again: another row may have moved here */
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
        out->bytes += slots_of(st) * sizeof(uint64_t) + ldr_rows_bytes(&st->log);
        out->hits += st->hits;
        out->misses += st->misses;
        pthread_mutex_unlock(&st->mutex);
    }
}
