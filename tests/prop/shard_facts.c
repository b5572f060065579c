/* links: shard
 * The shard against a plain array: writes in any order, number and batching, loads, erasures, restarts; then
 * every as-of question over small domains, so that ties, repetitions, known_at and ttl edges are all met. The
 * oracle follows the rules of docs/semantics.md and shares no code with the shard. */
#include "tests/unit/shard/kit.h"

#define ENTITIES  3
#define EVENTS    6 /* event times 0..5 */
#define CREATED   5 /* created times 10..14 */
#define FACTS_MAX 400
/* under a sanitizer the same questions, fewer of them: it finds misuse, not odds */
#define ROUNDS (LDR_TEST_SANITIZED ? 100 : 600)
#define STEPS  (LDR_TEST_SANITIZED ? 15 : 60)
#define NULL_A (-1)

struct model_fact {
    int entity;
    int64_t event, created;
    bool stamped;
    int64_t a; /* NULL_A or 0.. */
    int s;     /* 0 = null, 1 = "", 2 = "x" */
};
struct model {
    struct model_fact f[FACTS_MAX];
    int n;
    int64_t erased[ENTITIES]; /* newest erase time, INT64_MIN = never */
};

static uint64_t rng_state;
static uint32_t rnd(uint32_t n)
{
    rng_state = rng_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (uint32_t)((rng_state >> 33) % n);
}

static const char *const strings[] = {NULL, "", "x"};
static const char *const names[ENTITIES] = {"ann", "", "b\001c"};

static struct model_fact random_fact(void)
{
    return (struct model_fact){.entity = (int)rnd(ENTITIES),
                               .event = rnd(EVENTS),
                               .created = 10 + (int64_t)rnd(CREATED),
                               .stamped = rnd(2),
                               .a = rnd(3) == 0 ? NULL_A : (int64_t)rnd(2),
                               .s = (int)rnd(3)};
}

static bool same_values(const struct model_fact *x, const struct model_fact *y)
{
    return x->a == y->a && x->s == y->s;
}
/* Declared values in feature-name order (a, s), null first. */
static int cmp_values(const struct model_fact *x, const struct model_fact *y)
{
    if (x->a != y->a)
        return x->a < y->a ? -1 : 1;
    return (x->s > y->s) - (x->s < y->s);
}

static void model_add(struct model *m, const struct model_fact *f)
{
    if (f->created <= m->erased[f->entity])
        return;
    for (int i = 0; i < m->n; i++) {
        struct model_fact *o = &m->f[i];
        if (o->entity != f->entity || o->event != f->event || o->stamped != f->stamped || !same_values(o, f))
            continue;
        if (f->stamped) {
            o->created = f->created < o->created ? f->created : o->created;
            return;
        }
        if (o->created == f->created)
            return;
    }
    assert_true(m->n < FACTS_MAX);
    m->f[m->n++] = *f;
}

static void model_erase(struct model *m, int entity, int64_t at)
{
    if (at <= m->erased[entity])
        return;
    m->erased[entity] = at;
    int n = 0;
    for (int i = 0; i < m->n; i++)
        if (m->f[i].entity != entity || m->f[i].created > at)
            m->f[n++] = m->f[i];
    m->n = n;
}

static const struct model_fact *model_asof(const struct model *m, int entity, int64_t t, int64_t ttl,
                                           int64_t known_at)
{
    const struct model_fact *best = NULL;
    for (int i = 0; i < m->n; i++) {
        const struct model_fact *f = &m->f[i];
        if (f->entity != entity || f->created > known_at || f->event > t || (ttl && f->event < t - ttl))
            continue;
        if (!best || f->event > best->event || (f->event == best->event && f->created > best->created) ||
            (f->event == best->event && f->created == best->created && cmp_values(f, best) > 0))
            best = f;
    }
    return best;
}

/* ---- the shard's side ---- */

struct world {
    struct kit k;
    uint32_t view; /* of this round */
    struct ldr_slice keys[ENTITIES];
    struct ldr_slice rows[3][3]; /* [a + 1][s] */
    uint64_t cases;
};

