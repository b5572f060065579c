/* Times without the C library: it knows time zones, locales and leap seconds, and is slow. */
#include "base/time.h"

#include "base/assert.h"
#include "base/cursor.h"
#include "base/err.h"
#include "base/num.h"

#define US_PER_S   INT64_C(1000000)
#define US_PER_MIN (60 * US_PER_S)
#define US_PER_H   (60 * US_PER_MIN)
#define US_PER_DAY (24 * US_PER_H)

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar. Years start in March, so that the leap
 * day is the last one; (153 m + 2) / 5 are the days before month m of such a year. 719468 days: 0000-03-01 to
 * 1970-01-01. */
static int64_t days_from_date(unsigned y, unsigned m, unsigned d)
{
    unsigned year = y - (m <= 2), month = m > 2 ? m - 3 : m + 9;
    unsigned day = (153 * month + 2) / 5 + d - 1;
    if (m <= 2 && y == 0) {
        return -719528 + (int64_t)(m == 1 ? d - 1 : d + 30);
    }
    return (int64_t)(year * 365 + year / 4 - year / 100 + year / 400 + day) - 719468;
}

static bool is_leap(unsigned y)
{
    return y % 4 == 0 && (y % 100 != 0 || y % 400 == 0);
}

static unsigned month_days(unsigned y, unsigned m)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[m - 1] + (m == 2 && is_leap(y));
}

struct text {
    const uint8_t *p, *end;
    const char *why;
};

static bool refuse(struct text *t, const char *why)
{
    t->why = why;
    return false;
}

/* Exactly n digits. */
static bool digits(struct text *t, unsigned n, unsigned *out)
{
    if ((size_t)(t->end - t->p) < n) {
        return refuse(t, "not a time (RFC 3339 or whole microseconds)");
    }
    unsigned v = 0;
    for (unsigned i = 0; i < n; i++) {
        unsigned d = (unsigned)t->p[i] - '0';
        if (d > 9) {
            return refuse(t, "not a time (RFC 3339 or whole microseconds)");
        }
        v = v * 10 + d;
    }
    t->p += n;
    *out = v;
    return true;
}

static bool expect(struct text *t, char c)
{
    if (t->p == t->end || *t->p != (uint8_t)c) {
        return refuse(t, "not a time (RFC 3339 or whole microseconds)");
    }
    t->p++;
    return true;
}

static bool parse_date(struct text *t, int64_t *us)
{
    unsigned y, m, d;
    if (!digits(t, 4, &y) || !expect(t, '-') || !digits(t, 2, &m) || !expect(t, '-') || !digits(t, 2, &d)) {
        return false;
    }
    if (m < 1 || m > 12) {
        return refuse(t, "no such month");
    }
    if (d < 1 || d > month_days(y, m)) {
        return refuse(t, "no such day in that month");
    }
    *us = days_from_date(y, m, d) * US_PER_DAY;
    return true;
}

static bool parse_fraction(struct text *t, int64_t *us)
{
    static const int64_t scale[7] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    unsigned n = 0;
    int64_t v = 0;
    for (; t->p < t->end && *t->p >= '0' && *t->p <= '9'; t->p++) {
        if (++n > 6) {
            return refuse(t, "more than 6 fraction digits");
        }
        v = v * 10 + (*t->p - '0');
    }
    if (n == 0) {
        return refuse(t, "no digits after the point");
    }
    *us += v * scale[n];
    return true;
}

static bool parse_clock(struct text *t, int64_t *us)
{
    unsigned h, m, s;
    if (!digits(t, 2, &h) || !expect(t, ':') || !digits(t, 2, &m) || !expect(t, ':') || !digits(t, 2, &s)) {
        return false;
    }
    if (h > 23) {
        return refuse(t, "hour over 23");
    }
    if (m > 59) {
        return refuse(t, "minute over 59");
    }
    if (s > 59) {
        return refuse(t, "second over 59");
    }
    *us += h * US_PER_H + m * US_PER_MIN + s * US_PER_S;
    if (t->p < t->end && *t->p == '.') {
        t->p++;
        return parse_fraction(t, us);
    }
    return true;
}

static bool parse_zone(struct text *t, int64_t *us)
{
    if (t->p == t->end) {
        return true;
    }
    uint8_t sign = *t->p++;
    if (sign == 'Z' || sign == 'z') {
        return true;
    }
    unsigned h, m;
    if ((sign != '+' && sign != '-') || !digits(t, 2, &h) || !expect(t, ':') || !digits(t, 2, &m)) {
        return refuse(t, "not a time zone: use Z or +hh:mm");
    }
    if (h > 23 || m > 59) {
        return refuse(t, "zone offset over 23:59");
    }
    int64_t offset = h * US_PER_H + m * US_PER_MIN;
    *us += sign == '+' ? -offset : offset;
    return true;
}

/* Eight bytes at p that should be digits where `shape` has '0' and the same where it has something else;
 * `limit` has in each byte what takes a difference that is too large beyond 127: 0x76 for digits, 0x7F for
 * the others (all of it the first byte lowest). When they are, byte i of *pairs is the two-digit number that
 * starts at i. */
