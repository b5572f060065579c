/* Base64: the vectors of RFC 4648, round trips, and the refusal of everything that is not canonical. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"

static void rfc_vectors(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"", ""},
                                           {"f", "Zg=="},
                                           {"fo", "Zm8="},
                                           {"foo", "Zm9v"},
                                           {"foob", "Zm9vYg=="},
                                           {"fooba", "Zm9vYmE="},
                                           {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        char text[32];
        uint8_t bytes[32];
        size_t n = ldr_base64_encode(ldr_slice_str(pairs[i][0]), text);
        assert_int_equal(n, ldr_base64_encoded_len(strlen(pairs[i][0])));
        assert_true(ldr_slice_eq(ldr_slice(text, n), ldr_slice_str(pairs[i][1])));
        assert_int_equal(ldr_base64_decode(ldr_slice_str(pairs[i][1]), bytes, &n), 0);
        assert_true(ldr_slice_eq(ldr_slice(bytes, n), ldr_slice_str(pairs[i][0])));
    }
}

static void all_bytes_round_trip(void **state)
{
    (void)state;
    uint8_t in[300], back[300];
    char text[400];
    for (size_t i = 0; i < sizeof(in); i++) {
        in[i] = (uint8_t)(i * 167 + 3);
    }
    for (size_t n = 0; n <= sizeof(in); n++) {
        size_t m = ldr_base64_encode(ldr_slice(in, n), text), out = 0;
        assert_int_equal(ldr_base64_decode(ldr_slice(text, m), back, &out), 0);
        assert_true(ldr_slice_eq(ldr_slice(in, n), ldr_slice(back, out)));
    }
}

static void malformed_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "Z",    "Zg",   "Zg=",  "Zg===",    "=Zg=", "Z===", "====",       "Zm9v=",       "Zm9\n",
        "Zm 9", "Zm-v", "Zm_v", "Zg==Zg==", "Zh==", "Zm9=", "Zm\xC3\xA9", "Zm9v\n\n\n\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint8_t out[32];
        size_t n = 99;
        assert_int_equal(ldr_base64_decode(ldr_slice_str(bad[i]), out, &n), LDR_E_INVALID);
        assert_int_equal(n, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_vectors),
        cmocka_unit_test(all_bytes_round_trip),
        cmocka_unit_test(malformed_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
