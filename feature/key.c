#include "feature/key.h"

#define SIGN_BIT (UINT64_C(1) << 63)

static size_t zeros(struct ldr_slice s)
{
    size_t count = 0;
    const uint8_t *p = s.p, *end = s.n ? s.p + s.n : s.p;
    while (p < end && (p = memchr(p, 0, (size_t)(end - p))) != NULL) {
        count++;
        p++;
    }
    return count;
}

/* 00 becomes 00 FF and the end is 00 01, so a shorter string sorts before every longer one that starts with
 * it. */
static uint8_t *put_escaped(uint8_t *at, struct ldr_slice s)
{
    const uint8_t *p = s.p, *end = s.n ? s.p + s.n : s.p;
    while (p < end) {
        const uint8_t *zero = memchr(p, 0, (size_t)(end - p));
        size_t run = (size_t)((zero ? zero : end) - p);
        memcpy(at, p, run);
        at += run;
        p += run;
        if (zero) {
            *at++ = 0x00;
            *at++ = 0xff;
            p++;
        }
    }
    *at++ = 0x00;
    *at++ = 0x01;
    return at;
}

static int put_part(const struct ldr_value *v, struct ldr_buf *out)
{
    LDR_ASSERT(!v->null && ldr_type_key_valid(v->type));
    bool text = v->type == LDR_STRING || v->type == LDR_BYTES;
    if (text && v->s.n > LDR_KEY_PART_MAX)
        return LDR_E_TOO_BIG;
    uint8_t *p = ldr_buf_reserve(out, text ? v->s.n + zeros(v->s) + 2 : 8);
    if (!p)
        return out->err;
    if (text) {
        out->n += (size_t)(put_escaped(p, v->s) - p);
    } else if (v->type == LDR_BOOL) {
        *p = v->b;
        out->n += 1;
    } else {
        ldr_put_be64(p, (uint64_t)v->i ^ SIGN_BIT);
        out->n += 8;
    }
    return 0;
}

int ldr_key_encode(const struct ldr_value *parts, uint32_t n, struct ldr_buf *out)
{
    size_t start = out->n;
    int rc = 0;
    for (uint32_t i = 0; !rc && i < n; i++) {
        rc = put_part(&parts[i], out);
        if (!rc && out->n - start > LDR_KEY_MAX)
            rc = LDR_E_TOO_BIG;
    }
    if (rc)
        out->n = start;
    return rc;
}

static int take_number(struct ldr_cursor *c, struct ldr_value *v)
{
    struct ldr_slice bytes = ldr_cursor_take(c, 8);
    if (c->err)
        return LDR_E_CORRUPT;
    v->i = (int64_t)(ldr_get_be64(bytes.p) ^ SIGN_BIT);
    return ldr_value_check(v, NULL) ? LDR_E_CORRUPT : 0;
}

/* Length up to the closing 00 01, and how many escapes stand before it. */
static int find_end(const struct ldr_cursor *c, size_t *len, size_t *escapes)
{
    const uint8_t *p = c->p;
    *escapes = 0;
    for (;;) {
        const uint8_t *zero = p < c->end ? memchr(p, 0, (size_t)(c->end - p)) : NULL;
        if (!zero || c->end - zero < 2)
            return LDR_E_CORRUPT;
        if (zero[1] == 0x01) {
            *len = (size_t)(zero - c->p);
            return 0;
        }
        if (zero[1] != 0xff)
            return LDR_E_CORRUPT;
        ++*escapes;
        p = zero + 2;
    }
}

static int take_text(struct ldr_cursor *c, struct ldr_arena *a, struct ldr_value *v)
{
    size_t len, escapes;
    if (find_end(c, &len, &escapes) || len - escapes > LDR_KEY_PART_MAX)
        return LDR_E_CORRUPT;
    uint8_t *out = ldr_arena_alloc(a, len - escapes);
    if (!out)
        return LDR_E_NOMEM;
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        out[n++] = c->p[i];
        if (c->p[i] == 0)
            i++;
    }
    ldr_cursor_take(c, len + 2);
    v->s = ldr_slice(out, n);
    return v->type == LDR_STRING && !ldr_utf8_valid(v->s) ? LDR_E_CORRUPT : 0;
}

int ldr_key_decode(struct ldr_slice key, const uint8_t *types, uint32_t n, struct ldr_arena *a,
                   struct ldr_value *parts)
{
    if (key.n > LDR_KEY_MAX)
        return LDR_E_CORRUPT;
    struct ldr_cursor c = ldr_cursor(key);
    for (uint32_t i = 0; i < n; i++) {
        struct ldr_value *v = &parts[i];
        *v = (struct ldr_value){.type = types[i]};
        int rc = 0;
        if (types[i] == LDR_STRING || types[i] == LDR_BYTES) {
            rc = take_text(&c, a, v);
        } else if (types[i] == LDR_BOOL) {
            uint8_t b = ldr_cursor_u8(&c);
            v->b = b == 1;
            rc = c.err || b > 1 ? LDR_E_CORRUPT : 0;
        } else {
            rc = take_number(&c, v);
        }
        if (rc)
            return rc;
    }
    return ldr_cursor_end(&c);
}
