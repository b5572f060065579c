/* clock_fixture.h: a store whose clock the test sets, and short ways to write facts and read them online. */
#ifndef LDR_TESTS_CLOCK_FIXTURE_H
#define LDR_TESTS_CLOCK_FIXTURE_H
#include "client/store.h"
#include "unit/client/store_fixture.h"

#define SECOND INT64_C(1000000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)
#define T0     INT64_C(1700000000000000) /* where clocks start */

/* A hand-set clock; one a test. */
static int64_t ck_now = T0;

static inline int64_t ck_now_us(void *ctx)
{
    (void)ctx;
    return ck_now;
}

static inline struct ldr_clock ck_clock(void)
{
    struct ldr_clock c = ldr_clock_system();
    c.now_us = ck_now_us;
    return c;
}

static inline int ck_try_open(struct fixture *f, const struct ldr_open_opts *opts)
{
    char url[600];
    snprintf(url, sizeof url, "local:%s/store", f->dir);
    return FX_OPEN(url, opts, ck_clock(), &f->store, &f->err);
}

static inline void ck_open(struct fixture *f, const struct ldr_open_opts *opts)
{
    if (ck_try_open(f, opts))
        fail_msg("open: %s", f->err.message);
}

/* A new folder, a store in it with these definitions, the clock at T0. */
static inline void ck_init(struct fixture *f, const struct ldr_open_opts *opts, const char *yaml)
{
    ck_now = T0;
    memset(f, 0, sizeof *f);
    const char *tmp = getenv("TMPDIR");
    snprintf(f->dir, sizeof f->dir, "%s/larder-test-XXXXXX", tmp && strlen(tmp) < 200 ? tmp : "/tmp");
    assert_non_null(mkdtemp(f->dir));
    ck_open(f, opts);
    if (yaml)
        fx_apply(f, yaml);
}

static inline void ck_reopen(struct fixture *f, const struct ldr_open_opts *opts)
{
    ldr_close(f->store);
    f->store = NULL;
    ck_open(f, opts);
}

static inline struct ldr_datum d_i64(int64_t v)
{
    return (struct ldr_datum){.type = LDR_INT64, .v.i = v};
}

static inline struct ldr_datum d_f64(double v)
{
    return (struct ldr_datum){.type = LDR_FLOAT64, .v.f64 = v};
}

static inline struct ldr_datum d_str(const char *v)
{
    return (struct ldr_datum){.type = LDR_STRING, .v.s = {v, strlen(v)}};
}

static inline struct ldr_datum d_null(unsigned type)
{
    return (struct ldr_datum){.type = (uint8_t)type, .status = LDR_NULL_VALUE, .null = true};
}

/* One fact of a view with the join key `id` (int64) and one feature. created_us INT64_MIN = time of
 * acceptance. */
static inline int ck_put(struct fixture *f, const char *view, const char *feature, int64_t id,
                         struct ldr_datum value, int64_t event_us, int64_t created_us)
{
    const char *names[] = {"id", feature};
    struct ldr_datum cells[] = {d_i64(id), value};
    return ldr_write(f->store, view, names, 2, cells, 1, &event_us,
                     created_us == INT64_MIN ? NULL : &created_us, NULL, &f->err);
}

static inline void ck_must_put(struct fixture *f, const char *view, const char *feature, int64_t id,
                               struct ldr_datum value, int64_t event_us, int64_t created_us)
{
    if (ck_put(f, view, feature, id, value, event_us, created_us))
        fail_msg("write: %s", f->err.message);
}

static inline struct ldr_query *ck_query(struct fixture *f, const char *feature)
{
    struct ldr_query *q;
    struct ldr_query_spec spec = {.features = &feature, .nfeatures = 1};
    if (ldr_query_create(f->store, &spec, &q, &f->err))
        fail_msg("query: %s", f->err.message);
    return q;
}

/* Reads one column of one entity. */
struct ck_cell {
    int rc;
    struct ldr_datum d;
    bool has_times;
    int64_t event_us, created_us;
};
static inline struct ck_cell ck_get(struct fixture *f, const char *feature, struct ldr_datum key,
                                    const struct ldr_online_opts *opts)
{
    struct ck_cell c = {0};
    struct ldr_query *q = ck_query(f, feature);
    struct ldr_rows *rows;
    assert_int_equal(ldr_rows_create(&rows), 0);
    c.rc = ldr_online_get(q, &key, 1, opts, rows, &f->err);
    if (c.rc == 0) {
        assert_int_equal(ldr_rows_count(rows), 1);
        c.d = ldr_rows_row(rows, 0)[0];
        c.has_times = ldr_rows_times(rows, 0, 0, &c.event_us, &c.created_us);
    }
    ldr_rows_destroy(rows);
    ldr_query_destroy(q);
    return c;
}
#endif
