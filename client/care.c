/* Proving, measuring and compacting a store. */
#include "client/cluster/cluster_store.h"
#include "client/disk/layout.h"

/* ---- Check ---- */

struct checking {
    struct ldr_table *t;
    const char *shard;
    uint64_t wrong;
};

static void check_row(struct checking *c, const char *check, uint64_t count, const char *problem)
{
    ldr_table_begin_row(c->t);
    ldr_table_text(c->t, c->shard);
    ldr_table_text(c->t, check);
    ldr_table_u64(c->t, count);
    ldr_table_text(c->t, problem);
}

static void found_problem(void *ctx, const char *text)
{
    check_row(ctx, "problem", 1, text);
}

/* A part that is whole or not. What cannot be read is a finding, not a failure of the check. */
static void check_part(struct checking *c, const char *name, int rc, const struct ldr_err *why)
{
    check_row(c, name, 1, NULL);
    if (rc) {
        c->wrong++;
        found_problem(c, why->message);
    }
}

static void check_files(struct ldr_store *s, struct checking *c)
{
    struct ldr_err why;
    struct ldr_ring ring;
    c->shard = NULL;
    int rc = ldr_layout_format(s->dir, &why);
    check_part(c, "format", rc, &why);
    rc = ldr_layout_ring_read(s->dir, &ring, &why);
    if (!rc && (ring.n != s->ring.n || memcmp(ring.arcs, s->ring.arcs, ring.n * sizeof *ring.arcs) != 0))
        rc = ldr_fail(&why, LDR_E_CORRUPT,
                      "the ring on disk is not the one that was read when the store was opened");
    if (!rc)
        ldr_ring_close(&ring);
    check_part(c, "ring", rc, &why);
    pthread_mutex_lock(&s->change);
    rc = ldr_registry_file_check(s->regfile, s->catalog->registry, &why);
    pthread_mutex_unlock(&s->change);
    check_part(c, "registry", rc, &why);
}

static int check_shard(struct ldr_store *s, uint32_t i, bool repair, struct checking *c, struct ldr_err *err)
{
    struct ldr_check_report r = {0};
    struct ldr_err why = {0};
    int rc = ldr_place_check(&s->shards[i], repair, &r, found_problem, c, &why);
    if (rc && rc != LDR_E_CORRUPT)
        return ldr_fail(err, rc, "shard %u: %s", s->shards[i].id, why.message);
    check_row(c, "facts", r.facts, NULL);
    check_row(c, "entities", r.entities, NULL);
    check_row(c, "latest", r.latest, NULL);
    check_row(c, "tombstones", r.tombstones, NULL);
    check_row(c, "bad_rows", r.bad_rows, NULL);
    check_row(c, "latest_wrong", r.latest_wrong, NULL);
    if (repair)
        check_row(c, "repaired", r.repaired, NULL);
    uint64_t left = r.latest_wrong > r.repaired ? r.latest_wrong - r.repaired : 0;
    c->wrong += r.bad_rows + left;
    if (rc) {
        c->wrong++;
        found_problem(c, why.message);
    }
    return 0;
}

int ldr_check(struct ldr_store *s, bool repair, uint64_t *wrong, struct ldr_table **out, struct ldr_err *err)
{
    static const char *const columns[] = {"shard", "check", "count", "problem"};
    *out = NULL;
    ldr_err_clear(err);
    int entered = ldr_store_enter(s, err);
    if (entered)
        return entered;
    struct checking c = {0};
    if (ldr_table_make(columns, 4, &c.t))
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    if (!s->remote)
        check_files(s, &c);
    int rc = 0;
    for (uint32_t i = 0; !rc && i < s->nshards; i++) {
        char id[LDR_NUM_TEXT];
        ldr_u64_format(s->shards[i].id, id);
        c.shard = id;
        rc = check_shard(s, i, repair, &c, err);
    }
    if (wrong)
        *wrong = c.wrong;
    if (rc) {
        ldr_table_destroy(c.t);
        return rc;
    }
    rc = ldr_table_finish(c.t, out);
    return rc ? ldr_fail(err, rc, "out of memory") : 0;
}

/* ---- Figures ---- */

static void figure(struct ldr_table *t, const char *name, uint64_t value)
{
    ldr_table_begin_row(t);
    ldr_table_text(t, name);
    ldr_table_u64(t, value);
}

