/* ldr_scan_to_file. */
#include "client/scan/scan.h"

int ldr_scan_beat(struct ldr_scan_job *j)
{
    if (!pthread_equal(pthread_self(), j->caller))
        return 0;
    if (ldr_pulse_beat(&j->pulse, j->seen, 0, 0) == 0)
        return 0;
    return ldr_fail(j->err, LDR_E_CANCELLED, "cancelled");
}

/* The encoded key that the request names. */
static int asked_key(const struct ldr_view_entry *v, const struct ldr_scan *sc, struct ldr_buf *out,
                     struct ldr_err *err)
{
    struct ldr_value parts[LDR_KEY_PARTS_MAX];
    bool have[LDR_KEY_PARTS_MAX] = {false};
    for (size_t i = 0; i < sc->nkeys; i++) {
        const char *name = sc->key_names[i], *why = "";
        int part = ldr_view_key_part(v, name);
        if (part < 0)
            return ldr_fail(err, LDR_E_INVALID, "'%s' is not a join key of the feature view '%s'", name,
                            v->def->about.name);
        if (have[part])
            return ldr_fail(err, LDR_E_INVALID, "join key '%s' is given twice", name);
        have[part] = true;
        if (ldr_datum_value(&sc->key_values[i], v->entity->key_types[part], &parts[part], &why))
            return ldr_fail(err, LDR_E_INVALID, "join key '%s': %s", name, why);
        if (parts[part].null)
            return ldr_fail(err, LDR_E_INVALID, "join key '%s' is null", name);
    }
    for (uint32_t i = 0; i < v->entity->nkeys; i++)
        if (!have[i])
            return ldr_fail(err, LDR_E_INVALID, "join key '%s' is missing", v->entity->keys[i]);
    int rc = ldr_key_encode(parts, v->entity->nkeys, out);
    return rc ? ldr_fail(err, rc == LDR_E_TOO_BIG ? LDR_E_INVALID : rc, "the key: %s", ldr_code_text(rc)) : 0;
}

static int write_header(struct ldr_scan_job *j)
{
    struct ldr_buf text;
    ldr_buf_init(&text, NULL, 0);
    int rc = j->format.json ? 0 : ldr_scan_header(&j->format, &text);
    rc = rc ? ldr_fail(j->err, rc, "%s", ldr_code_text(rc))
            : ldr_output_write(j->output, ldr_buf_slice(&text), j->err);
    ldr_buf_close(&text);
    return rc;
}

static int run(struct ldr_scan_job *j, const struct ldr_scan *sc)
{
    struct ldr_buf key;
    ldr_buf_init(&key, NULL, 2 * LDR_KEY_MAX);
    int rc = sc->nkeys ? asked_key(j->format.view, sc, &key, j->err) : 0;
    for (uint32_t i = 0; rc == 0 && i < j->store->nshards; i++)
        rc = ldr_place_snap(&j->store->shards[i], &j->snaps[i], j->err);
    if (rc == 0)
        rc = ldr_output_open(j->output, sc->output_path, j->err);
    if (rc == 0)
        rc = write_header(j);
    if (rc == 0)
        rc = ldr_scan_beat(j);
    if (rc == 0)
        rc = sc->nkeys ? ldr_scan_one(j, ldr_buf_slice(&key)) : ldr_scan_all(j);
    if (rc == 0)
        rc = ldr_output_commit(j->output, j->err);
    if (rc == 0)
        ldr_pulse_final(&j->pulse, j->rows, 0, 0);
    ldr_buf_close(&key);
    return rc;
}

int ldr_scan_to_file(struct ldr_store *s, const struct ldr_scan *sc, const struct ldr_work *work,
                     uint64_t *rows, struct ldr_err *err)
{
    ldr_err_clear(err);
    int entered = ldr_store_enter(s, err);
    if (entered)
        return entered;
    if (rows)
        *rows = 0;
    if (!sc->view)
        return ldr_fail(err, LDR_E_INVALID, "a view is needed");
    if (!ldr_fresh_valid(sc->fresh))
        return ldr_fail(err, LDR_E_INVALID, "fresh is %d, expected one of enum ldr_fresh", sc->fresh);
    struct ldr_output_file output = {.fd = -1};
    struct ldr_scan_job j = {.store = s, .output = &output, .caller = pthread_self(), .err = err};
    j.from_us = sc->has_from ? sc->from_us : INT64_MIN;
    j.to_us = sc->has_to ? sc->to_us : INT64_MAX;
    j.format.json = sc->json;
    j.fresh = sc->fresh;
    ldr_pulse_start(&j.pulse, work, &s->clock, "scanning");
    j.snaps = ldr_calloc(NULL, s->nshards, sizeof(struct ldr_snap *));
    struct ldr_catalog *c = ldr_store_catalog(s);
    int rc = j.snaps ? ldr_catalog_view(c, sc->view, &j.format.view, err)
                     : ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (rc == 0)
        rc = run(&j, sc);
    if (rows)
        *rows = j.rows;
    ldr_output_close(&output);
    for (uint32_t i = 0; j.snaps && i < s->nshards; i++)
        ldr_snap_destroy(j.snaps[i]);
    ldr_release(NULL, j.snaps);
    ldr_catalog_release(c);
    return rc;
}