static void world_values(struct world *w)
{
    for (int e = 0; e < ENTITIES; e++)
        w->keys[e] = kit_key(&w->k, names[e]);
    for (int a = 0; a < 3; a++)
        for (int s = 0; s < 3; s++) {
            struct ldr_buf b;
            struct ldr_value v[2] = {
                {.type = LDR_INT64, .null = a == 0, .i = a - 1},
                {.type = LDR_STRING, .null = s == 0, .s = ldr_slice_str(s ? strings[s] : "")}};
            if (a == 0)
                v[0].i = 0;
            ldr_buf_init(&b, NULL, 0);
            assert_int_equal(ldr_row_encode(w->k.schema, v, &b), 0);
            assert_int_equal(ldr_arena_slice(&w->k.arena, ldr_buf_slice(&b), &w->rows[a][s]), 0);
            ldr_buf_close(&b);
        }
}

static struct ldr_fact real_fact(const struct world *w, uint32_t view, const struct model_fact *f)
{
    struct ldr_fact r = {.view = view,
                         .key = w->keys[f->entity],
                         .event_us = f->event,
                         .created_us = f->created,
                         .stamped = f->stamped,
                         .row = w->rows[f->a + 1][f->s]};
    r.hash = ldr_key_hash(r.key);
    r.vhash = ldr_row_vhash(w->k.schema, r.row);
    return r;
}

static void use_view(struct world *w, uint32_t view)
{
    struct ldr_schema *s = kit_schema(&w->k, view, 0, 0);
    assert_int_equal(ldr_shard_set_view(w->k.s, s, KIT_ENTITY), 0);
}

static void write_or_load(struct world *w, uint32_t view, struct ldr_fact *f, size_t n)
{
    struct ldr_write_result res;
    int rc;
    if (rnd(8) == 0) {
        struct ldr_fact_chunk chunks[2] = {{f, n / 2}, {f + n / 2, n - n / 2}};
        rc = ldr_shard_load(w->k.s, view, chunks, 2, &res, &w->k.err);
    } else {
        rc = ldr_shard_write(w->k.s, f, n, &res, &w->k.err);
    }
    if (rc)
        print_error("%s\n", w->k.err.message);
    assert_int_equal(rc, 0);
    assert_int_equal(res.facts + res.duplicates + res.erased, n);
}

static struct ldr_point point(const struct world *w, uint32_t view, int entity)
{
    return (struct ldr_point){view, ldr_key_hash(w->keys[entity]), w->keys[entity]};
}

static void expect(const struct world *w, const struct model_fact *want, const struct ldr_answer *got)
{
    assert_int_equal(got->found, want != NULL);
    if (!want)
        return;
    assert_int_equal(got->event_us, want->event);
    assert_int_equal(got->created_us, want->created);
    assert_int_equal(ldr_row_cmp(w->k.schema, got->row, w->rows[want->a + 1][want->s]), 0);
}

static void check_latest(struct world *w, uint32_t view, const struct model *m, struct ldr_buf *b)
{
    struct ldr_point p[ENTITIES];
    struct ldr_answer one, many[ENTITIES];
    for (int e = 0; e < ENTITIES; e++) {
        p[e] = point(w, view, e);
        ldr_buf_reset(b);
        assert_int_equal(ldr_shard_latest(w->k.s, &p[e], b, &one, &w->k.err), 0);
        expect(w, model_asof(m, e, INT64_MAX, 0, LDR_KNOWN_AT_ANY), &one);
    }
    ldr_buf_reset(b);
    assert_int_equal(ldr_shard_latest_many(w->k.s, p, ENTITIES, b, many, &w->k.err), 0);
    for (int e = 0; e < ENTITIES; e++)
        expect(w, model_asof(m, e, INT64_MAX, 0, LDR_KNOWN_AT_ANY), &many[e]);
    w->cases += 2 * ENTITIES;
}

static int64_t known_at_of(int i)
{
    return i == CREATED + 1 ? LDR_KNOWN_AT_ANY : 9 + i;
}

