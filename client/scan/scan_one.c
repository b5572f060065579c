/* One entity straight to the output, however long its history is. */
#include "client/scan/scan.h"

#define WRITE_BYTES ((size_t)256 << 10)

struct one {
    struct ldr_scan_job *job;
    struct ldr_scan_text text;
    struct ldr_buf out;
    uint64_t rows;
    bool failed; /* job->err says why */
};

static int flush(struct one *o)
{
    int rc = ldr_output_write(o->job->output, ldr_buf_slice(&o->out), o->job->err);
    ldr_buf_reset(&o->out);
    o->failed = rc != 0;
    return rc;
}

static int take(void *ctx, const struct ldr_fact *f)
{
    struct one *o = ctx;
    int rc = ldr_scan_text_fact(&o->text, f, &o->out);
    if (rc == 0 && o->out.n >= WRITE_BYTES)
        rc = flush(o);
    if (rc == 0 && ++o->rows % 4096 == 0) {
        o->job->seen += 4096;
        rc = ldr_scan_beat(o->job);
        o->failed = rc != 0;
    }
    return rc;
}

int ldr_scan_one(struct ldr_scan_job *j, struct ldr_slice key)
{
    struct one o = {.job = j};
    ldr_scan_text_init(&o.text, &j->format);
    ldr_buf_init(&o.out, NULL, 0);
    const struct ldr_store_shard *home = ldr_store_shard_of(j->store, ldr_key_hash(key));
    struct ldr_scan_opts opts = {.view = j->format.view->schema->view_id,
                                 .key = &key,
                                 .from_us = j->from_us,
                                 .to_us = j->to_us,
                                 .ascending = true,
                                 .hash_hi = UINT64_MAX};
    struct ldr_err err;
    ldr_err_clear(&err);
    int rc = ldr_scan_text_entity(&o.text, key);
    if (rc == 0)
        rc = ldr_place_scan(home, j->snaps[home - j->store->shards], &opts, j->fresh, take, &o, &err);
    if (rc == 0)
        rc = flush(&o);
    j->rows += o.rows;
    if (rc && !o.failed) {
        if (err.code)
            ldr_fail(j->err, rc, "%s", err.message);
        else
            ldr_fail(j->err, rc, "%s", ldr_code_text(rc));
    }
    ldr_buf_close(&o.out);
    ldr_scan_text_close(&o.text);
    return rc;
}
