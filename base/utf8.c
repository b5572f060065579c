#include "base/utf8.h"

/* Bytes of the well-formed character at p (left >= 1 bytes), 0 when there is none. Lead bytes that allow only
 * part of the second byte's range carry the rule against overlong forms, surrogates and what lies beyond
 * U+10FFFF. */
size_t ldr_utf8_char(const uint8_t *p, size_t left)
{
    uint8_t c = p[0];
    if (c < 0x80) {
        return 1;
    }
    if (c < 0xC2 || c > 0xF4) {
        return 0;
    }
    size_t n = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    if (left < n) {
        return 0;
    }
    uint8_t low = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    uint8_t high = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return n;
}

bool ldr_utf8_valid(struct ldr_slice s)
{
    const uint8_t *p = s.p;
    size_t left = s.n;
    while (left) {
        uint64_t word;
        if (left >= 8) {
            memcpy(&word, p, 8);
            if (!(word & UINT64_C(0x8080808080808080))) {
                p += 8;
                left -= 8;
                continue;
            }
        }
        size_t n = ldr_utf8_char(p, left);
        if (n == 0) {
            return false;
        }
        p += n;
        left -= n;
    }
    return true;
}

size_t ldr_utf8_width(struct ldr_slice s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        n += (s.p[i] & 0xC0) != 0x80;
    }
    return n;
}