static void check_asof(struct world *w, uint32_t view, const struct model *m, const struct ldr_snap *snap,
                       struct ldr_buf *b)
{
    static const int64_t ttls[] = {0, 1, 2, 4};
    for (int e = 0; e < ENTITIES; e++) {
        struct ldr_point p = point(w, view, e);
        for (int64_t t = -1; t <= EVENTS; t++)
            for (int k = 0; k <= CREATED + 1; k++)
                for (int l = 0; l < 4; l++) {
                    struct ldr_asof q = {t, ttls[l], known_at_of(k)};
                    struct ldr_answer got;
                    ldr_buf_reset(b);
                    int rc = ldr_shard_asof(w->k.s, snap, &p, &q, b, &got, &w->k.err);
                    assert_int_equal(rc, 0);
                    expect(w, model_asof(m, e, t, ttls[l], q.known_at_us), &got);
                    w->cases++;
                }
    }
}

struct sorted_answer {
    bool found;
    struct ldr_answer a;
};

static struct ldr_buf sorted_rows;
static int take_sorted(void *ctx, const struct ldr_probe *p, const struct ldr_fact *f)
{
    struct sorted_answer *list = ctx;
    assert_false(list[p->tag].a.found); /* once for each probe */
    list[p->tag].a = (struct ldr_answer){true, f->stamped, f->event_us, f->created_us, f->row};
    size_t at = sorted_rows.n; /* rows as offsets while the buffer may move */
    assert_int_equal(ldr_buf_put(&sorted_rows, f->row.p, f->row.n), 0);
    list[p->tag].a.row.p = (const uint8_t *)(uintptr_t)at;
    return 0;
}

static int probe_cmp(const void *a, const void *b)
{
    return ldr_probe_cmp(a, b);
}

static void check_sorted(struct world *w, uint32_t view, const struct model *m, const struct ldr_snap *snap)
{
    static struct ldr_probe probes[ENTITIES * (EVENTS + 2) * (CREATED + 2)],
        sorted[ENTITIES * (EVENTS + 2) * (CREATED + 2)];
    static struct sorted_answer got[ENTITIES * (EVENTS + 2) * (CREATED + 2)];
    static const int64_t ttls[] = {0, 2};
    for (int l = 0; l < 2; l++) {
        size_t n = 0;
        memset(got, 0, sizeof got);
        ldr_buf_reset(&sorted_rows);
        for (int e = 0; e < ENTITIES; e++)
            for (int64_t t = -1; t <= EVENTS; t++)
                for (int k = 0; k <= CREATED + 1; k++) {
                    if (rnd(4) == 0)
                        continue;
                    probes[n] =
                        (struct ldr_probe){ldr_key_hash(w->keys[e]), w->keys[e], t, known_at_of(k), n};
                    n++;
                }
        memcpy(sorted, probes, n * sizeof *probes);
        qsort(sorted, n, sizeof *sorted, probe_cmp);
        assert_int_equal(
            ldr_shard_asof_sorted(w->k.s, snap, view, ttls[l], sorted, n, take_sorted, got, &w->k.err), 0);
        for (size_t i = 0; i < n; i++) {
            int e = 0;
            while (w->keys[e].p != probes[i].key.p)
                e++;
            if (got[i].a.found)
                got[i].a.row.p = sorted_rows.p + (uintptr_t)got[i].a.row.p;
            expect(w, model_asof(m, e, probes[i].t_us, ttls[l], probes[i].known_at_us), &got[i].a);
            w->cases++;
        }
    }
}

