/* ldr_historical_to_file: a spine of any size, chunk by chunk within the memory budget. */
#include "client/historical/historical_file.h"
#include "client/pulse.h"

#define BLOCK_BYTES ((size_t)128 << 10)
#define UNIT_BYTES  ((size_t)1 << 20) /* of output text that one task makes, about */
#define UNIT_ROWS   ((size_t)2048)
#define UNITS_EACH  4 /* a worker, in one wave */

struct unit {
    struct ldr_spine_block *block;
    size_t from, to, row; /* records; the join's row of the first */
    size_t next;
    struct ldr_buf text;
    uint64_t missing;
};
struct wave {
    struct unit *units;
    size_t n;
};
struct job {
    struct ldr_store *store;
    const struct ldr_query_plan *plan;
    const struct ldr_historical_file *f;
    struct ldr_join_report *report;
    struct ldr_err *err;
    struct ldr_arena arena;
    struct ldr_spine_shape shape;
    struct ldr_text_source source;
    struct ldr_text_blocks blocks;
    struct ldr_spine_block *chunk;
    size_t nchunk, chunk_cap, chunk_rows; /* row numbers of the chunk */
    size_t parse_from;                    /* first block of the parsing under way */
    struct ldr_join join;
    struct ldr_join_format format;
    struct ldr_spine_worker *workers;
    unsigned width;
    struct ldr_output_file output;
    size_t limit;     /* bytes of one chunk, all in all */
    size_t hit_bytes; /* of copied rows, for one spine row: first a guess, then as measured */
    size_t from, to;  /* the rows of the chunk that are being worked on */
    struct wave waves[2], *now, *done;
    size_t nunits, unit_rows, unit_stop;
    int write_rc;
    struct ldr_err write_err;
    struct ldr_pulse pulse;
};

static int no_memory(struct job *j)
{
    return ldr_fail(j->err, LDR_E_NOMEM, "out of memory");
}

static int beat(void *ctx)
{
    struct job *j = ctx;
    if (ldr_pulse_beat(&j->pulse, j->report->rows, j->source.bytes, j->source.bytes_total) == 0)
        return 0;
    return ldr_fail(j->err, LDR_E_CANCELLED, "cancelled after %llu rows",
                    (unsigned long long)j->report->rows);
}

static void note_peak(struct job *j)
{
    uint64_t n = ldr_join_bytes(&j->join);
    for (size_t i = 0; i < j->chunk_cap; i++)
        n += j->chunk[i].text.cap + j->chunk[i].records_cap * sizeof(struct ldr_spine_record);
    for (int w = 0; w < 2; w++)
        for (size_t i = 0; i < j->nunits; i++)
            n += j->waves[w].units[i].text.cap;
    j->report->peak_bytes = n > j->report->peak_bytes ? n : j->report->peak_bytes;
}

/* ---- Reading ---- */

static int read_header(struct job *j, struct ldr_spine_block *b)
{
    struct ldr_csv c;
    ldr_csv_init(&c, NULL);
    ldr_csv_block(&c, b->text.text, b->text.n, 1);
    int got = b->text.n ? ldr_csv_next(&c) : 0, rc;
    if (got == 0) {
        rc = ldr_fail(j->err, LDR_E_INVALID, "%s: is empty, expected a header line", j->source.name);
    } else if (got < 0) {
        rc = ldr_fail(j->err, got == LDR_E_NOMEM ? got : LDR_E_INVALID, "%s:%llu: the header: %s",
                      j->source.name, (unsigned long long)c.record_line,
                      got == LDR_E_NOMEM ? "out of memory" : c.why);
    } else {
        b->skip = (size_t)(c.p - b->text.text);
        b->text.line = c.line;
        rc = ldr_spine_shape_init(&j->shape, &j->arena, &c, j->source.name, j->plan, j->f, j->err);
    }
    ldr_csv_close(&c);
    return rc;
}

