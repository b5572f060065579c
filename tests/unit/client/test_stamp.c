/* Times of acceptance: strictly rising, over restarts and clocks that go back. */
#include "client/stamp.h"

#include "client/disk/files.h"
#include "unit/client/clock_fixture.h"

static int warnings;

static void count_warning(void *ctx, enum ldr_log_level level, const char *text)
{
    (void)ctx, (void)text;
    warnings += level == LDR_LOG_WARN;
}
static const struct ldr_log counting = {NULL, LDR_LOG_WARN, count_warning};

static struct fixture folder;
static char path[512];

static int setup(void **state)
{
    (void)state;
    ck_now = T0;
    warnings = 0;
    snprintf(folder.dir, sizeof folder.dir, "/tmp/larder-test-XXXXXX");
    assert_non_null(mkdtemp(folder.dir));
    fx_path(&folder, "stamp", path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return nftw(folder.dir, fx_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct ldr_stamp_file *open_file(bool create)
{
    struct ldr_stamp_file *f;
    struct ldr_err err;
    if (ldr_stamp_file_open(path, create, false, ck_clock(), &counting, &f, &err))
        fail_msg("%s", err.message);
    return f;
}

static int64_t next(struct ldr_stamp_file *f)
{
    int64_t us;
    assert_int_equal(ldr_stamp_next(f, &us, NULL), 0);
    return us;
}

static void they_rise(void **state)
{
    (void)state;
    struct ldr_stamp_file *f = open_file(true);
    assert_int_equal(next(f), T0);
    assert_int_equal(next(f), T0 + 1); /* the same moment again */
    ck_now = T0 - HOUR;
    assert_int_equal(next(f), T0 + 2);
    ck_now = T0 + HOUR;
    assert_int_equal(next(f), T0 + HOUR);
    ck_now = T0 - HOUR;
    ldr_stamp_file_close(f);
    f = open_file(false);                     /* the clock was set back between two openings */
    assert_int_equal(next(f), T0 + HOUR + 1); /* exact after a clean close */
    assert_int_equal(warnings, 1);            /* and people are told */
    ldr_stamp_file_close(f);
}

/* Killed without a close: what the file holds at any moment bounds every stamp given. */
static void a_crash_loses_none(void **state)
{
    (void)state;
    struct ldr_stamp_file *f = open_file(true);
    for (int i = 0; i < 50; i++) {
        ck_now += i * 100000;
        int64_t last = next(f), kept = ck_now;
        char other[512];
        struct ldr_stamp_file *g;
        fx_path(&folder, "copy", other);
        unlink(other);
        assert_int_equal(ldr_file_copy(path, other, false, NULL, NULL, NULL), 0);
        ck_now = T0 - DAY;
        assert_int_equal(ldr_stamp_file_open(other, false, false, ck_clock(), NULL, &g, NULL), 0);
        int64_t first = next(g);
        assert_true(first > last);
        assert_true(first <= last + SECOND + 1);
        ldr_stamp_file_close(g);
        ck_now = kept;
    }
    ldr_stamp_file_close(f);
}

static void damage_is_seen(void **state)
{
    (void)state;
    struct ldr_stamp_file *f = open_file(true);
    next(f);
    ck_now += 5 * SECOND;
    int64_t last = next(f);
    ldr_stamp_file_close(f);
    FILE *in = fopen(path, "rb");
    uint8_t bytes[540];
    size_t n = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    assert_int_equal(n, 540);
    ck_now = T0 - DAY;
    for (size_t bit = 0; bit < 28 * 8; bit++) {
        for (int slot = 0; slot < 2; slot++) {
            size_t at = (size_t)slot * 512 + bit / 8;
            bytes[at] ^= (uint8_t)(1u << bit % 8);
            fx_write_bytes(&folder, "stamp", bytes, n);
            warnings = 0;
            f = open_file(false);
            assert_true(warnings >= 1);
            assert_true(next(f) > T0); /* the other slot still bounds what was given when it was written */
            ldr_stamp_file_close(f);
            bytes[at] ^= (uint8_t)(1u << bit % 8);
        }
    }
    bytes[3] ^= 1;
    bytes[515] ^= 1;
    fx_write_bytes(&folder, "stamp", bytes, n);
    struct ldr_err err;
    assert_int_equal(ldr_stamp_file_open(path, false, false, ck_clock(), NULL, &f, &err), LDR_E_CORRUPT);
    assert_non_null(strstr(err.message, "stamp"));
    bytes[3] ^= 1;
    bytes[515] ^= 1;
    fx_write_bytes(&folder, "stamp", bytes, n);
    f = open_file(false);
    assert_int_equal(next(f), last + 1);
    ldr_stamp_file_close(f);
}

static void a_missing_file_is_a_warning(void **state)
{
    (void)state;
    struct ldr_stamp_file *f = open_file(false);
    assert_int_equal(warnings, 1);
    assert_int_equal(next(f), T0);
    ldr_stamp_file_close(f);
}

static void images_open(void **state)
{
    (void)state;
    struct ldr_stamp_file *f = open_file(true);
    next(f);
    ck_now += HOUR;
    int64_t last = next(f);
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_stamp_image(f, &b), 0);
    ldr_stamp_file_close(f);
    fx_write_bytes(&folder, "stamp", b.p, b.n);
    ldr_buf_close(&b);
    ck_now = T0;
    f = open_file(false);
    assert_int_equal(next(f), last + 1);
    ldr_stamp_file_close(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(they_rise, setup, teardown),
        cmocka_unit_test_setup_teardown(a_crash_loses_none, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_file_is_a_warning, setup, teardown),
        cmocka_unit_test_setup_teardown(images_open, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
