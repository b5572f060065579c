/* History in parts: together they are all of it, once, in batches of any size, from one shard or several. */
#include "store_fixture.h"

#define FACTS    9000
#define ENTITIES 700
#define BIG      3000 /* the first facts are all of one entity, and wide: more than a page of it */

static const char *const yaml =
    "entities:\n"
    "  - {name: pair, join_keys: [{name: shop, type: string}, {name: id, type: int64}]}\n"
    "feature_views:\n"
    "  - name: v\n"
    "    entity: pair\n"
    "    features: [{name: z, type: string}, {name: n, type: int64}, {name: l, type: list<int32>}]\n"
    "  - name: empty\n"
    "    entity: pair\n"
    "    features: [{name: x, type: bool}]\n";

/* Fact i: its entity, event time i % 50 seconds (several of one moment among them), created i seconds. */
static int64_t id_of(int64_t i)
{
    return i < BIG ? -1 : i % ENTITIES;
}

static void fill(struct fixture *f)
{
    char wide[501];
    memset(wide, 'w', 500);
    wide[500] = '\0';
    size_t room = (size_t)FACTS * 640;
    char *text = malloc(room), *p = text, *end = text + room;
    assert_non_null(text);
    p += snprintf(p, room, "shop,id,event_timestamp,seen,z,n,l\n");
    for (int64_t i = 0; i < FACTS; i++) {
        const char *z = i < BIG ? wide : i % 3 ? "" : "\"\"";
        p += snprintf(p, (size_t)(end - p), "s%d,%lld,%lld,%lld,%s,%lld,%s\n", (int)(id_of(i) & 1),
                      (long long)id_of(i), (long long)(i % 50) * 1000000, (long long)i * 1000000, z,
                      (long long)i, i % 2 ? "\"[1,2]\"" : "");
    }
    fx_write_bytes(f, "x.csv", text, (size_t)(p - text));
    free(text);
    struct ldr_write_report rep;
    if (fx_ingest_with(f, (struct ldr_ingest){.created_column = "seen"}, "v", "x.csv", &rep))
        fail_msg("%s", f->err.message);
    assert_int_equal(rep.taken, FACTS);
    assert_int_equal(rep.rejected, 0);
}

struct told {
    uint8_t times[FACTS]; /* that each fact was told */
    uint64_t rows, batches;
    int64_t last_id, last_event, last_created;
};

static bool valid(const struct ldr_column_data *c, size_t i)
{
    return !c->validity || c->validity[i / 8] >> (i % 8) & 1;
}

static int64_t i64(const struct ldr_column_data *c, size_t i)
{
    return ((const int64_t *)c->data)[i];
}

static void take(const struct ldr_batch *b, struct told *t)
{
    const struct ldr_column_data *c[7];
    for (size_t k = 0; k < 7; k++) {
        c[k] = ldr_batch_column(b, k);
        assert_int_equal(c[k]->n, ldr_batch_rows(b));
    }
    assert_null(ldr_batch_column(b, 7));
    enum { SHOP, ID, EVENT, CREATED, L, N, Z };
    for (size_t i = 0; i < ldr_batch_rows(b); i++) {
        int64_t fact = i64(c[N], i);
        assert_in_range(fact, 0, FACTS - 1);
        t->times[fact]++;
        assert_int_equal(i64(c[ID], i), id_of(fact));
        const char *name = (const char *)c[SHOP]->data + c[SHOP]->offsets[i];
        assert_int_equal(c[SHOP]->offsets[i + 1] - c[SHOP]->offsets[i], 2);
        assert_int_equal(name[1], '0' + (id_of(fact) & 1));
        assert_int_equal(i64(c[EVENT], i), fact % 50 * 1000000);
        assert_int_equal(i64(c[CREATED], i), fact * 1000000);
        assert_int_equal(c[Z]->offsets[i + 1] - c[Z]->offsets[i], fact < BIG ? 500 : 0);
        assert_int_equal(valid(c[Z], i), fact < BIG || fact % 3 == 0);
        assert_int_equal(valid(c[L], i), fact % 2);
        assert_int_equal(c[L]->offsets[i + 1] - c[L]->offsets[i], fact % 2 ? 2 : 0);
        if (t->rows && t->last_id == id_of(fact))
            assert_true(t->last_event < i64(c[EVENT], i) ||
                        (t->last_event == i64(c[EVENT], i) && t->last_created < i64(c[CREATED], i)));
        t->last_id = id_of(fact);
        t->last_event = i64(c[EVENT], i);
        t->last_created = i64(c[CREATED], i);
        t->rows++;
    }
    t->batches++;
}

static void names_are_right(const struct ldr_scanner *s)
{
    static const struct {
        const char *name;
        int type;
    } want[] = {{"shop", LDR_STRING},
                {"id", LDR_INT64},
                {"event_timestamp", LDR_TIMESTAMP},
                {"created_timestamp", LDR_TIMESTAMP},
                {"l", LDR_LIST | LDR_INT32},
                {"n", LDR_INT64},
                {"z", LDR_STRING}};
    assert_int_equal(ldr_scanner_columns(s), 7);
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(ldr_scanner_column(s, i), want[i].name);
        assert_int_equal(ldr_scanner_column_type(s, i), want[i].type);
    }
    assert_null(ldr_scanner_column(s, 7));
}