static void figures(struct ldr_table *t, const struct ldr_store *s, const struct ldr_catalog *c,
                    const struct ldr_shard_stats *all)
{
    const struct ldr_defs *d = ldr_registry_defs(c->registry);
    uint64_t asked = all->table_hits + all->table_misses;
    figure(t, "registry_version", c->version);
    figure(t, "entities", d->nentities);
    figure(t, "sources", d->nsources);
    figure(t, "feature_views", d->nviews);
    figure(t, "feature_services", d->nservices);
    if (s->remote) {
        uint64_t map_version, age_us;
        ldr_cluster_known(s->remote, &map_version, &age_us);
        figure(t, "map_version", map_version);
        figure(t, "map_age_us", age_us);
    }
    figure(t, "shards", s->nshards);
    figure(t, "history_facts", all->history_facts);
    figure(t, "latest_rows", all->latest_rows);
    figure(t, "tombstones", all->tombs_kept);
    figure(t, "tombstones_collected", all->tombs_collected);
    figure(t, "disk_bytes", all->disk_bytes);
    figure(t, "memory_bytes", all->memory_bytes + all->table_bytes);
    figure(t, "latest_table_rows", all->table_rows);
    figure(t, "latest_table_bytes", all->table_bytes);
    figure(t, "latest_table_budget", s->opts.latest_bytes);
    figure(t, "latest_table_hits", all->table_hits);
    figure(t, "latest_table_misses", all->table_misses);
    ldr_table_begin_row(t);
    ldr_table_text(t, "latest_table_hit_rate");
    if (asked)
        ldr_table_f64(t, (double)all->table_hits / (double)asked);
    else
        ldr_table_null(t, LDR_FLOAT64);
}

int ldr_store_stats(struct ldr_store *s, struct ldr_table **out, struct ldr_err *err)
{
    static const char *const columns[] = {"name", "value"};
    *out = NULL;
    ldr_err_clear(err);
    int entered = ldr_store_enter(s, err);
    if (entered)
        return entered;
    struct ldr_shard_stats all = {0};
    for (uint32_t i = 0; i < s->nshards; i++) {
        struct ldr_shard_stats one;
        int rc = ldr_place_stats(&s->shards[i], &one);
        if (rc)
            return ldr_fail(err, rc, "shard %u gives no figures: %s", s->shards[i].id, ldr_code_text(rc));
        all.history_facts += one.history_facts;
        all.latest_rows += one.latest_rows;
        all.tombs_kept += one.tombs_kept;
        all.tombs_collected += one.tombs_collected;
        all.disk_bytes += one.disk_bytes;
        all.memory_bytes += one.memory_bytes;
        all.table_rows += one.table_rows;
        all.table_bytes += one.table_bytes;
        all.table_hits += one.table_hits;
        all.table_misses += one.table_misses;
    }
    struct ldr_table *t;
    if (ldr_table_make(columns, 2, &t))
        return ldr_fail(err, LDR_E_NOMEM, "out of memory");
    struct ldr_catalog *c = ldr_store_catalog(s);
    figures(t, s, c, &all);
    ldr_catalog_release(c);
    int rc = ldr_table_finish(t, out);
    return rc ? ldr_fail(err, rc, "out of memory") : 0;
}

/* A shard in this process has no replicas that might have missed an erasure: age alone counts. In a cluster
 * nodes collect by themselves. */
static int collect_tombs(struct ldr_store *s, struct ldr_store_shard *h, struct ldr_err *err)
{
    int64_t now;
    uint64_t n;
    if (!h->shard)
        return 0;
    int rc = ldr_store_stamp(s, &now, err);
    return rc ? rc
              : ldr_shard_collect(h->shard, ldr_time_sub(now, s->opts.erase_grace_us), UINT64_MAX, &n, err);
}

int ldr_compact(struct ldr_store *s, struct ldr_err *err)
{
    ldr_err_clear(err);
    int entered = ldr_store_enter(s, err);
    if (entered)
        return entered;
    int rc = 0;
    for (uint32_t i = 0; !rc && i < s->nshards; i++) {
        rc = collect_tombs(s, &s->shards[i], err);
        if (!rc)
            rc = ldr_place_compact(&s->shards[i], err);
    }
    return rc;
}
