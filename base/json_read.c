#include "base/json_read.h"

#include "base/assert.h"
#include "base/err.h"
#include "base/utf8.h"

enum next {
    NEXT_VALUE,        /* at the top, after a key, after a comma in an array */
    NEXT_VALUE_OR_END, /* after [ */
    NEXT_KEY,          /* after a comma in an object */
    NEXT_KEY_OR_END,   /* after { */
    NEXT_COMMA_OR_END, /* after a value inside */
    NEXT_NOTHING,      /* after the document */
    NEXT_ERROR,
};

void ldr_json_reader_init(struct ldr_json_reader *r, struct ldr_slice document)
{
    *r = (struct ldr_json_reader){.begin = document.p, .p = document.p, .next = NEXT_VALUE, .why = ""};
    r->end = document.n ? document.p + document.n : document.p;
}

static enum ldr_json_token fail(struct ldr_json_reader *r, const char *why)
{
    if (r->next != NEXT_ERROR)
        r->why = why;
    r->next = NEXT_ERROR;
    return LDR_JSON_ERROR;
}

static inline void skip_space(struct ldr_json_reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
        r->p++;
}

static inline bool in_object(const struct ldr_json_reader *r)
{
    return r->objects >> (r->depth - 1) & 1;
}

static void after_value(struct ldr_json_reader *r)
{
    r->next = r->depth ? NEXT_COMMA_OR_END : NEXT_NOTHING;
}

/* ---- Strings ---- */

/* Four hex digits, or -1. */
static int hex4(const uint8_t *p)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        int c = p[i], d = c >= '0' && c <= '9'                 ? c - '0'
                          : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
                                                               : -1;
        if (d < 0)
            return -1;
        v = v * 16 + d;
    }
    return v;
}

/* At a backslash: bytes of the escape, or 0. */
static size_t escape_length(const uint8_t *p, size_t left)
{
    if (left < 2)
        return 0;
    if (p[1] != 'u')
        return memchr("\"\\/bfnrt", p[1], 8) ? 2 : 0;
    int v = left >= 6 ? hex4(p + 2) : -1;
    if (v < 0 || (v >= 0xDC00 && v <= 0xDFFF))
        return 0;
    if (v < 0xD800 || v > 0xDBFF)
        return 6;
    int low = left >= 12 && p[6] == '\\' && p[7] == 'u' ? hex4(p + 8) : -1;
    return low >= 0xDC00 && low <= 0xDFFF ? 12 : 0;
}

/* Whether one of eight bytes is not plain: a control character, a quote, a backslash, or beyond ASCII. */
static inline bool special8(const uint8_t *p)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = UINT64_C(0x8080808080808080);
    uint64_t v, quote, slash;
    memcpy(&v, p, 8);
    quote = v ^ (ones * '"');
    slash = v ^ (ones * '\\');
    return ((v | (v - ones * 0x20) | (quote - ones) | (slash - ones)) & high) != 0;
}