static uint64_t read_part(struct fixture *f, struct ldr_scan_part p, size_t rows, struct told *t)
{
    struct ldr_scanner *s;
    struct ldr_batch *b;
    uint64_t before = t->rows;
    p.view = "v";
    if (ldr_scanner_create(f->store, &p, &s, &f->err))
        fail_msg("%s", f->err.message);
    names_are_right(s);
    do {
        if (ldr_scanner_next(s, rows, &b, &f->err))
            fail_msg("%s", f->err.message);
        if (b)
            take(b, t);
        ldr_batch_destroy(b);
    } while (b);
    assert_int_equal(ldr_scanner_next(s, rows, &b, &f->err), 0); /* the end stays the end */
    assert_null(b);
    ldr_scanner_destroy(s);
    return t->rows - before;
}

static size_t arcs_of(struct fixture *f, size_t least, struct ldr_arc **out)
{
    size_t n, again;
    assert_int_equal(ldr_arcs_list(f->store, least, NULL, 0, &n, &f->err), 0);
    *out = calloc(n, sizeof **out);
    assert_int_equal(ldr_arcs_list(f->store, least, *out, n, &again, &f->err), 0);
    assert_int_equal(again, n);
    assert_true(n >= least);
    assert_int_equal((*out)[0].first, 0);
    assert_int_equal((*out)[n - 1].last, UINT64_MAX);
    for (size_t i = 0; i < n; i++) {
        assert_true((*out)[i].first <= (*out)[i].last);
        if (i > 0)
            assert_int_equal((*out)[i].first, (*out)[i - 1].last + 1);
    }
    return n;
}

static void parts_are_the_whole(unsigned shards)
{
    struct fixture f;
    fx_init(&f, &(struct ldr_open_opts){.shards = shards}, yaml);
    fill(&f);
    const size_t least[] = {0, 1, 7, 100};
    for (size_t k = 0; k < sizeof least / sizeof *least; k++) {
        struct told t = {0};
        struct ldr_arc *arcs;
        size_t n = arcs_of(&f, least[k], &arcs);
        for (size_t i = 0; i < n; i++)
            read_part(&f, (struct ldr_scan_part){.first = arcs[i].first, .last = arcs[i].last},
                      k == 1 ? 100 : 0, &t);
        assert_int_equal(t.rows, FACTS);
        for (size_t i = 0; i < FACTS; i++)
            assert_int_equal(t.times[i], 1);
        free(arcs);
    }
    struct told all = {0};
    assert_int_equal(read_part(&f, (struct ldr_scan_part){.last = UINT64_MAX}, SIZE_MAX, &all), FACTS);
    assert_int_equal(all.batches, 1);
    struct told small = {0};
    assert_int_equal(read_part(&f, (struct ldr_scan_part){.last = UINT64_MAX}, 1, &small), FACTS);
    assert_true(small.batches > 1);
    fx_close(&f);
}

static void parts_of_one_shard_are_the_whole(void **state)
{
    (void)state;
    parts_are_the_whole(1);
}

static void parts_of_several_shards_are_the_whole(void **state)
{
    (void)state;
    parts_are_the_whole(5);
}

static void ranges_hold(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, &(struct ldr_open_opts){.shards = 3}, yaml);
    fill(&f);
    struct ldr_scan_part p = {.last = UINT64_MAX, .has_from = true, .has_to = true};
    p.from_us = 10000000;
    p.to_us = 19999999;
    struct told t = {0};
    assert_int_equal(read_part(&f, p, 0, &t), FACTS / 5);
    p.has_known_at = true;
    p.known_at_us = 4999999999 / 2;
    uint64_t want = 0;
    for (int64_t i = 0; i < FACTS; i++)
        want += i % 50 >= 10 && i % 50 < 20 && i * 1000000 <= p.known_at_us;
    assert_int_equal(read_part(&f, p, 0, &t), want);
    p.to_us = p.from_us - 1;
    assert_int_equal(read_part(&f, p, 0, &t), 0);
    assert_int_equal(read_part(&f, (struct ldr_scan_part){.first = 5, .last = 4}, 0, &t), 0);
    struct ldr_scanner *s;
    struct ldr_batch *b;
    assert_int_equal(
        ldr_scanner_create(f.store, &(struct ldr_scan_part){.view = "empty", .last = UINT64_MAX}, &s, &f.err),
        0);
    assert_int_equal(ldr_scanner_next(s, 0, &b, &f.err), 0);
    assert_null(b);
    ldr_scanner_destroy(s);
    ldr_scanner_destroy(NULL);
    fx_close(&f);
}