static inline bool digit_pairs(const uint8_t *p, uint64_t shape, uint64_t limit, uint64_t *pairs)
{
    uint64_t x = ldr_get_le64(p) ^ shape;
    *pairs = x * 10 + (x >> 8);
    return !((x | (x + limit)) & UINT64_C(0x8080808080808080));
}
#define DATE_SHAPE  UINT64_C(0x2D30302D30303030) /* "0000-00-" */
#define DATE_LIMIT  UINT64_C(0x7F76767F76767676)
#define CLOCK_SHAPE UINT64_C(0x30303A30303A3030) /* "00:00:00" */
#define CLOCK_LIMIT UINT64_C(0x76767F76767F7676)

static inline unsigned byte_of(uint64_t v, unsigned i)
{
    return (unsigned)(v >> (8 * i)) & 0xFF;
}

/* YYYY-MM-DDThh:mm:ss with Z or nothing, of a time that exists; all else is left to the careful way. */
static bool parse_usual(struct ldr_slice s, int64_t *us)
{
    uint64_t date, clock;
    if ((s.n != 20 || s.p[19] != 'Z') && s.n != 19) {
        return false;
    }
    unsigned tens = (unsigned)s.p[8] - '0', units = (unsigned)s.p[9] - '0';
    if (!digit_pairs(s.p, DATE_SHAPE, DATE_LIMIT, &date) ||
        !digit_pairs(s.p + 11, CLOCK_SHAPE, CLOCK_LIMIT, &clock) || tens > 9 || units > 9 ||
        (s.p[10] != 'T' && s.p[10] != ' ')) {
        return false;
    }
    unsigned y = byte_of(date, 0) * 100 + byte_of(date, 2), m = byte_of(date, 5), d = tens * 10 + units;
    unsigned hour = byte_of(clock, 0), minute = byte_of(clock, 3), second = byte_of(clock, 6);
    if (m - 1 > 11 || d - 1 > 30 || (d > 28 && d > month_days(y, m)) || hour > 23 || minute > 59 ||
        second > 59) {
        return false;
    }
    *us = days_from_date(y, m, d) * US_PER_DAY + (int64_t)(hour * 3600 + minute * 60 + second) * US_PER_S;
    return true;
}

/* false = it is no integer at all; one far out of range gives what is out of range */
static bool parse_micros(struct ldr_slice s, int64_t *us)
{
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
    if (i == s.n) {
        return false;
    }
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9') {
            return false;
        }
    }
    if (ldr_i64_parse(s, us)) {
        *us = INT64_MAX;
    }
    return true;
}

static bool parse_calendar(struct text *t, int64_t *us)
{
    if (!parse_date(t, us)) {
        return false;
    }
    if (t->p == t->end) {
        return true;
    }
    if (*t->p != 'T' && *t->p != ' ' && *t->p != 't') {
        return refuse(t, "not a time (RFC 3339 or whole microseconds)");
    }
    t->p++;
    if (!parse_clock(t, us) || !parse_zone(t, us)) {
        return false;
    }
    return t->p == t->end || refuse(t, "text after the time");
}

int ldr_time_parse(struct ldr_slice text, int64_t *us, const char **why)
{
    struct text t = {text.p, text.n ? text.p + text.n : text.p, NULL};
    int64_t v = 0;
    bool good;
    if (parse_usual(text, &v)) {
        good = true;
    } else if (text.n == 0) {
        good = refuse(&t, "empty time");
    } else {
        good = parse_micros(text, &v) || parse_calendar(&t, &v);
    }
    if (good && (v < LDR_TIME_MIN_US || v > LDR_TIME_MAX_US)) {
        good = refuse(&t, "outside the years 0001 to 9999");
    }
    if (!good) {
        if (why) {
            *why = t.why;
        }
        return LDR_E_INVALID;
    }
    *us = v;
    return 0;
}

static void put2(char *p, unsigned v)
{
    p[0] = (char)('0' + v / 10);
    p[1] = (char)('0' + v % 10);
}

size_t ldr_time_format(int64_t us, char out[LDR_TIME_TEXT])
{
    LDR_ASSERT(us >= LDR_TIME_MIN_US && us <= LDR_TIME_MAX_US);
    /* From 0000-03-01, so that everything below is unsigned; the calendar repeats after 146097 days (400
     * years). */
    uint64_t since = (uint64_t)(us + INT64_C(719468) * US_PER_DAY);
    uint32_t days = (uint32_t)(since / US_PER_DAY);
    uint64_t in_day = since % US_PER_DAY;
    uint32_t fraction = (uint32_t)(in_day % US_PER_S), secs = (uint32_t)(in_day / US_PER_S);
    uint32_t era = days / 146097, in_era = days % 146097;
    uint32_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    uint32_t in_year = in_era - (365 * year + year / 4 - year / 100);
    uint32_t march = (5 * in_year + 2) / 153, day = in_year - (153 * march + 2) / 5 + 1;
    uint32_t month = march < 10 ? march + 3 : march - 9;
    year += era * 400 + (month <= 2);
    put2(out, year / 100);
    put2(out + 2, year % 100);
    out[4] = '-';
    put2(out + 5, month);
    out[7] = '-';
    put2(out + 8, day);
    out[10] = 'T';
    put2(out + 11, secs / 3600);
    out[13] = ':';
    put2(out + 14, secs / 60 % 60);
    out[16] = ':';
    put2(out + 17, secs % 60);
    size_t n = 19;
    if (fraction) {
        out[n] = '.';
        put2(out + 20, fraction / 10000);
        put2(out + 22, fraction / 100 % 100);
        put2(out + 24, fraction % 100);
        n = 26;
    }
    out[n] = 'Z';
    out[n + 1] = '\0';
    return n + 1;
}
