/* Whether the columns of a batch are what their metadata says: every buffer lies in the body and is as long
 * as its values need, offsets ascend inside what they point into, texts are UTF-8, times are times. */
#include "gateway/flat_read.h"
#include "gateway/ipc_read.h"

static const uint8_t zeros[8]; /* offsets of a column without rows may be left out */

static int damaged(const struct ldr_gw_ipc_batch_in *b, const struct ldr_gw_ipc_column *c, const char *what)
{
    return ldr_fail(b->err, LDR_E_FORMAT, "the body is not a stream of Arrow: column %.200s: %s", c->name,
                    what);
}

static int take_buffer(struct ldr_gw_ipc_batch_in *b, const struct ldr_gw_ipc_column *c,
                       struct ldr_slice *out)
{
    if (b->buffer == b->buffers->n)
        return damaged(b, c, "its buffers are missing");
    int64_t from = ldr_gw_vector_number(b->buffers, b->buffer, 16, 0),
            n = ldr_gw_vector_number(b->buffers, b->buffer, 16, 8);
    b->buffer++;
    if (from < 0 || n < 0 || (uint64_t)from > b->body.n || (uint64_t)n > b->body.n - (uint64_t)from)
        return damaged(b, c, "a buffer ends behind the body");
    *out = ldr_slice(n ? b->body.p + from : NULL, (size_t)n);
    return 0;
}

static bool is_null(const struct ldr_gw_ipc_column *c, size_t i)
{
    const uint8_t *validity = c->array->null_count ? c->array->buffers[0] : NULL;
    return validity && !(validity[i / 8] >> (i % 8) & 1);
}

static int64_t offset_at(const uint8_t *p, size_t i, size_t width)
{
    return width == 8 ? (int64_t)ldr_get_le64(p + 8 * i) : (int32_t)ldr_get_le32(p + 4 * i);
}

/* Offsets ascend from 0 or more to `most` or less. */
static int prove_offsets(const struct ldr_gw_ipc_batch_in *b, const struct ldr_gw_ipc_column *c,
                         uint64_t most)
{
    const uint8_t *p = c->array->buffers[1];
    size_t n = (size_t)c->array->length;
    LDR_ASSERT(p); /* take_offsets has seen at least one */
    int64_t before = offset_at(p, 0, c->width);
    if (before < 0)
        return damaged(b, c, "an offset is negative");
    for (size_t i = 1; i <= n; i++) {
        int64_t at = offset_at(p, i, c->width);
        if (at < before)
            return damaged(b, c, "its offsets do not ascend");
        before = at;
    }
    return (uint64_t)before > most ? damaged(b, c, "an offset points behind its values") : 0;
}

static int take_offsets(struct ldr_gw_ipc_batch_in *b, struct ldr_gw_ipc_column *c)
{
    struct ldr_slice offsets;
    size_t n = (size_t)c->array->length;
    int rc = take_buffer(b, c, &offsets);
    if (rc)
        return rc;
    bool left_out = n == 0 && offsets.n == 0;
    if (!left_out && offsets.n / c->width < n + 1)
        return damaged(b, c, "a buffer is shorter than its values");
    c->array->buffers[1] = offsets.n ? offsets.p : zeros;
    return 0;
}

static int prove_texts(const struct ldr_gw_ipc_batch_in *b, const struct ldr_gw_ipc_column *c)
{
    const uint8_t *offsets = c->array->buffers[1], *p = c->array->buffers[2];
    for (size_t i = 0; c->utf8 && i < (size_t)c->array->length; i++) {
        int64_t from = offset_at(offsets, i, c->width), to = offset_at(offsets, i + 1, c->width);
        if (to > from && !is_null(c, i) && !ldr_utf8_valid(ldr_slice(p + from, (size_t)(to - from))))
            return ldr_fail(b->err, LDR_E_INVALID, "spine: column %.200s: value %zu: not UTF-8", c->name, i);
    }
    return 0;
}

