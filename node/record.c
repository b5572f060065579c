#include "node/record.h"

#define RECORD_VERSION 1
#define NODE_VERSION   2

static int seal(struct ldr_buf *out, size_t from)
{
    if (out->err == 0)
        ldr_buf_u32(out, ldr_check32(out->p + from, out->n - from));
    return out->err;
}

/* Strips and checks frame and version. */
static int unseal_upto(struct ldr_slice bytes, uint8_t newest, struct ldr_cursor *c)
{
    if (bytes.n < 5 || ldr_check32(bytes.p, bytes.n - 4) != ldr_get_le32(bytes.p + bytes.n - 4))
        return LDR_E_CORRUPT;
    if (bytes.p[0] < RECORD_VERSION || bytes.p[0] > newest)
        return bytes.p[0] > newest ? LDR_E_FORMAT : LDR_E_CORRUPT;
    *c = ldr_cursor(ldr_slice(bytes.p + 1, bytes.n - 5));
    return 0;
}

static int unseal(struct ldr_slice bytes, struct ldr_cursor *c)
{
    return unseal_upto(bytes, RECORD_VERSION, c);
}

int ldr_node_record_encode(const struct ldr_node_record *r, struct ldr_buf *out)
{
    size_t from = out->n, n = strlen(r->cluster);
    ldr_buf_u8(out, r->refilled ? NODE_VERSION : RECORD_VERSION);
    ldr_buf_u64(out, r->incarnation);
    ldr_buf_u16(out, (uint16_t)n);
    ldr_buf_put(out, r->cluster, n);
    if (r->refilled)
        ldr_buf_u8(out, 1);
    return seal(out, from);
}

int ldr_node_record_decode(struct ldr_slice bytes, struct ldr_node_record *out)
{
    struct ldr_cursor c;
    int rc = unseal_upto(bytes, NODE_VERSION, &c);
    if (rc)
        return rc;
    memset(out, 0, sizeof *out);
    out->incarnation = ldr_cursor_u64(&c);
    struct ldr_slice name = ldr_cursor_take(&c, ldr_cursor_u16(&c));
    out->refilled = bytes.p[0] == NODE_VERSION;
    if (out->refilled && ldr_cursor_u8(&c) != 1)
        return LDR_E_CORRUPT;
    if (ldr_cursor_end(&c) != 0 || name.n > LDR_NAME_MAX || out->incarnation == 0 ||
        (name.n && memchr(name.p, 0, name.n)))
        return LDR_E_CORRUPT;
    if (name.n)
        memcpy(out->cluster, name.p, name.n);
    return 0;
}

int ldr_hlc_record_encode(int64_t bound_us, struct ldr_buf *out)
{
    size_t from = out->n;
    ldr_buf_u8(out, RECORD_VERSION);
    ldr_buf_u64(out, (uint64_t)bound_us);
    return seal(out, from);
}

int ldr_hlc_record_decode(struct ldr_slice bytes, int64_t *bound_us)
{
    struct ldr_cursor c;
    int rc = unseal(bytes, &c);
    if (rc)
        return rc;
    *bound_us = (int64_t)ldr_cursor_u64(&c);
    return ldr_cursor_end(&c);
}

int ldr_rep_record_encode(const struct ldr_rep_record *r, struct ldr_buf *out)
{
    size_t from = out->n;
    ldr_buf_u8(out, RECORD_VERSION);
    ldr_buf_u64(out, r->incarnation);
    ldr_buf_u32(out, r->node);
    ldr_buf_u64(out, r->ready_epoch);
    ldr_buf_u8(out, r->n);
    for (uint32_t i = 0; i < r->n; i++) {
        ldr_buf_u32(out, r->peers[i].node);
        ldr_buf_u64(out, r->peers[i].pos.incarnation);
        ldr_buf_u64(out, r->peers[i].pos.seq);
    }
    return seal(out, from);
}

int ldr_rep_record_decode(struct ldr_slice bytes, struct ldr_rep_record *out)
{
    struct ldr_cursor c;
    int rc = unseal(bytes, &c);
    if (rc)
        return rc;
    memset(out, 0, sizeof *out);
    out->incarnation = ldr_cursor_u64(&c);
    out->node = ldr_cursor_u32(&c);
    out->ready_epoch = ldr_cursor_u64(&c);
    out->n = ldr_cursor_u8(&c);
    if (out->n > LDR_REP_RECORD_MAX)
        return LDR_E_CORRUPT;
    for (uint32_t i = 0; i < out->n; i++) {
        out->peers[i].node = ldr_cursor_u32(&c);
        out->peers[i].pos.incarnation = ldr_cursor_u64(&c);
        out->peers[i].pos.seq = ldr_cursor_u64(&c);
    }
    return ldr_cursor_end(&c);
}
