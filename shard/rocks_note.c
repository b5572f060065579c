/* The node's own small records in the meta family. */
#include <stdio.h>

#include "shard/shard_impl.h"

static size_t note_key(char out[sizeof LDR_META_NOTE + LDR_NOTE_KEY_MAX], const char *key)
{
    int n = snprintf(out, sizeof LDR_META_NOTE + LDR_NOTE_KEY_MAX, "%s%s", LDR_META_NOTE, key);
    return (size_t)n;
}

static int key_check(const char *key, struct ldr_err *err)
{
    size_t n = strlen(key);
    return n > 0 && n <= LDR_NOTE_KEY_MAX
               ? 0
               : ldr_fail(err, LDR_E_INVALID, "a note's name has 1 to %d bytes", LDR_NOTE_KEY_MAX);
}

int ldr_shard_note_put(struct ldr_shard *s, const struct ldr_note *notes, size_t n, struct ldr_err *err)
{
    ldr_err_clear(err);
    rocksdb_writebatch_t *batch = rocksdb_writebatch_create();
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++) {
        char key[sizeof LDR_META_NOTE + LDR_NOTE_KEY_MAX];
        rc = key_check(notes[i].key, err);
        if (rc == 0 && notes[i].value.n > LDR_NOTE_VALUE_MAX)
            rc = ldr_fail(err, LDR_E_TOO_BIG, "a note of %zu bytes: the limit is %u", notes[i].value.n,
                          LDR_NOTE_VALUE_MAX);
        if (rc)
            break;
        size_t key_n = note_key(key, notes[i].key);
        if (notes[i].value.n)
            rocksdb_writebatch_put_cf(batch, s->cf[LDR_CF_META], key, key_n, (const char *)notes[i].value.p,
                                      notes[i].value.n);
        else
            rocksdb_writebatch_delete_cf(batch, s->cf[LDR_CF_META], key, key_n);
    }
    if (rc == 0) {
        pthread_mutex_lock(&s->write_mu);
        rc = ldr_write_admit(s, 0, err);
        if (rc == 0)
            rc = ldr_write_commit(s, batch, "writing a note", err);
        pthread_mutex_unlock(&s->write_mu);
    }
    rocksdb_writebatch_destroy(batch);
    return rc;
}

int ldr_shard_note_get(struct ldr_shard *s, const char *key, struct ldr_buf *out, struct ldr_err *err)
{
    char full[sizeof LDR_META_NOTE + LDR_NOTE_KEY_MAX];
    ldr_err_clear(err);
    int rc = key_check(key, err);
    if (rc)
        return rc;
    char *text = NULL;
    size_t n, key_n = note_key(full, key);
    char *value = rocksdb_get_cf(s->db, s->ro_point, s->cf[LDR_CF_META], full, key_n, &n, &text);
    rc = ldr_rocks_fail(err, "reading a note", text);
    if (rc == 0 && !value)
        return ldr_fail(err, LDR_E_NOT_FOUND, "no note %s", key);
    if (rc == 0 && ldr_buf_put(out, value, n) != 0)
        rc = ldr_fail(err, out->err, "reading a note: %s", ldr_code_text(out->err));
    rocksdb_free(value);
    return rc;
}
