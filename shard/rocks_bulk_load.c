/* A bulk load, step by step. */
#include "shard/files.h"
#include "shard/rocks_bulk.h"

#define SMALL_FACTS   1000   /* up to here one batch is as fast, and leaves no small tables behind */
#define FORGET_MAX    262144 /* entities that are forgotten one by one; with more the whole view is */
#define LOG_RECORD    4096   /* entries in one record of the change log */
#define FACT_OVERHEAD 64     /* bytes of a stored fact besides its key and row, generously */
#define LOAD_OVERHEAD ((uint64_t)16 << 20)

static int nomem(struct ldr_err *err)
{
    return ldr_fail(err, LDR_E_NOMEM, "loading facts: out of memory");
}

/* 1 when the family has nothing of the view, 0 when it has, or an error. */
static int view_empty(struct ldr_bulk *b, enum ldr_cf cf, struct ldr_err *err)
{
    struct ldr_hash_range all;
    ldr_hash_range(&all, b->view->schema->view_id, 0, UINT64_MAX);
    rocksdb_readoptions_t *ro = ldr_read_options(NULL, LDR_READ_MERGE);
    if (!ro)
        return nomem(err);
    if (all.to_n)
        rocksdb_readoptions_set_iterate_upper_bound(ro, (const char *)all.to, all.to_n);
    rocksdb_iterator_t *it = ldr_read_iter(b->s, cf, ro);
    int rc = ldr_walk_seek(it, ldr_slice(all.from, sizeof all.from), err);
    rocksdb_iter_destroy(it);
    rocksdb_readoptions_destroy(ro);
    return rc < 0 ? rc : !rc;
}

static int look_at_store(struct ldr_bulk *b, struct ldr_err *err)
{
    int rc = view_empty(b, LDR_CF_HISTORY, err);
    b->history_empty = rc == 1;
    if (rc >= 0)
        rc = view_empty(b, LDR_CF_LATEST, err);
    b->latest_empty = rc == 1;
    b->tombs = ldr_tomb_any(b->s->tombs);
    return rc < 0 ? rc : 0;
}

/* Tables of a load are read soon, as a rule, and often: not compressed. A compaction compresses what it
 * rewrites. */
static rocksdb_options_t *table_options(const struct ldr_shard *s, enum ldr_cf cf)
{
    rocksdb_options_t *o = rocksdb_options_create_copy(s->cf_opts[cf]);
    rocksdb_options_set_compression_per_level(o, NULL, 0);
    rocksdb_options_set_compression(o, rocksdb_no_compression);
    rocksdb_options_set_bottommost_compression(o, rocksdb_no_compression);
    return o;
}

static int make_room(struct ldr_bulk *b, struct ldr_err *err)
{
    char *bulk = ldr_files_join(b->s->dir, "bulk");
    b->dir = ldr_bulk_dir(b->s);
    b->parts = ldr_calloc(NULL, LDR_BULK_PARTS_MAX, sizeof *b->parts);
    int rc = bulk && b->dir && b->parts ? 0 : nomem(err);
    if (rc == 0)
        rc = ldr_files_mkdir(bulk, err);
    if (rc == 0) {
        ldr_files_remove_flat(b->dir); /* of a load that failed */
        rc = ldr_files_mkdir(b->dir, err);
    }
    ldr_release(NULL, bulk);
    b->history_opts = table_options(b->s, LDR_CF_HISTORY);
    b->latest_opts = table_options(b->s, LDR_CF_LATEST);
    return rc;
}

static int run_part(void *ctx, size_t i, unsigned worker)
{
    struct ldr_bulk *b = ctx;
    (void)worker;
    return ldr_bulk_part_run(&b->parts[i]);
}

static int run_parts(struct ldr_bulk *b, struct ldr_write_result *res, struct ldr_err *err)
{
    ldr_bulk_parts_plan(b);
    int rc = ldr_each(b->s->opts.pool, b->nparts, run_part, b);
    for (uint32_t i = 0; i < b->nparts; i++) {
        const struct ldr_bulk_part *p = &b->parts[i];
        if (rc && p->err.code) {
            if (err)
                *err = p->err;
            return p->err.code;
        }
        res->facts += p->res.facts;
        res->duplicates += p->res.duplicates;
        res->erased += p->res.erased;
        res->ties += p->res.ties;
    }
    return rc;
}

