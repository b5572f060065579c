/* A spine that came as a stream of Arrow. All of it is proved before the first byte goes out; then its
 * batches are joined in pieces, borrowed where they lie. */
#include "gateway/ipc_read.h"
#include "gateway/join.h"
#include "gateway/rebase.h"
#include "gateway/route.h"
#include "gateway/value.h"

#define PIECE_BYTES ((size_t)4 << 20) /* of texts that dictionaries stand for */

struct ldr_gw_spine_arrow {
    struct ldr_slice stream;
    struct ldr_gw_ipc_reader reader;
    size_t done; /* rows of the batches before this one */
    struct ldr_gw_rebased *out;
    bool begun;
};

static int no_memory(struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_NOMEM, "out of memory");
}

struct ldr_gw_spine_arrow *ldr_gw_spine_arrow(struct ldr_arena *a, struct ldr_slice stream)
{
    struct ldr_gw_spine_arrow *s = ldr_arena_calloc(a, 1, sizeof *s);
    if (s)
        s->stream = stream;
    return s;
}

static int find(void *ctx, struct ldr_gw_join *x, struct ldr_err *err)
{
    struct ldr_gw_spine_arrow *s = ctx;
    bool more = true;
    if (!s->stream.n)
        return ldr_fail(err, LDR_E_FORMAT, "the body is empty: expected a stream of Arrow");
    int rc = ldr_gw_ipc_open(&s->reader, s->stream, &x->w->arena, err);
    while (!rc && more)
        rc = ldr_gw_ipc_next(&s->reader, &more, err);
    if (rc)
        return rc;
    ldr_gw_ipc_rewind(&s->reader);
    x->n = s->reader.n;
    x->names = (const char **)ldr_arena_calloc(&x->w->arena, x->n + 1, sizeof *x->names);
    if (!x->names)
        return no_memory(err);
    for (size_t i = 0; i < x->n; i++)
        x->names[i] = s->reader.columns[i].name;
    return 0;
}

/* Whole numbers become other whole ones and times; nulls become anything. */
static bool becomes(unsigned found, unsigned wanted)
{
    bool whole = found == LDR_INT32 || found == LDR_INT64;
    return !found || found == wanted ||
           (whole && (wanted == LDR_INT32 || wanted == LDR_INT64 || wanted == LDR_TIMESTAMP));
}

static int begin(void *ctx, struct ldr_gw_join *x, struct ldr_err *err)
{
    struct ldr_gw_spine_arrow *s = ctx;
    s->out = ldr_arena_calloc(&x->w->arena, x->n + 1, sizeof *s->out);
    if (!s->out)
        return no_memory(err);
    for (size_t i = 0; i < x->n; i++) {
        ldr_gw_rebased_init(&s->out[i]);
        if (!x->types[i])
            x->types[i] = s->reader.columns[i].type ? s->reader.columns[i].type : LDR_STRING;
    }
    s->begun = true;
    for (size_t i = 0; i < x->n; i++)
        if (!becomes(s->reader.columns[i].type, x->types[i]))
            return ldr_fail(err, LDR_E_INVALID, "spine: column %.200s: found %s, expected %s", x->names[i],
                            ldr_gw_type_name(s->reader.columns[i].type), ldr_gw_type_name(x->types[i]));
    for (size_t k = 0; k < x->q->nkeys; k++)
        if (x->types[x->keys[k]] != x->q->key_types[k])
            return ldr_fail(err, LDR_E_INVALID,
                            "spine: column %.200s: it is a time, and a join key of another type",
                            x->q->keys[k]);
    return 0;
}

static int take_times(const struct ldr_gw_spine_arrow *s, const struct ldr_gw_join *x, size_t column,
                      const struct ldr_column_data *d, size_t from, size_t n, int64_t *us,
                      struct ldr_err *err)
{
    for (size_t i = 0; d->validity && i < n; i++)
        if (!(d->validity[i / 8] >> (i % 8) & 1))
            return ldr_gw_join_bad(s->done + from + i, x->names[column], "found null, expected a time",
                                   LDR_E_INVALID, err);
    if (n)
        memcpy(us, d->data, n * sizeof *us);
    return 0;
}