struct dump {
    struct ldr_buf b;
};
static int dump_fact(void *ctx, const struct ldr_fact *f)
{
    struct dump *d = ctx;
    ldr_buf_bytes(&d->b, f->key);
    ldr_buf_u64(&d->b, (uint64_t)f->event_us);
    ldr_buf_u64(&d->b, (uint64_t)f->created_us);
    ldr_buf_u8(&d->b, f->stamped);
    ldr_buf_u64(&d->b, f->vhash);
    ldr_buf_bytes(&d->b, f->row);
    return d->b.err;
}
/* History and latest of a view, as bytes that do not name the view. */
static void dump_view(struct world *w, uint32_t view, struct dump *d)
{
    struct ldr_scan_opts o = {.view = view, .from_us = INT64_MIN, .to_us = INT64_MAX, .hash_hi = UINT64_MAX};
    ldr_buf_reset(&d->b);
    assert_int_equal(ldr_shard_scan(w->k.s, NULL, &o, dump_fact, d, &w->k.err), 0);
    for (int e = 0; e < ENTITIES; e++) {
        struct ldr_point p = point(w, view, e);
        struct ldr_buf row;
        struct ldr_answer a;
        ldr_buf_init(&row, NULL, 0);
        assert_int_equal(ldr_shard_latest(w->k.s, &p, &row, &a, &w->k.err), 0);
        ldr_buf_u8(&d->b, a.found);
        if (a.found) {
            ldr_buf_u64(&d->b, (uint64_t)a.event_us);
            ldr_buf_u64(&d->b, (uint64_t)a.created_us);
            ldr_buf_u8(&d->b, a.stamped);
            ldr_buf_bytes(&d->b, a.row);
        }
        ldr_buf_close(&row);
    }
    assert_int_equal(d->b.err, 0);
}

static void reopen(struct world *w, uint32_t a, uint32_t b)
{
    kit_reopen(&w->k);
    use_view(w, a);
    use_view(w, b);
}

/* Writes the facts to a view: shuffled, some of them again, in batches of random sizes. */
static void write_shuffled(struct world *w, uint32_t view, const struct model_fact *f, int n)
{
    static struct ldr_fact list[2 * FACTS_MAX];
    int m = 0;
    for (int i = 0; i < n; i++)
        for (int again = rnd(5) == 0 ? 2 : 1; again > 0; again--)
            list[m++] = real_fact(w, view, &f[i]);
    for (int i = m - 1; i > 0; i--) {
        int j = (int)rnd((uint32_t)i + 1);
        struct ldr_fact t = list[i];
        list[i] = list[j];
        list[j] = t;
    }
    for (int i = 0; i < m;) {
        int batch = 1 + (int)rnd(20);
        batch = batch < m - i ? batch : m - i;
        write_or_load(w, view, list + i, (size_t)batch);
        i += batch;
    }
}

static void order_does_not_matter(void **state)
{
    struct world *w = *state;
    struct ldr_buf b;
    struct dump d[2];
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_init(&d[0].b, NULL, 0);
    ldr_buf_init(&d[1].b, NULL, 0);
    for (int round = 0; round < ROUNDS; round++) {
        static struct model_fact f[FACTS_MAX];
        struct model m = {.n = 0, .erased = {INT64_MIN, INT64_MIN, INT64_MIN}};
        uint32_t a = w->view++, c = w->view++;
        int n = 1 + (int)rnd(round % 4 == 0 ? 150 : 25);
        rng_state ^= (uint64_t)round << 40;
        use_view(w, a);
        use_view(w, c);
        for (int i = 0; i < n; i++) {
            f[i] = random_fact();
            model_add(&m, &f[i]);
        }
        write_shuffled(w, a, f, n);
        write_shuffled(w, c, f, n);
        if (rnd(10) == 0)
            reopen(w, a, c);
        dump_view(w, a, &d[0]);
        dump_view(w, c, &d[1]);
        assert_int_equal(d[0].b.n, d[1].b.n);
        assert_memory_equal(d[0].b.p, d[1].b.p, d[0].b.n);
        check_latest(w, a, &m, &b);
        check_asof(w, a, &m, NULL, &b);
        struct ldr_snap *snap;
        assert_int_equal(ldr_snap_create(w->k.s, &snap, &w->k.err), 0);
        struct ldr_fact later =
            real_fact(w, c, &(struct model_fact){0, EVENTS, 9, false, 1, 1}); /* not in the snapshot */
        write_or_load(w, c, &later, 1);
        check_asof(w, c, &m, snap, &b);
        check_sorted(w, c, &m, snap);
        ldr_snap_destroy(snap);
        if (rnd(4) == 0)
            kit_check(&w->k);
        assert_int_equal(ldr_shard_drop_view(w->k.s, a, &w->k.err), 0);
        assert_int_equal(ldr_shard_drop_view(w->k.s, c, &w->k.err), 0);
    }
    print_message("%llu cases\n", (unsigned long long)w->cases);
    ldr_buf_close(&d[1].b);
    ldr_buf_close(&d[0].b);
    ldr_buf_close(&b);
}

