#include "client/disk/registry_record.h"

#define LOG_MAGIC    UINT64_C(0x31474f4c4745524c) /* "LREGLOG1" */
#define SNAP_MAGIC   UINT64_C(0x31504e534745524c) /* "LREGSNP1" */
#define RECORD_MAGIC UINT32_C(0x4443524c)         /* "LRCD" */
#define VERSION      1
#define SECTOR       512
#define ZEROS_LEAST  16 /* fewer zeros at the end may be a record's own bytes */

/* Two different payloads under two different heads never share a check. */
static uint32_t payload_check(struct ldr_slice payload, uint32_t head_check)
{
    return (uint32_t)ldr_hash64_seed(payload.p, payload.n, head_check);
}

/* Check of the bytes appended since `from`. */
static int put_check(struct ldr_buf *out, size_t from)
{
    return out->err ? out->err : ldr_buf_u32(out, ldr_check32(out->p + from, out->n - from));
}

static bool check_holds(const uint8_t *head, size_t n)
{
    return ldr_get_le32(head + n - 4) == ldr_check32(head, n - 4);
}

int ldr_reglog_head_write(struct ldr_buf *out, uint64_t base)
{
    size_t from = out->n;
    ldr_buf_u64(out, LOG_MAGIC);
    ldr_buf_u64(out, base);
    ldr_buf_u32(out, VERSION);
    return put_check(out, from);
}

int ldr_reglog_head_read(struct ldr_slice file, uint64_t *base, const char **why)
{
    *why = "the head of the log is cut off";
    if (file.n < LDR_REGLOG_HEAD)
        return LDR_E_CORRUPT;
    *why = "the head of the log is damaged";
    if (!check_holds(file.p, LDR_REGLOG_HEAD) || ldr_get_le64(file.p) != LOG_MAGIC)
        return LDR_E_CORRUPT;
    *why = "the log was written by a newer version of Larder";
    if (ldr_get_le32(file.p + 16) != VERSION)
        return LDR_E_FORMAT;
    *base = ldr_get_le64(file.p + 8);
    return 0;
}

int ldr_record_write(struct ldr_buf *out, const struct ldr_record *r)
{
    if (r->payload.n > LDR_COMMAND_MAX)
        return LDR_E_TOO_BIG;
    size_t from = out->n;
    ldr_buf_u32(out, RECORD_MAGIC);
    ldr_buf_u32(out, r->kind);
    ldr_buf_u64(out, r->index);
    ldr_buf_u64(out, (uint64_t)r->at_us);
    ldr_buf_u32(out, (uint32_t)r->payload.n);
    if (put_check(out, from))
        return out->err;
    uint32_t head_check = ldr_get_le32(out->p + out->n - 4);
    ldr_buf_put(out, r->payload.p, r->payload.n);
    return ldr_buf_u32(out, payload_check(r->payload, head_check));
}

/* Zeros from a sector boundary in [at, before) to the end: a file that was made longer before its bytes
 * arrived. */
static bool zero_end(struct ldr_slice file, size_t at, size_t before)
{
    size_t end = file.n;
    while (end > at && file.p[end - 1] == 0)
        end--;
    size_t boundary = end == at ? at : (end + SECTOR - 1) / SECTOR * SECTOR;
    return boundary < before && boundary < file.n && file.n - boundary >= ZEROS_LEAST;
}

enum ldr_record_state ldr_record_read(struct ldr_slice file, size_t at, struct ldr_record *r, size_t *n,
                                      const char **why)
{
    if (at == file.n)
        return LDR_RECORD_END;
    size_t left = file.n - at;
    if (left < LDR_RECORD_HEAD)
        return LDR_RECORD_TORN;
    const uint8_t *p = file.p + at;
    *why = "the head of a record is damaged";
    if (!check_holds(p, LDR_RECORD_HEAD))
        return zero_end(file, at, at + LDR_RECORD_HEAD) ? LDR_RECORD_TORN : LDR_RECORD_BAD;
    r->kind = ldr_get_le32(p + 4);
    r->index = ldr_get_le64(p + 8);
    r->at_us = (int64_t)ldr_get_le64(p + 16);
    uint32_t len = ldr_get_le32(p + 24);
    if (ldr_get_le32(p) != RECORD_MAGIC || len > LDR_COMMAND_MAX)
        return LDR_RECORD_BAD;
    if (left - LDR_RECORD_HEAD < (size_t)len + LDR_RECORD_TAIL)
        return LDR_RECORD_TORN;
    r->payload = ldr_slice(p + LDR_RECORD_HEAD, len);
    *n = LDR_RECORD_HEAD + (size_t)len + LDR_RECORD_TAIL;
    *why = "a record is damaged";
    if (ldr_get_le32(p + LDR_RECORD_HEAD + len) != payload_check(r->payload, ldr_get_le32(p + 28)))
        return *n == left && zero_end(file, at, file.n) ? LDR_RECORD_TORN : LDR_RECORD_BAD;
    return LDR_RECORD_GOOD;
}

int ldr_regsnap_write(struct ldr_buf *out, uint64_t index, struct ldr_slice payload)
{
    size_t from = out->n;
    ldr_buf_u64(out, SNAP_MAGIC);
    ldr_buf_u64(out, index);
    ldr_buf_u64(out, payload.n);
    ldr_buf_u32(out, VERSION);
    if (put_check(out, from))
        return out->err;
    uint32_t head_check = ldr_get_le32(out->p + out->n - 4);
    ldr_buf_put(out, payload.p, payload.n);
    return ldr_buf_u32(out, payload_check(payload, head_check));
}

int ldr_regsnap_read(struct ldr_slice file, uint64_t *index, struct ldr_slice *payload, const char **why,
                     size_t *at)
{
    *at = 0;
    *why = "the head of the snapshot is damaged";
    if (file.n < LDR_REGSNAP_HEAD || !check_holds(file.p, LDR_REGSNAP_HEAD) ||
        ldr_get_le64(file.p) != SNAP_MAGIC)
        return LDR_E_CORRUPT;
    *why = "the snapshot was written by a newer version of Larder";
    if (ldr_get_le32(file.p + 24) != VERSION)
        return LDR_E_FORMAT;
    *index = ldr_get_le64(file.p + 8);
    uint64_t len = ldr_get_le64(file.p + 16);
    *at = LDR_REGSNAP_HEAD;
    *why = "the snapshot is not as long as it says";
    if (file.n - LDR_REGSNAP_HEAD < 4 || len != file.n - LDR_REGSNAP_HEAD - 4)
        return LDR_E_CORRUPT;
    *payload = ldr_slice(file.p + LDR_REGSNAP_HEAD, (size_t)len);
    *why = "the snapshot is damaged";
    if (ldr_get_le32(file.p + file.n - 4) != payload_check(*payload, ldr_get_le32(file.p + 28)))
        return LDR_E_CORRUPT;
    return 0;
}
