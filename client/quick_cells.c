#include "client/quick_cells.h"

/* Cells of eight bytes come first: they are copied as they are. */
struct cell {
    uint64_t head; /* the first eight bytes of the datum: its type; PRESENT, not null, no elements */
    uint32_t col, off;
    uint32_t from; /* of a variable column: where the end of the one before it stands, or LDR_NO_OFFSET */
    uint16_t slot;
    uint8_t type;
};
struct ldr_quick_cells {
    uint32_t neights, n;
    uint32_t least; /* columns that a row must have */
    struct cell cells[];
};
_Static_assert(offsetof(struct ldr_datum, v) == sizeof(uint64_t), "a datum begins with its head");

static bool is_eight(uint8_t type)
{
    return ldr_type_is_fixed(type) && ldr_type_width(type) == 8;
}

int ldr_quick_plan(struct ldr_arena *a, struct ldr_query_view *v)
{
    const struct ldr_schema *s = v->schema;
    v->quick = NULL;
    for (uint32_t i = 0; i < v->ncols; i++)
        if (ldr_type_is_list(s->cols[v->slots[i]].type))
            return 0;
    struct ldr_quick_cells *q = ldr_arena_alloc(a, sizeof *q + v->ncols * sizeof q->cells[0]);
    if (!q)
        return LDR_E_NOMEM;
    *q = (struct ldr_quick_cells){0};
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < v->ncols; i++) {
            uint32_t slot = v->slots[i];
            const struct ldr_column *c = &s->cols[slot];
            if (is_eight(c->type) != (pass == 0))
                continue;
            struct ldr_datum d;
            struct cell *cell = &q->cells[q->n++];
            memset(&d, 0, sizeof d);
            d.type = c->type;
            d.status = LDR_PRESENT;
            memset(cell, 0, sizeof *cell);
            memcpy(&cell->head, &d, sizeof cell->head);
            cell->col = v->cols[i];
            cell->off = c->fixed_off;
            cell->from = c->prev_end_off;
            cell->slot = (uint16_t)slot;
            cell->type = c->type;
            q->neights += pass == 0;
            q->least = slot + 1 > q->least ? slot + 1 : q->least;
        }
    }
    v->quick = q;
    return 0;
}

static bool any_null(const uint8_t *nulls, uint32_t nbytes)
{
    uint8_t all = 0;
    for (uint32_t i = 0; i < nbytes; i++)
        all |= nulls[i];
    return all;
}

static void fill_nulls(const struct ldr_quick_cells *q, const uint8_t *nulls, struct ldr_datum *cells)
{
    for (uint32_t i = 0; i < q->n; i++) {
        const struct cell *c = &q->cells[i];
        if (nulls[c->slot / 8] >> (c->slot % 8) & 1)
            cells[c->col] = (struct ldr_datum){.type = c->type, .status = LDR_NULL_VALUE, .null = true};
    }
}

static inline void fill_small(const struct cell *c, const uint8_t *fixed, const uint8_t *var,
                              struct ldr_datum *d)
{
    const uint8_t *p = fixed + c->off;
    memcpy(d, &c->head, sizeof c->head);
    switch (c->type) {
    case LDR_BOOL:
        d->v.i = 0;
        d->v.b = *p != 0;
        break;
    case LDR_INT32:
        d->v.i = (int32_t)ldr_get_le32(p);
        break;
    case LDR_FLOAT32: {
        uint32_t bits = ldr_get_le32(p);
        d->v.i = 0;
        memcpy(&d->v.f32, &bits, sizeof bits);
        break;
    }
    default: {
        uint32_t from = c->from == LDR_NO_OFFSET ? 0 : ldr_get_le32(fixed + c->from);
        d->v.s.p = var + from;
        d->v.s.n = ldr_get_le32(p) - from;
    }
    }
}

bool ldr_quick_fill(const struct ldr_query_view *v, struct ldr_slice row, struct ldr_datum *cells)
{
    const struct ldr_quick_cells *q = v->quick;
    if (!q)
        return false;
    uint32_t ncols = ldr_get_le16(row.p + 4), nbits = (ncols + 7) / 8;
    const uint8_t *nulls = row.p + LDR_ROW_HEAD, *fixed = nulls + nbits;
    if (ncols < q->least)
        return false;
    const uint8_t *var = fixed + ldr_get_le16(row.p + 6);
    uint32_t i = 0;
    for (; i < q->neights; i++) {
        const struct cell *c = &q->cells[i];
        struct ldr_datum *d = &cells[c->col];
        memcpy(d, &c->head, sizeof c->head);
        d->v.i = (int64_t)ldr_get_le64(fixed + c->off);
    }
    for (; i < q->n; i++)
        fill_small(&q->cells[i], fixed, var, &cells[q->cells[i].col]);
    if (any_null(nulls, nbits))
        fill_nulls(q, nulls, cells);
    return true;
}
