#include "shard/pick.h"

#include "shard/shard_impl.h"

int ldr_hist_key_parse(struct ldr_slice hk, struct ldr_hist_key *out)
{
    if (hk.n < LDR_HK_PREFIX + LDR_HK_TRAILER || hk.n > LDR_HK_MAX)
        return LDR_E_CORRUPT;
    const uint8_t *t = hk.p + hk.n - LDR_HK_TRAILER;
    if (t[8] > 1 || (t[8] == 1 && ldr_get_be64(t + 17) != 0))
        return LDR_E_CORRUPT;
    out->lk = ldr_slice(hk.p, hk.n - LDR_HK_TRAILER);
    out->view = ldr_get_be32(hk.p);
    out->hash = ldr_get_be64(hk.p + 4);
    out->key = ldr_slice(hk.p + LDR_HK_PREFIX, out->lk.n - LDR_HK_PREFIX);
    out->event_us = ldr_desc64_back(ldr_get_be64(t));
    out->stamped = t[8] == 1;
    out->created_us = out->stamped ? 0 : ldr_desc64_back(ldr_get_be64(t + 9));
    out->vhash = ldr_get_be64(t + (out->stamped ? 9 : 17));
    return 0;
}

int ldr_hist_fact(struct ldr_slice hk, struct ldr_slice value, struct ldr_fact *out)
{
    struct ldr_hist_key k;
    if (ldr_hist_key_parse(hk, &k) != 0 || (k.stamped && value.n < 8))
        return LDR_E_CORRUPT;
    *out = (struct ldr_fact){
        .view = k.view,
        .hash = k.hash,
        .key = k.key,
        .event_us = k.event_us,
        .created_us = k.stamped ? (int64_t)ldr_get_le64(value.p) : k.created_us,
        .stamped = k.stamped,
        .vhash = k.vhash,
        .row = k.stamped ? ldr_slice(value.p + 8, value.n - 8) : value,
    };
    return 0;
}

int ldr_latest_value_parse(struct ldr_slice value, struct ldr_latest_row *out)
{
    if (value.n < LDR_LV_HEAD || value.p[16] > 1)
        return LDR_E_CORRUPT;
    out->event_us = (int64_t)ldr_get_le64(value.p);
    out->created_us = (int64_t)ldr_get_le64(value.p + 8);
    out->stamped = value.p[16] == 1;
    out->row = ldr_slice(value.p + LDR_LV_HEAD, value.n - LDR_LV_HEAD);
    return 0;
}

void ldr_pick_init(struct ldr_pick *p)
{
    memset(p, 0, sizeof *p);
    ldr_buf_init(&p->buf, NULL, LDR_ROW_MAX + LDR_ROW_HEAD);
}

void ldr_pick_close(struct ldr_pick *p)
{
    ldr_buf_close(&p->buf);
}

static int corrupt(struct ldr_err *err, struct ldr_slice hk)
{
    uint32_t view = hk.n >= 4 ? ldr_get_be32(hk.p) : 0;
    return ldr_fail(err, LDR_E_CORRUPT, "view %u: a stored fact fails its checksum or has a malformed key",
                    view);
}

int ldr_pick_offer(struct ldr_pick *p, const struct ldr_schema *schema, const struct ldr_fact *f, bool have)
{
    if (have && f->created_us < p->created_us)
        return 0;
    if (ldr_row_verify(schema, f->row) != 0)
        return LDR_E_CORRUPT;
    if (have && f->created_us == p->created_us) {
        int c = ldr_row_cmp(schema, f->row, ldr_buf_slice(&p->buf));
        /* The same to any reader: the declared one, so that the choice does not depend on order. */
        if (c < 0 || (c == 0 && (f->stamped || !p->stamped)))
            return 0;
    }
    p->created_us = f->created_us;
    p->stamped = f->stamped;
    p->vhash = f->vhash;
    ldr_buf_reset(&p->buf);
    return ldr_buf_put(&p->buf, f->row.p, f->row.n);
}

int ldr_pick_group(rocksdb_iterator_t *it, const struct ldr_schema *schema, struct ldr_slice lk,
                   int64_t created_min, int64_t created_max, struct ldr_pick *p, struct ldr_err *err)
{
    struct ldr_slice hk = ldr_iter_key(it);
    bool have = false;
    p->event_us = ldr_hk_event(hk);
    do {
        struct ldr_fact f;
        if (ldr_hist_fact(hk, ldr_iter_value(it), &f) != 0)
            return corrupt(err, hk);
        if (f.created_us >= created_min && f.created_us <= created_max) {
            int rc = ldr_pick_offer(p, schema, &f, have);
            if (rc == LDR_E_CORRUPT)
                return corrupt(err, hk);
            if (rc)
                return ldr_fail(err, rc, "reading history: %s", ldr_code_text(rc));
            have = true;
        }
        rocksdb_iter_next(it);
        if (!rocksdb_iter_valid(it)) {
            int rc = ldr_rocks_iter_status(err, "reading history", it);
            return rc ? rc : have;
        }
        hk = ldr_iter_key(it);
    } while (ldr_hk_of(hk, lk) && ldr_hk_event(hk) == p->event_us);
    return have;
}

int ldr_pick_walk(rocksdb_iterator_t *it, const struct ldr_schema *schema, struct ldr_slice lk,
                  int64_t floor_us, int64_t created_min, int64_t created_max, struct ldr_pick *p,
                  struct ldr_err *err)
{
    for (;;) {
        if (!rocksdb_iter_valid(it))
            return ldr_rocks_iter_status(err, "reading history", it);
        struct ldr_slice hk = ldr_iter_key(it);
        if (!ldr_hk_of(hk, lk) || ldr_hk_event(hk) < floor_us)
            return 0;
        int rc = ldr_pick_group(it, schema, lk, created_min, created_max, p, err);
        if (rc)
            return rc;
    }
}