static int prove_times(const struct ldr_gw_ipc_batch_in *b, const struct ldr_gw_ipc_column *c)
{
    for (size_t i = 0; c->times && i < (size_t)c->array->length; i++) {
        int64_t us = offset_at(c->array->buffers[1], i, 8);
        if ((us < LDR_TIME_MIN_US || us > LDR_TIME_MAX_US) && !is_null(c, i))
            return ldr_fail(b->err, LDR_E_INVALID,
                            "spine: column %.200s: value %zu: a time outside the years 0001 to 9999", c->name,
                            i);
    }
    return 0;
}

/* Values of so many bits each. */
static int take_values(struct ldr_gw_ipc_batch_in *b, struct ldr_gw_ipc_column *c)
{
    struct ldr_slice values;
    size_t n = (size_t)c->array->length;
    int rc = take_buffer(b, c, &values);
    if (rc)
        return rc;
    size_t room = c->layout == LDR_GW_IPC_BITS ? values.n : values.n / c->width;
    if (room < (c->layout == LDR_GW_IPC_BITS ? n / 8 + (n % 8 != 0) : n))
        return damaged(b, c, "a buffer is shorter than its values");
    c->array->buffers[1] = values.n ? values.p : zeros;
    return prove_times(b, c);
}

static int take_text(struct ldr_gw_ipc_batch_in *b, struct ldr_gw_ipc_column *c)
{
    struct ldr_slice bytes = {0};
    int rc = take_offsets(b, c);
    if (!rc)
        rc = take_buffer(b, c, &bytes);
    if (!rc)
        rc = prove_offsets(b, c, bytes.n);
    if (rc)
        return rc;
    c->array->buffers[2] = bytes.n ? bytes.p : zeros;
    return prove_texts(b, c);
}

static int take_list(struct ldr_gw_ipc_batch_in *b, struct ldr_gw_ipc_column *c)
{
    bool group = c->layout == LDR_GW_IPC_GROUP;
    int rc = group ? 0 : take_offsets(b, c);
    if (!rc)
        rc = ldr_gw_ipc_take_column(b, c->inner, -1);
    if (rc)
        return rc;
    uint64_t n = (uint64_t)c->inner->array->length;
    if (!group)
        return prove_offsets(b, c, n);
    return n / c->width < (uint64_t)c->array->length ? damaged(b, c, "its lists have too few elements") : 0;
}

/* rows: how many it must have; -1: what it says. */
int ldr_gw_ipc_take_column(struct ldr_gw_ipc_batch_in *b, struct ldr_gw_ipc_column *c, int64_t rows)
{
    struct ldr_slice validity = {0};
    if (b->node == b->nodes->n)
        return damaged(b, c, "the batch does not have it");
    int64_t n = ldr_gw_vector_number(b->nodes, b->node, 16, 0),
            nulls = ldr_gw_vector_number(b->nodes, b->node, 16, 8);
    b->node++;
    if (n < 0 || nulls < 0 || nulls > n || (rows >= 0 && n != rows))
        return damaged(b, c, "its length is not that of the batch");
    c->array->length = n;
    c->array->null_count = nulls;
    if (c->layout == LDR_GW_IPC_NULLS) {
        c->array->null_count = n;
        return 0;
    }
    int rc = take_buffer(b, c, &validity);
    if (rc)
        return rc;
    if (nulls && validity.n < (uint64_t)n / 8 + (n % 8 != 0))
        return damaged(b, c, "it has nulls, and no bits that say where");
    c->array->buffers[0] = nulls ? validity.p : NULL;
    switch (c->layout) {
    case LDR_GW_IPC_TEXT:
        return take_text(b, c);
    case LDR_GW_IPC_LIST:
    case LDR_GW_IPC_GROUP:
        return take_list(b, c);
    default:
        return take_values(b, c);
    }
}
