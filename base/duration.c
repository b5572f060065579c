#include "base/err.h"
#include "base/num.h"
#include "base/time.h"

struct unit {
    char name[3];
    int64_t us;
};

/* Largest first: formatting takes the first that divides. */
static const struct unit UNITS[] = {
    {"w", INT64_C(604800000000)},
    {"d", INT64_C(86400000000)},
    {"h", INT64_C(3600000000)},
    {"m", 60000000},
    {"s", 1000000},
    {"ms", 1000},
    {"us", 1},
};
#define UNITS_N (sizeof(UNITS) / sizeof(UNITS[0]))

static int refuse(const char **why, const char *text)
{
    if (why) {
        *why = text;
    }
    return LDR_E_INVALID;
}

int ldr_duration_parse(struct ldr_slice text, int64_t *us, const char **why)
{
    size_t n = 0;
    while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9') {
        n++;
    }
    if (n == 0) {
        return refuse(why, "not a duration: use a whole number and a unit, as in 90s or 2h");
    }
    struct ldr_slice unit = ldr_slice(text.p + n, text.n - n);
    int64_t scale = 0, v = 0;
    for (size_t i = 0; i < UNITS_N; i++) {
        if (ldr_slice_eq(unit, ldr_slice_str(UNITS[i].name))) {
            scale = UNITS[i].us;
        }
    }
    int rc = ldr_i64_parse(ldr_slice(text.p, n), &v);
    if (scale == 0 && (unit.n > 0 || rc || v != 0)) {
        return refuse(why, unit.n ? "unknown unit: use us, ms, s, m, h, d or w"
                                  : "no unit: use us, ms, s, m, h, d or w");
    }
    if (rc || __builtin_mul_overflow(v, scale, &v) || v > LDR_TTL_MAX_US) {
        return refuse(why, "longer than 10,000 years");
    }
    *us = v;
    return 0;
}

size_t ldr_duration_format(int64_t us, char out[LDR_TIME_TEXT])
{
    char number[LDR_NUM_TEXT];
    const struct unit *unit = NULL;
    for (size_t i = 0; us != 0 && !unit; i++) {
        unit = us % UNITS[i].us == 0 ? &UNITS[i] : NULL;
    }
    size_t n = ldr_i64_format(unit ? us / unit->us : 0, number);
    memcpy(out, number, n);
    size_t m = unit ? strlen(unit->name) : 0;
    memcpy(out + n, unit ? unit->name : "", m);
    out[n + m] = '\0';
    return n + m;
}