static void wrong_requests_are_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_scanner *s;
    size_t n;
    fx_init(&f, NULL, yaml);
    assert_int_equal(ldr_scanner_create(f.store, &(struct ldr_scan_part){0}, &s, &f.err), LDR_E_INVALID);
    assert_int_equal(ldr_scanner_create(f.store, &(struct ldr_scan_part){.view = "w"}, &s, &f.err),
                     LDR_E_NOT_FOUND);
    assert_int_equal(
        ldr_scanner_create(f.store, &(struct ldr_scan_part){.view = "v", .fresh = 9}, &s, &f.err),
        LDR_E_INVALID);
    assert_null(s);
    assert_int_equal(ldr_arcs_list(f.store, LDR_ARCS_MAX + 1, NULL, 0, &n, &f.err), LDR_E_INVALID);
    fx_close(&f);
}

/* The hash of a key is that of the arc in which its facts are found. */
static void hashes_find_their_arcs(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, &(struct ldr_open_opts){.shards = 4}, yaml);
    fill(&f);
    struct ldr_query *q;
    const char *const features[] = {"v:n"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 1};
    assert_int_equal(ldr_query_create(f.store, &spec, &q, &f.err), 0);
    assert_int_equal(ldr_query_keys(q), 2);
    enum { N = 40 };
    int32_t ids[N];
    int64_t offsets[N + 1] = {0};
    char shops[2 * N];
    uint8_t validity[N / 8 + 1];
    memset(validity, 0xff, sizeof validity);
    for (int i = 0; i < N; i++) {
        ids[i] = i;
        shops[2 * i] = 's';
        shops[2 * i + 1] = (char)('0' + i % 2);
        offsets[i + 1] = 2 * (i + 1);
    }
    validity[0] = 0xfe; /* row 0 has no id */
    struct ldr_column_data keys[2];
    for (size_t k = 0; k < 2; k++)
        if (strcmp(ldr_query_key(q, k), "id") == 0)
            keys[k] = (struct ldr_column_data){.type = LDR_INT32, .n = N, .data = ids, .validity = validity};
        else
            keys[k] = (struct ldr_column_data){.type = LDR_STRING, .n = N, .data = shops, .offsets = offsets};
    uint64_t hashes[N];
    if (ldr_query_hash(q, keys, N, hashes, &f.err))
        fail_msg("%s", f.err.message);
    assert_int_equal(hashes[0], 0);
    for (int i = 1; i < N; i++) {
        struct told t = {0};
        uint64_t want = 0;
        for (int64_t k = BIG; k < FACTS; k++)
            want += id_of(k) == i;
        read_part(&f, (struct ldr_scan_part){.first = hashes[i], .last = hashes[i]}, 0, &t);
        assert_int_equal(t.rows, want);
        assert_int_equal(t.last_id, i);
    }
    keys[0].n--;
    assert_int_equal(ldr_query_hash(q, keys, N, hashes, &f.err), LDR_E_INVALID);
    ldr_query_destroy(q);
    fx_close(&f);
}

/* A view that changes, or goes, while it is read: what it was at the beginning, or an error; nothing else. */
static void definitions_may_change_meanwhile(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, &(struct ldr_open_opts){.shards = 2}, yaml);
    fill(&f);
    struct ldr_scanner *s;
    struct ldr_batch *b;
    struct told t = {0};
    struct ldr_scan_part p = {.view = "v", .last = UINT64_MAX};
    assert_int_equal(ldr_scanner_create(f.store, &p, &s, &f.err), 0);
    assert_int_equal(ldr_scanner_next(s, 1, &b, &f.err), 0);
    take(b, &t);
    ldr_batch_destroy(b);
    assert_in_range(t.rows, 1, FACTS - 1);
    fx_apply(&f, "entities:\n"
                 "  - {name: pair, join_keys: [{name: shop, type: string}, {name: id, type: int64}]}\n"
                 "feature_views:\n"
                 "  - name: v\n"
                 "    entity: pair\n"
                 "    features: [{name: z, type: string}, {name: n, type: int64}, {name: l, type: "
                 "list<int32>}, {name: a, type: bool}]\n");
    while (ldr_scanner_next(s, 1, &b, &f.err) == 0 && b) {
        take(b, &t);
        ldr_batch_destroy(b);
    }
    assert_int_equal(t.rows, FACTS);
    ldr_scanner_destroy(s);
    assert_int_equal(ldr_scanner_create(f.store, &p, &s, &f.err), 0);
    assert_int_equal(ldr_delete(f.store, "feature-views", "v", &f.err), 0);
    int rc;
    while ((rc = ldr_scanner_next(s, 1, &b, &f.err)) == 0 && b)
        ldr_batch_destroy(b);
    assert_null(b);
    assert_true(rc == 0 || f.err.message[0]);
    ldr_scanner_destroy(s);
    fx_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_of_one_shard_are_the_whole),
        cmocka_unit_test(parts_of_several_shards_are_the_whole),
        cmocka_unit_test(ranges_hold),
        cmocka_unit_test(wrong_requests_are_refused),
        cmocka_unit_test(hashes_find_their_arcs),
        cmocka_unit_test(definitions_may_change_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
