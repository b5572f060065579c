/* Values, counts and sizes as text, and text as key values. */
#include <math.h>

#include "ops/cli.h"

const char *ldr_type_text(unsigned type)
{
    static const char *const names[2][9] = {
        {"?", "bool", "int32", "int64", "float32", "float64", "string", "bytes", "timestamp"},
        {"?", "list<bool>", "list<int32>", "list<int64>", "list<float32>", "list<float64>", "list<string>",
         "list<bytes>", "list<timestamp>"},
    };
    unsigned element = type & ~(unsigned)LDR_LIST;
    return names[type & LDR_LIST ? 1 : 0][element <= LDR_TIMESTAMP ? element : 0];
}

const char *ldr_status_text(unsigned status)
{
    static const char *const names[] = {"PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"};
    return status < sizeof names / sizeof *names ? names[status] : "?";
}

bool ldr_type_is_number(unsigned type)
{
    return type >= LDR_INT32 && type <= LDR_FLOAT64;
}

static bool is_null(const struct ldr_datum *d)
{
    return d->status == LDR_NULL_VALUE || d->status == LDR_NOT_FOUND;
}

static void put_base64(struct ldr_slice s, struct ldr_buf *out)
{
    size_t n = ldr_base64_encoded_len(s.n);
    uint8_t *p = n ? ldr_buf_reserve(out, n) : NULL;
    if (p) {
        ldr_base64_encode(s, (char *)p);
        out->n += n;
    }
}

static void json_bytes(struct ldr_slice s, struct ldr_json *j)
{
    struct ldr_buf text;
    ldr_buf_init(&text, NULL, 0);
    put_base64(s, &text);
    ldr_json_str(j, ldr_buf_slice(&text));
    if (text.err)
        j->out->err = text.err;
    ldr_buf_close(&text);
}

static void json_time(int64_t us, struct ldr_json *j)
{
    char text[LDR_TIME_TEXT];
    ldr_json_str(j, ldr_slice(text, ldr_time_format(us, text)));
}

static void json_f32(float v, struct ldr_json *j)
{
    char text[LDR_NUM_TEXT];
    size_t n = ldr_f32_format(v, text);
    if (isfinite(v))
        ldr_json_raw(j, ldr_slice(text, n));
    else
        ldr_json_str(j, ldr_slice(text, n));
}

static void json_element(struct ldr_cursor *cur, unsigned type, struct ldr_json *j)
{
    union {
        uint32_t u;
        float f;
    } x32;
    union {
        uint64_t u;
        double f;
    } x64;
    switch (type) {
    case LDR_BOOL:
        ldr_json_bool(j, ldr_cursor_u8(cur) != 0);
        break;
    case LDR_INT32:
        ldr_json_i64(j, (int32_t)ldr_cursor_u32(cur));
        break;
    case LDR_INT64:
        ldr_json_i64(j, (int64_t)ldr_cursor_u64(cur));
        break;
    case LDR_TIMESTAMP:
        json_time((int64_t)ldr_cursor_u64(cur), j);
        break;
    case LDR_FLOAT32:
        x32.u = ldr_cursor_u32(cur);
        json_f32(x32.f, j);
        break;
    case LDR_FLOAT64:
        x64.u = ldr_cursor_u64(cur);
        ldr_json_f64(j, x64.f);
        break;
    case LDR_BYTES:
        json_bytes(ldr_cursor_bytes(cur, LDR_VALUE_MAX), j);
        break;
    default:
        ldr_json_str(j, ldr_cursor_bytes(cur, LDR_VALUE_MAX));
    }
}

static void json_list(const struct ldr_datum *d, struct ldr_json *j)
{
    struct ldr_cursor cur = ldr_cursor(ldr_slice(d->v.s.p, d->v.s.n));
    ldr_json_array(j);
    for (uint32_t i = 0; i < d->count && !cur.err; i++)
        json_element(&cur, d->type & ~(unsigned)LDR_LIST, j);
    ldr_json_array_end(j);
}

void ldr_datum_json(const struct ldr_datum *d, struct ldr_json *j)
{
    if (is_null(d)) {
        ldr_json_null(j);
        return;
    }
    switch (d->type) {
    case LDR_BOOL:
        ldr_json_bool(j, d->v.b);
        break;
    case LDR_INT32:
    case LDR_INT64:
        ldr_json_i64(j, d->v.i);
        break;
    case LDR_TIMESTAMP:
        json_time(d->v.i, j);
        break;
    case LDR_FLOAT32:
        json_f32(d->v.f32, j);
        break;
    case LDR_FLOAT64:
        ldr_json_f64(j, d->v.f64);
        break;
    case LDR_STRING:
        ldr_json_str(j, ldr_slice(d->v.s.p, d->v.s.n));
        break;
    case LDR_BYTES:
        json_bytes(ldr_slice(d->v.s.p, d->v.s.n), j);
        break;
    default:
        json_list(d, j);
    }
}

