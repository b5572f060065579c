/* Bench rows: 25 mixed features, about 200 bytes, a function of (entity, version) so that every system holds
 * the same. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ROW_INTS = 10, ROW_FLOATS = 9, ROW_BOOLS = 2, ROW_TEXTS = 4, ROW_FEATURES = 25, ROW_PACKED_MAX = 256 };

struct row {
    int64_t i[ROW_INTS];
    double f[ROW_FLOATS];
    uint8_t b[ROW_BOOLS];
    char t[ROW_TEXTS][12];
};

static inline uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

static inline void row_make(struct row *r, uint64_t entity, uint64_t version)
{
    uint64_t s = mix(entity * 131 + version);
    for (int k = 0; k < ROW_INTS; k++)
        r->i[k] = (int64_t)(mix(s + (uint64_t)k) % 100000);
    for (int k = 0; k < ROW_FLOATS; k++)
        r->f[k] = (double)(mix(s + 50 + (uint64_t)k) % 1000000) / 100;
    for (int k = 0; k < ROW_BOOLS; k++)
        r->b[k] = mix(s + 80 + (uint64_t)k) & 1;
    for (int k = 0; k < ROW_TEXTS; k++)
        snprintf(r->t[k], sizeof r->t[k], "word%u", (unsigned)(mix(s + 90 + (uint64_t)k) % 1000));
}

/* Packed as a careful user of a key-value store would: numbers, bools, then length-prefixed texts. */
static inline size_t row_pack(const struct row *r, uint8_t out[ROW_PACKED_MAX])
{
    uint8_t *p = out;
    memcpy(p, r->i, sizeof r->i);
    p += sizeof r->i;
    memcpy(p, r->f, sizeof r->f);
    p += sizeof r->f;
    memcpy(p, r->b, sizeof r->b);
    p += sizeof r->b;
    for (int k = 0; k < ROW_TEXTS; k++) {
        size_t n = strlen(r->t[k]);
        *p++ = (uint8_t)n;
        memcpy(p, r->t[k], n);
        p += n;
    }
    return (size_t)(p - out);
}

/* Reads every feature of a packed row, so that no system is timed for handing over bytes nobody looked at. */
static inline uint64_t row_read(const uint8_t *p)
{
    uint64_t sum = 0;
    for (int k = 0; k < ROW_INTS; k++, p += 8) {
        int64_t v;
        memcpy(&v, p, 8);
        sum += (uint64_t)v;
    }
    for (int k = 0; k < ROW_FLOATS; k++, p += 8) {
        double v;
        memcpy(&v, p, 8);
        sum += (uint64_t)v;
    }
    sum += p[0] + p[1];
    p += ROW_BOOLS;
    for (int k = 0; k < ROW_TEXTS; k++) {
        sum += p[1] + *p;
        p += 1 + *p;
    }
    return sum;
}

static inline double seconds_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}
#endif
