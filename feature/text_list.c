/* A list cell: one flat JSON array, read strictly. Numbers go from their text to their own type, so an
 * integer never passes through a double. */
#include "feature/text.h"
#include "feature/text_number.h"

struct reader {
    const uint8_t *p, *end;
    unsigned type, element;
    uint8_t *out;     /* packed elements; allocated for the most that the text can hold */
    uint8_t *scratch; /* of bytes lists: one unescaped base64 string */
    size_t n;
    uint32_t count;
    const char **why;
};

static int refuse(struct reader *r, const char *text)
{
    return ldr_text_refuse(r->why, LDR_E_INVALID, text);
}

static void skip_space(struct reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r'))
        r->p++;
}

static int hex4(struct reader *r, uint32_t *out)
{
    uint32_t v = 0;
    if (r->end - r->p < 4)
        return refuse(r, "expected four hex digits after \\u in a JSON string");
    for (int i = 0; i < 4; i++) {
        uint8_t c = *r->p++, low = c | 0x20;
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if (low >= 'a' && low <= 'f')
            v = v << 4 | (uint32_t)(low - 'a' + 10);
        else
            return refuse(r, "expected four hex digits after \\u in a JSON string");
    }
    *out = v;
    return 0;
}

static uint8_t *put_utf8(uint8_t *at, uint32_t c)
{
    if (c < 0x80) {
        *at++ = (uint8_t)c;
    } else if (c < 0x800) {
        *at++ = (uint8_t)(0xc0 | c >> 6);
        *at++ = (uint8_t)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *at++ = (uint8_t)(0xe0 | c >> 12);
        *at++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        *at++ = (uint8_t)(0x80 | (c & 0x3f));
    } else {
        *at++ = (uint8_t)(0xf0 | c >> 18);
        *at++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
        *at++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
        *at++ = (uint8_t)(0x80 | (c & 0x3f));
    }
    return at;
}

static int unicode_escape(struct reader *r, uint8_t **at)
{
    uint32_t c, low;
    int rc = hex4(r, &c);
    if (rc)
        return rc;
    if (c >= 0xdc00 && c <= 0xdfff)
        return refuse(r, "expected a high surrogate before a low one in a JSON string");
    if (c >= 0xd800 && c <= 0xdbff) {
        if (r->end - r->p < 2 || r->p[0] != '\\' || r->p[1] != 'u')
            return refuse(r, "expected a low surrogate after a high one in a JSON string");
        r->p += 2;
        if ((rc = hex4(r, &low)) != 0)
            return rc;
        if (low < 0xdc00 || low > 0xdfff)
            return refuse(r, "expected a low surrogate after a high one in a JSON string");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    *at = put_utf8(*at, c);
    return 0;
}

static int escape(struct reader *r, uint8_t **at)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (r->p == r->end)
        return refuse(r, "expected a closing quote in a JSON string");
    uint8_t c = *r->p++;
    if (c == 'u')
        return unicode_escape(r, at);
    const char *hit = c ? strchr(from, c) : NULL;
    if (!hit)
        return refuse(r, "expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u in a JSON string");
    *(*at)++ = (uint8_t)to[hit - from];
    return 0;
}

/* Unescapes from after the opening quote; the result is never longer than the text. */
static int string(struct reader *r, uint8_t *at, size_t *n)
{
    const uint8_t *start = at;
    for (;;) {
        const uint8_t *run = r->p;
        while (r->p < r->end && *r->p != '"' && *r->p != '\\' && *r->p >= 0x20)
            r->p++;
        memcpy(at, run, (size_t)(r->p - run));
        at += r->p - run;
        if (r->p == r->end)
            return refuse(r, "expected a closing quote in a JSON string");
        uint8_t c = *r->p++;
        if (c == '"') {
            *n = (size_t)(at - start);
            return 0;
        }
        if (c != '\\')
            return refuse(r, "expected control characters as \\u escapes in a JSON string");
        int rc = escape(r, &at);
        if (rc)
            return rc;
    }
}

