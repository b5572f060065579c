#include "integration/soak/work.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVENT_US(number) (INT64_C(1700000000000000) + (int64_t)(number) * 1000000)

static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}
static int64_t value_of(uint32_t entity, uint32_t number)
{
    return (int64_t)(mix((uint64_t)entity << 32 | number) >> 1);
}

__attribute__((format(printf, 2, 3))) static void fail(struct work *w, const char *format, ...)
{
    va_list ap;
    pthread_mutex_lock(&w->failure_mutex);
    if (!w->failure[0]) {
        va_start(ap, format);
        vsnprintf(w->failure, sizeof w->failure, format, ap);
        va_end(ap);
        printf("# VIOLATION: %s\n", w->failure);
        fflush(stdout);
    }
    pthread_mutex_unlock(&w->failure_mutex);
}
bool work_failed(struct work *w)
{
    pthread_mutex_lock(&w->failure_mutex);
    bool failed = w->failure[0] != 0;
    pthread_mutex_unlock(&w->failure_mutex);
    return failed;
}

static void *grown(void *p, size_t n)
{
    p = realloc(p, n);
    if (!p) {
        fprintf(stderr, "soak: out of memory\n");
        abort();
    }
    return p;
}

static void rest(struct work *w)
{
    if (!atomic_load(&w->pause))
        return;
    atomic_fetch_add(&w->resting, 1);
    while (atomic_load(&w->pause) && !atomic_load(&w->stop))
        lab_nap_ms(5);
    atomic_fetch_sub(&w->resting, 1);
}

static void raise_to(_Atomic uint64_t *at, uint64_t v)
{
    uint64_t old = atomic_load(at);
    while (old < v && !atomic_compare_exchange_weak(at, &old, v))
        ;
}

/* Every request comes here when it has ended, however. */
static void ended(struct work *w, const char *what, int rc, const struct ldr_err *err, uint64_t began)
{
    enum { TOLD_MAX = 10 };
    uint64_t took = lab_now_us() - began;
    raise_to(&w->count.slow_us, took);
    uint64_t now = lab_now_us(), told_us = atomic_load(&w->told_us);
    bool again = rc && now - told_us > 1000000 && atomic_compare_exchange_strong(&w->told_us, &told_us, now);
    if (rc && (atomic_fetch_add(&w->told, 1) < TOLD_MAX || again)) { /* and one a second */
        printf("# %s %s after %.1f ms: %s\n", what, err->in_doubt ? "in doubt" : "failed", (double)took / 1e3,
               err->message);
        fflush(stdout);
    }
}

/* ---- Writing ---- */
enum { BATCH_MAX = 16 };

static uint32_t next_number(struct work_entity *e)
{
    pthread_mutex_lock(&e->mutex);
    uint32_t n = ++e->sent;
    if (n >= e->room) {
        e->room = e->room ? e->room * 2 : 256;
        e->outcome = grown(e->outcome, e->room);
    }
    e->outcome[n] = WORK_OPEN;
    pthread_mutex_unlock(&e->mutex);
    return n;
}

static void settle(struct work_entity *e, uint32_t number, enum work_outcome outcome)
{
    pthread_mutex_lock(&e->mutex);
    e->outcome[number] = (uint8_t)outcome;
    if (outcome == WORK_ACKED) {
        if (e->nacks == e->acks_room) {
            e->acks_room = e->acks_room ? e->acks_room * 2 : 256;
            e->acks = grown(e->acks, e->acks_room * sizeof *e->acks);
        }
        e->acks[e->nacks++] = (struct work_ack){lab_now_us(), number};
    }
    pthread_mutex_unlock(&e->mutex);
}

