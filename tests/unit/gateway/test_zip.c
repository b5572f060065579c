/* gzip: streams that can be read up to each flush, and bodies that are taken within limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/zip.h"

static int put(void *ctx, struct ldr_slice bytes)
{
    return ldr_buf_put(ctx, bytes.p, bytes.n);
}

static int full(void *ctx, struct ldr_slice bytes)
{
    (void)ctx;
    (void)bytes;
    return LDR_E_CANCELLED;
}

static int unzip(struct ldr_slice in, size_t max, size_t held_max, struct ldr_buf *out, char *why,
                 size_t why_n)
{
    atomic_size_t held = 0;
    struct ldr_gw_unzip u = {.max = max, .held_max = held_max, .held = &held};
    struct ldr_err err = {0};
    int rc = ldr_gw_unzip(&u, in, out, &err);
    assert_int_equal(atomic_load(&held), u.counted);
    assert_true(u.counted >= out->n && out->n <= max);
    snprintf(why, why_n, "%s", err.message);
    return rc;
}

static void streams(void **state)
{
    (void)state;
    enum { N = 3000000 };
    struct ldr_gw_zipper *z;
    struct ldr_buf zipped, plain, back;
    char why[300];
    ldr_buf_init(&zipped, NULL, 0);
    ldr_buf_init(&plain, NULL, 0);
    ldr_buf_init(&back, NULL, 0);
    uint64_t seed = 1;
    for (size_t i = 0; i < N; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        ldr_buf_u8(&plain, i < N / 2 ? (uint8_t)(seed >> 56) : (uint8_t)(i / 1000));
    }
    assert_int_equal(ldr_gw_zipper_create(&z), 0);
    size_t from = 0;
    for (size_t n = 1; from < N; n = n * 3 + 1) {
        n = n > N - from ? N - from : n;
        assert_int_equal(ldr_gw_zipper_put(z, ldr_slice(plain.p + from, n), LDR_GW_ZIP_MORE, put, &zipped),
                         0);
        assert_int_equal(ldr_gw_zipper_put(z, ldr_slice(NULL, 0), LDR_GW_ZIP_FLUSH, put, &zipped), 0);
        from += n;
        /* what came so far is all there, and has visibly no end */
        ldr_buf_reset(&back);
        assert_int_equal(unzip(ldr_buf_slice(&zipped), N, SIZE_MAX, &back, why, sizeof why), LDR_E_FORMAT);
        assert_non_null(strstr(why, "not whole gzip"));
        assert_int_equal(back.n, from);
    }
    assert_int_equal(ldr_gw_zipper_put(z, ldr_slice(NULL, 0), LDR_GW_ZIP_END, put, &zipped), 0);
    ldr_buf_reset(&back);
    assert_int_equal(unzip(ldr_buf_slice(&zipped), N, SIZE_MAX, &back, why, sizeof why), 0);
    assert_int_equal(back.n, N);
    assert_memory_equal(back.p, plain.p, N);
    ldr_gw_zipper_destroy(z);
    /* who takes nothing more ends it */
    assert_int_equal(ldr_gw_zipper_create(&z), 0);
    assert_int_equal(ldr_gw_zipper_put(z, ldr_buf_slice(&plain), LDR_GW_ZIP_MORE, full, NULL),
                     LDR_E_CANCELLED);
    ldr_gw_zipper_destroy(z);
    ldr_buf_close(&zipped);
    ldr_buf_close(&plain);
    ldr_buf_close(&back);
}

static void takes_bodies_within_limits(void **state)
{
    (void)state;
    enum { N = 1 << 20 };
    struct ldr_buf zipped, two, back;
    char why[300];
    uint8_t *zeros = calloc(1, N);
    ldr_buf_init(&zipped, NULL, 0);
    ldr_buf_init(&two, NULL, 0);
    ldr_buf_init(&back, NULL, 0);
    assert_int_equal(ldr_gw_zip(ldr_slice(zeros, N), &zipped), 0);
    assert_int_equal(unzip(ldr_buf_slice(&zipped), N, SIZE_MAX, &back, why, sizeof why), 0);
    assert_int_equal(back.n, N);
    ldr_buf_reset(&back);
    assert_int_equal(unzip(ldr_buf_slice(&zipped), N - 1, SIZE_MAX, &back, why, sizeof why), LDR_E_TOO_BIG);
    assert_non_null(strstr(why, "1048575"));
    ldr_buf_reset(&back);
    assert_int_equal(unzip(ldr_buf_slice(&zipped), N, N / 2, &back, why, sizeof why), LDR_E_BUSY);
    /* two members are one body */
    ldr_buf_put(&two, zipped.p, zipped.n);
    ldr_buf_put(&two, zipped.p, zipped.n);
    ldr_buf_reset(&back);
    assert_int_equal(unzip(ldr_buf_slice(&two), 2 * N, SIZE_MAX, &back, why, sizeof why), 0);
    assert_int_equal(back.n, 2 * N);
    /* what follows is another member or nothing */
    ldr_buf_puts(&two, "{}");
    ldr_buf_reset(&back);
    assert_int_equal(unzip(ldr_buf_slice(&two), 3 * N, SIZE_MAX, &back, why, sizeof why), LDR_E_FORMAT);
    /* every cut and every changed byte of what frames it is noticed */
    for (size_t n = 0; n < zipped.n; n += n < 20 || n + 20 > zipped.n ? 1 : 97) {
        ldr_buf_reset(&back);
        assert_int_equal(unzip(ldr_slice(zipped.p, n), N, SIZE_MAX, &back, why, sizeof why), LDR_E_FORMAT);
    }
    for (size_t i = 0; i < 8; i++) {
        zipped.p[zipped.n - 1 - i] ^= 1;
        ldr_buf_reset(&back);
        assert_int_equal(unzip(ldr_buf_slice(&zipped), N, SIZE_MAX, &back, why, sizeof why), LDR_E_FORMAT);
        zipped.p[zipped.n - 1 - i] ^= 1;
    }
    ldr_buf_reset(&back);
    assert_int_equal(unzip(ldr_slice_str("{\"features\": []}"), N, SIZE_MAX, &back, why, sizeof why),
                     LDR_E_FORMAT);
    assert_non_null(strstr(why, "incorrect header check"));
    free(zeros);
    ldr_buf_close(&zipped);
    ldr_buf_close(&two);
    ldr_buf_close(&back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams),
        cmocka_unit_test(takes_bodies_within_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
