#include "feature/text.h"
#include "feature/text_number.h"

static bool is(struct ldr_slice text, const char *word, size_t n)
{
    return text.n == n && memcmp(text.p, word, n) == 0;
}

static int parse_bool(struct ldr_slice text, bool *out)
{
    switch (text.n) {
    case 1:
        *out = text.p[0] == '1' || text.p[0] == 't';
        return *out || text.p[0] == '0' || text.p[0] == 'f' ? 0 : LDR_E_INVALID;
    case 4:
        *out = true;
        return is(text, "true", 4) || is(text, "True", 4) || is(text, "TRUE", 4) ? 0 : LDR_E_INVALID;
    case 5:
        *out = false;
        return is(text, "false", 5) || is(text, "False", 5) || is(text, "FALSE", 5) ? 0 : LDR_E_INVALID;
    default:
        return LDR_E_INVALID;
    }
}

static int parse_int(unsigned type, struct ldr_slice text, int64_t *out, const char **why)
{
    int rc = ldr_i64_parse(text, out);
    if (type == LDR_INT32) {
        if (rc == LDR_E_TOO_BIG || (!rc && (*out < INT32_MIN || *out > INT32_MAX)))
            return ldr_text_refuse(why, LDR_E_INVALID,
                                   "out of range: expected int32 (-2147483648 to 2147483647)");
        return rc ? ldr_text_refuse(why, LDR_E_INVALID, "expected int32 (-2147483648 to 2147483647)") : 0;
    }
    if (rc == LDR_E_TOO_BIG)
        return ldr_text_refuse(why, LDR_E_INVALID,
                               "out of range: expected int64 (-9223372036854775808 to 9223372036854775807)");
    return rc ? ldr_text_refuse(why, LDR_E_INVALID, "expected int64 (a whole number)") : 0;
}

static int float_error(int rc, const char **why, const char *range, const char *form)
{
    return ldr_text_refuse(why, LDR_E_INVALID, rc == LDR_E_TOO_BIG ? range : form);
}

static int parse_time(struct ldr_slice text, int64_t *us, const char **why)
{
    const char *reason = NULL;
    if (!ldr_time_parse(text, us, &reason))
        return 0;
    /* What is wrong with a time that has the shape of one is worth more than what a time looks like. */
    bool shapeless = !reason || !text.n || strcmp(reason, "not a time (RFC 3339 or whole microseconds)") == 0;
    return ldr_text_refuse(why, LDR_E_INVALID,
                           shapeless ? "expected timestamp (RFC 3339 or whole microseconds)" : reason);
}

int ldr_text_fixed(unsigned type, struct ldr_slice text, struct ldr_value *out, const char **why)
{
    int rc;
    *out = (struct ldr_value){.type = (uint8_t)type};
    switch (type) {
    case LDR_BOOL:
        rc = parse_bool(text, &out->b);
        return rc ? ldr_text_refuse(why, rc,
                                    "expected bool (true, false, True, False, TRUE, FALSE, 1, 0, t or f)")
                  : 0;
    case LDR_INT32:
    case LDR_INT64:
        return parse_int(type, text, &out->i, why);
    case LDR_FLOAT32:
        rc = ldr_f32_parse(text, &out->f32);
        return rc ? float_error(rc, why, "out of range: expected float32 (magnitude below 3.4028236e38)",
                                "expected float32 (a decimal number, NaN, Infinity or -Infinity)")
                  : 0;
    case LDR_FLOAT64:
        rc = ldr_f64_parse(text, &out->f64);
        return rc ? float_error(rc, why,
                                "out of range: expected float64 (magnitude below 1.7976931348623159e308)",
                                "expected float64 (a decimal number, NaN, Infinity or -Infinity)")
                  : 0;
    default:
        LDR_ASSERT(type == LDR_TIMESTAMP);
        return parse_time(text, &out->i, why);
    }
}

static int parse_string(unsigned type, struct ldr_slice text, struct ldr_value *out, const char **why)
{
    if (text.n > LDR_VALUE_MAX)
        return ldr_text_refuse(why, LDR_E_TOO_BIG, "expected string of at most 16 MiB");
    if (!ldr_utf8_valid(text))
        return ldr_text_refuse(why, LDR_E_INVALID, "expected string in UTF-8");
    *out = (struct ldr_value){.type = (uint8_t)type, .s = text};
    return 0;
}

static int parse_bytes(unsigned type, struct ldr_slice text, struct ldr_arena *a, struct ldr_value *out,
                       const char **why)
{
    if (text.n > ldr_base64_encoded_len(LDR_VALUE_MAX))
        return ldr_text_refuse(why, LDR_E_TOO_BIG, "expected bytes (base64) of at most 16 MiB");
    size_t n;
    uint8_t *p = ldr_arena_alloc(a, text.n / 4 * 3);
    if (!p)
        return ldr_text_refuse(why, LDR_E_NOMEM, "out of memory");
    if (ldr_base64_decode(text, p, &n))
        return ldr_text_refuse(why, LDR_E_INVALID, "expected bytes (base64 with padding)");
    if (n > LDR_VALUE_MAX)
        return ldr_text_refuse(why, LDR_E_TOO_BIG, "expected bytes (base64) of at most 16 MiB");
    *out = (struct ldr_value){.type = (uint8_t)type, .s = ldr_slice(p, n)};
    return 0;
}

int ldr_value_parse(unsigned type, struct ldr_slice text, struct ldr_arena *a, struct ldr_value *out,
                    const char **why)
{
    LDR_ASSERT(ldr_type_valid(type));
    if (ldr_type_is_list(type))
        return ldr_text_list(type, text, a, out, why);
    if (type == LDR_STRING)
        return parse_string(type, text, out, why);
    if (type == LDR_BYTES)
        return parse_bytes(type, text, a, out, why);
    return ldr_text_fixed(type, text, out, why);
}