static void write_some(struct work *w, uint32_t first, uint64_t draw)
{
    static const char *const names[] = {"id", "number", "value"};
    struct ldr_datum cell[BATCH_MAX * 3];
    int64_t event[BATCH_MAX];
    uint32_t id[BATCH_MAX], number[BATCH_MAX];
    size_t n = 1 + draw % BATCH_MAX;
    struct ldr_err err = {0};
    for (size_t i = 0; i < n; i++) { /* each entity once: numbers of one are acknowledged in turn */
        id[i] = first + (uint32_t)((draw >> 8) + i) % (WORK_ENTITIES / WORK_WRITERS) * WORK_WRITERS;
        number[i] = next_number(&w->entity[id[i]]);
        event[i] = EVENT_US(number[i]);
        cell[3 * i] = (struct ldr_datum){.type = LDR_INT64, .v.i = id[i]};
        cell[3 * i + 1] = (struct ldr_datum){.type = LDR_INT64, .v.i = number[i]};
        cell[3 * i + 2] = (struct ldr_datum){.type = LDR_INT64, .v.i = value_of(id[i], number[i])};
    }
    uint64_t began = lab_now_us();
    int rc = ldr_write(w->store, "v", names, 3, cell, n, event, NULL, NULL, &err);
    ended(w, "a write", rc, &err, began);
    enum work_outcome o = rc == 0 ? WORK_ACKED : err.in_doubt ? WORK_IN_DOUBT : WORK_REFUSED;
    for (size_t i = 0; i < n; i++)
        settle(&w->entity[id[i]], number[i], o);
    if (o == WORK_ACKED) {
        uint64_t now = lab_now_us(), last = atomic_exchange(&w->last_ack_us, now);
        if (last && now > last)
            raise_to(&w->count.write_gap_us, now - last);
        raise_to(&w->count.write_slow_us, now - began);
        atomic_fetch_add(&w->count.facts_acked, n);
    }
    atomic_fetch_add(o == WORK_ACKED      ? &w->count.writes_ok
                     : o == WORK_IN_DOUBT ? &w->count.writes_in_doubt
                                          : &w->count.writes_refused,
                     1);
}

static void erase_one(struct work *w, uint32_t id)
{
    static const char *const names[] = {"id"};
    struct work_entity *e = &w->entity[id];
    struct ldr_datum key = {.type = LDR_INT64, .v.i = id};
    struct ldr_err err = {0};
    uint64_t removed;
    pthread_mutex_lock(&e->mutex);
    uint32_t upto = e->sent;
    e->maybe_erased = upto;
    pthread_mutex_unlock(&e->mutex);
    uint64_t began = lab_now_us();
    int rc = ldr_erase(w->store, NULL, names, &key, 1, &removed, &err);
    ended(w, "an erasure", rc, &err, began);
    if (rc == 0) {
        pthread_mutex_lock(&e->mutex);
        e->erased = (struct work_ack){lab_now_us(), upto};
        pthread_mutex_unlock(&e->mutex);
    }
    atomic_fetch_add(rc == 0        ? &w->count.erased
                     : err.in_doubt ? &w->count.erases_in_doubt
                                    : &w->count.erases_refused,
                     1);
}

struct work_thread {
    struct work *w;
    unsigned index;
};

static void *writer(void *arg)
{
    struct work_thread t = *(struct work_thread *)arg;
    struct work *w = t.w;
    free(arg);
    for (uint64_t draw = mix(w->seed + t.index); !atomic_load(&w->stop); draw = mix(draw)) {
        rest(w);
        if (atomic_load(&w->stop))
            break;
        uint64_t began = lab_now_us();
        if ((draw >> 48 & 127) || w->no_erasing)
            write_some(w, t.index, draw);
        else
            erase_one(w, t.index + (uint32_t)(draw >> 8) % (WORK_ENTITIES / WORK_WRITERS) * WORK_WRITERS);
        uint64_t took = lab_now_us() - began;
        uint64_t share = UINT64_C(1000000) * (BATCH_MAX / 2) * WORK_WRITERS / atomic_load(&w->facts_s);
        if (took < share)
            lab_nap_ms((long)((share - took) / 1000));
    }
    return NULL;
}

/* ---- Reading ---- */
static void judge(struct work *w, uint32_t id, const struct ldr_datum *cell, uint64_t began, bool strict)
{
    struct work_entity *e = &w->entity[id];
    bool found = cell[0].status == LDR_PRESENT;
    int64_t got = found ? cell[0].v.i : 0;
    uint64_t until = strict ? began : began - WORK_LAG_US;
    pthread_mutex_lock(&e->mutex);
    uint32_t floor = 0;
    for (uint32_t i = e->nacks; i-- > 0 && !floor;)
        if (e->acks[i].at_us <= until)
            floor = e->acks[i].number;
    if (floor <= e->maybe_erased)
        floor = 0;
    uint32_t gone = e->erased.at_us && e->erased.at_us <= until ? e->erased.number : 0;
    bool sent = got >= 0 && got <= e->sent;
    enum work_outcome o = found && sent ? (enum work_outcome)e->outcome[got] : WORK_OPEN;
    pthread_mutex_unlock(&e->mutex);
    const char *how = strict ? "a strict read" : "a read";
    if (found &&
        (!sent || got == 0 || cell[1].status != LDR_PRESENT || cell[1].v.i != value_of(id, (uint32_t)got)))
        fail(w, "%s of entity %u found what nobody sent (number %" PRId64 ")", how, id, got);
    else if (found && o == WORK_REFUSED)
        fail(w, "%s of entity %u found number %" PRId64 ", which was refused", how, id, got);
    else if (found && got <= gone)
        fail(w, "%s of entity %u found number %" PRId64 ", erased with all up to %u", how, id, got, gone);
    else if (got < floor)
        fail(w, "%s of entity %u found number %" PRId64 "; %u had been acknowledged", how, id, got, floor);
}