/* JSON's grammar, stricter than the number parsers: no leading zeros, no '+', digits on both sides of the
 * point. */
static bool json_number(struct ldr_slice t)
{
    size_t i = 0, from;
    if (i < t.n && t.p[i] == '-')
        i++;
    from = i;
    while (i < t.n && t.p[i] >= '0' && t.p[i] <= '9')
        i++;
    if (i == from || (t.p[from] == '0' && i - from > 1))
        return false;
    if (i < t.n && t.p[i] == '.') {
        from = ++i;
        while (i < t.n && t.p[i] >= '0' && t.p[i] <= '9')
            i++;
        if (i == from)
            return false;
    }
    if (i < t.n && (t.p[i] | 0x20) == 'e') {
        i++;
        if (i < t.n && (t.p[i] == '+' || t.p[i] == '-'))
            i++;
        from = i;
        while (i < t.n && t.p[i] >= '0' && t.p[i] <= '9')
            i++;
        if (i == from)
            return false;
    }
    return i == t.n;
}

static bool special_float(struct ldr_slice t)
{
    return ldr_slice_eq(t, ldr_slice_str("NaN")) || ldr_slice_eq(t, ldr_slice_str("Infinity")) ||
           ldr_slice_eq(t, ldr_slice_str("-Infinity"));
}

static const char *element_expected(unsigned element)
{
    switch (element) {
    case LDR_BOOL:
        return "expected list<bool>: each element true or false";
    case LDR_INT32:
        return "expected list<int32>: each element a whole number, -2147483648 to 2147483647";
    case LDR_INT64:
        return "expected list<int64>: each element a whole number, -9223372036854775808 to "
               "9223372036854775807";
    case LDR_FLOAT32:
        return "expected list<float32>: each element a number, NaN, Infinity or -Infinity";
    case LDR_FLOAT64:
        return "expected list<float64>: each element a number, NaN, Infinity or -Infinity";
    case LDR_STRING:
        return "expected list<string>: each element a quoted string in UTF-8";
    case LDR_BYTES:
        return "expected list<bytes>: each element a quoted string in base64";
    default:
        return "expected list<timestamp>: each element a quoted time (RFC 3339) or whole microseconds";
    }
}

/* A value of fixed width, from the text between the separators (quotes taken off). */
static int fixed_element(struct reader *r, struct ldr_slice token, bool quoted)
{
    bool number = !quoted && json_number(token), ok;
    switch (r->element) {
    case LDR_BOOL:
        ok = !quoted &&
             (ldr_slice_eq(token, ldr_slice_str("true")) || ldr_slice_eq(token, ldr_slice_str("false")));
        break;
    case LDR_FLOAT32:
    case LDR_FLOAT64:
        ok = number || special_float(token);
        break;
    case LDR_TIMESTAMP:
        ok = number || quoted;
        break;
    default:
        ok = number;
    }
    struct ldr_value v;
    if (!ok)
        return refuse(r, element_expected(r->element));
    if (ldr_text_fixed(r->element, token, &v, r->why))
        return LDR_E_INVALID;
    uint8_t *at = r->out + r->n;
    if (r->element == LDR_BOOL) {
        *at = v.b;
    } else if (r->element == LDR_INT32) {
        ldr_put_le32(at, (uint32_t)v.i);
    } else if (r->element == LDR_FLOAT32) {
        uint32_t bits;
        memcpy(&bits, &v.f32, sizeof bits);
        ldr_put_le32(at, bits);
    } else {
        uint64_t bits;
        memcpy(&bits, &v.i, sizeof bits);
        ldr_put_le64(at, bits);
    }
    r->n += ldr_type_width(r->element);
    return 0;
}

static struct ldr_slice bare_token(struct reader *r)
{
    const uint8_t *start = r->p;
    while (r->p < r->end && *r->p != ',' && *r->p != ']' && *r->p > ' ')
        r->p++;
    return ldr_slice(start, (size_t)(r->p - start));
}

