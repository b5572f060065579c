/* Packed lists: reading, checking, building. */
#include "feature/text.h"

void ldr_list_iter_init(struct ldr_list_iter *it, const struct ldr_value *list)
{
    LDR_ASSERT(ldr_type_is_list(list->type) && !list->null);
    it->c = ldr_cursor(list->s);
    it->element = ldr_type_element(list->type);
    it->left = list->count;
}

bool ldr_list_iter_next(struct ldr_list_iter *it, struct ldr_value *out)
{
    if (!it->left)
        return false;
    it->left--;
    *out = (struct ldr_value){.type = (uint8_t)it->element};
    switch (it->element) {
    case LDR_BOOL:
        out->b = ldr_cursor_u8(&it->c) != 0;
        break;
    case LDR_INT32:
        out->i = (int32_t)ldr_cursor_u32(&it->c);
        break;
    case LDR_FLOAT32: {
        uint32_t bits = ldr_cursor_u32(&it->c);
        memcpy(&out->f32, &bits, sizeof bits);
        break;
    }
    case LDR_INT64:
    case LDR_FLOAT64:
    case LDR_TIMESTAMP: {
        uint64_t bits = ldr_cursor_u64(&it->c);
        memcpy(&out->i, &bits, sizeof bits);
        break;
    }
    default:
        out->s = ldr_cursor_bytes(&it->c, LDR_VALUE_MAX);
    }
    if (it->c.err)
        it->left = 0;
    return !it->c.err;
}

static bool bools_valid(struct ldr_slice packed)
{
    for (size_t i = 0; i < packed.n; i++)
        if (packed.p[i] > 1)
            return false;
    return true;
}

int ldr_list_check(unsigned list_type, uint32_t count, struct ldr_slice packed)
{
    unsigned element = ldr_type_element(list_type);
    if (!ldr_type_is_list(list_type) || !ldr_type_valid(list_type) || count > LDR_LIST_MAX ||
        packed.n > LDR_VALUE_MAX)
        return LDR_E_CORRUPT;
    if (ldr_type_is_fixed(element) && packed.n != (size_t)count * ldr_type_width(element))
        return LDR_E_CORRUPT;
    if (element == LDR_BOOL)
        return bools_valid(packed) ? 0 : LDR_E_CORRUPT;
    if (ldr_type_is_fixed(element) && element != LDR_TIMESTAMP)
        return 0;
    struct ldr_value list = {.type = (uint8_t)list_type, .count = count, .s = packed}, v;
    struct ldr_list_iter it;
    ldr_list_iter_init(&it, &list);
    while (ldr_list_iter_next(&it, &v))
        if (ldr_value_check(&v, NULL))
            return LDR_E_CORRUPT;
    return ldr_cursor_end(&it.c);
}

void ldr_list_builder_init(struct ldr_list_builder *b, unsigned list_type, const struct ldr_heap *heap)
{
    LDR_ASSERT(ldr_type_is_list(list_type) && ldr_type_valid(list_type));
    ldr_buf_init(&b->bytes, heap, LDR_VALUE_MAX);
    b->element = ldr_type_element(list_type);
    b->count = 0;
}

int ldr_list_builder_add(struct ldr_list_builder *b, const struct ldr_value *v)
{
    LDR_ASSERT(v->type == b->element && !v->null);
    int rc = ldr_value_check(v, NULL);
    if (rc)
        return rc;
    if (b->count >= LDR_LIST_MAX)
        return LDR_E_TOO_BIG;
    size_t start = b->bytes.n;
    switch (b->element) {
    case LDR_BOOL:
        rc = ldr_buf_u8(&b->bytes, v->b);
        break;
    case LDR_INT32:
        rc = ldr_buf_u32(&b->bytes, (uint32_t)v->i);
        break;
    case LDR_FLOAT32: {
        float f = ldr_f32_canonical(v->f32);
        uint32_t bits;
        memcpy(&bits, &f, sizeof bits);
        rc = ldr_buf_u32(&b->bytes, bits);
        break;
    }
    case LDR_FLOAT64: {
        double f = ldr_f64_canonical(v->f64);
        uint64_t bits;
        memcpy(&bits, &f, sizeof bits);
        rc = ldr_buf_u64(&b->bytes, bits);
        break;
    }
    case LDR_INT64:
    case LDR_TIMESTAMP:
        rc = ldr_buf_u64(&b->bytes, (uint64_t)v->i);
        break;
    default:
        rc = ldr_buf_bytes(&b->bytes, v->s);
    }
    if (rc)
        b->bytes.n = start;
    else
        b->count++;
    return rc;
}

int ldr_list_builder_value(struct ldr_list_builder *b, struct ldr_arena *a, struct ldr_value *out)
{
    if (b->bytes.err)
        return b->bytes.err;
    struct ldr_slice packed;
    int rc = ldr_arena_slice(a, ldr_buf_slice(&b->bytes), &packed);
    if (rc)
        return rc;
    *out = (struct ldr_value){.type = (uint8_t)(LDR_LIST | b->element), .count = b->count, .s = packed};
    return 0;
}

void ldr_list_builder_close(struct ldr_list_builder *b)
{
    ldr_buf_close(&b->bytes);
}
