/* One change of the definitions. The order makes it all or nothing:
 *
 *   1. the command runs on a copy of the registry; a refusal ends here and nothing was touched;
 *   2. the shards learn the new shapes: harmless should the rest fail, as nobody writes them yet;
 *   3. the command is logged and synced: from here on it has happened, whatever crashes;
 *   4. the copy is published; readers that hold the old state finish with it;
 *   5. facts of a deleted view are dropped, once no writer is left that may add to them. */
#include "client/catalog/change.h"

#include "client/catalog/catalog.h"
#include "client/cluster/cluster_store.h"

/* A second registry in the same state. */
static int copy_registry(const struct ldr_registry *r, struct ldr_registry **out, struct ldr_err *err)
{
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, LDR_SNAPSHOT_MAX);
    int rc = ldr_registry_snapshot(r, &b);
    if (!rc)
        rc = ldr_registry_restore(NULL, ldr_buf_slice(&b), out);
    ldr_buf_close(&b);
    return rc ? ldr_fail(err, rc, "cannot copy the definitions: %s", ldr_code_text(rc)) : 0;
}

static void drop_view(struct ldr_store *s, uint32_t view)
{
    struct ldr_err why;
    for (uint32_t i = 0; i < s->nshards; i++) {
        if (ldr_shard_drop_view(s->shards[i].shard, view, &why)) {
            ldr_logf(&s->log, LDR_LOG_WARN,
                     "the facts of a deleted feature view are still on disk, unreadable; they go when the "
                     "store is "
                     "opened again: %s",
                     why.message);
            return;
        }
    }
    uint8_t id[4];
    ldr_put_le32(id, view);
    /* Not synced: losing the note only means dropping nothing once more. */
    if (ldr_registry_file_append(s->regfile, LDR_RECORD_DROPPED, ldr_slice(id, sizeof id), 0, false, &why))
        ldr_logf(&s->log, LDR_LOG_WARN, "%s", why.message);
    ldr_drops_remove(&s->drops, view);
}

/* Under s->change. */
static void finish_drops(struct ldr_store *s)
{
    if (s->drops.n == 0)
        return;
    /* A writer checks under the gate that its view lives. Those that began before the deletion was published
     * are waited for here; later ones see that the view is gone. */
    pthread_rwlock_wrlock(&s->gate);
    pthread_rwlock_unlock(&s->gate);
    for (uint32_t i = s->drops.n; i-- > 0;)
        drop_view(s, s->drops.views[i]);
}

void ldr_change_finish_drops(struct ldr_store *s)
{
    pthread_mutex_lock(&s->change);
    finish_drops(s);
    pthread_mutex_unlock(&s->change);
}

/* Views that `now` has and `next` has not. */
static int note_deleted(struct ldr_store *s, const struct ldr_catalog *now, const struct ldr_catalog *next)
{
    int rc = 0;
    for (uint32_t i = 0; !rc && i < now->nviews; i++) {
        uint32_t id = now->views[i].def->about.id;
        if (!ldr_registry_view_by_id(next->registry, id))
            rc = ldr_drops_add(&s->drops, id);
    }
    return rc;
}

static void forget_deleted(struct ldr_store *s, const struct ldr_catalog *now, const struct ldr_catalog *next)
{
    for (uint32_t i = 0; i < now->nviews; i++) {
        uint32_t id = now->views[i].def->about.id;
        if (!ldr_registry_view_by_id(next->registry, id))
            ldr_drops_remove(&s->drops, id);
    }
}

/* Steps 2 to 4. Takes next. */
static int commit(struct ldr_store *s, struct ldr_sender *from, struct ldr_slice command, int64_t at_us,
                  struct ldr_catalog *take_next, struct ldr_err *err)
{
    struct ldr_catalog *now = s->catalog; /* changed under s->change only */
    int rc = note_deleted(s, now, take_next);
    if (rc)
        ldr_fail(err, rc, "out of memory");
    else
        rc = ldr_catalog_to_shards(s, take_next, now, err);
    if (!rc && from) {
        from->version = take_next->version;
        rc = ldr_registry_file_append_sent(s->regfile, from, command, at_us, err);
    } else if (!rc) {
        rc = ldr_registry_file_append(s->regfile, LDR_RECORD_COMMAND, command, at_us, true, err);
    }
    if (rc) {
        forget_deleted(s, now, take_next);
        struct ldr_err back;
        if (ldr_catalog_to_shards(s, now, take_next, &back))
            ldr_logf(&s->log, LDR_LOG_ERROR, "%s", back.message);
        ldr_catalog_release(take_next);
        return rc;
    }
    ldr_catalog_publish(s, take_next);
    return 0;
}

static void maybe_snapshot(struct ldr_store *s)
{
    /* Views still to be dropped are known from the log alone. */
    if (s->drops.n || !ldr_registry_file_wants_snapshot(s->regfile))
        return;
    struct ldr_err why;
    if (ldr_registry_file_snapshot(s->regfile, s->catalog->registry, &why))
        ldr_logf(&s->log, LDR_LOG_WARN, "the log of definitions could not be shortened: %s", why.message);
}

/* Under s->change. from: the process that sent it; NULL = this one. */
static int run(struct ldr_store *s, struct ldr_sender *from, struct ldr_slice command, struct ldr_err *err)
{
    struct ldr_registry *next = NULL;
    struct ldr_catalog *catalog;
    int64_t at_us;
    int rc = copy_registry(s->catalog->registry, &next, err);
    if (!rc)
        rc = ldr_store_stamp(s, &at_us, err);
    if (!rc)
        rc = ldr_registry_step(next, command, at_us, NULL, err);
    if (rc || ldr_registry_version(next) == s->catalog->version) {
        if (next)
            ldr_registry_destroy(next);
    } else {
        rc = ldr_catalog_create(next, &catalog, err);
        if (!rc)
            rc = commit(s, from, command, at_us, catalog, err);
        if (!rc) {
            finish_drops(s);
            maybe_snapshot(s);
        }
    }
    return rc;
}

int ldr_store_command(struct ldr_store *s, struct ldr_slice command, uint64_t *version, struct ldr_err *err)
{
    if (s->remote)
        return ldr_cluster_command(s->remote, command, version, err);
    pthread_mutex_lock(&s->change);
    int rc = run(s, NULL, command, err);
    if (version)
        *version = s->catalog->version;
    pthread_mutex_unlock(&s->change);
    return rc;
}

int ldr_store_command_from(struct ldr_store *s, uint64_t client, uint64_t seq, struct ldr_slice command,
                           uint64_t *version, struct ldr_err *err)
{
    struct ldr_sender from = {.client = client, .seq = seq};
    pthread_mutex_lock(&s->change);
    int rc = 0;
    if (!ldr_registry_file_ran(s->regfile, client, seq, version)) {
        rc = run(s, &from, command, err);
        *version = s->catalog->version;
    }
    pthread_mutex_unlock(&s->change);
    return rc;
}