/* One more block into the chunk; *got = false at the end of the spine. */
static int read_block(struct job *j, bool *got)
{
    if (j->nchunk == j->chunk_cap) {
        size_t cap = j->chunk_cap ? 2 * j->chunk_cap : 64;
        struct ldr_spine_block *chunk = ldr_resize(NULL, j->chunk, cap * sizeof *chunk);
        if (!chunk)
            return no_memory(j);
        memset(chunk + j->chunk_cap, 0, (cap - j->chunk_cap) * sizeof *chunk);
        j->chunk = chunk;
        j->chunk_cap = cap;
    }
    struct ldr_spine_block *b = &j->chunk[j->nchunk];
    b->skip = b->nrecords = 0;
    int rc = ldr_text_blocks_next(&j->blocks, BLOCK_BYTES, &b->text, j->err);
    if (rc)
        return rc;
    *got = b->text.n > 0;
    b->first_row = j->chunk_rows;
    b->room = b->text.lines + 1; /* at most so many records: the last one may have no line end */
    if (*got) {
        j->nchunk++;
        j->chunk_rows += b->room;
    }
    return 0;
}

/* Blocks after the first `have`, until the chunk is as large as the budget allows. */
static int read_chunk(struct job *j, size_t have)
{
    size_t a_row = ldr_join_row_bytes(&j->join) + sizeof(struct ldr_spine_record) + j->hit_bytes, bytes = 0;
    if (!have)
        j->nchunk = j->chunk_rows = 0;
    for (size_t i = 0; i < have; i++)
        bytes += j->chunk[i].text.cap + j->chunk[i].room * a_row;
    bool got = true;
    while (bytes < j->limit) {
        int rc = read_block(j, &got);
        if (rc)
            return rc;
        if (!got)
            break;
        bytes += j->chunk[j->nchunk - 1].text.cap + j->chunk[j->nchunk - 1].room * a_row;
    }
    return 0;
}

/* ---- Joining ---- */

static bool in_range(const struct job *j, const struct ldr_spine_block *b)
{
    return b->first_row < j->to && b->first_row + b->room > j->from;
}

static int parse_block(void *ctx, size_t i, unsigned worker)
{
    struct job *j = ctx;
    struct ldr_spine_block *b = &j->chunk[j->parse_from + i];
    if (!in_range(j, b))
        return 0;
    return ldr_spine_parse(&j->shape, &j->workers[worker], b, &j->join, worker, j->from, j->to);
}

static int parse(struct job *j)
{
    size_t step = (size_t)j->width * 32, n = j->nchunk;
    int rc = 0;
    for (size_t at = 0; rc == 0 && at < n; at += step) {
        j->parse_from = at;
        rc = ldr_pool_each(j->store->pool, n - at < step ? n - at : step, parse_block, j);
        if (rc == 0 && (rc = beat(j)) != 0)
            return rc;
    }
    if (rc == LDR_E_NOMEM)
        return no_memory(j);
    for (size_t i = 0; rc && i < n;
         i++) /* blocks are begun in order: the first bad one is the first in the file */
        if (j->chunk[i].why)
            return ldr_fail(j->err, rc, "%s", j->chunk[i].why);
    return rc;
}

/* ---- Writing ---- */

static int format_unit(struct job *j, struct unit *u, unsigned worker)
{
    ldr_buf_reset(&u->text);
    size_t from = u->next;
    return ldr_format_rows(&j->format, &j->workers[worker], u->block, from, u->to, u->row + (from - u->from),
                           j->unit_stop, &u->text, &u->next, &u->missing);
}

/* A unit may be longer than its buffer may get: then it is written piece by piece. */
static int write_wave(struct job *j, struct wave *w, unsigned worker)
{
    for (size_t i = 0; i < w->n; i++) {
        struct unit *u = &w->units[i];
        for (;;) {
            int rc = ldr_output_write(&j->output, ldr_buf_slice(&u->text), &j->write_err);
            if (rc)
                return rc;
            if (u->next == u->to)
                break;
            if ((rc = format_unit(j, u, worker)) != 0)
                return ldr_fail(&j->write_err, rc, "%s", ldr_code_text(rc));
        }
        j->report->rows += u->to - u->from;
        j->report->missing += u->missing;
    }
    w->n = 0;
    return 0;
}

static int wave_item(void *ctx, size_t i, unsigned worker)
{
    struct job *j = ctx;
    if (i == 0) {
        j->write_rc = write_wave(j, j->done, worker);
        return 0;
    }
    return format_unit(j, &j->now->units[i - 1], worker);
}

