/* Faults of disks and clocks. Each takes some seconds and ends with all well again. */
#include <stdio.h>

#include "integration/soak/nemesis_parts.h"

enum { ENDS_MS = 30000, HOUR_S = 3600 };

/* Some time passes; a process that ends meanwhile is noted. */
static void watch(struct nemesis *n, struct lab_proc *p, long ms)
{
    int status = 0;
    for (uint64_t until = lab_now_us() + (uint64_t)ms * 1000; lab_now_us() < until; lab_nap_ms(50))
        (void)nemesis_ended(n, p, &status);
}
static long some_ms(struct nemesis *n)
{
    return 2000 + (long)nemesis_draw(n, 6000);
}

static bool full(struct nemesis *n, struct lab_proc *p)
{
    unsigned leave = nemesis_draw(n, 2) ? 0 : 8;
    if (!p->small)
        return false;
    if (!lab_fill(n->lab, p, leave)) {
        nemesis_say("%s: less than %u MiB are free anyway", p->name, leave);
        return false;
    }
    nemesis_say("%s: %u MiB are left on its disk", p->name, leave);
    watch(n, p, some_ms(n));
    lab_unfill(n->lab, p);
    lab_start(n->lab, p);
    return true;
}

static void slow(struct nemesis *n, struct lab_proc *p)
{
    uint32_t ms = 100 + (uint32_t)nemesis_draw(n, 1900);
    nemesis_say("%s: each sync takes %u ms longer", p->name, ms);
    atomic_store(&p->page->slow_ms, ms);
    atomic_store(&p->page->disk, SHIM_DISK_SLOW);
    watch(n, p, some_ms(n));
}

/* Nobody goes on with a disk that has refused what it was given. */
static void failing(struct nemesis *n, struct lab_proc *p)
{
    uint64_t began = lab_now_us(), hit_us = 0, hits = atomic_load(&p->page->hits);
    int status = 0;
    bool ended = false;
    nemesis_say("%s: writes fail", p->name);
    atomic_store(&p->page->disk, SHIM_DISK_FAILS);
    while (!ended && lab_now_us() - (hit_us ? hit_us : began) < ENDS_MS * UINT64_C(1000)) {
        ended = nemesis_ended(n, p, &status);
        if (!hit_us && atomic_load(&p->page->hits) > hits)
            hit_us = lab_now_us();
        lab_nap_ms(20);
    }
    if (ended && hit_us)
        nemesis_say("%s ended %.1f s after the first of %llu failures", p->name,
                    (double)(lab_now_us() - hit_us) / 1e6,
                    (unsigned long long)(atomic_load(&p->page->hits) - hits));
    if (!ended && hit_us) {
        nemesis_say("VIOLATION: %s goes on with a disk that fails", p->name);
        n->wrong = true;
    }
    lab_shim_fine(p);
    lab_start(n->lab, p);
}

static void clock_off(struct nemesis *n, struct lab_proc *p, enum nemesis_kind kind)
{
    int64_t second = nemesis_draw(n, 2) ? 1000000 : -1000000;
    int64_t shift = kind == NEMESIS_clock_hour    ? second * HOUR_S
                    : kind == NEMESIS_clock_jumps ? second * 5
                                                  : second;
    nemesis_say("%s: its clock is %+lld s off%s", p->name, (long long)(shift / 1000000),
                kind == NEMESIS_clock_jumps ? ", then not, and again" : "");
    for (int i = 0; i < (kind == NEMESIS_clock_jumps ? 6 : 1); i++) {
        atomic_store(&p->page->shift_us, i % 2 ? 0 : i % 4 ? -shift : shift);
        watch(n, p, kind == NEMESIS_clock_jumps ? 200 + (long)nemesis_draw(n, 1000) : some_ms(n));
    }
}

bool nemesis_disk(struct nemesis *n, enum nemesis_kind kind)
{
    struct lab_proc *p = nemesis_any(n);
    if (kind == NEMESIS_full_node)
        return n->lab->nodes && full(n, &n->lab->node[0]);
    if (kind == NEMESIS_full_coordinator)
        return full(n, &n->lab->coordinator[0]);
    if (!p->page)
        return false;
    if (kind == NEMESIS_slow_disk)
        slow(n, p);
    else if (kind == NEMESIS_failing_disk)
        failing(n, p);
    else if (kind == NEMESIS_clock_second || kind == NEMESIS_clock_hour || kind == NEMESIS_clock_jumps)
        clock_off(n, p, kind);
    else
        return false;
    lab_shim_fine(p);
    lab_start(n->lab, p);
    return true;
}
