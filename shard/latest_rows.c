#include "shard/latest_rows.h"

#include <stdlib.h>
#include <sys/mman.h>

#define SEGMENT_LEAST ((size_t)512)
#define SEGMENT_MOST  ((size_t)256 << 10)
_Static_assert(SEGMENT_MOST < 1 << 19 && SEGMENT_MOST / 8 < 1 << 16 && LDR_KEY_MAX < 1 << 15,
               "row_n, units and key_n hold whatever fits into a segment");
#define ROUNDS 4 /* segments looked through for rows that were not used, before one is emptied */

enum keep { KEEP_LIVE, KEEP_USED, KEEP_NONE };

static size_t segment_size(size_t log_bytes)
{
    size_t n = SEGMENT_LEAST;
    while (n < SEGMENT_MOST && n * 16 <= log_bytes)
        n *= 2;
    return n;
}

int ldr_rows_open(struct ldr_rows *rows, struct ldr_rows_log *const *logs, size_t logs_n, size_t log_bytes)
{
    *rows = (struct ldr_rows){.segment_n = segment_size(log_bytes)};
    size_t each = log_bytes / rows->segment_n;
    const size_t most = ((size_t)8 << LDR_PLACE_BITS) / SEGMENT_MOST;
    if (each > most / logs_n)
        each = most / logs_n;
    rows->segments = (uint32_t)(each * logs_n);
    for (size_t i = 0; i < logs_n; i++) {
        *logs[i] = (struct ldr_rows_log){.max = (uint32_t)each};
        logs[i]->segments = calloc(each + 1, sizeof *logs[i]->segments);
        if (!logs[i]->segments) {
            ldr_rows_close(rows, logs, i);
            return LDR_E_NOMEM;
        }
    }
    if (each == 0)
        return 0;
    rows->index_of = calloc(rows->segments, sizeof *rows->index_of);
    if (!rows->index_of) {
        ldr_rows_close(rows, logs, logs_n);
        return LDR_E_NOMEM;
    }
    rows->map_n = rows->segments * rows->segment_n;
    void *map =
        mmap(NULL, rows->map_n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) {
        rows->map_n = 0;
        ldr_rows_close(rows, logs, logs_n);
        return LDR_E_NOMEM;
    }
    rows->map = map;
    /* Large pages save most of the misses of the address cache. Not for every log's first segment: a small
     * store would take 2 MiB where it needs 4 KiB. It is a hint; the kernel may say no. */
    size_t small = logs_n * rows->segment_n;
    if (rows->map_n > small)
        (void)madvise(rows->map + small, rows->map_n - small, MADV_HUGEPAGE);
    return 0;
}

void ldr_rows_close(struct ldr_rows *rows, struct ldr_rows_log *const *logs, size_t logs_n)
{
    for (size_t i = 0; i < logs_n; i++)
        free(logs[i]->segments);
    free(rows->index_of);
    if (rows->map_n)
        munmap(rows->map, rows->map_n);
}

static char *segment_at(const struct ldr_rows *rows, const struct ldr_rows_segment *s)
{
    return rows->map + s->number * rows->segment_n;
}
static uint64_t place_of(const struct ldr_rows *rows, const void *at)
{
    return (uint64_t)((const char *)at - rows->map) / 8 + 1;
}

/* Moves the rows that stay to the segment's front. */
static void clean(struct ldr_rows *rows, struct ldr_rows_segment *s, enum keep keep,
                  const struct ldr_rows_owner *owner)
{
    char *base = segment_at(rows, s);
    uint32_t to = 0;
    for (uint32_t at = 0, extent; at < s->used; at += extent) {
        struct ldr_placed *row = (struct ldr_placed *)(base + at);
        extent = (uint32_t)ldr_placed_extent(row);
        LDR_ASSERT(extent >= LDR_PLACED_HEAD && extent <= s->used - at);
        if (row->dead)
            continue;
        if (keep == KEEP_NONE || (keep == KEEP_USED && !row->used)) {
            owner->evicted(owner->ctx, row, place_of(rows, row));
            continue;
        }
        if (keep == KEEP_USED)
            row->used = false;
        if (to != at) {
            memmove(base + to, row, extent);
            owner->moved(owner->ctx, (struct ldr_placed *)(base + to), place_of(rows, base + at),
                         place_of(rows, base + to));
        }
        to += extent;
    }
    s->used = s->live = to;
}

