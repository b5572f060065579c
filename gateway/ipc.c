/* Arrow's messages: format/Message.fbs and Schema.fbs, version 5, of what our types need. */
#include "gateway/ipc.h"

#include "gateway/flat.h"
#include "gateway/value.h"

enum { HEADER_SCHEMA = 1, HEADER_DICTIONARY = 2, HEADER_BATCH = 3, VERSION_5 = 4 };
enum {
    TYPE_INT = 2,
    TYPE_FLOAT = 3,
    TYPE_BOOL = 6,
    TYPE_TIMESTAMP = 10,
    TYPE_LARGE_BINARY = 19,
    TYPE_LARGE_TEXT = 20,
    TYPE_LARGE_LIST = 21
};
static const uint8_t nothing[8];

static bool is_list(unsigned type)
{
    return type & LDR_LIST;
}

static bool has_offsets(unsigned type)
{
    return is_list(type) || type == LDR_STRING || type == LDR_BYTES;
}

void ldr_gw_ipc_init(struct ldr_gw_ipc *s, struct ldr_gw_stream *to)
{
    *s = (struct ldr_gw_ipc){.to = to};
    ldr_buf_init(&s->head, NULL, 0);
}

void ldr_gw_ipc_close(struct ldr_gw_ipc *s)
{
    ldr_buf_close(&s->head);
}

static int put(struct ldr_gw_ipc *s, const void *p, size_t n)
{
    s->bytes += n;
    return n ? s->to->put(s->to->ctx, ldr_slice(p, n)) : 0;
}

/* ---- Messages: a mark, the length of the metadata, the metadata; the body follows ---- */

struct message {
    struct ldr_gw_flat flat;
    size_t header, length; /* places: of the reference to the header, of the body's length */
};

static void begin(struct ldr_gw_ipc *s, struct message *m, unsigned kind)
{
    size_t at[4];
    ldr_buf_reset(&s->head);
    ldr_buf_u32(&s->head, UINT32_MAX);
    ldr_buf_u32(&s->head, 0);
    ldr_gw_flat_begin(&m->flat, &s->head);
    ldr_gw_flat_table(&m->flat, LDR_GW_FLAT_ROOT, (const uint8_t[]){2, 1, 4, 8}, 4, at);
    ldr_gw_flat_set(&m->flat, at[0], VERSION_5, 2);
    ldr_gw_flat_set(&m->flat, at[1], kind, 1);
    m->header = at[2];
    m->length = at[3];
}

static int finish(struct ldr_gw_ipc *s, struct message *m)
{
    size_t n = ldr_gw_flat_end(&m->flat);
    if (s->head.err)
        return s->head.err;
    for (unsigned i = 0; i < 4; i++)
        s->head.p[4 + i] = (uint8_t)(n >> (8 * i));
    return put(s, s->head.p, s->head.n);
}

/* ---- The schema ---- */

static void put_int(struct ldr_gw_flat *f, size_t from, unsigned bits)
{
    size_t at[2];
    ldr_gw_flat_table(f, from, (const uint8_t[]){4, 1}, 2, at);
    ldr_gw_flat_set(f, at[0], bits, 4);
    ldr_gw_flat_set(f, at[1], 1, 1);
}

static void put_type(struct ldr_gw_flat *f, size_t kind, size_t from, unsigned type)
{
    size_t at[2];
    unsigned is = is_list(type)                                ? TYPE_LARGE_LIST
                  : type == LDR_BOOL                           ? TYPE_BOOL
                  : type == LDR_INT32 || type == LDR_INT64     ? TYPE_INT
                  : type == LDR_FLOAT32 || type == LDR_FLOAT64 ? TYPE_FLOAT
                  : type == LDR_TIMESTAMP                      ? TYPE_TIMESTAMP
                  : type == LDR_BYTES                          ? TYPE_LARGE_BINARY
                                                               : TYPE_LARGE_TEXT;
    ldr_gw_flat_set(f, kind, is, 1);
    switch (is) {
    case TYPE_INT:
        put_int(f, from, type == LDR_INT32 ? 32 : 64);
        break;
    case TYPE_FLOAT:
        ldr_gw_flat_table(f, from, (const uint8_t[]){2}, 1, at);
        ldr_gw_flat_set(f, at[0], type == LDR_FLOAT32 ? 1 : 2, 2);
        break;
    case TYPE_TIMESTAMP: /* microseconds */
        ldr_gw_flat_table(f, from, (const uint8_t[]){2, 4}, 2, at);
        ldr_gw_flat_set(f, at[0], 2, 2);
        ldr_gw_flat_string(f, at[1], "UTC");
        break;
    default:
        ldr_gw_flat_table(f, from, NULL, 0, at);
    }
}

