#include "base/json.h"

#include <math.h>

#include "base/assert.h"
#include "base/num.h"
#include "base/utf8.h"

void ldr_json_init(struct ldr_json *j, struct ldr_buf *out)
{
    *j = (struct ldr_json){.out = out};
}

/* What stands before a value: nothing after a key or at the top, else a comma from the second element on. */
static void before_value(struct ldr_json *j)
{
    if (j->after_key) {
        j->after_key = false;
        return;
    }
    if (j->depth == 0) {
        return;
    }
    LDR_ASSERT(!j->object[j->depth - 1]);
    if (!j->first[j->depth - 1]) {
        ldr_buf_putc(j->out, ',');
    }
    j->first[j->depth - 1] = false;
}

static void open_level(struct ldr_json *j, bool object)
{
    before_value(j);
    LDR_ASSERT(j->depth < LDR_JSON_DEPTH);
    j->first[j->depth] = true;
    j->object[j->depth] = object;
    j->depth++;
    ldr_buf_putc(j->out, object ? '{' : '[');
}

static void close_level(struct ldr_json *j, bool object)
{
    LDR_ASSERT(j->depth > 0 && j->object[j->depth - 1] == object && !j->after_key);
    j->depth--;
    ldr_buf_putc(j->out, object ? '}' : ']');
}

void ldr_json_object(struct ldr_json *j)
{
    open_level(j, true);
}

void ldr_json_object_end(struct ldr_json *j)
{
    close_level(j, true);
}

void ldr_json_array(struct ldr_json *j)
{
    open_level(j, false);
}

void ldr_json_array_end(struct ldr_json *j)
{
    close_level(j, false);
}

/* What must be escaped, or is not UTF-8; p is at such a byte or at plain text. */
static bool is_plain(uint8_t c)
{
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

static void put_special(struct ldr_buf *out, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    switch (c) {
    case '"':
        ldr_buf_put(out, "\\\"", 2);
        break;
    case '\\':
        ldr_buf_put(out, "\\\\", 2);
        break;
    case '\b':
        ldr_buf_put(out, "\\b", 2);
        break;
    case '\f':
        ldr_buf_put(out, "\\f", 2);
        break;
    case '\n':
        ldr_buf_put(out, "\\n", 2);
        break;
    case '\r':
        ldr_buf_put(out, "\\r", 2);
        break;
    case '\t':
        ldr_buf_put(out, "\\t", 2);
        break;
    default: {
        const char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        ldr_buf_put(out, text, 6);
    }
    }
}

static void put_text(struct ldr_buf *out, const uint8_t *p, size_t left)
{
    ldr_buf_putc(out, '"');
    while (left) {
        size_t n = 0;
        while (n < left) { /* the longest run that goes out as it is */
            size_t step = is_plain(p[n]) ? 1 : p[n] >= 0x80 ? ldr_utf8_char(p + n, left - n) : 0;
            if (step == 0) {
                break;
            }
            n += step;
        }
        ldr_buf_put(out, p, n);
        p += n;
        left -= n;
        if (left) {
            if (*p < 0x80) {
                put_special(out, *p);
            } else {
                ldr_buf_put(out, "\xEF\xBF\xBD", 3);
            }
            p++;
            left--;
        }
    }
    ldr_buf_putc(out, '"');
}

void ldr_json_key(struct ldr_json *j, const char *key)
{
    LDR_ASSERT(j->depth > 0 && j->object[j->depth - 1] && !j->after_key);
    if (!j->first[j->depth - 1]) {
        ldr_buf_putc(j->out, ',');
    }
    j->first[j->depth - 1] = false;
    put_text(j->out, (const uint8_t *)key, strlen(key));
    ldr_buf_putc(j->out, ':');
    j->after_key = true;
}

void ldr_json_str(struct ldr_json *j, struct ldr_slice s)
{
    before_value(j);
    put_text(j->out, s.p, s.n);
}

void ldr_json_cstr(struct ldr_json *j, const char *s)
{
    if (s) {
        ldr_json_str(j, ldr_slice_str(s));
    } else {
        ldr_json_null(j);
    }
}

void ldr_json_i64(struct ldr_json *j, int64_t v)
{
    char text[LDR_NUM_TEXT];
    ldr_json_raw(j, ldr_slice(text, ldr_i64_format(v, text)));
}

void ldr_json_f64(struct ldr_json *j, double v)
{
    char text[LDR_NUM_TEXT];
    struct ldr_slice s = ldr_slice(text, ldr_f64_format(v, text));
    if (isfinite(v)) {
        ldr_json_raw(j, s);
    } else {
        ldr_json_str(j, s);
    }
}

void ldr_json_bool(struct ldr_json *j, bool v)
{
    ldr_json_raw(j, v ? ldr_slice("true", 4) : ldr_slice("false", 5));
}

void ldr_json_null(struct ldr_json *j)
{
    ldr_json_raw(j, ldr_slice("null", 4));
}

void ldr_json_raw(struct ldr_json *j, struct ldr_slice text)
{
    before_value(j);
    ldr_buf_put(j->out, text.p, text.n);
}
