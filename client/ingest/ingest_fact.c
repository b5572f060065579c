/* One record to one fact: the part that CSV and NDJSON share. */
#include "client/ingest/ingest.h"

#include <stdio.h>

int ldr_maker_init(struct ldr_fact_maker *m, const struct ldr_fact_shape *shape)
{
    const struct ldr_schema *schema = shape->view->schema;
    *m = (struct ldr_fact_maker){.shape = shape, .column = ""};
    ldr_buf_init(&m->bytes, NULL, LDR_KEY_MAX + (size_t)LDR_ROW_MAX);
    ldr_arena_init(&m->arena, NULL, 0);
    ldr_csv_init(&m->csv, NULL);
    ldr_slab_init(&m->slab, 0);
    m->values = ldr_calloc(NULL, schema->ncols ? schema->ncols : 1, sizeof *m->values);
    m->parts = ldr_calloc(NULL, shape->nkeys, sizeof *m->parts);
    if (!m->values || !m->parts)
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < schema->ncols; i++)
        m->values[i] = ldr_value_null(schema->cols[i].type);
    return 0;
}

void ldr_maker_close(struct ldr_fact_maker *m)
{
    if (!m->shape)
        return;
    ldr_release(NULL, m->values);
    ldr_release(NULL, m->parts);
    ldr_buf_close(&m->bytes);
    ldr_arena_close(&m->arena);
    ldr_csv_close(&m->csv);
    ldr_slab_close(&m->slab);
    *m = (struct ldr_fact_maker){0};
}

void ldr_maker_clear(struct ldr_fact_maker *m)
{
    m->pieces = NULL;
    ldr_slab_reset(&m->slab);
}

int ldr_maker_refuse(struct ldr_fact_maker *m, const char *column, const char *why)
{
    m->column = column;
    size_t n = strlen(why);
    n = n < sizeof m->why - 1 ? n : sizeof m->why - 1;
    memmove(m->why, why, n); /* why may be m->why itself */
    m->why[n] = '\0';
    return LDR_E_INVALID;
}

int ldr_maker_times(struct ldr_fact_maker *m, const struct ldr_slice *event, const struct ldr_slice *created)
{
    const struct ldr_fact_shape *s = m->shape;
    const char *why = "";
    if (!event)
        return ldr_maker_refuse(m, s->event.column, "null event time");
    if (ldr_time_parse(*event, &m->event_us, &why))
        return ldr_maker_refuse(m, s->event.column, why);
    if (s->has_range && (m->event_us < s->from_us || m->event_us > s->to_us))
        return 1;
    m->stamped = !created && !s->has_created_at;
    m->created_us = s->has_created_at ? s->created_at_us : s->stamp_us;
    if (created && ldr_time_parse(*created, &m->created_us, &why))
        return ldr_maker_refuse(m, s->created.column, why);
    return 0;
}

static const char *column_of(const struct ldr_fact_shape *s, const struct ldr_feature_def *f)
{
    for (uint32_t i = 0; i < s->nfeatures; i++)
        if (s->features[i].at == f->slot)
            return s->features[i].column;
    return f->about.name;
}

static struct ldr_fact *next_fact(struct ldr_fact_maker *m)
{
    if (!m->pieces || m->pieces->n == LDR_FACT_PIECE) {
        struct ldr_fact_piece *piece = ldr_slab_alloc(&m->slab, sizeof *piece);
        if (!piece)
            return NULL;
        piece->next = m->pieces;
        piece->n = 0;
        m->pieces = piece;
    }
    return &m->pieces->facts[m->pieces->n];
}

/* Which part of the key was too long: the first one that alone is. */
static int refuse_key(struct ldr_fact_maker *m)
{
    const struct ldr_fact_shape *s = m->shape;
    char why[64];
    snprintf(why, sizeof why, "a key part of more than %d bytes", LDR_KEY_PART_MAX);
    for (uint32_t i = 0; i < s->nkeys; i++) {
        unsigned type = m->parts[i].type;
        if ((type == LDR_STRING || type == LDR_BYTES) && m->parts[i].s.n > LDR_KEY_PART_MAX)
            return ldr_maker_refuse(m, s->keys[i].column, why);
    }
    snprintf(why, sizeof why, "a key of more than %d bytes", LDR_KEY_MAX);
    return ldr_maker_refuse(m, s->keys[0].column, why);
}