static int join_rows(struct ldr_gw_spine_arrow *s, struct ldr_gw_join *x, size_t from, size_t n,
                     const struct ldr_column_data *columns, struct ldr_err *err)
{
    int rc = take_times(s, x, x->time, &columns[x->time], from, n, x->t_us, err);
    if (!rc && x->known != LDR_GW_NO_COLUMN)
        rc = take_times(s, x, x->known, &columns[x->known], from, n, x->known_at_us, err);
    for (size_t k = 0; k < x->q->nkeys; k++)
        x->key_data[k] = columns[x->keys[k]];
    for (size_t i = 0; !rc && i < x->n; i++) {
        rc = ldr_gw_rebase(&s->out[i], &columns[i]);
        x->out[i].data = &s->out[i].data;
        if (rc)
            no_memory(err);
    }
    return rc ? rc : ldr_gw_join_piece(x, n, err);
}

static int piece(struct ldr_gw_spine_arrow *s, struct ldr_gw_join *x, size_t from, size_t n,
                 struct ldr_err *err)
{
    struct ldr_import *im;
    struct ArrowArray rows;
    ldr_gw_ipc_rows(&s->reader, from, n, &rows);
    int rc = ldr_import_create(&s->reader.schema, &rows, x->names, x->types, x->n, &im, err);
    if (rc) /* which counts rows from the piece's first one */
        return ldr_fail_context(err, rc == LDR_E_UNSUPPORTED ? LDR_E_INVALID : rc,
                                "spine: counted from row %zu", s->done + from);
    rc = join_rows(s, x, from, n, ldr_import_columns(im), err);
    ldr_import_destroy(im);
    return rc;
}

static int run(void *ctx, struct ldr_gw_join *x, struct ldr_err *err)
{
    struct ldr_gw_spine_arrow *s = ctx;
    for (;;) {
        bool more;
        int rc = ldr_gw_ipc_next(&s->reader, &more, err);
        if (rc || !more)
            return rc;
        for (size_t from = 0, n; !rc && from < s->reader.rows; from += n) {
            n = ldr_gw_sheet_room(&x->sheet);
            n = s->reader.rows - from < n ? s->reader.rows - from : n;
            n = ldr_gw_ipc_fit(&s->reader, from, n, PIECE_BYTES);
            rc = piece(s, x, from, n, err);
        }
        if (rc)
            return rc;
        s->done += s->reader.rows;
    }
}

static void close_all(void *ctx, struct ldr_gw_join *x)
{
    struct ldr_gw_spine_arrow *s = ctx;
    for (size_t i = 0; s->begun && i < x->n; i++)
        ldr_gw_rebased_close(&s->out[i]);
}

const struct ldr_gw_spine_form ldr_gw_spine_of_arrow = {find, begin, run, close_all};

/* ---- Parameters ---- */

static void put_param(struct ldr_json *j, const char *name, const char *value)
{
    int64_t us;
    ldr_json_key(j, name);
    if (strcmp(name, "features") == 0) {
        ldr_json_array(j);
        for (const char *p = value; *p;) {
            size_t n = strcspn(p, ",");
            ldr_json_str(j, ldr_slice(p, n));
            p += n + (p[n] == ',');
        }
        ldr_json_array_end(j);
    } else if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0) {
        ldr_json_bool(j, *value == 't');
    } else if (strcmp(name, "known_at") == 0 && ldr_i64_parse(ldr_slice_str(value), &us) == 0) {
        ldr_json_i64(j, us);
    } else {
        ldr_json_cstr(j, value);
    }
}

const char *ldr_gw_spine_params(const struct ldr_gw_request *q, struct ldr_arena *a)
{
    const uint8_t *p = q->query.p, *end = q->query.n ? p + q->query.n : p;
    struct ldr_buf text;
    struct ldr_json j;
    bool fine = true;
    ldr_buf_init(&text, NULL, 0);
    ldr_json_init(&j, &text);
    ldr_json_object(&j);
    while (p < end && fine) {
        const uint8_t *stop = memchr(p, '&', (size_t)(end - p));
        stop = stop ? stop : end;
        const uint8_t *is = memchr(p, '=', (size_t)(stop - p)), *from = is ? is + 1 : stop;
        const char *name = ldr_gw_decoded(a, ldr_slice(p, (size_t)((is ? is : stop) - p))),
                   *value = ldr_gw_decoded(a, ldr_slice(from, (size_t)(stop - from)));
        fine = name && value;
        if (fine && stop > p)
            put_param(&j, name, value);
        p = stop < end ? stop + 1 : end;
    }
    ldr_json_object_end(&j);
    const char *out = fine && !text.err ? ldr_arena_strndup(a, (const char *)text.p, text.n) : NULL;
    ldr_buf_close(&text);
    return out;
}
