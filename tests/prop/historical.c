/* ldr_historical_get against the rule written out: random facts in three views (simple, composite and text
 * keys), random ttl, late and tied facts, nulls, spines in any order, known-at for all or row by row, one to
 * five shards, written or loaded. links: client */
#include "unit/client/store_fixture.h"

#define NVIEWS 3
#define NCOLS  7 /* of each view, in name order: a_int a_text bools flag ints small texts */
#define KEYS   12

static uint64_t rng = UINT64_C(88172645463325252);
static uint64_t rnd(uint64_t n)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (rng >> 11) % n;
}

static const char *const keys_text[KEYS] = {"",    "a",  "aa",  "a\xc3\xa9", "ab",  "b",
                                            "a,b", "\"", "x y", "zz",        "zzz", "\n"};

struct fact {
    int view, a, b; /* key parts as numbers below KEYS; unused ones 0 */
    int64_t event, created;
    int x, y; /* the values; -1 = null. All other features follow from them */
};
struct model {
    struct fact *facts;
    size_t n;
    int64_t ttl[NVIEWS];
};

/* x first, then y, null first: the order of values in feature-name order, for those features that decide. */
static int wins(const struct fact *a, const struct fact *b)
{
    if (a->event != b->event)
        return a->event > b->event;
    if (a->created != b->created)
        return a->created > b->created;
    return a->x != b->x ? a->x > b->x : a->y > b->y;
}

static const struct fact *oracle(const struct model *m, int view, int a, int b, int64_t t, int64_t known)
{
    const struct fact *best = NULL;
    for (size_t i = 0; i < m->n; i++) {
        const struct fact *f = &m->facts[i];
        bool mine = f->view == view && f->a == a && f->b == b && f->created <= known && f->event <= t;
        if (mine && (m->ttl[view] == 0 || f->event >= t - m->ttl[view]) && (!best || wins(f, best)))
            best = f;
    }
    return best;
}

static void text_of(int y, char out[32])
{
    snprintf(out, 32, "%.*s", y % 7, "longer"); /* of 0 to 6 bytes */
    if (y >= 7)
        snprintf(out, 32, "text %02d", y);
}

static char *definitions(const struct model *m)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_puts(&b, "entities:\n"
                     "  - {name: e0, join_keys: [{name: a, type: int64}]}\n"
                     "  - {name: e1, join_keys: [{name: b, type: string}, {name: a, type: int64}]}\n"
                     "  - {name: e2, join_keys: [{name: b, type: string}]}\n"
                     "feature_views:\n");
    for (int v = 0; v < NVIEWS; v++)
        ldr_buf_printf(&b,
                       "  - name: v%d\n    entity: e%d\n    ttl: %llds\n    features:\n"
                       "      - {name: a_int, type: int64}\n      - {name: a_text, type: string}\n"
                       "      - {name: bools, type: list<bool>}\n      - {name: flag, type: bool}\n"
                       "      - {name: ints, type: list<int32>}\n      - {name: small, type: float32}\n"
                       "      - {name: texts, type: list<string>}\n",
                       v, v, (long long)m->ttl[v] / 1000000);
    char *text = strdup(ldr_buf_cstr(&b));
    ldr_buf_close(&b);
    return text;
}

/* The facts as CSV files, one a view, in the order of the model. */
static void write_facts(struct fixture *f, const struct model *m, int view, size_t repeat)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_puts(&b, "a,b,event_timestamp,seen,a_int,a_text,bools,flag,ints,small,texts\n");
    for (size_t r = 0; r < repeat; r++)
        for (size_t i = 0; i < m->n; i++) {
            const struct fact *x = &m->facts[i];
            char text[32];
            if (x->view != view)
                continue;
            ldr_buf_printf(&b, "%d,", x->a);
            ldr_csv_put(&b, ldr_slice_str(keys_text[x->b]), false);
            ldr_buf_printf(&b, ",%lld,%lld,", (long long)x->event, (long long)x->created);
            if (x->x >= 0)
                ldr_buf_printf(&b, "%d", x->x);
            ldr_buf_putc(&b, ',');
            text_of(x->y < 0 ? 0 : x->y, text);
            ldr_csv_put(&b, ldr_slice_str(text), x->y < 0);
            if (x->x < 0) {
                ldr_buf_puts(&b, ",,,,,\n");
                continue;
            }
            ldr_buf_puts(&b, ",\"[");
            for (int k = 0; k < x->x % 11; k++)
                ldr_buf_printf(&b, "%s%s", k ? "," : "", (x->x + k) % 3 == 0 ? "true" : "false");
            ldr_buf_printf(&b, "]\",%s,\"[", x->x % 2 ? "true" : "false");
            for (int k = 0; k < x->x % 5; k++)
                ldr_buf_printf(&b, "%s%d", k ? "," : "", x->x * k);
            ldr_buf_printf(&b, "]\",%d.5,\"[", x->x);
            for (int k = 0; k < x->x % 4; k++)
                ldr_buf_printf(&b, "%s\"\"t%d\"\"", k ? "," : "", x->x >> k);
            ldr_buf_puts(&b, "]\"\n");
        }
    fx_write_bytes(f, "facts.csv", b.p, b.n);
    ldr_buf_close(&b);
    char name[8];
    snprintf(name, sizeof name, "v%d", view);
    struct ldr_write_report rep;
    if (fx_ingest_with(f, (struct ldr_ingest){.created_column = "seen"}, name, "facts.csv", &rep))
        fail_msg("%s", f->err.message);
    assert_string_equal(rep.first_reject, "");
}

