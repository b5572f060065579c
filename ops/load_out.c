#include "ops/load_out.h"

void ldr_load_add(struct ldr_write_report *total, const struct ldr_write_report *r)
{
    bool first = total->rows == total->skipped && total->taken == 0;
    if (r->taken && (first || r->min_event_us < total->min_event_us))
        total->min_event_us = r->min_event_us;
    if (r->taken && (first || r->max_event_us > total->max_event_us))
        total->max_event_us = r->max_event_us;
    if (r->rejected && !total->first_reject[0])
        memcpy(total->first_reject, r->first_reject, sizeof total->first_reject);
    total->rows += r->rows;
    total->taken += r->taken;
    total->rejected += r->rejected;
    total->duplicates += r->duplicates;
    total->erased += r->erased;
    total->ties += r->ties;
    total->skipped += r->skipped;
    total->seconds += r->seconds;
    total->bulk = total->bulk || r->bulk;
}

static void json_time(const char *key, bool some, int64_t us, struct ldr_json *j)
{
    char text[LDR_TIME_TEXT];
    ldr_json_key(j, key);
    if (some && us >= LDR_TIME_MIN_US && us <= LDR_TIME_MAX_US)
        ldr_json_str(j, ldr_slice(text, ldr_time_format(us, text)));
    else
        ldr_json_null(j);
}

void ldr_load_json(const struct ldr_write_report *r, struct ldr_json *j)
{
    const struct {
        const char *key;
        uint64_t n;
    } counts[] = {
        {"rows", r->rows},     {"taken", r->taken}, {"rejected", r->rejected}, {"duplicates", r->duplicates},
        {"erased", r->erased}, {"ties", r->ties},   {"skipped", r->skipped}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        ldr_json_key(j, counts[i].key);
        ldr_json_i64(j, (int64_t)counts[i].n);
    }
    json_time("min_event_timestamp", r->taken > 0, r->min_event_us, j);
    json_time("max_event_timestamp", r->taken > 0, r->max_event_us, j);
    ldr_json_key(j, "seconds");
    ldr_json_f64(j, r->seconds);
    ldr_json_key(j, "first_reject");
    ldr_json_cstr(j, r->rejected && r->first_reject[0] ? r->first_reject : NULL);
}

void ldr_load_warn(const struct ldr_cli *c, const struct ldr_write_report *r, const char *rejects)
{
    char n[32];
    if (r->rejected) {
        ldr_text_count(r->rejected, n);
        ldr_cli_warn(c, "%s row%s rejected, first: %s%s%s", n, ldr_plural(r->rejected), r->first_reject,
                     rejects ? "\n  rejected rows with their reasons: " : "", rejects ? rejects : "");
    }
    if (r->ties) {
        ldr_text_count(r->ties, n);
        ldr_cli_warn(
            c,
            "%s row%s tie%s with another: same entity, event time and created time, other values.\n"
            "  One of them answers, always the same one. Events that are not facts: larder help ingest",
            n, ldr_plural(r->ties), r->ties == 1 ? "s" : "");
    }
    if (r->erased) {
        ldr_text_count(r->erased, n);
        ldr_cli_warn(c, "%s row%s not taken: the entity was erased after they were created", n,
                     ldr_plural(r->erased));
    }
}

int ldr_load_stopped(const struct ldr_cli *c, int rc, const struct ldr_err *err,
                     const struct ldr_write_report *r)
{
    char n[32];
    if (rc != LDR_E_CANCELLED)
        return ldr_cli_fail(c, rc, err);
    ldr_text_count(r->taken, n);
    return ldr_cli_error(
        c, ldr_exit_of(rc, err),
        "stopped. %s row%s had been taken and stay%s; the store is whole. Run it again to go on: what is "
        "there is not taken twice.",
        n, ldr_plural(r->taken), r->taken == 1 ? "s" : "");
}

void ldr_load_rate(const struct ldr_write_report *r, char out[LDR_LOAD_RATE])
{
    char rows[32], seconds[32], rate[32];
    ldr_text_count(r->rows, rows);
    ldr_text_seconds(r->seconds, seconds);
    ldr_text_count(r->seconds > 0 ? (uint64_t)((double)r->rows / r->seconds) : 0, rate);
    snprintf(out, LDR_LOAD_RATE, "%s row%s read in %s (%s rows/s)", rows, ldr_plural(r->rows), seconds, rate);
}
