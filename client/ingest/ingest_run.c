/* The run: waves of blocks are parsed by the pool while the next wave is read; facts gather until the memory
 * budget is reached or the input ends, then they go to the store. */
#include "client/ingest/ingest.h"

#include <stdio.h>

#include "client/pulse.h"

#define BLOCK_BYTES \
    ((size_t)256 << 10) /* small enough to share a wave evenly, large enough to hide the hand-over */
#define WAVE_BLOCKS 64
#define WRITE_ROWS  20000               /* up to here one atomic batch through the log is the quicker way, */
#define WRITE_BYTES ((uint64_t)8 << 20) /* beyond it sorted tables are */
#define FACT_EXTRA  24                  /* bytes that a load takes besides, for each fact */

struct wave {
    struct ldr_fact_block *blocks;
    size_t n; /* filled */
};
struct run {
    struct ldr_store *store;
    const struct ldr_view_entry *view;
    const struct ldr_ingest *in;
    struct ldr_write_report *report;
    struct ldr_err *err;
    bool csv;
    struct ldr_arena arena;
    struct ldr_fact_shape shape;
    struct ldr_text_source source;
    struct ldr_text_blocks blocks;
    struct ldr_fact_maker *makers;
    unsigned width;
    struct wave waves[2];
    size_t wave_blocks;
    struct wave *now, *next;
    int read_rc; /* of the wave that was read beside the last one, */
    struct ldr_err read_err;
    struct ldr_reject_file rejects;
    struct ldr_buf reject_header;
    uint64_t segment; /* facts made and not yet stored */
    uint64_t text_bytes;
    const struct ldr_work *work;
    struct ldr_pulse pulse;
};

static bool ends_with(const char *path, size_t n, const char *suffix)
{
    size_t m = strlen(suffix);
    return n >= m && memcmp(path + n - m, suffix, m) == 0;
}

static int choose_format(struct run *r)
{
    const char *f = r->in->format;
    if (f && strcmp(f, "csv") != 0 && strcmp(f, "ndjson") != 0) {
        if (strcmp(f, "parquet") == 0)
            return ldr_fail(r->err, LDR_E_UNSUPPORTED,
                            "%s: Parquet is read through the Python package larder", r->in->path);
        return ldr_fail(r->err, LDR_E_INVALID, "format '%s': expected csv or ndjson", f);
    }
    size_t n = strlen(r->in->path);
    n -= ends_with(r->in->path, n, ".gz") ? 3 : 0;
    if (!f && ends_with(r->in->path, n, ".parquet"))
        return ldr_fail(r->err, LDR_E_UNSUPPORTED, "%s: Parquet is read through the Python package larder",
                        r->in->path);
    bool json = ends_with(r->in->path, n, ".ndjson") || ends_with(r->in->path, n, ".jsonl");
    r->csv = f ? strcmp(f, "csv") == 0 : !json;
    return 0;
}

/* ---- Reading ---- */

static int read_wave(struct run *r, struct wave *w, struct ldr_err *err)
{
    w->n = 0;
    while (w->n < r->wave_blocks) {
        struct ldr_fact_block *b = &w->blocks[w->n];
        ldr_fact_block_clear(b);
        int rc = ldr_text_blocks_next(&r->blocks, BLOCK_BYTES, &b->text, err);
        if (rc)
            return rc;
        if (b->text.n == 0)
            break;
        w->n++;
    }
    return 0;
}

static int read_header(struct run *r)
{
    struct ldr_csv c;
    const char *file = r->source.name;
    struct ldr_fact_block *b = &r->now->blocks[0];
    ldr_csv_init(&c, NULL);
    int got = 0;
    if (r->now->n) {
        ldr_csv_block(&c, b->text.text, b->text.n, 1);
        got = ldr_csv_next(&c);
    }
    int rc;
    if (got == 0) {
        rc = ldr_fail(r->err, LDR_E_INVALID, "%s: is empty, expected a header line", file);
    } else if (got < 0) {
        rc = ldr_fail(r->err, got == LDR_E_NOMEM ? got : LDR_E_INVALID, "%s:%llu: the header: %s", file,
                      (unsigned long long)c.record_line, got == LDR_E_NOMEM ? "out of memory" : c.why);
    } else {
        b->skip = (size_t)(c.p - b->text.text);
        b->text.line = c.line;
        rc = ldr_shape_header(&r->shape, &r->arena, &c, r->err);
        if (rc == 0 && ldr_csv_reject_header(ldr_slice(c.record, c.record_n), &r->reject_header))
            rc = ldr_fail(r->err, LDR_E_NOMEM, "out of memory");
    }
    ldr_csv_close(&c);
    return rc;
}

/* ---- One wave ---- */

/* Item 0 reads the next wave, the others parse the blocks of this one. */
static int wave_item(void *ctx, size_t i, unsigned worker)
{
    struct run *r = ctx;
    if (i == 0) {
        r->read_rc = read_wave(r, r->next, &r->read_err);
        return 0;
    }
    struct ldr_fact_maker *m = &r->makers[worker];
    int rc = m->shape ? 0 : ldr_maker_init(m, &r->shape);
    if (rc)
        return rc;
    return r->csv ? ldr_csv_facts(m, &r->now->blocks[i - 1]) : ldr_json_facts(m, &r->now->blocks[i - 1]);
}