/* Steps one after another, the model beside the shard: facts, erasures in one view and in all, restarts,
 * compactions. */
static void steps_agree_with_the_model(void **state)
{
    struct world *w = *state;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    for (int round = 0; round < STEPS; round++) {
        struct model m[2] = {{.erased = {INT64_MIN, INT64_MIN, INT64_MIN}},
                             {.erased = {INT64_MIN, INT64_MIN, INT64_MIN}}};
        uint32_t v[2] = {w->view++, w->view++};
        uint32_t entity = 1000 + (uint32_t)round; /* of its own: tombstones of all its views stay for ever */
        for (int i = 0; i < 2; i++)
            assert_int_equal(ldr_shard_set_view(w->k.s, kit_schema(&w->k, v[i], 0, 0), entity), 0);
        rng_state ^= (uint64_t)round << 44;
        for (int step = 0; step < 40; step++) {
            int which = (int)rnd(2), e = (int)rnd(ENTITIES);
            int64_t at = 9 + (int64_t)rnd(CREATED + 1);
            switch (rnd(10)) {
            case 0:
                assert_int_equal(ldr_shard_erase(w->k.s, v[which], entity, w->keys[e], at, NULL, &w->k.err),
                                 0);
                model_erase(&m[which], e, at);
                break;
            case 1:
                assert_int_equal(ldr_shard_erase(w->k.s, 0, entity, w->keys[e], at, NULL, &w->k.err), 0);
                model_erase(&m[0], e, at);
                model_erase(&m[1], e, at);
                break;
            case 2:
                if (rnd(3) == 0) {
                    kit_reopen(&w->k);
                    for (int i = 0; i < 2; i++)
                        assert_int_equal(ldr_shard_set_view(w->k.s, kit_schema(&w->k, v[i], 0, 0), entity),
                                         0);
                } else if (rnd(6) == 0) {
                    assert_int_equal(ldr_shard_compact(w->k.s, &w->k.err), 0);
                }
                break;
            default: {
                struct ldr_fact f[8];
                size_t n = 1 + rnd(8);
                for (size_t i = 0; i < n; i++) {
                    struct model_fact x = random_fact();
                    f[i] = real_fact(w, v[which], &x);
                    model_add(&m[which], &x);
                }
                write_or_load(w, v[which], f, n);
            }
            }
            check_latest(w, v[which], &m[which], &b);
        }
        for (int i = 0; i < 2; i++) {
            check_latest(w, v[i], &m[i], &b);
            check_asof(w, v[i], &m[i], NULL, &b);
            check_sorted(w, v[i], &m[i], NULL);
        }
        for (int i = 0; i < 2; i++)
            assert_int_equal(ldr_shard_drop_view(w->k.s, v[i], &w->k.err), 0);
        kit_check(&w->k);
    }
    print_message("%llu cases\n", (unsigned long long)w->cases);
    ldr_buf_close(&b);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    const char *seed = getenv("LARDER_SEED");
    rng_state = seed ? strtoull(seed, NULL, 10) : 1;
    kit_init(&w->k);
    w->k.opts.no_sync = true;
    w->k.opts.latest_bytes = 64 << 10; /* tiny: evicting all the time */
    w->k.opts.write_buffer_bytes = 64 << 10;
    w->view = 100;
    kit_open(&w->k);
    world_values(w);
    ldr_buf_init(&sorted_rows, NULL, 0);
    *state = w;
    return 0;
}
static int teardown(void **state)
{
    struct world *w = *state;
    ldr_buf_close(&sorted_rows);
    kit_close(&w->k);
    free(w);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(order_does_not_matter, setup, teardown),
        cmocka_unit_test_setup_teardown(steps_agree_with_the_model, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
