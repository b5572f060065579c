#include "base/csv.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static uint64_t count_lf(const char *p, size_t n)
{
    uint64_t count = 0;
#if defined(__SSE2__)
    const __m128i lf = _mm_set1_epi8('\n'), zero = _mm_setzero_si128();
    while (n >= 16) {
        /* Byte counters hold 255 steps, then they are added up. */
        size_t steps = n / 16 < 255 ? n / 16 : 255;
        __m128i sum = zero;
        for (size_t i = 0; i < steps; i++) {
            __m128i v = _mm_loadu_si128((const __m128i *)(p + 16 * i));
            sum = _mm_sub_epi8(sum, _mm_cmpeq_epi8(v, lf));
        }
        sum = _mm_sad_epu8(sum, zero);
        count += (uint64_t)_mm_cvtsi128_si32(sum) + (uint64_t)_mm_extract_epi16(sum, 4);
        p += 16 * steps;
        n -= 16 * steps;
    }
#endif
    for (size_t i = 0; i < n; i++) {
        count += p[i] == '\n';
    }
    return count;
}

/* After the last line end of p[from..to), or 0. */
static size_t last_end(const char *p, size_t from, size_t to)
{
    const char *x = to > from ? memrchr(p + from, '\n', to - from) : NULL;
    return x ? (size_t)(x - p) + 1 : 0;
}

/* The end of the quoted cell whose text starts at `at`: after its closing quote, or n. */
static size_t quoted_end(const char *p, size_t at, size_t n)
{
    while (at < n) {
        const char *x = memchr(p + at, '"', n - at);
        if (!x) {
            return n;
        }
        at = (size_t)(x - p) + 1;
        if (at == n || p[at] != '"') {
            return at;
        }
        at++;
    }
    return n;
}

static size_t whole_records(const char *p, size_t n)
{
    size_t whole = 0, from = 0;
    while (from < n) {
        const char *x = memchr(p + from, '"', n - from);
        size_t quote = x ? (size_t)(x - p) : n;
        size_t end = last_end(p, from, quote);
        whole = end ? end : whole;
        if (!x) {
            break;
        }
        bool opens = quote == 0 || p[quote - 1] == ',' || p[quote - 1] == '\n';
        if (!opens) {
            from = quote + 1; /* a stray quote: the reader will say so */
            continue;
        }
        from = quoted_end(p, quote + 1, n);
    }
    return whole;
}

size_t ldr_csv_split(const char *block, size_t n, bool final, uint64_t *lines)
{
    size_t whole = final ? n : n ? whole_records(block, n) : 0;
    if (lines) {
        *lines = count_lf(block, whole);
    }
    return whole;
}