static uint32_t emptiest(const struct ldr_rows_log *log)
{
    uint32_t best = 0;
    for (uint32_t i = 1; i < log->n; i++)
        if (log->segments[i].live < log->segments[best].live)
            best = i;
    return best;
}
static bool half_dead(const struct ldr_rows_log *log)
{
    uint64_t used = 0, live = 0;
    for (uint32_t i = 0; i < log->n; i++) {
        used += log->segments[i].used;
        live += log->segments[i].live;
    }
    return log->n >= 4 && live < used / 2;
}

/* Frees at least want bytes (at most a segment) in the segment it returns. */
static uint32_t evict(struct ldr_rows *rows, struct ldr_rows_log *log, size_t want,
                      const struct ldr_rows_owner *owner)
{
    for (uint32_t round = 0;; round++) {
        uint32_t i = log->hand % log->n;
        log->hand = i + 1;
        struct ldr_rows_segment *s = &log->segments[i];
        clean(rows, s, round < ROUNDS ? KEEP_USED : KEEP_NONE, owner);
        if (rows->segment_n - s->used >= want)
            return i;
    }
}

static uint32_t open_another(struct ldr_rows *rows, struct ldr_rows_log *log, size_t need,
                             const struct ldr_rows_owner *owner)
{
    const size_t slack = rows->segment_n / 8, want = need > slack ? need : slack;
    uint32_t best = log->n ? emptiest(log) : 0;
    bool pays = log->n && rows->segment_n - log->segments[best].live >= want;
    if (log->n < log->max && !(pays && half_dead(log))) {
        log->segments[log->n] = (struct ldr_rows_segment){
            .number = atomic_fetch_add_explicit(&rows->given, 1, memory_order_relaxed)};
        LDR_ASSERT(log->segments[log->n].number < rows->segments);
        rows->index_of[log->segments[log->n].number] = log->n;
        return log->n++;
    }
    if (!pays)
        return evict(rows, log, want, owner);
    clean(rows, &log->segments[best], KEEP_LIVE, owner);
    return best;
}

uint64_t ldr_rows_take(struct ldr_rows *rows, struct ldr_rows_log *log, size_t bytes,
                       const struct ldr_rows_owner *owner)
{
    if (bytes > rows->segment_n || log->max == 0)
        return 0;
    size_t need = (bytes + 7) & ~(size_t)7;
    if (log->n == 0 || rows->segment_n - log->segments[log->open].used < need)
        log->open = open_another(rows, log, need, owner);
    struct ldr_rows_segment *s = &log->segments[log->open];
    struct ldr_placed *row = (struct ldr_placed *)(segment_at(rows, s) + s->used);
    row->units = need / 8;
    row->dead = false;
    s->used += (uint32_t)need;
    s->live += (uint32_t)need;
    if (s->used > s->touched)
        s->touched = s->used;
    return place_of(rows, row);
}

void ldr_rows_drop(struct ldr_rows *rows, struct ldr_rows_log *log, uint64_t place)
{
    struct ldr_placed *row = ldr_rows_at(rows, place);
    uint32_t i = rows->index_of[(place - 1) * 8 / rows->segment_n];
    uint32_t extent = (uint32_t)ldr_placed_extent(row);
    LDR_ASSERT(i < log->n && !row->dead && log->segments[i].live >= extent);
    row->dead = true;
    log->segments[i].live -= extent;
}

void ldr_rows_evict(struct ldr_rows *rows, struct ldr_rows_log *log, const struct ldr_rows_owner *owner)
{
    if (log->n)
        evict(rows, log, rows->segment_n / 8, owner);
}

size_t ldr_rows_bytes(const struct ldr_rows_log *log)
{
    size_t n = 0;
    for (uint32_t i = 0; i < log->n; i++)
        n += log->segments[i].touched;
    return n;
}