void ldr_datum_text(const struct ldr_datum *d, struct ldr_buf *out)
{
    char text[LDR_TIME_TEXT > LDR_NUM_TEXT ? LDR_TIME_TEXT : LDR_NUM_TEXT];
    struct ldr_json j;
    if (is_null(d))
        return;
    switch (d->type) {
    case LDR_BOOL:
        ldr_buf_puts(out, d->v.b ? "true" : "false");
        break;
    case LDR_INT32:
    case LDR_INT64:
        ldr_buf_put(out, text, ldr_i64_format(d->v.i, text));
        break;
    case LDR_TIMESTAMP:
        ldr_buf_put(out, text, ldr_time_format(d->v.i, text));
        break;
    case LDR_FLOAT32:
        ldr_buf_put(out, text, ldr_f32_format(d->v.f32, text));
        break;
    case LDR_FLOAT64:
        ldr_buf_put(out, text, ldr_f64_format(d->v.f64, text));
        break;
    case LDR_STRING:
        ldr_buf_put(out, d->v.s.p, d->v.s.n);
        break;
    case LDR_BYTES:
        put_base64(ldr_slice(d->v.s.p, d->v.s.n), out);
        break;
    default:
        ldr_json_init(&j, out);
        json_list(d, &j);
    }
}

static int parse_bool(const char *text, size_t n, bool *out)
{
    static const char *const words[2][5] = {{"false", "False", "FALSE", "0", "f"},
                                            {"true", "True", "TRUE", "1", "t"}};
    for (size_t i = 0; i < 10; i++) {
        const char *w = words[i / 5][i % 5];
        if (strlen(w) == n && memcmp(w, text, n) == 0) {
            *out = i / 5 == 1;
            return 0;
        }
    }
    return LDR_E_INVALID;
}

static int parse_bytes(struct ldr_arena *a, struct ldr_slice s, struct ldr_datum *out)
{
    uint8_t *p = ldr_arena_alloc(a, s.n / 4 * 3 + 1);
    if (!p)
        return LDR_E_NOMEM;
    out->v.s.p = p;
    return ldr_base64_decode(s, p, &out->v.s.n);
}

int ldr_datum_parse(struct ldr_arena *a, const char *text, size_t n, unsigned type, struct ldr_datum *out,
                    const char **why)
{
    struct ldr_slice s = ldr_slice(text, n), copy;
    int rc = LDR_E_UNSUPPORTED;
    memset(out, 0, sizeof *out);
    out->type = (uint8_t)type;
    *why = "expected a value of a key's type";
    switch (type) {
    case LDR_STRING:
        *why = "expected UTF-8 text";
        rc = ldr_utf8_valid(s) ? ldr_arena_slice(a, s, &copy) : LDR_E_INVALID;
        if (rc == 0) {
            out->v.s.p = copy.p;
            out->v.s.n = copy.n;
        }
        break;
    case LDR_BYTES:
        *why = "expected base64 such as AQID";
        rc = parse_bytes(a, s, out);
        break;
    case LDR_INT32:
        *why = "expected an int32 such as 42";
        rc = ldr_i64_parse(s, &out->v.i);
        if (rc == 0 && (out->v.i < INT32_MIN || out->v.i > INT32_MAX))
            rc = LDR_E_TOO_BIG;
        break;
    case LDR_INT64:
        *why = "expected an int64 such as 42";
        rc = ldr_i64_parse(s, &out->v.i);
        break;
    case LDR_BOOL:
        *why = "expected true or false";
        rc = parse_bool(text, n, &out->v.b);
        break;
    case LDR_TIMESTAMP:
        *why = "expected a time such as 2013-01-31T06:00:00Z";
        rc = ldr_time_parse(s, &out->v.i, NULL);
        break;
    default:
        break;
    }
    return rc == 0 || rc == LDR_E_NOMEM ? rc : LDR_E_INVALID;
}

void ldr_text_count(uint64_t n, char out[32])
{
    char digits[LDR_NUM_TEXT];
    size_t len = ldr_u64_format(n, digits), o = 0;
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[o++] = ',';
        out[o++] = digits[i];
    }
    out[o] = '\0';
}

void ldr_text_bytes(uint64_t n, char out[32])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double v = (double)n;
    size_t u = 0;
    while (v >= 999.5 && u < 4) {
        v /= 1000;
        u++;
    }
    snprintf(out, 32, u == 0 ? "%.0f %s" : "%.3g %s", v, units[u]);
}

void ldr_text_seconds(double s, char out[32])
{
    if (s < 0.9995)
        snprintf(out, 32, "%.0f ms", s * 1000);
    else if (s < 120)
        snprintf(out, 32, "%.1f s", s);
    else
        snprintf(out, 32, "%.0f min %.0f s", floor(s / 60), fmod(s, 60));
}

const char *ldr_plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}
