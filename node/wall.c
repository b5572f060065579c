#include "node/wall.h"

static int64_t offset(int64_t wall_us, uint64_t mono_us)
{
    return (int64_t)((uint64_t)wall_us - mono_us);
}

/* Half the bound, so that a time that is followed is within it of all who were within half of it. */
static bool is_near(const struct ldr_wall *w, int64_t at)
{
    int64_t c = w->confirmed_us;
    return (at > c ? (uint64_t)at - (uint64_t)c : (uint64_t)c - (uint64_t)at) <= w->bound_us / 2;
}

void ldr_wall_start(struct ldr_wall *w, int64_t floor_us, uint64_t bound_us, uint64_t mono_us)
{
    *w = (struct ldr_wall){.floor_us = floor_us,
                           .bound_us = bound_us,
                           .held_at_us = mono_us,
                           .heard_at_us = mono_us,
                           .confirmed_at_us = mono_us};
}

int64_t ldr_wall_now(const struct ldr_wall *w, int64_t wall_us, uint64_t mono_us)
{
    if (LDR_BUG(wall_believed))
        return wall_us;
    if (!w->sure)
        return wall_us < w->floor_us ? wall_us : w->floor_us;
    return is_near(w, offset(wall_us, mono_us)) ? wall_us : (int64_t)((uint64_t)w->at_us + mono_us);
}

static void confirm(struct ldr_wall *w, int64_t at, uint64_t mono_us)
{
    w->sure = true;
    w->held = false;
    w->at_us = w->confirmed_us = at;
    w->confirmed_at_us = mono_us;
}

/* Whether the others' word is enough to follow a clock that is far from what was followed, or the first one.
 */
static bool agreed(const struct ldr_wall *w, const struct ldr_skew_votes *v, uint64_t mono_us)
{
    if (w->sure)
        return v->agree > v->differ;
    return v->agree >= v->differ &&
           (v->agree > 1 || (v->agree == 1 && mono_us - w->held_at_us >= LDR_WALL_FIRST_US));
}

/* Not sure, or held. */
static enum ldr_wall_news judge_far(struct ldr_wall *w, const struct ldr_skew *k, int64_t wall_us,
                                    uint64_t mono_us)
{
    bool begins = w->sure && !w->held;
    if (begins) {
        w->held = true;
        w->held_at_us = mono_us;
    }
    struct ldr_skew_votes v = ldr_skew_ask(k, wall_us, w->bound_us, w->held_at_us, mono_us);
    if (v.heard)
        w->heard_at_us = mono_us;
    bool alone =
        mono_us - w->heard_at_us >= LDR_WALL_ALONE_US && mono_us - w->held_at_us >= LDR_WALL_ALONE_US;
    if (!alone && !agreed(w, &v, mono_us))
        return begins ? LDR_WALL_HELD : LDR_WALL_AS_BEFORE;
    confirm(w, offset(wall_us, mono_us), mono_us);
    return alone ? LDR_WALL_ALONE : LDR_WALL_AGREED;
}

enum ldr_wall_news ldr_wall_judge(struct ldr_wall *w, const struct ldr_skew *k, int64_t wall_us,
                                  uint64_t mono_us)
{
    int64_t at = offset(wall_us, mono_us);
    if (!w->sure || !is_near(w, at))
        return judge_far(w, k, wall_us, mono_us);
    enum ldr_wall_news news = w->held ? LDR_WALL_BACK : LDR_WALL_AS_BEFORE;
    w->held = false;
    w->at_us = at;
    /* the clocks of machines run apart by some parts in a hundred thousand: what was confirmed moves along */
    struct ldr_skew_votes v = ldr_skew_ask(k, wall_us, w->bound_us, 0, mono_us);
    if (v.heard)
        w->heard_at_us = mono_us;
    if (v.heard ? v.agree > v.differ : mono_us - w->confirmed_at_us >= LDR_WALL_ALONE_US)
        confirm(w, at, mono_us);
    return news;
}