/* Adds up a parsed wave, in file order. */
static int take_wave(struct run *r)
{
    struct ldr_write_report *rep = r->report;
    for (size_t i = 0; i < r->now->n; i++) {
        struct ldr_fact_block *b = &r->now->blocks[i];
        if (b->rejected && !rep->rejected)
            memcpy(rep->first_reject, b->first_reject, sizeof rep->first_reject);
        rep->rows += b->rows;
        rep->rejected += b->rejected;
        rep->skipped += b->skipped;
        rep->min_event_us = b->min_event_us < rep->min_event_us ? b->min_event_us : rep->min_event_us;
        rep->max_event_us = b->max_event_us > rep->max_event_us ? b->max_event_us : rep->max_event_us;
        r->segment += b->rows - b->rejected - b->skipped;
        r->text_bytes += b->text.n;
        int rc = ldr_reject_write(&r->rejects, ldr_buf_slice(&r->reject_header), ldr_buf_slice(&b->rejects),
                                  r->err);
        if (rc)
            return rc;
    }
    return 0;
}

/* ---- Storing ---- */

static size_t segment_bytes(const struct run *r)
{
    size_t n = r->segment * FACT_EXTRA;
    for (unsigned i = 0; i < r->width; i++)
        n += r->makers[i].slab.taken;
    return n;
}

static int store_small(struct run *r, struct ldr_write_result *res)
{
    struct ldr_fact *facts = ldr_alloc(NULL, r->segment * sizeof *facts);
    if (!facts)
        return ldr_fail(r->err, LDR_E_NOMEM, "out of memory");
    size_t n = 0;
    for (unsigned i = 0; i < r->width; i++)
        for (const struct ldr_fact_piece *p = r->makers[i].pieces; p; p = p->next) {
            memcpy(facts + n, p->facts, p->n * sizeof *facts);
            n += p->n;
        }
    LDR_ASSERT(n == r->segment);
    int rc = ldr_store_write_facts(r->store, r->view, facts, n, res, r->err);
    ldr_release(NULL, facts);
    return rc;
}

static int store_large(struct run *r, struct ldr_write_result *res)
{
    size_t n = 0, at = 0;
    for (unsigned i = 0; i < r->width; i++)
        for (const struct ldr_fact_piece *p = r->makers[i].pieces; p; p = p->next)
            n++;
    struct ldr_fact_chunk *chunks = ldr_calloc(NULL, n, sizeof *chunks);
    if (!chunks)
        return ldr_fail(r->err, LDR_E_NOMEM, "out of memory");
    for (unsigned i = 0; i < r->width; i++)
        for (struct ldr_fact_piece *p = r->makers[i].pieces; p; p = p->next)
            chunks[at++] = (struct ldr_fact_chunk){p->facts, p->n};
    r->report->bulk = true;
    int rc = ldr_store_load_facts(r->store, r->view, chunks, n, res, r->err);
    ldr_release(NULL, chunks);
    return rc;
}

/* last: the input has ended. An input that does not fit in memory at once is no small one. */
static int store_segment(struct run *r, bool last)
{
    if (r->segment == 0)
        return 0;
    struct ldr_write_result res = {0};
    bool small = last && !r->report->bulk && r->segment <= WRITE_ROWS && r->text_bytes <= WRITE_BYTES;
    int rc = small ? store_small(r, &res) : store_large(r, &res);
    r->report->taken += res.facts + res.duplicates;
    r->report->duplicates += res.duplicates;
    r->report->erased += res.erased;
    r->report->ties += res.ties;
    for (unsigned i = 0; i < r->width; i++)
        ldr_maker_clear(&r->makers[i]);
    r->segment = 0;
    return rc;
}

/* ---- The run ---- */

static int beat(struct run *r)
{
    if (ldr_pulse_beat(&r->pulse, r->report->rows, r->source.bytes, r->source.bytes_total) == 0)
        return 0;
    return ldr_fail(r->err, LDR_E_CANCELLED, "cancelled after %llu rows; %llu of them are stored",
                    (unsigned long long)r->report->rows, (unsigned long long)r->report->taken);
}

static int run_waves(struct run *r)
{
    size_t budget = r->store->opts.memory_bytes / 4 * 3;
    while (r->now->n) {
        int rc = beat(r);
        if (rc)
            return rc;
        rc = ldr_pool_each(r->store->pool, r->now->n + 1, wave_item, r);
        if (rc)
            return ldr_fail(r->err, rc, "%s: %s", r->source.name, ldr_code_text(rc));
        rc = take_wave(r);
        if (rc == 0 && r->read_rc) {
            if (r->err)
                *r->err = r->read_err;
            rc = r->read_rc;
        }
        if (rc == 0 && segment_bytes(r) >= budget) {
            rc = beat(r);
            rc = rc ? rc : store_segment(r, false);
        }
        if (rc)
            return rc;
        struct wave *done = r->now;
        r->now = r->next;
        r->next = done;
    }
    int rc = beat(r);
    return rc ? rc : store_segment(r, true);
}