int ldr_maker_fact(struct ldr_fact_maker *m)
{
    const struct ldr_view_entry *view = m->shape->view;
    const struct ldr_feature_def *bad;
    if (view->nchecked && ldr_view_check_row(view, m->values, &bad, m->why))
        return ldr_maker_refuse(m, column_of(m->shape, bad), m->why);
    ldr_buf_reset(&m->bytes);
    int rc = ldr_key_encode(m->parts, m->shape->nkeys, &m->bytes);
    if (rc == LDR_E_TOO_BIG)
        return refuse_key(m);
    size_t key_n = m->bytes.n;
    if (rc == 0)
        rc = ldr_row_encode(view->schema, m->values, &m->bytes);
    if (rc == LDR_E_TOO_BIG)
        return ldr_maker_refuse(m, "", "the row is over 64 MiB");
    if (!rc && m->shape->far && m->bytes.n > LDR_FAR_FACT_MAX)
        return ldr_maker_refuse(m, "", "key and values are over 28 MiB, the limit between processes");
    if (rc)
        return rc;
    struct ldr_fact *f = next_fact(m);
    uint8_t *p = f ? ldr_slab_alloc(&m->slab, m->bytes.n) : NULL;
    if (!p)
        return LDR_E_NOMEM;
    memcpy(p, m->bytes.p, m->bytes.n);
    f->view = view->schema->view_id;
    f->key = ldr_slice(p, key_n);
    f->hash = ldr_key_hash(f->key);
    f->event_us = m->event_us;
    f->created_us = m->created_us;
    f->stamped = m->stamped;
    f->row = ldr_slice(p + key_n, m->bytes.n - key_n);
    f->vhash = ldr_row_vhash(view->schema, f->row);
    m->pieces->n++;
    return 0;
}

void ldr_fact_block_init(struct ldr_fact_block *b)
{
    *b = (struct ldr_fact_block){0};
    ldr_buf_init(&b->rejects, NULL, 4 * (size_t)LDR_CSV_RECORD_MAX);
    ldr_fact_block_clear(b);
}

void ldr_fact_block_clear(struct ldr_fact_block *b)
{
    b->skip = 0;
    b->rows = b->rejected = b->skipped = 0;
    b->min_event_us = INT64_MAX;
    b->max_event_us = INT64_MIN;
    b->first_reject[0] = '\0';
    ldr_buf_reset(&b->rejects);
}

void ldr_fact_block_close(struct ldr_fact_block *b)
{
    ldr_text_block_close(&b->text);
    ldr_buf_close(&b->rejects);
}

void ldr_fact_block_count(struct ldr_fact_block *b, const struct ldr_fact_maker *m, int rc, uint64_t line)
{
    b->rows++;
    if (rc == 1) {
        b->skipped++;
    } else if (rc == 0) {
        b->min_event_us = m->event_us < b->min_event_us ? m->event_us : b->min_event_us;
        b->max_event_us = m->event_us > b->max_event_us ? m->event_us : b->max_event_us;
    } else if (b->rejected++ == 0) {
        bool named = m->column[0] != '\0';
        char text[2048];
        int n = snprintf(text, sizeof text, "%s:%llu: %s%s%s%s", m->shape->file, (unsigned long long)line,
                         named ? "column " : "", m->column, named ? ": " : "", m->why);
        size_t keep = n < 0 ? 0 : (size_t)n < sizeof b->first_reject ? (size_t)n : sizeof b->first_reject - 1;
        while (keep && keep < (size_t)n && ((uint8_t)text[keep] & 0xC0) == 0x80)
            keep--; /* no half characters */
        memcpy(b->first_reject, text, keep);
        b->first_reject[keep] = '\0';
    }
}
