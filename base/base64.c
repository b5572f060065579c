#include "base/base64.h"

#include "base/err.h"

static const char DIGITS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t ldr_base64_encode(struct ldr_slice in, char *out)
{
    const uint8_t *p = in.p;
    size_t n = in.n;
    char *o = out;
    for (; n >= 3; n -= 3, p += 3, o += 4) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        o[0] = DIGITS[v >> 18];
        o[1] = DIGITS[v >> 12 & 63];
        o[2] = DIGITS[v >> 6 & 63];
        o[3] = DIGITS[v & 63];
    }
    if (n) {
        uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
        o[0] = DIGITS[v >> 18];
        o[1] = DIGITS[v >> 12 & 63];
        o[2] = n == 2 ? DIGITS[v >> 6 & 63] : '=';
        o[3] = '=';
        o += 4;
    }
    return (size_t)(o - out);
}

/* 0..63, or a value with bit 7 set for everything that is not a digit. */
static uint32_t digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26u;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52u;
    }
    return c == '+' ? 62 : c == '/' ? 63 : 128;
}

int ldr_base64_decode(struct ldr_slice in, uint8_t *out, size_t *out_n)
{
    *out_n = 0;
    if (in.n % 4) {
        return LDR_E_INVALID;
    }
    if (in.n == 0) {
        return 0;
    }
    size_t pad = in.p[in.n - 1] != '=' ? 0 : in.p[in.n - 2] != '=' ? 1 : 2;
    const uint8_t *p = in.p, *whole = in.p + in.n - (pad ? 4 : 0);
    uint8_t *o = out;
    for (; p < whole; p += 4, o += 3) {
        uint32_t a = digit(p[0]), b = digit(p[1]), c = digit(p[2]), d = digit(p[3]);
        if ((a | b | c | d) & 128) {
            return LDR_E_INVALID;
        }
        uint32_t v = a << 18 | b << 12 | c << 6 | d;
        o[0] = (uint8_t)(v >> 16);
        o[1] = (uint8_t)(v >> 8);
        o[2] = (uint8_t)v;
    }
    if (pad) {
        uint32_t a = digit(p[0]), b = digit(p[1]), c = pad == 1 ? digit(p[2]) : 0;
        uint32_t v = a << 18 | b << 12 | c << 6;
        /* Bits that no byte takes must be zero: one value has one text. */
        if (((a | b | c) & 128) || (v & (pad == 1 ? 0xFFu : 0xFFFFu))) {
            return LDR_E_INVALID;
        }
        *o++ = (uint8_t)(v >> 16);
        if (pad == 1) {
            *o++ = (uint8_t)(v >> 8);
        }
    }
    *out_n = (size_t)(o - out);
    return 0;
}
