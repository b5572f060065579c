/* links: shard
 * Many threads on one shard: writers, one that erases, one that checks and makes checkpoints, readers. Every
 * fact says in its row what it is, so that a reader can tell a wrong one at a glance; at the end the store
 * must be the model. */
#include <pthread.h>
#include <stdatomic.h>

#include "tests/unit/shard/kit.h"

#define WRITERS  8
#define READERS  3
#define ENTITIES 40 /* a writer's own: it knows what they must hold */
#define CALLS    2000

struct shared {
    struct kit *k;
    atomic_bool stop;
    atomic_int busy;
    atomic_long reads, found;
    /* by writer and entity: newest event time acknowledged; readers must never see less afterwards */
    _Atomic int64_t acked[WRITERS + 1][ENTITIES]; /* the last row: what the keeper loads */
};

struct self {
    struct shared *sh;
    int id;
    struct kit own; /* arena and schema of this thread */
    int64_t newest[ENTITIES];
    long facts;
    pthread_t th;
};

static void self_init(struct self *me, struct shared *sh, int id)
{
    memset(me, 0, sizeof *me);
    me->sh = sh;
    me->id = id;
    ldr_arena_init(&me->own.arena, NULL, 0);
    me->own.schema = kit_schema(&me->own, KIT_VIEW, 0, 0);
    me->own.s = sh->k->s;
}

static struct ldr_fact fact_of(struct self *me, int writer, int e, int64_t event)
{
    char name[24];
    snprintf(name, sizeof name, "w%d-%d", writer, e);
    return kit_fact(&me->own, name, event, 1000 + event, event % 3 == 0,
                    writer * 1000000000LL + e * 1000000LL + event);
}

