/* The messages of a stranger's stream: format/Message.fbs. */
#include "gateway/ipc_read.h"

#include "gateway/flat_read.h"

enum { HEADER_SCHEMA = 1, HEADER_DICTIONARY = 2, HEADER_BATCH = 3, VERSION_4 = 3, VERSION_5 = 4 };

struct message {
    size_t at; /* where it begins */
    struct ldr_gw_flat_in in;
    struct ldr_gw_table table, header;
    int64_t kind;
    struct ldr_slice body;
};

static int damaged(size_t at, const char *what, struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_FORMAT, "the body is not a stream of Arrow: at byte %zu: %s", at, what);
}

static int no_start(const struct ldr_gw_ipc_reader *r, struct ldr_err *err)
{
    const uint8_t *p = r->in.p + r->at;
    if (r->at == 0 && memcmp(p, "ARROW1", 6) == 0)
        return damaged(0, "found Arrow's file format, expected its stream format", err);
    return ldr_fail(
        err, LDR_E_FORMAT,
        "the body is not a stream of Arrow: at byte %zu: found %02x %02x %02x %02x, expected ff ff ff "
        "ff, where a message begins",
        r->at, p[0], p[1], p[2], p[3]);
}

static int read_metadata(struct ldr_gw_ipc_reader *r, struct message *m, struct ldr_err *err)
{
    m->table = ldr_gw_flat_root(&m->in);
    int64_t version = ldr_gw_table_number(&m->table, 0, 2, 0), n = ldr_gw_table_number(&m->table, 3, 8, 0);
    m->kind = ldr_gw_table_number(&m->table, 1, 1, 0);
    m->header = ldr_gw_table_table(&m->table, 2);
    if (m->in.bad || !m->header.at)
        return damaged(m->at, "a message that is damaged", err);
    if (version != VERSION_4 && version != VERSION_5)
        return ldr_fail(err, LDR_E_INVALID, "spine: found version %d of Arrow's metadata, expected 4 or 5",
                        (int)version + 1);
    if (n < 0 || (uint64_t)n > r->in.n - r->at)
        return damaged(m->at, "a message's body ends behind the request's", err);
    m->body = ldr_slice(r->in.p + r->at, (size_t)n);
    r->at += (size_t)n;
    return 0;
}

/* *more false: the stream has ended, by its mark or with its last byte. */
static int next_message(struct ldr_gw_ipc_reader *r, struct message *m, bool *more, struct ldr_err *err)
{
    size_t left = r->in.n - r->at;
    *m = (struct message){.at = r->at};
    *more = left > 0;
    if (!*more)
        return 0;
    if (left < 8)
        return damaged(r->at, "it ends within a message", err);
    if (ldr_get_le32(r->in.p + r->at) != UINT32_MAX)
        return no_start(r, err);
    uint32_t n = ldr_get_le32(r->in.p + r->at + 4);
    r->at += 8;
    *more = n > 0;
    if (!*more)
        return r->at == r->in.n ? 0 : damaged(r->at, "something follows the end of the stream", err);
    if (n > left - 8)
        return damaged(r->at, "it ends within a message", err);
    m->in = (struct ldr_gw_flat_in){.p = r->in.p + r->at, .n = n};
    r->at += n;
    return read_metadata(r, m, err);
}

static void no_release(struct ArrowSchema *s)
{
    s->release = NULL;
}

int ldr_gw_ipc_open(struct ldr_gw_ipc_reader *r, struct ldr_slice in, struct ldr_arena *a,
                    struct ldr_err *err)
{
    struct message m;
    bool more;
    *r = (struct ldr_gw_ipc_reader){.in = in, .arena = a};
    int rc = next_message(r, &m, &more, err);
    if (rc)
        return rc;
    if (!more || m.kind != HEADER_SCHEMA)
        return damaged(m.at, "the first message is not a schema", err);
    rc = ldr_gw_ipc_schema_read(r, &m.header, err);
    if (!rc && m.in.bad)
        return damaged(m.at, "a schema that is damaged", err);
    r->schema.release = no_release;
    r->first = r->at;
    return rc;
}

/* ---- Batches ---- */

/* The parts of a RecordBatch; *rows as it says. */
static int open_batch(struct ldr_gw_ipc_batch_in *b, const struct message *m,
                      const struct ldr_gw_table *batch, struct ldr_gw_vector parts[2], int64_t *rows)
{
    struct ldr_gw_table compression = ldr_gw_table_table(batch, 3);
    *rows = ldr_gw_table_number(batch, 0, 8, 0);
    parts[0] = ldr_gw_table_vector(batch, 1, 16);
    parts[1] = ldr_gw_table_vector(batch, 2, 16);
    b->body = m->body;
    b->nodes = &parts[0];
    b->buffers = &parts[1];
    if (batch->in->bad || !batch->at || *rows < 0)
        return damaged(m->at, "a batch that is damaged", b->err);
    if (compression.at)
        return ldr_fail(
            b->err, LDR_E_INVALID,
            "spine: at byte %zu: found buffers compressed with %s, expected them as they are: compress the "
            "whole request with gzip instead",
            m->at, ldr_gw_table_number(&compression, 0, 1, 0) == 0 ? "LZ4" : "ZSTD");
    return 0;
}