/* id: of the dictionary, when it has one. A list's element is the one field of a vector of its own. */
static void put_field(struct ldr_gw_flat *f, size_t from, const char *name, unsigned type, uint64_t id)
{
    size_t at[6], inner[2];
    bool status = type == LDR_GW_IPC_STATUS, list = is_list(type);
    ldr_gw_flat_table(f, from, (const uint8_t[]){4, 1, 1, 4, status ? 4 : 0, list ? 4 : 0}, 6, at);
    ldr_gw_flat_string(f, at[0], name);
    ldr_gw_flat_set(f, at[1], 1, 1); /* may be null */
    put_type(f, at[2], at[3], status ? LDR_STRING : type);
    if (status) {
        ldr_gw_flat_table(f, at[4], (const uint8_t[]){8, 4}, 2, inner);
        ldr_gw_flat_set(f, inner[0], id, 8);
        put_int(f, inner[1], 8);
    }
    if (list)
        put_field(f, ldr_gw_flat_vector(f, at[5], 1, 4), "item", type & ~(unsigned)LDR_LIST, 0);
}

/* ---- Batches ---- */

struct part {
    const void *p;
    size_t n;
};
/* Nodes and buffers as they stand in the metadata; the buffers' bytes follow it, each padded to 8. */
struct layout {
    struct message m;
    size_t node, buffer;  /* places of the next ones */
    uint64_t end;         /* of the body so far */
    struct ldr_buf parts; /* struct part */
};

static void add_node(struct layout *l, size_t n, size_t nulls)
{
    ldr_gw_flat_set(&l->m.flat, l->node, n, 8);
    ldr_gw_flat_set(&l->m.flat, l->node + 8, nulls, 8);
    l->node += 16;
}

static void add_buffer(struct layout *l, const void *p, size_t n)
{
    const struct part part = {p, n};
    ldr_gw_flat_set(&l->m.flat, l->buffer, l->end, 8);
    ldr_gw_flat_set(&l->m.flat, l->buffer + 8, n, 8);
    l->buffer += 16;
    l->end += (n + 7) & ~(uint64_t)7;
    ldr_buf_put(&l->parts, &part, sizeof part);
}

static size_t count_nulls(const uint8_t *validity, size_t n)
{
    size_t valid = 0;
    for (size_t i = 0; i < n / 8; i++)
        valid += (size_t)__builtin_popcount(validity[i]);
    if (n % 8)
        valid += (size_t)__builtin_popcount(validity[n / 8] & ((1u << (n % 8)) - 1));
    return n - valid;
}

/* Bytes of n values that lie one after the other. */
static size_t fixed_bytes(unsigned type, size_t n)
{
    return type == LDR_GW_IPC_STATUS                  ? n
           : type == LDR_BOOL                         ? (n + 7) / 8
           : type == LDR_INT32 || type == LDR_FLOAT32 ? 4 * n
                                                      : 8 * n;
}

static void add_column(struct layout *l, unsigned type, const struct ldr_column_data *c, size_t n)
{
    size_t nulls = c->validity ? count_nulls(c->validity, n) : 0;
    add_node(l, n, nulls);
    add_buffer(l, c->validity, nulls ? (n + 7) / 8 : 0);
    if (!has_offsets(type)) {
        add_buffer(l, c->data, fixed_bytes(type, n));
        return;
    }
    size_t all = c->offsets ? (size_t)c->offsets[n] : 0; /* without offsets there is nothing at all: n is 0 */
    add_buffer(l, c->offsets ? (const void *)c->offsets : nothing, (n + 1) * sizeof *c->offsets);
    if (is_list(type))
        add_column(l, type & ~(unsigned)LDR_LIST, c->child, all);
    else
        add_buffer(l, c->data, all);
}

