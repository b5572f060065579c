/* Private to the CSV reader: where the special characters of a block are. */
#ifndef LDR_BASE_CSV_MARKS_H
#define LDR_BASE_CSV_MARKS_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "base/cursor.h"

#if defined(__SSE2__) && !defined(LDR_CSV_PORTABLE)
static inline uint64_t ldr_csv_marks16(const char *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)p);
    __m128i comma = _mm_cmpeq_epi8(v, _mm_set1_epi8(',')), lf = _mm_cmpeq_epi8(v, _mm_set1_epi8('\n'));
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"')), nul = _mm_cmpeq_epi8(v, _mm_setzero_si128());
    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(comma, lf), _mm_or_si128(quote, nul)));
}

static inline uint64_t ldr_csv_marks64(const char *p)
{
    return ldr_csv_marks16(p) | ldr_csv_marks16(p + 16) << 16 | ldr_csv_marks16(p + 32) << 32 |
           ldr_csv_marks16(p + 48) << 48;
}
#else
/* 0x80 in each byte of v that equals c, exactly (no carry from byte to byte). */
static inline uint64_t ldr_csv_equal8(uint64_t v, uint8_t c)
{
    const uint64_t low7 = UINT64_C(0x7F7F7F7F7F7F7F7F);
    uint64_t x = v ^ UINT64_C(0x0101010101010101) * c;
    return ~(((x & low7) + low7) | x | low7);
}

static inline uint64_t ldr_csv_marks64(const char *p)
{
    uint64_t marks = 0;
    for (unsigned i = 0; i < 8; i++) {
        uint64_t v = ldr_get_le64((const uint8_t *)p + 8 * i);
        uint64_t hit =
            ldr_csv_equal8(v, ',') | ldr_csv_equal8(v, '\n') | ldr_csv_equal8(v, '"') | ldr_csv_equal8(v, 0);
        marks |= ((hit >> 7) * UINT64_C(0x0102040810204080) >> 56) << (8 * i); /* eight flags to one byte */
    }
    return marks;
}
#endif

/* Bit i is set when p[i] is ',', LF, '"' or NUL, for i < min(left, 64). left > 0. */
static inline uint64_t ldr_csv_marks(const char *p, size_t left)
{
    if (left >= 64) {
        return ldr_csv_marks64(p);
    }
    char tail[64] = {0};
    memcpy(tail, p, left);
    return ldr_csv_marks64(tail) & ((UINT64_C(1) << left) - 1);
}
#endif