#define MUST(e)                                                                                       \
    do {                                                                                              \
        if (!(e)) {                                                                                   \
            fprintf(stderr, "%s:%d: not so: %s (%s)\n", __FILE__, __LINE__, #e, me->own.err.message); \
            abort();                                                                                  \
        }                                                                                             \
    } while (0)

/* Event times 1, 2, 3 ... of each entity in a shuffled order, with repetitions of what was written before. */
static void *writer(void *arg)
{
    struct self *me = arg;
    unsigned seed = (unsigned)me->id + 1;
    for (int call = 0; call < CALLS; call++) {
        struct ldr_fact f[12];
        int es[12];
        size_t n = 1 + (size_t)(rand_r(&seed) % 12);
        for (size_t i = 0; i < n; i++) {
            es[i] = rand_r(&seed) % ENTITIES;
            bool again = me->newest[es[i]] > 0 && rand_r(&seed) % 4 == 0;
            int64_t event = again ? 1 + rand_r(&seed) % me->newest[es[i]] : ++me->newest[es[i]];
            me->facts += !again;
            f[i] = fact_of(me, me->id, es[i], event);
        }
        struct ldr_write_result res;
        int rc = ldr_shard_write(me->own.s, f, n, &res, &me->own.err);
        if (rc == LDR_E_BUSY) { /* not written: try the same again */
            call--;
            continue;
        }
        MUST(rc == 0);
        MUST(res.facts + res.duplicates == n);
        for (size_t i = 0; i < n; i++)
            atomic_store(&me->sh->acked[me->id][es[i]], me->newest[es[i]]);
    }
    atomic_fetch_sub(&me->sh->busy, 1);
    return NULL;
}

static void read_one(struct self *me, unsigned *seed, struct ldr_buf *b)
{
    int w = rand_r(seed) % (WRITERS + 1), e = rand_r(seed) % ENTITIES;
    int64_t least = atomic_load(&me->sh->acked[w][e]);
    struct ldr_fact f = fact_of(me, w, e, 0);
    struct ldr_point p = {KIT_VIEW, f.hash, f.key};
    struct ldr_answer a, h;
    ldr_buf_reset(b);
    MUST(ldr_shard_latest(me->own.s, &p, b, &a, &me->own.err) == 0);
    MUST(a.found || least == 0);
    if (!a.found)
        return;
    MUST(a.event_us >= least);
    MUST(kit_a(&me->own, a.row) == w * 1000000000LL + e * 1000000LL + a.event_us);
    int64_t event = a.event_us;
    struct ldr_asof q = {1 + rand_r(seed) % (int)event, 0, LDR_KNOWN_AT_ANY};
    MUST(ldr_shard_asof(me->own.s, NULL, &p, &q, b, &h, &me->own.err) == 0);
    if (h.found)
        MUST(h.event_us <= q.t_us && kit_a(&me->own, h.row) == w * 1000000000LL + e * 1000000LL + h.event_us);
    q.t_us = event; /* history and latest are one: what latest said, an as-of read finds */
    ldr_buf_reset(b);
    MUST(ldr_shard_asof(me->own.s, NULL, &p, &q, b, &h, &me->own.err) == 0);
    MUST(h.found && h.event_us == event);
    atomic_fetch_add(&me->sh->found, 1);
}

static void read_many(struct self *me, unsigned *seed, struct ldr_buf *b)
{
    struct ldr_point p[50];
    struct ldr_answer a[50];
    int w[50], e[50];
    int64_t least[50];
    for (int i = 0; i < 50; i++) {
        w[i] = rand_r(seed) % (WRITERS + 1);
        e[i] = rand_r(seed) % ENTITIES;
        least[i] = atomic_load(&me->sh->acked[w[i]][e[i]]);
        struct ldr_fact f = fact_of(me, w[i], e[i], 0);
        p[i] = (struct ldr_point){KIT_VIEW, f.hash, f.key};
    }
    ldr_buf_reset(b);
    MUST(ldr_shard_latest_many(me->own.s, p, 50, b, a, &me->own.err) == 0);
    for (int i = 0; i < 50; i++) {
        MUST(a[i].found || least[i] == 0);
        if (a[i].found)
            MUST(a[i].event_us >= least[i] &&
                 kit_a(&me->own, a[i].row) == w[i] * 1000000000LL + e[i] * 1000000LL + a[i].event_us);
    }
}

static void *reader(void *arg)
{
    struct self *me = arg;
    unsigned seed = 1000u + (unsigned)me->id;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    while (!atomic_load(&me->sh->stop)) {
        read_one(me, &seed, &b);
        read_many(me, &seed, &b);
        atomic_fetch_add(&me->sh->reads, 1);
        ldr_arena_reset(&me->own.arena);
        me->own.schema = kit_schema(&me->own, KIT_VIEW, 0, 0);
    }
    ldr_buf_close(&b);
    return NULL;
}

/* A bulk load of what comes next for each of the keeper's entities, in two chunks, and some of what was there
 * before. */
static void load(struct self *me)
{
    struct ldr_fact f[ENTITIES * 3];
    size_t n = 0;
    for (int e = 0; e < ENTITIES; e++) {
        for (int j = 0; j < 2; j++, me->facts++)
            f[n++] = fact_of(me, WRITERS, e, ++me->newest[e]);
        if (e % 3 == 0)
            f[n++] = fact_of(me, WRITERS, e, (me->newest[e] + 1) / 2);
    }
    struct ldr_fact_chunk chunks[2] = {{f, n / 3}, {f + n / 3, n - n / 3}};
    struct ldr_write_result res;
    MUST(ldr_shard_load(me->own.s, KIT_VIEW, chunks, 2, &res, &me->own.err) == 0);
    MUST(res.facts + res.duplicates == n);
    for (int e = 0; e < ENTITIES; e++)
        atomic_store(&me->sh->acked[WRITERS][e], me->newest[e]);
}

/* Erases entities of nobody, loads, checks, checkpoints, compacts, while all that goes on. */
static void *keeper(void *arg)
{
    struct self *me = arg;
    for (int i = 0; atomic_load(&me->sh->busy) > 0; i++) {
        char name[24], dir[96];
        snprintf(name, sizeof name, "nobody-%d", i % 5);
        struct ldr_fact f = kit_fact(&me->own, name, 5, 50 + i, false, 1);
        struct ldr_write_result res;
        MUST(ldr_shard_write(me->own.s, &f, 1, &res, &me->own.err) == 0);
        MUST(res.facts == 1);
        uint64_t erased;
        MUST(ldr_shard_erase(me->own.s, i % 2 ? KIT_VIEW : 0, KIT_ENTITY, f.key, 50 + i, &erased,
                             &me->own.err) == 0);
        MUST(erased == 1);
        load(me);
        if (i % 4 == 1) {
            struct ldr_check_report rep;
            MUST(ldr_shard_check(me->own.s, false, &rep, kit_print, NULL, &me->own.err) == 0);
            MUST(rep.bad_rows == 0 && rep.latest_wrong == 0);
        }
        if (i % 8 == 3) {
            snprintf(dir, sizeof dir, "%s/copy-%d", me->sh->k->dir, i);
            MUST(ldr_shard_checkpoint(me->own.s, dir, &me->own.err) == 0);
            struct ldr_shard_opts o = me->sh->k->opts;
            struct ldr_shard *copy;
            struct ldr_check_report rep;
            o.dir = dir;
            MUST(ldr_shard_open(&o, &copy, &me->own.err) == 0);
            MUST(ldr_shard_set_view(copy, me->own.schema, KIT_ENTITY) == 0);
            MUST(ldr_shard_check(copy, false, &rep, kit_print, NULL, &me->own.err) == 0);
            MUST(rep.bad_rows == 0 && rep.latest_wrong == 0);
            ldr_shard_close(copy);
        }
        if (i % 8 == 7)
            MUST(ldr_shard_compact(me->own.s, &me->own.err) == 0);
    }
    return NULL;
}

struct sum {
    uint64_t facts, last;
};
static int add_entry(void *ctx, const struct ldr_log_entry *e)
{
    struct sum *s = ctx;
    if (e->seq != s->last + e->count)
        return 1; /* a gap */
    s->last = e->seq;
    return 0;
}

static void threads_do_not_disturb_each_other(void **state)
{
    (void)state;
    static struct kit k;
    static struct shared sh;
    static struct self all[WRITERS + READERS + 1];
    kit_init(&k);
    k.opts.clock = ldr_clock_system();
    k.opts.latest_bytes = 96 << 10; /* evicting */
    k.opts.write_buffer_bytes = 256 << 10;
    kit_open(&k);
    sh.k = &k;
    atomic_store(&sh.busy, WRITERS);
    for (int i = 0; i < WRITERS + READERS + 1; i++) {
        self_init(&all[i], &sh, i);
        void *(*fn)(void *) = i < WRITERS ? writer : i < WRITERS + READERS ? reader : keeper;
        assert_int_equal(pthread_create(&all[i].th, NULL, fn, &all[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++)
        pthread_join(all[i].th, NULL);
    pthread_join(all[WRITERS + READERS].th, NULL);
    atomic_store(&sh.stop, true);
    for (int i = WRITERS; i < WRITERS + READERS; i++)
        pthread_join(all[i].th, NULL);
    print_message("%ld rounds of reading\n", atomic_load(&sh.reads));
    uint64_t want = 0;
    struct ldr_shard_stats st;
    for (int pass = 0; pass < 2; pass++) { /* as it is, and after a restart */
        want = 0;
        for (int w = 0; w <= WRITERS; w++) {
            const struct self *who = &all[w < WRITERS ? w : WRITERS + READERS];
            want += (uint64_t)who->facts;
            for (int e = 0; e < ENTITIES; e++) {
                char name[24];
                snprintf(name, sizeof name, "w%d-%d", w, e);
                int64_t newest = who->newest[e];
                assert_int_equal(kit_latest(&k, name),
                                 newest ? w * 1000000000LL + e * 1000000LL + newest : KIT_NONE);
            }
        }
        assert_int_equal(kit_check(&k).facts, want);
        struct sum s = {0, 0};
        assert_int_equal(ldr_shard_log_read(k.s, 0, add_entry, &s, &k.err), 0);
        assert_int_equal(ldr_shard_stats(k.s, &st), 0);
        assert_int_equal(s.last, st.seq);
        kit_reopen(&k);
    }
    for (int i = 0; i < WRITERS + READERS + 1; i++)
        ldr_arena_close(&all[i].own.arena);
    kit_close(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(threads_do_not_disturb_each_other)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
