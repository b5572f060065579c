/* The token reader against jansson: both must take and refuse the same documents, and give the same values.
 * links: gateway */
#include <jansson.h>
#include <stdlib.h>

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool text_is(const struct ldr_json_reader *r, const char *want, size_t n)
{
    if (!r->escaped)
        return ldr_slice_eq(r->text, ldr_slice(want, n));
    uint8_t *plain = malloc(r->text.n + 1);
    LDR_ASSERT(plain);
    bool same = ldr_slice_eq(ldr_slice(plain, ldr_json_unescape(r->text, plain)), ldr_slice(want, n));
    free(plain);
    return same;
}

static void compare(struct ldr_json_reader *r, enum ldr_json_token t, json_t *j)
{
    int64_t i;
    double d;
    size_t n = 0;
    switch (t) {
    case LDR_JSON_OBJECT:
        LDR_ASSERT(json_is_object(j));
        for (; (t = ldr_json_next(r)) == LDR_JSON_KEY; n++) {
            uint8_t *key = malloc(r->text.n + 1);
            LDR_ASSERT(key);
            size_t len = ldr_json_unescape(r->text, key);
            key[len] = 0;
            json_t *v = json_object_get(j, (const char *)key);
            LDR_ASSERT(v && strlen((const char *)key) == len);
            free(key);
            compare(r, ldr_json_next(r), v);
        }
        LDR_ASSERT(t == LDR_JSON_OBJECT_END && n == json_object_size(j));
        break;
    case LDR_JSON_ARRAY:
        LDR_ASSERT(json_is_array(j));
        for (; (t = ldr_json_next(r)) != LDR_JSON_ARRAY_END; n++)
            compare(r, t, json_array_get(j, n));
        LDR_ASSERT(n == json_array_size(j));
        break;
    case LDR_JSON_STRING:
        LDR_ASSERT(json_is_string(j) && text_is(r, json_string_value(j), json_string_length(j)));
        break;
    case LDR_JSON_NUMBER:
        if (json_is_integer(j))
            LDR_ASSERT(ldr_i64_parse(r->text, &i) == 0 && i == json_integer_value(j));
        else
            LDR_ASSERT(json_is_real(j) && ldr_f64_parse(r->text, &d) == 0 && d == json_real_value(j));
        break;
    case LDR_JSON_TRUE:
        LDR_ASSERT(json_is_true(j));
        break;
    case LDR_JSON_FALSE:
        LDR_ASSERT(json_is_false(j));
        break;
    default:
        LDR_ASSERT(t == LDR_JSON_NULL && json_is_null(j));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ldr_json_reader r;
    json_error_t why;
    unsigned deepest = 0;
    enum ldr_json_token t;
    ldr_json_reader_init(&r, ldr_slice(data, size));
    do {
        t = ldr_json_next(&r);
        deepest = r.depth > deepest ? r.depth : deepest;
    } while (t != LDR_JSON_END && t != LDR_JSON_ERROR);
    if (memchr(data, 0, size)) /* jansson takes a NUL outside strings for the end */
        return 0;
    json_t *j =
        json_loadb((const char *)data, size, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &why);
    if (t == LDR_JSON_END && !j) {
        enum json_error_code c = json_error_code(&why);
        /* what only the tree minds: numbers and keys that its nodes cannot hold */
        LDR_ASSERT(c == json_error_numeric_overflow || c == json_error_duplicate_key ||
                   c == json_error_null_byte_in_key);
    } else if (t == LDR_JSON_ERROR) {
        LDR_ASSERT(!j || deepest == LDR_JSON_READ_DEPTH);
    } else {
        ldr_json_reader_init(&r, ldr_slice(data, size));
        compare(&r, ldr_json_next(&r), j);
        LDR_ASSERT(ldr_json_next(&r) == LDR_JSON_END);
    }
    json_decref(j);
    return 0;
}
