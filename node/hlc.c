#include "node/hlc.h"

#include "base/base.h"

static int64_t ahead(int64_t us, int64_t by)
{
    return us > INT64_MAX - by ? INT64_MAX : us + by;
}

void ldr_hlc_start(struct ldr_hlc *h, int64_t durable_bound_us)
{
    /* everything below the bound may have been given */
    h->last = LDR_BUG(hlc_bound_forgotten) ? INT64_MIN : durable_bound_us;
    h->bound = durable_bound_us;
}

uint64_t ldr_hlc_wait_us(const struct ldr_hlc *h, int64_t now_us)
{
    if (h->last <= now_us)
        return 0;
    uint64_t left = (uint64_t)h->last - (uint64_t)now_us;
    return left < LDR_HLC_AHEAD_US ? left : LDR_HLC_AHEAD_US;
}

int ldr_hlc_next(struct ldr_hlc *h, int64_t now_us, int64_t *out)
{
    int64_t t = now_us > h->last ? now_us : ahead(h->last, 1);
    if (t > h->bound)
        return LDR_E_BUSY;
    h->last = t;
    *out = t;
    return 0;
}

int ldr_hlc_merge(struct ldr_hlc *h, int64_t seen_us, int64_t now_us, int64_t limit_us)
{
    if (seen_us > ahead(now_us, limit_us))
        return LDR_E_REFUSED;
    if (seen_us > h->last)
        h->last = seen_us;
    return 0;
}

int64_t ldr_hlc_want(const struct ldr_hlc *h, int64_t now_us)
{
    int64_t top = now_us > h->last ? now_us : h->last;
    return ahead(top, LDR_HLC_AHEAD_US / 2) > h->bound ? ahead(top, LDR_HLC_AHEAD_US) : INT64_MIN;
}

void ldr_hlc_persisted(struct ldr_hlc *h, int64_t bound_us)
{
    if (bound_us > h->bound)
        h->bound = bound_us;
}

int64_t ldr_hlc_token(struct ldr_hlc *h, int64_t now_us)
{
    h->last = now_us > h->last ? now_us : ahead(h->last, 1);
    return h->last;
}

int64_t ldr_hlc_told(struct ldr_hlc *h, int64_t now_us)
{
    int64_t t = ldr_hlc_peek(h, now_us);
    t = t < h->bound ? t : h->bound;
    if (t > h->last)
        h->last = t;
    return t;
}

int64_t ldr_hlc_peek(const struct ldr_hlc *h, int64_t now_us)
{
    return now_us > h->last ? now_us : h->last;
}
