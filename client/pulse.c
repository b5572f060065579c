#include "client/pulse.h"

#define BEAT_NS UINT64_C(200000000)

void ldr_pulse_start(struct ldr_pulse *p, const struct ldr_work *work, const struct ldr_clock *clock,
                     const char *what)
{
    *p = (struct ldr_pulse){.work = work, .clock = *clock};
    p->start_ns = clock->mono_ns(clock->ctx);
    p->last_ns =
        p->start_ns - BEAT_NS; /* the first beat is due at once: what is cancelled early stores nothing */
    p->progress.what = what;
}

double ldr_pulse_seconds(const struct ldr_pulse *p)
{
    return (double)(p->clock.mono_ns(p->clock.ctx) - p->start_ns) / 1e9;
}

int ldr_pulse_final(struct ldr_pulse *p, uint64_t rows, uint64_t bytes, uint64_t bytes_total)
{
    if (!p->work || !p->work->progress)
        return 0;
    p->progress.rows = rows;
    p->progress.bytes = bytes;
    p->progress.bytes_total = bytes_total;
    p->progress.seconds = ldr_pulse_seconds(p);
    return p->work->progress(p->work->ctx, &p->progress) ? LDR_E_CANCELLED : 0;
}

int ldr_pulse_beat(struct ldr_pulse *p, uint64_t rows, uint64_t bytes, uint64_t bytes_total)
{
    uint64_t now = p->clock.mono_ns(p->clock.ctx);
    if (now - p->last_ns < BEAT_NS)
        return 0;
    p->last_ns = now;
    return ldr_pulse_final(p, rows, bytes, bytes_total);
}