/* ---- the change log ---- */

static int put_record(struct ldr_bulk *b, struct ldr_log_record *r, struct ldr_bulk_batches *out,
                      struct ldr_err *err)
{
    uint64_t last = r->last;
    int rc = r->n ? ldr_log_record_put(b->s, r, ldr_bulk_batches_get(out)) : 0;
    ldr_log_record_close(r);
    ldr_log_record_init(r, last);
    return rc ? ldr_fail(err, rc, "writing the change log: %s", ldr_code_text(rc))
              : ldr_bulk_batches_pace(out, err);
}

/* Writes the batch with the log of what the parts have written; *seq is the one after it. */
static int write_log(struct ldr_bulk *b, uint64_t *seq, struct ldr_err *err)
{
    struct ldr_bulk_batches out = {.dir = b->dir, .part = LDR_BULK_PARTS_MAX, .sync = !b->s->opts.no_sync};
    struct ldr_log_record record;
    int rc = 0;
    ldr_log_record_init(&record, atomic_load(&b->s->seq));
    for (uint32_t i = 0; i < b->nparts && rc == 0; i++) {
        const struct ldr_bulk_part *p = &b->parts[i];
        for (size_t k = 0; k < p->ntouched && rc == 0; k++) {
            const struct ldr_bulk_touched *t = &p->touched[k];
            const struct ldr_log_entry e = {.kind = LDR_LOG_FACTS,
                                            .view = b->view->schema->view_id,
                                            .entity_id = b->view->entity_id,
                                            .key = t->key,
                                            .from_us = t->from_us,
                                            .to_us = t->to_us,
                                            .count = t->count};
            ldr_log_record_add(&record, &e);
            if (record.n == LOG_RECORD)
                rc = put_record(b, &record, &out, err);
        }
    }
    if (rc == 0)
        rc = put_record(b, &record, &out, err);
    *seq = record.last;
    if (rc == 0)
        rc = ldr_bulk_batches_finish(&out, err);
    ldr_log_record_close(&record);
    ldr_bulk_batches_close(&out);
    return rc;
}

/* ---- making it count ---- */

static void forget_touched(void *ctx)
{
    struct ldr_bulk *b = ctx;
    uint32_t view = b->view->schema->view_id;
    size_t n = 0;
    bool many = false;
    for (uint32_t i = 0; i < b->nparts; i++) {
        n += b->parts[i].ntouched;
        many |= b->parts[i].touched_many;
    }
    if (many || n > FORGET_MAX) {
        ldr_latest_forget_view(b->s->table, view);
        return;
    }
    for (uint32_t i = 0; i < b->nparts; i++)
        for (size_t k = 0; k < b->parts[i].ntouched; k++)
            ldr_latest_forget(b->s->table, view, b->parts[i].touched[k].hash, b->parts[i].touched[k].key);
}

static int commit(struct ldr_bulk *b, struct ldr_write_result *res, struct ldr_err *err)
{
    struct ldr_bulk_plan plan = {.view = b->view->schema->view_id, .nparts = b->nparts, .log = true};
    for (uint32_t i = 0; i < b->nparts; i++) {
        plan.part[i].history = b->parts[i].history.n;
        plan.part[i].latest = b->parts[i].latest.n;
        plan.part[i].batch = b->parts[i].batches.fd_plus_1 != 0;
    }
    int rc = write_log(b, &res->seq, err);
    if (rc == 0)
        rc = ldr_bulk_tails_save(&plan, b->dir, err);
    if (rc == 0 && !b->s->opts.no_sync) {
        char *bulk = ldr_files_join(b->s->dir, "bulk");
        rc = bulk ? ldr_files_sync_dir(b->dir, err) : nomem(err);
        if (rc == 0)
            rc = ldr_files_sync_dir(bulk, err);
        if (rc == 0)
            rc = ldr_files_sync_dir(b->s->dir, err);
        ldr_release(NULL, bulk);
    }
    if (rc == 0 && LDR_FAULT(bulk_before_intent))
        rc = ldr_fail(err, LDR_E_IO, "loading facts: fault point bulk_before_intent");
    if (rc == 0)
        rc = ldr_bulk_commit(b->s, &plan, forget_touched, b, err);
    if (rc == 0) {
        struct ldr_err trouble;
        atomic_store(&b->s->seq, res->seq);
        if (!b->s->opts.no_sync && ldr_marker_write(b->s, &trouble) != 0)
            ldr_logf(b->s->opts.log, LDR_LOG_WARN, "shard %u: %s", b->s->opts.id,
                     trouble.message); /* the old one holds */
    }
    return rc;
}