/* At the byte after the opening quote; sets text and moves past the closing one. */
static bool read_text(struct ldr_json_reader *r)
{
    const uint8_t *p = r->p, *from = p;
    r->escaped = false;
    for (;;) {
        while (r->end - p >= 8 && !special8(p))
            p += 8;
        while (p < r->end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
            p++;
        size_t left = (size_t)(r->end - p), n = 0;
        r->p = p;
        if (left == 0 || *p < 0x20) {
            fail(r,
                 left ? "a control character in a string: expected it escaped" : "the string does not end");
            return false;
        }
        if (*p == '"')
            break;
        n = *p == '\\' ? escape_length(p, left) : ldr_utf8_char(p, left);
        if (n == 0) {
            fail(r, *p == '\\' ? "not an escape that JSON knows" : "not UTF-8");
            return false;
        }
        r->escaped |= *p == '\\';
        p += n;
    }
    r->text = ldr_slice(from, (size_t)(p - from));
    r->p = p + 1;
    return true;
}

static uint8_t *put_utf8(uint8_t *o, uint32_t c)
{
    if (c < 0x80) {
        *o++ = (uint8_t)c;
        return o;
    }
    if (c < 0x800) {
        *o++ = (uint8_t)(0xC0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *o++ = (uint8_t)(0xE0 | c >> 12);
        } else {
            *o++ = (uint8_t)(0xF0 | c >> 18);
            *o++ = (uint8_t)(0x80 | (c >> 12 & 63));
        }
        *o++ = (uint8_t)(0x80 | (c >> 6 & 63));
    }
    *o++ = (uint8_t)(0x80 | (c & 63));
    return o;
}

size_t ldr_json_unescape(struct ldr_slice text, uint8_t *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const uint8_t *p = text.p, *end = text.n ? p + text.n : p;
    uint8_t *o = out;
    while (p < end) {
        if (*p != '\\') {
            *o++ = *p++;
            continue;
        }
        LDR_ASSERT(end - p >= 2); /* the reader has seen the whole escape */
        if (p[1] != 'u') {
            const char *k = memchr(from, p[1], sizeof from - 1);
            LDR_ASSERT(k);
            *o++ = (uint8_t)to[k - from];
            p += 2;
            continue;
        }
        uint32_t c = (uint32_t)hex4(p + 2);
        p += 6;
        if (c >= 0xD800 && c <= 0xDBFF) {
            c = 0x10000 + ((c - 0xD800) << 10) + ((uint32_t)hex4(p + 2) - 0xDC00);
            p += 6;
        }
        o = put_utf8(o, c);
    }
    return (size_t)(o - out);
}

/* ---- Numbers and words ---- */

static const uint8_t *digits(const uint8_t *p, const uint8_t *end)
{
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p;
}

static enum ldr_json_token read_number(struct ldr_json_reader *r)
{
    const uint8_t *from = r->p, *p = from, *d;
    p += *p == '-';
    d = p;
    p = digits(p, r->end);
    if (p == d || (*d == '0' && p > d + 1))
        return fail(r, p == d ? "expected a digit" : "a number with a leading zero");
    if (p < r->end && *p == '.') {
        d = ++p;
        p = digits(p, r->end);
        if (p == d)
            return fail(r, "expected a digit after the decimal point");
    }
    if (p < r->end && (*p | 32) == 'e') {
        p++;
        p += p < r->end && (*p == '+' || *p == '-');
        d = p;
        p = digits(p, r->end);
        if (p == d)
            return fail(r, "expected a digit in the exponent");
    }
    r->text = ldr_slice(from, (size_t)(p - from));
    r->p = p;
    after_value(r);
    return LDR_JSON_NUMBER;
}

static enum ldr_json_token read_word(struct ldr_json_reader *r, const char *word, size_t n,
                                     enum ldr_json_token t)
{
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
        return fail(r, "expected a value");
    r->p += n;
    after_value(r);
    return t;
}

/* ---- Structure ---- */

static enum ldr_json_token open_level(struct ldr_json_reader *r, bool object)
{
    if (r->depth == LDR_JSON_READ_DEPTH)
        return fail(r, "nested more than 64 deep");
    uint64_t bit = UINT64_C(1) << r->depth++;
    r->objects = object ? r->objects | bit : r->objects & ~bit;
    r->next = object ? NEXT_KEY_OR_END : NEXT_VALUE_OR_END;
    r->p++;
    return object ? LDR_JSON_OBJECT : LDR_JSON_ARRAY;
}

static enum ldr_json_token close_level(struct ldr_json_reader *r)
{
    bool object = in_object(r);
    r->p++;
    r->depth--;
    after_value(r);
    return object ? LDR_JSON_OBJECT_END : LDR_JSON_ARRAY_END;
}

static enum ldr_json_token read_key(struct ldr_json_reader *r)
{
    r->start = r->p;
    if (*r->p != '"')
        return fail(r, "expected a name in double quotes");
    r->p++;
    if (!read_text(r))
        return LDR_JSON_ERROR;
    skip_space(r);
    if (r->p == r->end || *r->p != ':')
        return fail(r, "expected a colon");
    r->p++;
    r->next = NEXT_VALUE;
    return LDR_JSON_KEY;
}

static enum ldr_json_token read_value(struct ldr_json_reader *r)
{
    r->start = r->p;
    switch (*r->p) {
    case '{':
        return open_level(r, true);
    case '[':
        return open_level(r, false);
    case '"':
        r->p++;
        if (!read_text(r))
            return LDR_JSON_ERROR;
        after_value(r);
        return LDR_JSON_STRING;
    case 't':
        return read_word(r, "true", 4, LDR_JSON_TRUE);
    case 'f':
        return read_word(r, "false", 5, LDR_JSON_FALSE);
    case 'n':
        return read_word(r, "null", 4, LDR_JSON_NULL);
    default:
        if (*r->p == '-' || (*r->p >= '0' && *r->p <= '9'))
            return read_number(r);
        return fail(r, "expected a value");
    }
}

enum ldr_json_token ldr_json_next(struct ldr_json_reader *r)
{
    if (r->next == NEXT_ERROR)
        return LDR_JSON_ERROR;
    skip_space(r);
    if (r->next == NEXT_NOTHING)
        return r->p == r->end ? LDR_JSON_END : fail(r, "expected nothing more");
    if (r->p == r->end)
        return fail(r, "the document ends too early");
    if (r->next == NEXT_COMMA_OR_END) {
        bool object = in_object(r);
        if (*r->p == (object ? '}' : ']'))
            return close_level(r);
        if (*r->p != ',')
            return fail(r, object ? "expected a comma or }" : "expected a comma or ]");
        r->p++;
        r->next = object ? NEXT_KEY : NEXT_VALUE;
        skip_space(r);
        if (r->p == r->end)
            return fail(r, "the document ends too early");
    }
    switch (r->next) {
    case NEXT_KEY_OR_END:
        return *r->p == '}' ? close_level(r) : read_key(r);
    case NEXT_KEY:
        return read_key(r);
    case NEXT_VALUE_OR_END:
        return *r->p == ']' ? close_level(r) : read_value(r);
    default:
        return read_value(r);
    }
}

int ldr_json_skip(struct ldr_json_reader *r, enum ldr_json_token first)
{
    if (first == LDR_JSON_ERROR)
        return LDR_E_INVALID;
    if (first != LDR_JSON_OBJECT && first != LDR_JSON_ARRAY)
        return 0;
    for (unsigned outside = r->depth - 1; r->depth > outside;)
        if (ldr_json_next(r) == LDR_JSON_ERROR)
            return LDR_E_INVALID;
    return 0;
}

void ldr_json_jump(struct ldr_json_reader *r, size_t bytes)
{
    LDR_ASSERT(r->p == r->start + 1 && (*r->start == '[' || *r->start == '{'));
    LDR_ASSERT(bytes >= 2 && bytes <= (size_t)(r->end - r->start));
    r->p = r->start + bytes;
    r->depth--;
    after_value(r);
}

const char *ldr_json_token_name(enum ldr_json_token t)
{
    static const char *const names[] = {"something that is not JSON",
                                        "the end",
                                        "an object",
                                        "the end of an object",
                                        "an array",
                                        "the end of an array",
                                        "a name",
                                        "a string",
                                        "a number",
                                        "true",
                                        "false",
                                        "null"};
    return names[t];
}