/* Whatever follows the last column's buffers is not looked at. */
static int take_dictionary(struct ldr_gw_ipc_reader *r, const struct message *m, struct ldr_err *err)
{
    struct ldr_gw_table data = ldr_gw_table_table(&m->header, 1);
    int64_t id = ldr_gw_table_number(&m->header, 0, 8, 0), rows;
    bool found = false;
    if (ldr_gw_table_number(&m->header, 2, 1, 0))
        return ldr_fail(
            err, LDR_E_INVALID,
            "spine: at byte %zu: found a dictionary that adds to the one before it, expected a whole one",
            m->at);
    for (size_t i = 0; i < r->n; i++) {
        struct ldr_gw_ipc_batch_in b = {.r = r, .err = err};
        struct ldr_gw_ipc_column *c = &r->columns[i];
        struct ldr_gw_vector parts[2];
        if (!c->dictionary || c->dictionary_id != id)
            continue;
        int rc = open_batch(&b, m, &data, parts, &rows);
        if (!rc)
            rc = ldr_gw_ipc_take_column(&b, c->dictionary, rows);
        if (rc)
            return rc;
        c->known = found = true;
    }
    return found ? 0 : damaged(m->at, "a dictionary that no column has", err);
}

static int take_batch(struct ldr_gw_ipc_reader *r, const struct message *m, struct ldr_err *err)
{
    struct ldr_gw_ipc_batch_in b = {.r = r, .err = err};
    struct ldr_gw_vector parts[2];
    int64_t rows = 0;
    int rc = open_batch(&b, m, &m->header, parts, &rows);
    for (size_t i = 0; !rc && i < r->n; i++) {
        struct ldr_gw_ipc_column *c = &r->columns[i];
        rc = ldr_gw_ipc_take_column(&b, c, rows);
        if (!rc && c->dictionary && !c->known)
            rc = damaged(m->at, "a batch before the dictionary of one of its columns", err);
    }
    if (!rc && r->n == 0 && rows)
        rc = damaged(m->at, "rows without columns", err);
    r->rows = (size_t)rows;
    return rc;
}

int ldr_gw_ipc_next(struct ldr_gw_ipc_reader *r, bool *more, struct ldr_err *err)
{
    struct message m;
    for (;;) {
        int rc = next_message(r, &m, more, err);
        if (rc || !*more)
            return rc;
        if (m.kind == HEADER_BATCH)
            return take_batch(r, &m, err);
        if (m.kind != HEADER_DICTIONARY)
            return damaged(m.at, "a message that is neither a batch nor a dictionary", err);
        rc = take_dictionary(r, &m, err);
        if (rc)
            return rc;
    }
}

void ldr_gw_ipc_rewind(struct ldr_gw_ipc_reader *r)
{
    r->at = r->first;
    for (size_t i = 0; i < r->n; i++)
        r->columns[i].known = false;
}

/* Bytes of one value of a dictionary; numbers that it does not have are refused later. */
static size_t entry_bytes(const struct ldr_gw_ipc_column *c, size_t row)
{
    const struct ldr_gw_ipc_column *d = c->dictionary;
    const uint8_t *p = (const uint8_t *)c->array->buffers[1] + row * c->width;
    uint64_t i = 0;
    memcpy(&i, p, c->width);
    if (i >= (uint64_t)d->array->length)
        return 0;
    if (d->layout != LDR_GW_IPC_TEXT)
        return d->width;
    const uint8_t *at = d->array->buffers[1];
    return d->width == 8 ? ldr_get_le64(at + 8 * i + 8) - ldr_get_le64(at + 8 * i)
                         : ldr_get_le32(at + 4 * i + 4) - ldr_get_le32(at + 4 * i);
}

size_t ldr_gw_ipc_fit(const struct ldr_gw_ipc_reader *r, size_t from, size_t most, size_t bytes)
{
    size_t n = 0, sum = 0;
    for (; n < most; n++) {
        for (size_t c = 0; c < r->n; c++)
            if (r->columns[c].dictionary)
                sum += entry_bytes(&r->columns[c], from + n);
        if (n && sum > bytes)
            break;
    }
    return n;
}

static void no_array_release(struct ArrowArray *a)
{
    a->release = NULL;
}

void ldr_gw_ipc_rows(struct ldr_gw_ipc_reader *r, size_t from, size_t n, struct ArrowArray *out)
{
    static const void *none[1];
    *out = (struct ArrowArray){.length = (int64_t)n,
                               .offset = (int64_t)from,
                               .n_buffers = 1,
                               .n_children = (int64_t)r->n,
                               .buffers = none,
                               .children = r->arrays,
                               .release = no_array_release};
}
