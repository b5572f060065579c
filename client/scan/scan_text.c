/* Facts as lines of text. */
#include "client/scan/scan.h"

int ldr_scan_header(const struct ldr_scan_format *f, struct ldr_buf *out)
{
    for (uint32_t i = 0; i < f->view->entity->nkeys; i++) {
        ldr_csv_put(out, ldr_slice_str(f->view->entity->keys[i]), false);
        ldr_buf_putc(out, ',');
    }
    ldr_buf_puts(out, "event_timestamp,created_timestamp");
    for (uint32_t i = 0; i < f->view->def->nfeatures; i++) {
        ldr_buf_putc(out, ',');
        ldr_csv_put(out, ldr_slice_str(f->view->def->features[i].about.name), false);
    }
    return ldr_buf_putc(out, '\n');
}

void ldr_scan_text_init(struct ldr_scan_text *t, const struct ldr_scan_format *f)
{
    *t = (struct ldr_scan_text){.format = f};
    ldr_arena_init(&t->arena, NULL, 0);
    ldr_buf_init(&t->key, NULL, 0);
    ldr_buf_init(&t->scratch, NULL, 0);
}

void ldr_scan_text_close(struct ldr_scan_text *t)
{
    ldr_arena_close(&t->arena);
    ldr_buf_close(&t->key);
    ldr_buf_close(&t->scratch);
}

static int csv_value(struct ldr_scan_text *t, const struct ldr_value *v, struct ldr_buf *out)
{
    if (v->null)
        return out->err;
    if (v->type == LDR_STRING)
        return ldr_csv_put(out, v->s, false);
    if (ldr_type_is_fixed(v->type))
        return ldr_value_format(v, out); /* nothing in it needs a quote */
    ldr_buf_reset(&t->scratch);
    ldr_value_format(v, &t->scratch);
    ldr_csv_put(out, ldr_buf_slice(&t->scratch), false);
    return t->scratch.err ? t->scratch.err : out->err;
}

int ldr_scan_text_entity(struct ldr_scan_text *t, struct ldr_slice key)
{
    const struct ldr_entity_def *e = t->format->view->entity;
    if (t->arena.head)
        ldr_arena_reset(&t->arena);
    ldr_buf_reset(&t->key);
    struct ldr_slice own;
    int rc = ldr_arena_slice(&t->arena, key, &own);
    if (rc == 0)
        rc = ldr_key_decode(own, e->key_types, e->nkeys, &t->arena, t->parts);
    for (uint32_t i = 0; rc == 0 && !t->format->json && i < e->nkeys; i++) {
        rc = csv_value(t, &t->parts[i], &t->key);
        if (rc == 0)
            rc = ldr_buf_putc(&t->key, ',');
    }
    return rc;
}

static int csv_fact(struct ldr_scan_text *t, const struct ldr_fact *f, struct ldr_buf *out)
{
    const struct ldr_view_entry *view = t->format->view;
    char time[LDR_TIME_TEXT];
    ldr_buf_put(out, t->key.p, t->key.n);
    ldr_buf_put(out, time, ldr_time_format(f->event_us, time));
    ldr_buf_putc(out, ',');
    ldr_buf_put(out, time, ldr_time_format(f->created_us, time));
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < view->def->nfeatures; i++) {
        struct ldr_value v;
        ldr_row_get(view->schema, f->row, view->def->features[i].slot, &v);
        ldr_buf_putc(out, ',');
        rc = csv_value(t, &v, out);
    }
    return rc ? rc : ldr_buf_putc(out, '\n');
}

static int json_fact(struct ldr_scan_text *t, const struct ldr_fact *f, struct ldr_buf *out)
{
    const struct ldr_view_entry *view = t->format->view;
    char time[LDR_TIME_TEXT];
    struct ldr_json j;
    ldr_json_init(&j, out);
    ldr_json_object(&j);
    for (uint32_t i = 0; i < view->entity->nkeys; i++) {
        ldr_json_key(&j, view->entity->keys[i]);
        ldr_value_json(&t->parts[i], &j);
    }
    ldr_json_key(&j, "event_timestamp");
    ldr_json_str(&j, ldr_slice(time, ldr_time_format(f->event_us, time)));
    ldr_json_key(&j, "created_timestamp");
    ldr_json_str(&j, ldr_slice(time, ldr_time_format(f->created_us, time)));
    for (uint32_t i = 0; i < view->def->nfeatures; i++) {
        struct ldr_value v;
        ldr_row_get(view->schema, f->row, view->def->features[i].slot, &v);
        ldr_json_key(&j, view->def->features[i].about.name);
        ldr_value_json(&v, &j);
    }
    ldr_json_object_end(&j);
    return ldr_buf_putc(out, '\n');
}

int ldr_scan_text_fact(struct ldr_scan_text *t, const struct ldr_fact *f, struct ldr_buf *out)
{
    return t->format->json ? json_fact(t, f, out) : csv_fact(t, f, out);
}