/* Formats what is in now while what is in done is written. */
static int turn(struct job *j)
{
    int rc = ldr_pool_each(j->store->pool, j->now->n + 1, wave_item, j);
    if (rc)
        return ldr_fail(j->err, rc, "%s", ldr_code_text(rc));
    if (j->write_rc) {
        if (j->err)
            *j->err = j->write_err;
        return j->write_rc;
    }
    struct wave *w = j->now;
    j->now = j->done;
    j->done = w;
    return beat(j);
}

static int add_units(struct job *j, struct ldr_spine_block *b, size_t from, size_t to)
{
    int rc = 0;
    while (rc == 0 && from < to) {
        struct unit *u = &j->now->units[j->now->n++];
        u->block = b;
        u->from = u->next = from;
        u->to = to - from < j->unit_rows ? to : from + j->unit_rows;
        u->row = b->first_row + from - j->from;
        u->missing = 0;
        from = u->to;
        if (j->now->n == j->nunits)
            rc = turn(j);
    }
    return rc;
}

static int write_range(struct job *j)
{
    size_t rows = j->to - j->from, text = j->limit / 8 / (2 * j->nunits);
    text = text < UNIT_BYTES ? text : UNIT_BYTES;
    j->unit_stop = text;
    j->unit_rows = text / (64 + ldr_join_copied(&j->join) / rows);
    j->unit_rows = j->unit_rows < 1 ? 1 : j->unit_rows > UNIT_ROWS ? UNIT_ROWS : j->unit_rows;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < j->nchunk; i++) {
        struct ldr_spine_block *b = &j->chunk[i];
        if (!in_range(j, b))
            continue;
        size_t from = j->from > b->first_row ? j->from - b->first_row : 0;
        size_t to = j->to - b->first_row < b->nrecords ? j->to - b->first_row : b->nrecords;
        rc = add_units(j, b, from, to);
    }
    if (rc == 0)
        rc = turn(j); /* what is left */
    if (rc == 0)
        rc = turn(j); /* and written */
    note_peak(j);
    return rc;
}

/* ---- Chunks ---- */

/* The rows from..to of the chunk. When their hits are over the budget, one half after the other. */
static int do_range(struct job *j, size_t from, size_t to)
{
    if (from >= to)
        return 0;
    j->from = from;
    j->to = to;
    ldr_join_limit(&j->join, to - from == 1 ? SIZE_MAX : j->limit);
    if (ldr_join_begin(&j->join, to - from))
        return no_memory(j);
    int rc = parse(j);
    if (rc == 0)
        rc = ldr_join_run(&j->join, j->err);
    note_peak(j);
    size_t a_row = ldr_join_copied(&j->join) / (to - from);
    j->hit_bytes =
        rc == LDR_JOIN_OVER_BUDGET || a_row > j->hit_bytes ? a_row + a_row / 4 : (j->hit_bytes + a_row) / 2;
    if (rc == LDR_JOIN_OVER_BUDGET) {
        size_t mid = from + (to - from) / 2;
        rc = do_range(j, from, mid);
        return rc ? rc : do_range(j, mid, to);
    }
    return rc ? rc : write_range(j);
}

static int run_chunks(struct job *j)
{
    int rc = beat(j);
    for (size_t have = 1; rc == 0 && j->nchunk; have = 0) {
        rc = read_chunk(j, have);
        if (rc == 0)
            rc = do_range(j, 0, j->chunk_rows);
    }
    return rc;
}

static int write_header(struct job *j)
{
    struct ldr_buf text;
    ldr_buf_init(&text, NULL, 0);
    j->format = (struct ldr_join_format){
        &j->shape, j->plan, &j->join, j->f->json, j->f->with_timestamps, j->f->with_status};
    int rc = ldr_format_header(&j->format, &text, j->err);
    if (rc == 0)
        rc = ldr_output_open(&j->output, j->f->output_path, j->err);
    if (rc == 0)
        rc = ldr_output_write(&j->output, ldr_buf_slice(&text), j->err);
    ldr_buf_close(&text);
    return rc;
}

