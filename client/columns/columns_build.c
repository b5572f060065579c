/* Arrow-shaped columns, cell by cell. */
#include "client/columns/columns.h"

#define BYTES_MAX ((size_t)1 << 40) /* memory itself is the limit */

int ldr_column_builder_init(struct ldr_column_builder *b, unsigned type)
{
    *b = (struct ldr_column_builder){.type = (uint8_t)type};
    struct ldr_buf *all[] = {&b->validity, &b->values, &b->offsets, &b->child_values, &b->child_offsets};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        ldr_buf_init(all[i], NULL, BYTES_MAX);
    if (!ldr_type_is_fixed(type))
        ldr_buf_u64(&b->offsets, 0);
    if (ldr_type_is_list(type) && !ldr_type_is_fixed(ldr_type_element(type)))
        ldr_buf_u64(&b->child_offsets, 0);
    return b->offsets.err ? b->offsets.err : b->child_offsets.err;
}

void ldr_column_builder_close(struct ldr_column_builder *b)
{
    ldr_buf_close(&b->validity);
    ldr_buf_close(&b->values);
    ldr_buf_close(&b->offsets);
    ldr_buf_close(&b->child_values);
    ldr_buf_close(&b->child_offsets);
}

static void put_bit(struct ldr_buf *bits, size_t i, bool on)
{
    if (i % 8 == 0)
        ldr_buf_u8(bits, 0);
    if (on && !bits->err)
        bits->p[i / 8] |= (uint8_t)(1u << (i % 8));
}

static void put_fixed(struct ldr_buf *to, unsigned type, size_t i, const struct ldr_value *v)
{
    switch (type) {
    case LDR_BOOL:
        put_bit(to, i, !v->null && v->b);
        break;
    case LDR_INT32: {
        int32_t x = v->null ? 0 : (int32_t)v->i;
        ldr_buf_put(to, &x, sizeof x);
        break;
    }
    case LDR_FLOAT32: {
        float x = v->null ? 0 : v->f32;
        ldr_buf_put(to, &x, sizeof x);
        break;
    }
    case LDR_FLOAT64: {
        double x = v->null ? 0 : v->f64;
        ldr_buf_put(to, &x, sizeof x);
        break;
    }
    default: {
        int64_t x = v->null ? 0 : v->i;
        ldr_buf_put(to, &x, sizeof x);
    }
    }
}

static void put_list(struct ldr_column_builder *b, const struct ldr_value *v)
{
    unsigned element = ldr_type_element(b->type);
    struct ldr_list_iter it;
    struct ldr_value e;
    if (v->null)
        return;
    ldr_list_iter_init(&it, v);
    while (ldr_list_iter_next(&it, &e)) {
        if (ldr_type_is_fixed(element)) {
            put_fixed(&b->child_values, element, b->items, &e);
        } else {
            ldr_buf_put(&b->child_values, e.s.p, e.s.n);
            ldr_buf_u64(&b->child_offsets, b->child_values.n);
        }
        b->items++;
    }
}

int ldr_column_builder_add(struct ldr_column_builder *b, const struct ldr_value *v)
{
    put_bit(&b->validity, b->n, !v->null);
    b->nulls += v->null;
    if (ldr_type_is_fixed(b->type)) {
        put_fixed(&b->values, b->type, b->n, v);
    } else if (ldr_type_is_list(b->type)) {
        put_list(b, v);
        ldr_buf_u64(&b->offsets, b->items);
    } else {
        if (!v->null)
            ldr_buf_put(&b->values, v->s.p, v->s.n);
        ldr_buf_u64(&b->offsets, b->values.n);
    }
    b->n++;
    const struct ldr_buf *all[] = {&b->validity, &b->values, &b->offsets, &b->child_values,
                                   &b->child_offsets};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i]->err)
            return all[i]->err;
    return 0;
}

void ldr_column_builder_finish(struct ldr_column_builder *b)
{
    b->data = (struct ldr_column_data){
        .type = b->type, .n = b->n, .validity = b->nulls ? b->validity.p : NULL, .data = b->values.p};
    if (!ldr_type_is_fixed(b->type))
        b->data.offsets = (const int64_t *)(const void *)b->offsets.p;
    if (!ldr_type_is_list(b->type))
        return;
    unsigned element = ldr_type_element(b->type);
    b->child = (struct ldr_column_data){.type = (uint8_t)element, .n = b->items, .data = b->child_values.p};
    if (!ldr_type_is_fixed(element))
        b->child.offsets = (const int64_t *)(const void *)b->child_offsets.p;
    b->data.child = &b->child;
}
