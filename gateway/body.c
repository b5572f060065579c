#include "gateway/body.h"

#include "gateway/value.h"

const char *ldr_gw_string(struct ldr_arena *a, const struct ldr_json_reader *r)
{
    char *to = ldr_arena_alloc(a, r->text.n + 1);
    if (!to)
        return NULL;
    size_t n = r->text.n;
    if (r->escaped)
        n = ldr_json_unescape(r->text, (uint8_t *)to);
    else if (n)
        memcpy(to, r->text.p, n);
    to[n] = '\0';
    return memchr(to, 0, n) ? NULL : to;
}

static int not_json(const struct ldr_json_reader *r, struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_FORMAT, "the body is not JSON: %s at byte %zu", r->why, ldr_json_at(r));
}

int ldr_gw_fields(struct ldr_slice body, struct ldr_gw_field *fields, size_t n, bool others_fine,
                  struct ldr_err *err)
{
    return ldr_gw_fields_known(body, fields, n, others_fine, ldr_slice(NULL, 0), err);
}

int ldr_gw_fields_known(struct ldr_slice body, struct ldr_gw_field *fields, size_t n, bool others_fine,
                        struct ldr_slice known, struct ldr_err *err)
{
    struct ldr_json_reader r;
    ldr_json_reader_init(&r, body);
    for (size_t i = 0; i < n; i++)
        fields[i].token = LDR_JSON_END;
    if (body.n == 0)
        return ldr_fail(err, LDR_E_FORMAT, "the body is empty: expected a JSON object");
    enum ldr_json_token t = ldr_json_next(&r);
    if (t == LDR_JSON_ERROR)
        return not_json(&r, err);
    if (t != LDR_JSON_OBJECT)
        return ldr_fail(err, LDR_E_INVALID, "the body is %s: expected an object", ldr_json_token_name(t));
    uint64_t seen = 0;
    while ((t = ldr_json_next(&r)) == LDR_JSON_KEY) {
        struct ldr_slice name = r.text;
        uint8_t plain[128];
        size_t i = 0;
        if (r.escaped && name.n <= sizeof plain)
            name = ldr_slice(plain, ldr_json_unescape(name, plain));
        while (i < n && !ldr_slice_eq(name, ldr_slice_str(fields[i].name)))
            i++;
        if (i == n && !others_fine)
            return ldr_fail(err, LDR_E_INVALID, "there is no field '%.*s' in this request",
                            (int)(name.n < LDR_NAME_MAX ? name.n : LDR_NAME_MAX), (const char *)name.p);
        if (i < n && seen >> i & 1)
            return ldr_fail(err, LDR_E_INVALID, "the field '%s' stands here twice", fields[i].name);
        t = ldr_json_next(&r);
        const uint8_t *from = r.start;
        bool again = t == LDR_JSON_ARRAY && known.n && (size_t)(r.end - from) >= known.n &&
                     memcmp(from, known.p, known.n) == 0;
        if (again)
            ldr_json_jump(&r, known.n);
        else if (ldr_json_skip(&r, t))
            return not_json(&r, err);
        if (i < n) {
            seen |= UINT64_C(1) << i;
            fields[i].token = t == LDR_JSON_NULL ? LDR_JSON_END : t;
            fields[i].raw = ldr_slice(from, (size_t)(r.p - from));
        }
    }
    if (t != LDR_JSON_OBJECT_END || ldr_json_next(&r) != LDR_JSON_END)
        return not_json(&r, err);
    return 0;
}

static int wrong(const struct ldr_gw_field *f, const char *expected, struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_INVALID, "%s: found %s, expected %s", f->name, ldr_json_token_name(f->token),
                    expected);
}

int ldr_gw_bool(const struct ldr_gw_field *f, bool *out, struct ldr_err *err)
{
    if (f->token == LDR_JSON_END)
        return 0;
    if (f->token != LDR_JSON_TRUE && f->token != LDR_JSON_FALSE)
        return wrong(f, "true or false", err);
    *out = f->token == LDR_JSON_TRUE;
    return 0;
}

static int read_string(const struct ldr_gw_field *f, struct ldr_arena *a, const struct ldr_json_reader *r,
                       const char **out, struct ldr_err *err)
{
    *out = ldr_gw_string(a, r);
    return *out ? 0
                : ldr_fail(err, LDR_E_INVALID, "%s: a text with a NUL character, or out of memory", f->name);
}

int ldr_gw_text(const struct ldr_gw_field *f, struct ldr_arena *a, const char **out, struct ldr_err *err)
{
    struct ldr_json_reader r;
    if (f->token == LDR_JSON_END)
        return 0;
    if (f->token != LDR_JSON_STRING)
        return wrong(f, "a string", err);
    ldr_json_reader_init(&r, f->raw);
    ldr_json_next(&r);
    return read_string(f, a, &r, out, err);
}

int ldr_gw_time(const struct ldr_gw_field *f, struct ldr_arena *a, bool feast, bool *has, int64_t *us,
                struct ldr_err *err)
{
    struct ldr_json_reader r;
    struct ldr_gw_reading g = {.arena = a, .feast = feast, .why = ""};
    if (f->token == LDR_JSON_END)
        return 0;
    ldr_json_reader_init(&r, f->raw);
    int rc = ldr_gw_time_read(&g, &r, ldr_json_next(&r), us);
    if (has)
        *has = rc == 0;
    return rc == LDR_E_INVALID ? ldr_fail(err, rc, "%s: %s", f->name, g.why)
           : rc                ? ldr_fail(err, rc, "out of memory")
                               : 0;
}

int ldr_gw_texts(const struct ldr_gw_field *f, struct ldr_arena *a, const char *const **out, size_t *n,
                 struct ldr_err *err)
{
    struct ldr_json_reader r;
    size_t count = 0;
    enum ldr_json_token t;
    if (f->token == LDR_JSON_END)
        return 0;
    if (f->token != LDR_JSON_ARRAY)
        return wrong(f, "an array of strings", err);
    ldr_json_reader_init(&r, f->raw);
    ldr_json_next(&r);
    while ((t = ldr_json_next(&r)) == LDR_JSON_STRING)
        count++;
    if (t != LDR_JSON_ARRAY_END)
        return ldr_fail(err, LDR_E_INVALID, "%s: found %s, expected a string", f->name,
                        ldr_json_token_name(t));
    const char **list = ldr_arena_calloc(a, count + 1, sizeof *list);
    if (!list)
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    ldr_json_reader_init(&r, f->raw);
    ldr_json_next(&r);
    for (size_t i = 0; i < count; i++) {
        ldr_json_next(&r);
        int rc = read_string(f, a, &r, &list[i], err);
        if (rc)
            return rc;
    }
    *out = list;
    *n = count;
    return 0;
}