static int setup_memory(struct job *j)
{
    j->width = ldr_pool_width(j->store->pool);
    j->limit = j->store->opts.memory_bytes / 2;
    j->nunits = (size_t)j->width * UNITS_EACH;
    j->workers = ldr_calloc(NULL, j->width, sizeof *j->workers);
    for (unsigned i = 0; i < j->width; i++)
        if (!j->workers || ldr_spine_worker_init(&j->workers[i], j->plan))
            return LDR_E_NOMEM;
    for (int w = 0; w < 2; w++) {
        j->waves[w].units = ldr_calloc(NULL, j->nunits, sizeof *j->waves[w].units);
        for (size_t i = 0; i < j->nunits; i++) {
            if (!j->waves[w].units)
                return LDR_E_NOMEM;
            ldr_buf_init(&j->waves[w].units[i].text, NULL, SIZE_MAX / 2);
        }
    }
    j->now = &j->waves[0];
    j->done = &j->waves[1];
    for (uint32_t v = 0; v < j->plan->nviews; v++) {
        const struct ldr_schema *s = j->plan->views[v].schema;
        j->hit_bytes +=
            sizeof(struct ldr_join_hit) + LDR_ROW_HEAD + s->ncols / 8 + s->fixed_bytes + 16 * (size_t)s->nvar;
    }
    return 0;
}

static int run(struct job *j)
{
    int rc = ldr_text_open(&j->source, j->f->spine_path, j->err);
    if (rc)
        return rc;
    ldr_text_blocks_init(&j->blocks, &j->source, true);
    if (setup_memory(j))
        return no_memory(j);
    bool got = false;
    rc = read_block(j, &got);
    if (rc == 0)
        rc = read_header(j, &j->chunk[0]);
    if (rc == 0)
        rc = ldr_join_init(&j->join, j->store, j->plan, j->err);
    if (rc)
        return rc;
    j->join.fresh = j->f->fresh;
    j->join.beat = beat;
    j->join.beat_ctx = j;
    rc = write_header(j);
    if (rc == 0)
        rc = run_chunks(j);
    if (rc == 0)
        rc = ldr_output_commit(&j->output, j->err);
    j->report->cells = j->report->rows * j->plan->ncols;
    if (rc == 0)
        ldr_pulse_final(&j->pulse, j->report->rows, j->source.bytes, j->source.bytes_total);
    return rc;
}

static void job_close(struct job *j)
{
    ldr_output_close(&j->output);
    ldr_join_close(&j->join);
    for (unsigned i = 0; j->workers && i < j->width; i++)
        ldr_spine_worker_close(&j->workers[i]);
    ldr_release(NULL, j->workers);
    for (int w = 0; w < 2; w++) {
        for (size_t i = 0; j->waves[w].units && i < j->nunits; i++)
            ldr_buf_close(&j->waves[w].units[i].text);
        ldr_release(NULL, j->waves[w].units);
    }
    for (size_t i = 0; i < j->chunk_cap; i++)
        ldr_spine_block_close(&j->chunk[i]);
    ldr_release(NULL, j->chunk);
    ldr_text_blocks_close(&j->blocks);
    ldr_text_close(&j->source);
    ldr_arena_close(&j->arena);
}

int ldr_historical_to_file(const struct ldr_query *q, const struct ldr_historical_file *f,
                           const struct ldr_work *work, struct ldr_join_report *report, struct ldr_err *err)
{
    struct ldr_join_report own;
    report = report ? report : &own;
    *report = (struct ldr_join_report){0};
    ldr_err_clear(err);
    int entered = ldr_store_enter(q->store, err);
    if (entered)
        return entered;
    if (!f->spine_path)
        return ldr_fail(err, LDR_E_INVALID, "a spine is needed");
    if (f->has_known_at && f->known_at_column)
        return ldr_fail(err, LDR_E_INVALID, "known-at is given twice: one time for all rows, and a column");
    if (!ldr_fresh_valid(f->fresh))
        return ldr_fail(err, LDR_E_INVALID, "fresh is %d, expected one of enum ldr_fresh", f->fresh);
    int rc = 0;
    struct job j = {.store = q->store, .f = f, .report = report, .err = err};
    j.source.fd = j.output.fd = -1;
    j.plan = ldr_query_resolve(q, &rc, err);
    if (!j.plan)
        return rc;
    ldr_arena_init(&j.arena, NULL, 0);
    ldr_pulse_start(&j.pulse, work, &q->store->clock, "joining");
    rc = run(&j);
    report->seconds = ldr_pulse_seconds(&j.pulse);
    job_close(&j);
    return rc;
}