static void *reader(void *arg)
{
    struct work_thread t = *(struct work_thread *)arg;
    struct work *w = t.w;
    struct ldr_rows *rows;
    enum { KEYS = 8 };
    free(arg);
    if (ldr_rows_create(&rows)) {
        fail(w, "out of memory");
        return NULL;
    }
    for (uint64_t draw = mix(w->seed * 31 + t.index); !atomic_load(&w->stop); draw = mix(draw)) {
        struct ldr_datum key[KEYS];
        struct ldr_err err = {0};
        rest(w);
        if (atomic_load(&w->stop))
            break;
        size_t n = draw >> 60 ? 1 : KEYS;
        bool strict = (draw >> 50 & 7) == 0;
        struct ldr_online_opts o = {.fresh = strict ? LDR_FRESH_STRICT : LDR_FRESH_BOUNDED};
        for (size_t i = 0; i < n; i++)
            key[i] =
                (struct ldr_datum){.type = LDR_INT64, .v.i = (int64_t)((draw >> 8) + i * 7) % WORK_ENTITIES};
        uint64_t began = lab_now_us();
        int rc = ldr_online_get(w->query, key, n, &o, rows, &err);
        ended(w, strict ? "a strict read" : "a read", rc, &err, began);
        if (rc) {
            atomic_fetch_add(&w->count.reads_failed, 1);
        } else {
            pthread_mutex_lock(&w->times_mutex);
            ldr_hist_add(&w->reads, (lab_now_us() - began) * 1000);
            pthread_mutex_unlock(&w->times_mutex);
            for (size_t i = 0; i < n; i++)
                judge(w, (uint32_t)key[i].v.i, ldr_rows_row(rows, i), began, strict);
            atomic_fetch_add(strict ? &w->count.strict_ok : &w->count.reads_ok, 1);
        }
        lab_nap_ms(1);
    }
    ldr_rows_destroy(rows);
    return NULL;
}

/* ---- All of it ---- */
static void must(int rc, const struct ldr_err *err, const char *what)
{
    if (rc) {
        printf("not ok soak: %s: %s\n", what, err->message);
        exit(1);
    }
}

void work_begin(struct work *w, const char *url, const char *dir, uint64_t seed)
{
    struct ldr_err err = {0};
    char path[512];
    memset(w, 0, sizeof *w);
    w->seed = seed;
    atomic_store(&w->facts_s, 4000);
    pthread_mutex_init(&w->failure_mutex, NULL);
    pthread_mutex_init(&w->times_mutex, NULL);
    ldr_hist_init(&w->reads);
    for (int i = 0; i < WORK_ENTITIES; i++)
        pthread_mutex_init(&w->entity[i].mutex, NULL);
    snprintf(path, sizeof path, "%s/defs.yaml", dir);
    FILE *f = fopen(path, "w");
    if (!f ||
        fputs("entities: [{name: user, join_keys: [{name: id, type: int64}]}]\n"
              "feature_views:\n  - name: v\n    entity: user\n"
              "    features: [{name: number, type: int64}, {name: value, type: int64}]\n",
              f) < 0 ||
        fclose(f) != 0)
        must(LDR_E_IO, &err, path);
    must(ldr_open(url, NULL, &w->store, &err), &err, "opening");
    must(ldr_apply(w->store, dir, UINT64_MAX, NULL, NULL, NULL, NULL, &err), &err, "applying definitions");
    const char *features[] = {"v"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 1};
    must(ldr_query_create(w->store, &spec, &w->query, &err), &err, "the query");
    for (unsigned i = 0; i < WORK_WRITERS + WORK_READERS; i++) {
        struct work_thread *t = grown(NULL, sizeof *t);
        *t = (struct work_thread){w, i < WORK_WRITERS ? i : i - WORK_WRITERS};
        if (pthread_create(&w->thread[i], NULL, i < WORK_WRITERS ? writer : reader, t))
            must(LDR_E_NOMEM, &err, "threads");
    }
}

