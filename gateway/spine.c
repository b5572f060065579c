#include "gateway/spine.h"

void ldr_gw_array_init(struct ldr_gw_array *a, unsigned type)
{
    *a = (struct ldr_gw_array){.type = (uint8_t)type};
    ldr_buf_init(&a->validity, NULL, 0);
    ldr_buf_init(&a->fixed, NULL, 0);
    ldr_buf_init(&a->offsets, NULL, 0);
}

void ldr_gw_array_close(struct ldr_gw_array *a)
{
    ldr_buf_close(&a->validity);
    ldr_buf_close(&a->fixed);
    ldr_buf_close(&a->offsets);
}

void ldr_gw_array_reset(struct ldr_gw_array *a)
{
    ldr_buf_reset(&a->validity);
    ldr_buf_reset(&a->fixed);
    ldr_buf_reset(&a->offsets);
    a->data = (struct ldr_column_data){0};
}

static void put_bit(struct ldr_buf *b, size_t i, bool on)
{
    if (i % 8 == 0)
        ldr_buf_u8(b, 0);
    if (on && !b->err)
        b->p[i / 8] |= (uint8_t)(1u << (i % 8));
}

int ldr_gw_array_add(struct ldr_gw_array *a, const struct ldr_datum *d)
{
    size_t i = a->data.n;
    bool there = !d->null;
    put_bit(&a->validity, i, there);
    switch (a->type) {
    case LDR_BOOL:
        put_bit(&a->fixed, i, there && d->v.b);
        break;
    case LDR_INT32:
        ldr_buf_u32(&a->fixed, there ? (uint32_t)(int32_t)d->v.i : 0);
        break;
    case LDR_INT64:
    case LDR_TIMESTAMP:
        ldr_buf_u64(&a->fixed, there ? (uint64_t)d->v.i : 0);
        break;
    case LDR_FLOAT64:
        ldr_buf_put(&a->fixed, there ? &d->v.f64 : &(double){0}, sizeof d->v.f64);
        break;
    default:
        LDR_ASSERT(a->type == LDR_STRING || a->type == LDR_BYTES);
        if (i == 0)
            ldr_buf_u64(&a->offsets, 0);
        if (there)
            ldr_buf_put(&a->fixed, d->v.s.p, d->v.s.n);
        ldr_buf_u64(&a->offsets, a->fixed.n);
    }
    a->data.n++;
    return a->validity.err ? a->validity.err : a->fixed.err ? a->fixed.err : a->offsets.err;
}

const struct ldr_column_data *ldr_gw_array_data(struct ldr_gw_array *a)
{
    a->data.type = a->type;
    a->data.validity = a->validity.p;
    a->data.data = a->fixed.p;
    a->data.offsets = (const int64_t *)(const void *)a->offsets.p;
    return &a->data;
}

static bool bit(const uint8_t *bits, size_t i)
{
    return bits[i / 8] >> (i % 8) & 1;
}

static unsigned number_type(struct ldr_slice text)
{
    int64_t i;
    double d;
    return ldr_i64_parse(text, &i) == 0 ? LDR_INT64 : ldr_f64_parse(text, &d) == 0 ? LDR_FLOAT64 : 0;
}

/* 0: text. */
static unsigned type_of(const struct ldr_json_reader *r, enum ldr_json_token t)
{
    switch (t) {
    case LDR_JSON_TRUE:
    case LDR_JSON_FALSE:
        return LDR_BOOL;
    case LDR_JSON_NUMBER:
        return number_type(r->text);
    case LDR_JSON_STRING:
        return LDR_STRING;
    default:
        return 0;
    }
}

unsigned ldr_gw_infer(const struct ldr_gw_column *c, size_t rows, bool *as_text)
{
    struct ldr_json_reader r = c->at;
    unsigned all = 0;
    *as_text = false;
    for (size_t i = 0; i < rows; i++) {
        enum ldr_json_token t = ldr_json_next(&r);
        if (t == LDR_JSON_NULL)
            continue;
        unsigned one = type_of(&r, t);
        bool numbers = (all == LDR_INT64 && one == LDR_FLOAT64) || (all == LDR_FLOAT64 && one == LDR_INT64);
        if (one == 0 || (all && one != all && !numbers)) {
            *as_text = true;
            return LDR_STRING;
        }
        all = numbers ? LDR_FLOAT64 : one;
    }
    return all ? all : LDR_STRING;
}

/* A scalar column's cell. */
static void datum_of(const struct ldr_column_data *c, size_t i, struct ldr_datum *d)
{
    *d = (struct ldr_datum){.type = c->type};
    if (c->validity && !bit(c->validity, i)) {
        d->null = true;
        return;
    }
    const uint8_t *p = c->data;
    int32_t i32;
    switch (c->type) {
    case LDR_BOOL:
        d->v.b = bit(p, i);
        break;
    case LDR_INT32:
        memcpy(&i32, p + 4 * i, sizeof i32);
        d->v.i = i32;
        break;
    case LDR_FLOAT32:
        memcpy(&d->v.f32, p + 4 * i, sizeof d->v.f32);
        break;
    case LDR_INT64:
    case LDR_TIMESTAMP:
        memcpy(&d->v.i, p + 8 * i, sizeof d->v.i);
        break;
    case LDR_FLOAT64:
        memcpy(&d->v.f64, p + 8 * i, sizeof d->v.f64);
        break;
    default:
        d->v.s.p = p ? (const void *)(p + c->offsets[i]) : "";
        d->v.s.n = (size_t)(c->offsets[i + 1] - c->offsets[i]);
    }
}

void ldr_gw_array_put(struct ldr_buf *out, const struct ldr_column_data *c, size_t row)
{
    struct ldr_datum d;
    if (!(c->type & LDR_LIST)) {
        datum_of(c, row, &d);
        ldr_gw_value_put(out, &d, false);
        return;
    }
    if (c->validity && !bit(c->validity, row)) {
        ldr_buf_puts(out, "null");
        return;
    }
    ldr_buf_putc(out, '[');
    for (int64_t i = c->offsets[row]; i < c->offsets[row + 1]; i++) {
        if (i > c->offsets[row])
            ldr_buf_putc(out, ',');
        datum_of(c->child, (size_t)i, &d);
        ldr_gw_value_put(out, &d, false);
    }
    ldr_buf_putc(out, ']');
}