static void random_model(struct model *m, size_t n)
{
    bool ties = rnd(2);
    m->n = n;
    m->facts = calloc(n, sizeof *m->facts);
    assert_non_null(m->facts);
    for (int v = 0; v < NVIEWS; v++)
        m->ttl[v] = rnd(2) ? (int64_t)rnd(30) * 1000000 : 0;
    for (size_t i = 0; i < n; i++) {
        struct fact *f = &m->facts[i];
        f->view = (int)rnd(NVIEWS);
        f->a = f->view == 2 ? 0 : (int)rnd(KEYS);
        f->b = f->view == 0 ? 0 : (int)rnd(KEYS);
        f->event = (int64_t)rnd(20) * 3000000;
        f->created = (int64_t)rnd(7) * 10000000;
        f->x = ties ? (int)rnd(3) - 1 : (int)rnd(40) - 1;
        f->y = (int)rnd(20) - 1;
    }
}

/* ---- A spine in Arrow columns ---- */

struct spine {
    size_t n;
    int *a, *b; /* -1 = null */
    int64_t *t, *known, *ids, *offsets;
    uint8_t *null_a, *null_b;
    char *text;
};

static void random_spine(struct spine *s, size_t n)
{
    s->n = n;
    s->a = calloc(n + 1, sizeof *s->a);
    s->b = calloc(n + 1, sizeof *s->b);
    s->t = calloc(n + 1, 8);
    s->known = calloc(n + 1, 8);
    s->ids = calloc(n + 1, 8);
    s->offsets = calloc(n + 1, 8);
    s->null_a = calloc(n / 8 + 1, 1);
    s->null_b = calloc(n / 8 + 1, 1);
    s->text = calloc(n + 1, 8);
    int64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        s->a[i] = (int)rnd(KEYS + 2) - 1; /* null, or one that has no facts, now and then */
        s->b[i] = (int)rnd(KEYS + 1) - 1;
        s->t[i] = (int64_t)rnd(80) * 1000000 - 5000000 + (int64_t)rnd(3) - 1;
        s->known[i] = (int64_t)rnd(80) * 1000000;
        s->ids[i] = s->a[i];
        if (s->a[i] >= 0)
            s->null_a[i / 8] |= (uint8_t)(1 << (i % 8));
        if (s->b[i] >= 0) {
            s->null_b[i / 8] |= (uint8_t)(1 << (i % 8));
            size_t k = strlen(keys_text[s->b[i]]);
            memcpy(s->text + at, keys_text[s->b[i]], k);
            at += (int64_t)k;
        }
        s->offsets[i + 1] = at;
    }
}

static void free_spine(struct spine *s)
{
    void *all[] = {s->a, s->b, s->t, s->known, s->ids, s->offsets, s->null_a, s->null_b, s->text};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        free(all[i]);
}

/* ---- Holding columns against the oracle ---- */

static bool valid(const struct ldr_column_data *c, size_t i)
{
    return !c->validity || (c->validity[i / 8] >> (i % 8) & 1);
}

static bool bit(const void *p, int64_t i)
{
    return ((const uint8_t *)p)[i / 8] >> (i % 8) & 1;
}

/* One cell that is not null. */
static void check_cell(const struct ldr_column_data *c, size_t i, int feature, const struct fact *f)
{
    char text[32];
    int64_t from = c->offsets ? c->offsets[i] : 0, to = c->offsets ? c->offsets[i + 1] : 0;
    switch (feature) {
    case 0:
        assert_int_equal(((const int64_t *)c->data)[i], f->x);
        break;
    case 1:
        text_of(f->y, text);
        assert_int_equal(to - from, strlen(text));
        assert_memory_equal((const char *)c->data + from, text, strlen(text));
        break;
    case 2:
        assert_int_equal(to - from, f->x % 11);
        for (int64_t k = 0; k < to - from; k++)
            assert_int_equal(bit(c->child->data, from + k), (f->x + k) % 3 == 0);
        break;
    case 3:
        assert_int_equal(bit(c->data, (int64_t)i), f->x % 2);
        break;
    case 4:
        assert_int_equal(to - from, f->x % 5);
        for (int64_t k = 0; k < to - from; k++)
            assert_int_equal(((const int32_t *)c->child->data)[from + k], f->x * k);
        break;
    case 5:
        assert_true(((const float *)c->data)[i] == (float)f->x + 0.5f);
        break;
    default:
        assert_int_equal(to - from, f->x % 4);
        for (int64_t k = 0; k < to - from; k++) {
            const int64_t *o = c->child->offsets + from + k;
            int n = snprintf(text, sizeof text, "t%d", f->x >> k);
            assert_int_equal(o[1] - o[0], n);
            assert_memory_equal((const char *)c->child->data + o[0], text, (size_t)n);
        }
    }
}