static void count_parts(unsigned type, size_t *nodes, size_t *buffers)
{
    ++*nodes;
    *buffers += has_offsets(type) && !is_list(type) ? 3 : 2;
    if (is_list(type))
        count_parts(type & ~(unsigned)LDR_LIST, nodes, buffers);
}

/* The table RecordBatch, and what belongs into the body. */
static void put_batch(struct layout *l, size_t from, const struct ldr_gw_out *columns, size_t n, size_t nrows)
{
    size_t at[3], nodes = 0, buffers = 0;
    ldr_buf_init(&l->parts, NULL, 0);
    for (size_t i = 0; i < n; i++)
        count_parts(columns[i].type, &nodes, &buffers);
    ldr_gw_flat_table(&l->m.flat, from, (const uint8_t[]){8, 4, 4}, 3, at);
    ldr_gw_flat_set(&l->m.flat, at[0], nrows, 8);
    l->node = ldr_gw_flat_vector(&l->m.flat, at[1], nodes, 16);
    l->buffer = ldr_gw_flat_vector(&l->m.flat, at[2], buffers, 16);
    for (size_t i = 0; i < n; i++)
        add_column(l, columns[i].type, columns[i].data, nrows);
}

/* Metadata and body. */
static int send(struct ldr_gw_ipc *s, struct layout *l)
{
    ldr_gw_flat_set(&l->m.flat, l->m.length, l->end, 8);
    int rc = l->parts.err ? l->parts.err : finish(s, &l->m);
    const struct part *parts = (const struct part *)(const void *)l->parts.p;
    for (size_t i = 0; !rc && i < l->parts.n / sizeof *parts; i++) {
        rc = put(s, parts[i].p, parts[i].n);
        if (!rc)
            rc = put(s, nothing, (8 - parts[i].n % 8) % 8);
    }
    ldr_buf_close(&l->parts);
    return rc;
}

static int put_dictionary(struct ldr_gw_ipc *s, uint64_t id)
{
    static const char words[] = "PRESENT"
                                "NULL_VALUE"
                                "NOT_FOUND"
                                "OUTSIDE_MAX_AGE";
    static const int64_t offsets[] = {0, 7, 17, 26, 41};
    const struct ldr_column_data names = {.type = LDR_STRING, .n = 4, .data = words, .offsets = offsets};
    const struct ldr_gw_out column = {.type = LDR_STRING, .data = &names};
    struct layout l = {0};
    size_t at[2];
    begin(s, &l.m, HEADER_DICTIONARY);
    ldr_gw_flat_table(&l.m.flat, l.m.header, (const uint8_t[]){8, 4}, 2, at);
    ldr_gw_flat_set(&l.m.flat, at[0], id, 8);
    put_batch(&l, at[1], &column, 1, 4);
    return send(s, &l);
}

/* ---- The stream ---- */

int ldr_gw_ipc_schema(struct ldr_gw_ipc *s, const struct ldr_gw_out *columns, size_t n)
{
    struct message m;
    size_t at[2];
    s->begun = true;
    begin(s, &m, HEADER_SCHEMA);
    ldr_gw_flat_table(&m.flat, m.header, (const uint8_t[]){2, 4}, 2, at); /* 0: little-endian */
    size_t fields = ldr_gw_flat_vector(&m.flat, at[1], n, 4);
    for (size_t i = 0; i < n; i++)
        put_field(&m.flat, fields + 4 * i, columns[i].name, columns[i].type, i);
    int rc = finish(s, &m);
    for (size_t i = 0; !rc && i < n; i++)
        if (columns[i].type == LDR_GW_IPC_STATUS)
            rc = put_dictionary(s, i);
    return rc;
}

int ldr_gw_ipc_batch(struct ldr_gw_ipc *s, const struct ldr_gw_out *columns, size_t n, size_t nrows)
{
    struct layout l = {0};
    begin(s, &l.m, HEADER_BATCH);
    put_batch(&l, l.m.header, columns, n, nrows);
    return send(s, &l);
}

int ldr_gw_ipc_end(struct ldr_gw_ipc *s)
{
    static const uint8_t end[8] = {0xff, 0xff, 0xff, 0xff};
    return put(s, end, sizeof end);
}