static int setup_memory(struct run *r)
{
    r->width = ldr_pool_width(r->store->pool);
    r->makers = ldr_calloc(NULL, r->width, sizeof *r->makers);
    r->wave_blocks = r->store->opts.memory_bytes / 16 / (2 * BLOCK_BYTES);
    r->wave_blocks = r->wave_blocks < 1 ? 1 : r->wave_blocks > WAVE_BLOCKS ? WAVE_BLOCKS : r->wave_blocks;
    for (int w = 0; w < 2; w++) {
        r->waves[w].blocks = ldr_calloc(NULL, r->wave_blocks, sizeof *r->waves[w].blocks);
        for (size_t i = 0; r->waves[w].blocks && i < r->wave_blocks; i++)
            ldr_fact_block_init(&r->waves[w].blocks[i]);
    }
    r->now = &r->waves[0];
    r->next = &r->waves[1];
    return r->makers && r->waves[0].blocks && r->waves[1].blocks ? 0 : LDR_E_NOMEM;
}

static int open_rejects(struct run *r)
{
    const char *path = r->in->rejects_path;
    if (!path) {
        bool in = strcmp(r->in->path, "-") == 0;
        path = ldr_arena_printf(&r->arena, "%s.rejects.csv", in ? "stdin" : r->in->path);
        if (!path)
            return ldr_fail(r->err, LDR_E_NOMEM, "out of memory");
    }
    return ldr_reject_open(&r->rejects, path, r->source.fd, r->err);
}

static int run(struct run *r)
{
    int rc = choose_format(r);
    if (rc || (rc = ldr_text_open(&r->source, r->in->path, r->err)) != 0)
        return rc;
    if (setup_memory(r))
        return ldr_fail(r->err, LDR_E_NOMEM, "out of memory");
    const char *what = ldr_arena_printf(&r->arena, "reading %s", r->source.name);
    ldr_pulse_start(&r->pulse, r->work, &r->store->clock, what ? what : "reading");
    ldr_text_blocks_init(&r->blocks, &r->source, r->csv);
    rc = ldr_shape_init(&r->shape, &r->arena, r->view, r->in, r->source.name, r->err);
    r->shape.far = r->store->remote != NULL;
    if (rc == 0)
        rc = read_wave(r, r->now, r->err);
    if (rc == 0 && r->csv)
        rc = read_header(r);
    else if (rc == 0 && ldr_json_reject_header(&r->reject_header))
        rc = ldr_fail(r->err, LDR_E_NOMEM, "out of memory");
    if (rc || (rc = open_rejects(r)) != 0 ||
        (rc = ldr_store_stamp(r->store, &r->shape.stamp_us, r->err)) != 0)
        return rc;
    rc = run_waves(r);
    struct ldr_err close_err;
    int closed = ldr_reject_close(&r->rejects, &close_err);
    if (rc == 0 && closed) {
        rc = closed;
        if (r->err)
            *r->err = close_err;
    }
    if (rc == 0)
        ldr_pulse_final(&r->pulse, r->report->rows, r->source.bytes, r->source.bytes_total);
    return rc;
}

static void run_close(struct run *r)
{
    for (unsigned i = 0; r->makers && i < r->width; i++)
        ldr_maker_close(&r->makers[i]);
    ldr_release(NULL, r->makers);
    for (int w = 0; w < 2; w++) {
        for (size_t i = 0; r->waves[w].blocks && i < r->wave_blocks; i++)
            ldr_fact_block_close(&r->waves[w].blocks[i]);
        ldr_release(NULL, r->waves[w].blocks);
    }
    ldr_text_blocks_close(&r->blocks);
    ldr_text_close(&r->source);
    ldr_buf_close(&r->reject_header);
    ldr_arena_close(&r->arena);
}

int ldr_ingest_run(struct ldr_store *s, const struct ldr_view_entry *view, const struct ldr_ingest *in,
                   const struct ldr_work *work, struct ldr_write_report *report, struct ldr_err *err)
{
    struct run r = {.store = s, .view = view, .in = in, .report = report, .err = err, .work = work};
    r.source.fd = -1;
    r.rejects.fd = -1;
    ldr_arena_init(&r.arena, NULL, 0);
    ldr_buf_init(&r.reject_header, NULL, 2 * (size_t)LDR_CSV_RECORD_MAX);
    uint64_t start = s->clock.mono_ns(s->clock.ctx);
    *report = (struct ldr_write_report){.min_event_us = INT64_MAX, .max_event_us = INT64_MIN};
    int rc = run(&r);
    if (report->min_event_us > report->max_event_us)
        report->min_event_us = report->max_event_us = 0;
    report->seconds = (double)(s->clock.mono_ns(s->clock.ctx) - start) / 1e9;
    if (r.rejects.fd >= 0) {
        struct ldr_err ignored; /* the first failure is the one to tell */
        ldr_reject_close(&r.rejects, &ignored);
    }
    run_close(&r);
    return rc;
}