static void check_row(const struct ldr_batch *b, size_t i, int view, const struct fact *want)
{
    for (int k = 0; k < NCOLS; k++) {
        size_t col = (size_t)(view * NCOLS + k);
        const struct ldr_column_data *c = ldr_batch_column(b, col);
        bool null = !want || (k == 1 ? want->y < 0 : want->x < 0);
        assert_int_equal(valid(c, i), !null);
        assert_int_equal(ldr_batch_status(b, col)[i], !want  ? LDR_NOT_FOUND
                                                      : null ? LDR_NULL_VALUE
                                                             : LDR_PRESENT);
        assert_int_equal(ldr_batch_event_us(b, col)[i], want ? want->event : INT64_MIN);
        assert_int_equal(ldr_batch_created_us(b, col)[i], want ? want->created : INT64_MIN);
        if (!null)
            check_cell(c, i, k, want);
    }
}

static void check_join(struct fixture *f, const struct ldr_query *q, const struct model *m, size_t nrows)
{
    struct spine s;
    random_spine(&s, nrows);
    const struct ldr_column_data keys[2] = {
        {.type = LDR_INT64, .n = nrows, .validity = s.null_a, .data = s.ids},
        {.type = LDR_STRING, .n = nrows, .validity = s.null_b, .data = s.text, .offsets = s.offsets},
    };
    int mode = (int)rnd(3);
    struct ldr_spine in = {.nrows = nrows, .t_us = s.t, .keys = keys};
    in.known_at_us = mode == 1 ? s.known : NULL;
    in.has_known_at = mode == 2;
    in.known_at_all_us = 30000000;
    const struct ldr_historical_opts opts = {.with_status = true, .with_times = true};
    struct ldr_batch *b = NULL;
    if (ldr_historical_get(q, &in, &opts, &b, &f->err))
        fail_msg("%s", f->err.message);
    assert_int_equal(ldr_batch_rows(b), nrows);
    for (size_t i = 0; i < nrows; i++) {
        int64_t known = mode == 1 ? s.known[i] : mode == 2 ? in.known_at_all_us : INT64_MAX;
        for (int v = 0; v < NVIEWS; v++) {
            bool null = (v != 2 && s.a[i] < 0) || (v != 0 && s.b[i] < 0);
            check_row(b, i, v,
                      null ? NULL : oracle(m, v, v == 2 ? 0 : s.a[i], v == 0 ? 0 : s.b[i], s.t[i], known));
        }
    }
    ldr_batch_destroy(b);
    free_spine(&s);
}

static void one_case(unsigned shards, size_t nfacts, size_t nrows, size_t repeat)
{
    struct fixture f;
    struct model m;
    random_model(&m, nfacts);
    char *yaml = definitions(&m);
    fx_init(&f, &(struct ldr_open_opts){.shards = shards, .no_sync = true, .threads = 1 + (unsigned)rnd(3)},
            yaml);
    free(yaml);
    for (int v = 0; v < NVIEWS; v++)
        write_facts(&f, &m, v, repeat);
    const char *const all[NVIEWS] = {"v0", "v1", "v2"};
    const struct ldr_query_spec spec = {.features = all, .nfeatures = NVIEWS, .full_names = true};
    struct ldr_query *q = NULL;
    assert_int_equal(ldr_query_create(f.store, &spec, &q, &f.err), 0);
    assert_int_equal(ldr_query_keys(q), 2);
    assert_string_equal(ldr_query_key(q, 0), "a");
    for (int i = 0; i < 4; i++)
        check_join(&f, q, &m, i ? rnd(nrows) + 1 : 0);
    ldr_query_destroy(q);
    fx_close(&f);
    free(m.facts);
}

static void every_row_gets_what_the_rule_says(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        rng = UINT64_C(88172645463325252) + (uint64_t)i * 7919;
        rnd(2);
        one_case(1 + (unsigned)rnd(5), 20 + rnd(2000), 1500, 1);
    }
    one_case(3, 3000, 4000, 12); /* more than 20,000 rows a view: loaded in bulk, repeated facts and all */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_gets_what_the_rule_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
