/* The time that this node goes by: its wall clock as far as it is believed (wall.h), what others' clocks say
 * of it (skew.h), and the bound of its stamps on disk (hlc.h). */
#include "node/node_impl.h"

static void judge(struct ldr_node *n)
{
    int64_t wall = ldr_node_wall(n), before = ldr_node_now(n);
    bool sure = n->wall.sure;
    enum ldr_wall_news news = ldr_wall_judge(&n->wall, &n->skew, wall, ldr_node_mono(n));
    long long by_ms = (long long)(ldr_time_sub(wall, before) / 1000);
    switch (news) {
    case LDR_WALL_AS_BEFORE:
        return;
    case LDR_WALL_HELD:
        ldr_logf(n->o.log, LDR_LOG_WARN,
                 "the wall clock jumped by %lld ms: not followed unless other nodes' clocks agree", by_ms);
        return;
    case LDR_WALL_BACK:
        ldr_logf(n->o.log, LDR_LOG_INFO, "the wall clock is back where it should be");
        return;
    case LDR_WALL_AGREED:
    case LDR_WALL_ALONE:
        ldr_logf(n->o.log, sure ? LDR_LOG_WARN : LDR_LOG_INFO, "the wall clock is followed%s: %s",
                 sure ? " again" : "",
                 news == LDR_WALL_AGREED ? "others agree" : "there is nobody whose clock could be asked for");
        ldr_node_hlc_keep(n); /* a bound for the times to be given now */
        return;
    }
}

void ldr_node_clock_start(struct ldr_node *n)
{
    ldr_wall_start(&n->wall, n->hlc.last > 0 ? n->hlc.last : 0, n->o.skew_bound_us, ldr_node_mono(n));
}

void ldr_node_clock_told(struct ldr_node *n, uint32_t by, int64_t wall_us, int64_t given_us,
                         uint64_t asked_us)
{
    uint64_t mono = ldr_node_mono(n);
    ldr_skew_sample(&n->skew, by, wall_us, given_us, mono - asked_us, mono);
    judge(n);
}

void ldr_node_clock_tick(struct ldr_node *n)
{
    judge(n);
    ldr_node_hlc_keep(n);
}

int ldr_node_clock_check(const struct ldr_node *n, struct ldr_err *err)
{
    if (!n->wall.sure)
        return ldr_fail(err, LDR_E_BUSY, "the clock of this node is not yet confirmed by others'");
    if (ldr_skew_off(&n->skew, ldr_node_now(n), n->o.skew_bound_us, ldr_node_mono(n)))
        return ldr_fail(err, LDR_E_BUSY, "the clock of this node differs from most others'");
    return 0;
}

/* ---- The bound ---- */
static void kept(struct ldr_vault_op *op, int code)
{
    struct ldr_node *n = op->owner;
    n->hlc_saving = false;
    if (code == 0)
        ldr_hlc_persisted(&n->hlc, n->hlc_want);
    else
        ldr_logf(n->o.log, ldr_node_severity(code), "keeping the bound of the clock: %s", op->err.message);
    ldr_node_unref(n);
}

void ldr_node_hlc_keep(struct ldr_node *n)
{
    int64_t want = ldr_hlc_want(&n->hlc, ldr_node_now(n));
    if (n->hlc_saving || want == INT64_MIN || !ldr_node_runs(n))
        return;
    ldr_buf_reset(&n->hlc_buf);
    if (ldr_hlc_record_encode(want, &n->hlc_buf) != 0)
        return; /* tried again with the next tick */
    n->hlc_want = want;
    n->hlc_saving = true;
    n->hlc_note = (struct ldr_vault_note){"hlc", ldr_buf_slice(&n->hlc_buf)};
    n->hlc_op = (struct ldr_vault_notes){.op = {.done = kept, .owner = n}, .list = &n->hlc_note, .n = 1};
    ldr_node_ref(n);
    n->o.vault.note_put(n->o.vault.ctx, &n->hlc_op);
}