static int variable_element(struct reader *r)
{
    uint8_t *at = r->out + r->n + 4;
    size_t n = 0;
    int rc;
    if (r->p == r->end || *r->p != '"')
        return refuse(r, element_expected(r->element));
    r->p++;
    if (r->element == LDR_BYTES) {
        if ((rc = string(r, r->scratch, &n)) != 0)
            return rc;
        if (ldr_base64_decode(ldr_slice(r->scratch, n), at, &n))
            return refuse(r, element_expected(r->element));
    } else {
        if ((rc = string(r, at, &n)) != 0)
            return rc;
        if (!ldr_utf8_valid(ldr_slice(at, n)))
            return refuse(r, element_expected(r->element));
    }
    ldr_put_le32(at - 4, (uint32_t)n);
    r->n += 4 + n;
    return 0;
}

static int element(struct reader *r)
{
    if (r->count >= LDR_LIST_MAX)
        return ldr_text_refuse(r->why, LDR_E_TOO_BIG, "expected a list of at most 1048576 elements");
    r->count++;
    if (r->end - r->p >= 4 && memcmp(r->p, "null", 4) == 0)
        return refuse(r, "null inside a list");
    if (!ldr_type_is_fixed(r->element))
        return variable_element(r);
    if (r->p < r->end && *r->p == '"') {
        const uint8_t *start = ++r->p;
        while (r->p < r->end && *r->p != '"')
            r->p++;
        if (r->p == r->end)
            return refuse(r, "expected a closing quote in a JSON string");
        return fixed_element(r, ldr_slice(start, (size_t)(r->p++ - start)), true);
    }
    return fixed_element(r, bare_token(r), false);
}

static int array(struct reader *r)
{
    skip_space(r);
    if (r->p == r->end || *r->p != '[')
        return refuse(r, "expected a list as a JSON array, such as [1, 2]");
    r->p++;
    skip_space(r);
    if (r->p < r->end && *r->p == ']') {
        r->p++;
    } else {
        for (;;) {
            skip_space(r);
            int rc = element(r);
            if (rc)
                return rc;
            skip_space(r);
            if (r->p == r->end || (*r->p != ',' && *r->p != ']'))
                return refuse(r, "expected ',' or ']' after an element of a JSON array");
            if (*r->p++ == ']')
                break;
        }
    }
    skip_space(r);
    return r->p == r->end ? 0 : refuse(r, "expected nothing after the ']' of a JSON array");
}

int ldr_text_list(unsigned type, struct ldr_slice text, struct ldr_arena *a, struct ldr_value *out,
                  const char **why)
{
    /* Escapes of six bytes for one: the longest text of a list that may be stored. */
    if (text.n > (size_t)LDR_VALUE_MAX * 8)
        return ldr_text_refuse(why, LDR_E_TOO_BIG, "expected a list of at most 16 MiB");
    struct reader r = {.p = text.p, .end = text.n ? text.p + text.n : text.p, .type = type, .why = why};
    r.element = ldr_type_element(type);
    size_t most = 1;
    for (size_t i = 0; i < text.n; i++)
        most += text.p[i] == ',';
    if (most > LDR_LIST_MAX && ldr_type_is_fixed(r.element))
        return ldr_text_refuse(why, LDR_E_TOO_BIG, "expected a list of at most 1048576 elements");
    /* A variable element brings two quotes and a separator, and needs four bytes for its length. */
    r.out = ldr_arena_alloc(a, ldr_type_is_fixed(r.element) ? most * ldr_type_width(r.element)
                                                            : text.n + most + 4);
    if (r.out && r.element == LDR_BYTES)
        r.scratch = ldr_arena_alloc(a, text.n);
    if (!r.out || (r.element == LDR_BYTES && !r.scratch))
        return ldr_text_refuse(why, LDR_E_NOMEM, "out of memory");
    int rc = array(&r);
    if (rc)
        return rc;
    if (r.n > LDR_VALUE_MAX)
        return ldr_text_refuse(why, LDR_E_TOO_BIG, "expected a list of at most 16 MiB");
    *out = (struct ldr_value){.type = (uint8_t)type, .count = r.count, .s = ldr_slice(r.out, r.n)};
    return 0;
}
