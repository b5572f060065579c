/* The state machine as libraft sees it: commands and snapshots in frames of their own.
 *
 *   command:  u32 length, u32 check, envelope, zeros up to a multiple of 8
 *   snapshot: u64 magic, u64 length, u64 hash, state, zeros up to a multiple of 8
 *
 * A command or snapshot that does not verify was damaged on this member's disk or on its way: the member
 * stops, so that it never applies what others did not. */
#include <stdlib.h>

#include "coordinator/raft_impl.h"

#define SNAPSHOT_MAGIC UINT64_C(0x31504e5352444c) /* "LDRSNP1" */
#define SNAPSHOT_HEAD  24u

_Noreturn void ldr_raft_stop(struct ldr_consensus *c, const char *why)
{
    ldr_logf(&c->log, LDR_LOG_ERROR, "stopping: %s", why);
    if (c->outside.stop)
        c->outside.stop(c->outside.ctx, why);
    abort();
}

static int apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
    struct ldr_consensus *c = fsm->data;
    const uint8_t *p = buf->base;
    if (buf->len < 8 || ldr_get_le32(p) > buf->len - 8)
        ldr_raft_stop(c, "a command in the log has no length that fits");
    uint32_t n = ldr_get_le32(p);
    if (ldr_check32(p + 8, n) != ldr_get_le32(p + 4))
        ldr_raft_stop(c, "a command in the log does not verify");
    struct ldr_state_result r;
    int rc = ldr_state_step(c->state, ldr_slice(p + 8, n), &r);
    if (rc)
        ldr_raft_stop(c, rc == LDR_E_NOMEM ? "out of memory while applying a command"
                                           : "the log holds no command");
    *result = NULL;
    ldr_raft_keep_result(c, c->raft.last_applied + 1, &r);
    if (c->opts.applied)
        c->opts.applied(c->opts.ctx, &r);
    return 0;
}

static int snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n)
{
    struct ldr_consensus *c = fsm->data;
    struct ldr_buf b;
    /* Of several changes of members that are committed at once libraft takes over one after the other, and in
     * between it would write the old members into a snapshot. It asks again. */
    if (c->raft.configuration_uncommitted_index &&
        c->raft.configuration_uncommitted_index <= c->raft.commit_index &&
        !LDR_BUG(raft_snapshot_old_members))
        return RAFT_BUSY;
    ldr_buf_init(&b, c->heap, LDR_SNAPSHOT_MAX);
    int rc = ldr_state_snapshot(c->state, &b);
    size_t len = (SNAPSHOT_HEAD + b.n + 7) / 8 * 8;
    *bufs = rc ? NULL : raft_malloc(sizeof **bufs);
    uint8_t *p = *bufs ? raft_calloc(1, len) : NULL;
    if (!p) {
        raft_free(*bufs);
        ldr_buf_close(&b);
        return RAFT_NOMEM;
    }
    ldr_put_le64(p, SNAPSHOT_MAGIC);
    ldr_put_le64(p + 8, b.n);
    ldr_put_le64(p + 16, ldr_hash64(b.p, b.n));
    memcpy(p + SNAPSHOT_HEAD, b.p, b.n);
    (*bufs)[0] = (struct raft_buffer){p, len};
    *n = 1;
    ldr_buf_close(&b);
    return 0;
}

static int restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
    struct ldr_consensus *c = fsm->data;
    const uint8_t *p = buf->base;
    struct ldr_state *state;
    if (buf->len < SNAPSHOT_HEAD || ldr_get_le64(p) != SNAPSHOT_MAGIC ||
        ldr_get_le64(p + 8) > buf->len - SNAPSHOT_HEAD)
        return RAFT_CORRUPT;
    size_t n = ldr_get_le64(p + 8);
    if (ldr_hash64(p + SNAPSHOT_HEAD, n) != ldr_get_le64(p + 16))
        return RAFT_CORRUPT;
    int rc = ldr_state_restore(c->heap, ldr_slice(p + SNAPSHOT_HEAD, n), &state);
    if (rc)
        return rc == LDR_E_NOMEM ? RAFT_NOMEM : RAFT_CORRUPT;
    ldr_state_destroy(c->state);
    c->state = state;
    raft_free(buf->base); /* success takes the buffer */
    if (c->opts.applied)
        c->opts.applied(c->opts.ctx, NULL);
    return 0;
}

void ldr_raft_fsm_init(struct ldr_consensus *c)
{
    c->fsm =
        (struct raft_fsm){.version = 1, .data = c, .apply = apply, .snapshot = snapshot, .restore = restore};
}

int ldr_raft_code(int status)
{
    switch (status) {
    case 0:
        return 0;
    case RAFT_NOTLEADER:
        return LDR_E_NOT_LEADER;
    case RAFT_LEADERSHIPLOST:
        return LDR_E_UNAVAILABLE;
    case RAFT_SHUTDOWN:
    case RAFT_CANCELED:
        return LDR_E_CLOSED;
    case RAFT_BUSY:
    case RAFT_CANTCHANGE:
        return LDR_E_BUSY;
    case RAFT_NOMEM:
        return LDR_E_NOMEM;
    case RAFT_BADID:
    case RAFT_NOTFOUND:
        return LDR_E_NOT_FOUND;
    case RAFT_DUPLICATEID:
    case RAFT_DUPLICATEADDRESS:
        return LDR_E_EXISTS;
    case RAFT_BADROLE:
    case RAFT_INVALID:
    case RAFT_NAMETOOLONG:
        return LDR_E_INVALID;
    case RAFT_CORRUPT:
    case RAFT_MALFORMED:
        return LDR_E_CORRUPT;
    case RAFT_NOSPACE:
        return LDR_E_NOSPACE;
    case RAFT_TOOBIG:
    case RAFT_TOOMANY:
        return LDR_E_TOO_BIG;
    case RAFT_NOCONNECTION:
        return LDR_E_UNAVAILABLE;
    default:
        return LDR_E_IO;
    }
}