/* With write_mu: nobody else writes between the look at what is stored and the commit. */
static int load_locked(struct ldr_bulk *b, struct ldr_write_result *res, struct ldr_err *err)
{
    res->seq = atomic_load(&b->s->seq);
    int rc = ldr_write_admit(b->s, b->bytes + b->n * FACT_OVERHEAD + LOAD_OVERHEAD, err);
    if (rc == 0)
        rc = look_at_store(b, err);
    if (rc == 0)
        rc = make_room(b, err);
    if (rc == 0)
        rc = run_parts(b, res, err);
    if (rc == 0 && res->facts > 0)
        rc = commit(b, res, err);
    for (uint32_t i = 0; i < b->nparts; i++)
        ldr_bulk_part_close(&b->parts[i]);
    if (b->dir && !(rc && atomic_load(&b->s->broken))) /* what counts is left to the next open */
        ldr_files_remove_flat(b->dir);
    return rc;
}

int ldr_bulk_load(struct ldr_shard *s, uint32_t view, const struct ldr_fact_chunk *chunks, size_t nchunks,
                  struct ldr_write_result *res, struct ldr_err *err)
{
    struct ldr_bulk b = {.s = s, .chunks = chunks, .nchunks = nchunks};
    memset(res, 0, sizeof *res);
    ldr_err_clear(err);
    int rc = ldr_view_need(s, view, &b.view, err);
    if (rc == 0)
        rc = ldr_bulk_deal(&b, err);
    if (rc == 0) {
        pthread_mutex_lock(&s->write_mu);
        rc = load_locked(&b, res, err);
        pthread_mutex_unlock(&s->write_mu);
    }
    if (b.history_opts)
        rocksdb_options_destroy(b.history_opts);
    if (b.latest_opts)
        rocksdb_options_destroy(b.latest_opts);
    ldr_release(NULL, b.parts);
    ldr_release(NULL, b.dir);
    ldr_bulk_deal_close(&b);
    if (rc)
        memset(res, 0, sizeof *res);
    return rc;
}

/* Few facts: gathered into one batch. */
static int load_few(struct ldr_shard *s, uint32_t view, const struct ldr_fact_chunk *chunks, size_t nchunks,
                    struct ldr_write_result *res, struct ldr_err *err)
{
    struct ldr_fact *facts = ldr_alloc(NULL, SMALL_FACTS * sizeof *facts);
    size_t n = 0;
    if (!facts)
        return nomem(err);
    for (size_t i = 0; i < nchunks; i++) {
        if (chunks[i].n)
            memcpy(facts + n, chunks[i].facts, chunks[i].n * sizeof *facts);
        n += chunks[i].n;
    }
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        if (facts[i].view != view)
            rc = ldr_fail(err, LDR_E_INVALID, "a fact of view %u in a load of view %u", facts[i].view, view);
    if (rc == 0)
        rc = ldr_shard_write(s, facts, n, res, err);
    ldr_release(NULL, facts);
    return rc;
}

int ldr_shard_load(struct ldr_shard *s, uint32_t view, struct ldr_fact_chunk *chunks, size_t nchunks,
                   struct ldr_write_result *res, struct ldr_err *err)
{
    size_t n = 0;
    for (size_t i = 0; i < nchunks; i++)
        n += chunks[i].n;
    return n <= SMALL_FACTS ? load_few(s, view, chunks, nchunks, res, err)
                            : ldr_bulk_load(s, view, chunks, nchunks, res, err);
}