void work_pause(struct work *w, bool on)
{
    atomic_store(&w->pause, on);
    while (on && atomic_load(&w->resting) < WORK_WRITERS + WORK_READERS)
        lab_nap_ms(5);
    atomic_store(&w->last_ack_us, 0); /* the pause is no gap */
}
void work_reset_times(struct work *w)
{
    atomic_store(&w->count.write_gap_us, 0);
    atomic_store(&w->count.write_slow_us, 0);
    atomic_store(&w->count.slow_us, 0);
    atomic_store(&w->told, 0);
    pthread_mutex_lock(&w->times_mutex);
    ldr_hist_init(&w->reads);
    pthread_mutex_unlock(&w->times_mutex);
}
double work_read_ms(struct work *w, double quantile)
{
    pthread_mutex_lock(&w->times_mutex);
    uint64_t ns = ldr_hist_quantile(&w->reads, quantile);
    pthread_mutex_unlock(&w->times_mutex);
    return (double)ns / 1e6;
}

void work_end(struct work *w)
{
    atomic_store(&w->stop, true);
    for (unsigned i = 0; i < WORK_WRITERS + WORK_READERS; i++)
        pthread_join(w->thread[i], NULL);
    ldr_query_destroy(w->query);
    ldr_close(w->store);
    for (int i = 0; i < WORK_ENTITIES; i++) {
        free(w->entity[i].outcome);
        free(w->entity[i].acks);
    }
}

static void prove_line(struct work *w, uint8_t **present, const char *line)
{
    unsigned id, number;
    int64_t value;
    const char *tail = strchr(line, ',');
    if (sscanf(line, "%u,", &id) != 1 || id >= WORK_ENTITIES || !tail) {
        fail(w, "the scan has a line that is not understood: %.100s", line);
        return;
    }
    struct work_entity *e = &w->entity[id];
    /* id, two times, number, value */
    for (int i = 0; i < 2 && tail; i++)
        tail = strchr(tail + 1, ',');
    if (!tail || sscanf(tail, ",%u,%" SCNd64, &number, &value) != 2) {
        fail(w, "the scan has a line that is not understood: %.100s", line);
        return;
    }
    if (number == 0 || number > e->sent || value != value_of(id, number))
        fail(w, "entity %u: the store holds what nobody sent (number %u)", id, number);
    else if (e->outcome[number] == WORK_REFUSED)
        fail(w, "entity %u: the store holds number %u, which was refused", id, number);
    else if (number <= e->erased.number)
        fail(w, "entity %u: the store holds number %u, erased with all up to %u", id, number,
             e->erased.number);
    else
        present[id][number] = 1;
}

bool work_prove(struct work *w, const char *path)
{
    struct ldr_err err = {0};
    struct ldr_scan scan = {.view = "v", .output_path = path};
    uint8_t *present[WORK_ENTITIES];
    char line[512];
    uint64_t rows = 0;
    int rc = ldr_scan_to_file(w->store, &scan, NULL, &rows, &err);
    if (rc) {
        fail(w, "scanning everything: %s", err.message);
        return false;
    }
    for (unsigned i = 0; i < WORK_ENTITIES; i++) {
        present[i] = grown(NULL, w->entity[i].sent + 1);
        memset(present[i], 0, w->entity[i].sent + 1);
    }
    FILE *f = fopen(path, "r");
    bool head = true;
    while (f && fgets(line, sizeof line, f)) {
        if (!head)
            prove_line(w, present, line);
        head = false;
    }
    if (!f || head)
        fail(w, "the scan wrote nothing");
    if (f)
        fclose(f);
    for (unsigned i = 0; i < WORK_ENTITIES; i++) {
        const struct work_entity *e = &w->entity[i];
        for (uint32_t n = e->maybe_erased + 1; n <= e->sent; n++)
            if (e->outcome[n] == WORK_ACKED && !present[i][n])
                fail(w, "entity %u: number %u was acknowledged and is not there", i, n);
        free(present[i]);
    }
    remove(path);
    return !work_failed(w);
}
