#include "disk.h"

int sim_fact_cmp(const struct sim_fact *a, const struct sim_fact *b)
{
    if (a->event_us != b->event_us)
        return a->event_us > b->event_us ? 1 : -1;
    if (a->created_us != b->created_us)
        return a->created_us > b->created_us ? 1 : -1;
    return ldr_slice_cmp(a->row, b->row);
}

bool sim_tomb_covers(const struct sim_tomb *t, uint32_t view, struct ldr_slice key, int64_t created_us)
{
    return (t->view == 0 || t->view == view) && created_us <= t->erase_us && ldr_slice_eq(t->key, key);
}

struct sim_disk *sim_disk_create(struct sim *s)
{
    struct sim_disk *d = calloc(1, sizeof *d);
    LDR_ASSERT(d);
    d->s = s;
    d->slow = 1;
    return d;
}

void sim_disk_destroy(struct sim_disk *d)
{
    if (!d)
        return;
    while (d->replicas)
        sim_replica_remove(d, d->replicas);
    sim_notes_free(&d->notes);
    free(d);
}

void sim_disk_crash(struct sim_disk *d)
{
    sim_unsynced_crash(d);
    for (struct sim_replica *r = d->replicas, *next; r; r = next) {
        next = r->next;
        if (r->installing) {
            sim_replica_remove(d, r);
            continue;
        }
        r->open = r->read_only = r->exclusive = false;
        r->busy = 0;
    }
}

uint32_t sim_disk_replicas(const struct sim_disk *d)
{
    uint32_t n = 0;
    for (const struct sim_replica *r = d ? d->replicas : NULL; r; r = r->next)
        n += !r->installing;
    return n;
}

void sim_disk_rot(struct sim_disk *d)
{
    uint32_t n = sim_disk_replicas(d);
    if (!n)
        return;
    struct sim_replica *r = d->replicas;
    for (uint64_t i = sim_below(d->s, n); i; i--)
        r = r->next;
    r->rotten = true;
}

struct sim_replica *sim_replica_find(struct sim_disk *d, uint32_t shard)
{
    struct sim_replica *r = d->replicas;
    while (r && r->shard != shard)
        r = r->next;
    return r;
}

struct sim_replica *sim_replica_add(struct sim_disk *d, uint32_t shard)
{
    struct sim_replica *r = calloc(1, sizeof *r);
    LDR_ASSERT(r);
    r->disk = d;
    r->shard = shard;
    r->next = d->replicas;
    d->replicas = r;
    return r;
}

void sim_replica_free(struct sim_replica *r)
{
    for (uint32_t i = 0; i < r->nentities; i++)
        free(r->entities[i].facts);
    free(r->entities);
    free(r->tombs);
    free(r->log);
    sim_notes_free(&r->notes);
    free(r);
}

void sim_replica_remove(struct sim_disk *d, struct sim_replica *r)
{
    for (struct sim_replica **at = &d->replicas; *at; at = &(*at)->next)
        if (*at == r) {
            *at = r->next;
            break;
        }
    sim_replica_free(r);
}

static void *dup(const void *p, size_t n)
{
    void *q = malloc(n + 1);
    LDR_ASSERT(q);
    if (n)
        memcpy(q, p, n);
    return q;
}

struct sim_replica *sim_replica_copy(const struct sim_replica *r)
{
    struct sim_replica *c = dup(r, sizeof *r);
    c->next = NULL;
    c->entities = dup(r->entities, r->nentities * sizeof *r->entities);
    c->entities_cap = r->nentities;
    for (uint32_t i = 0; i < c->nentities; i++) {
        c->entities[i].facts = dup(r->entities[i].facts, r->entities[i].n * sizeof *r->entities[i].facts);
        c->entities[i].cap = r->entities[i].n;
    }
    c->tombs = dup(r->tombs, r->ntombs * sizeof *r->tombs);
    c->tombs_cap = r->ntombs;
    c->log = dup(r->log, r->nlog * sizeof *r->log);
    c->log_cap = r->nlog;
    c->notes.list = dup(r->notes.list, r->notes.n * sizeof *r->notes.list);
    for (uint32_t i = 0; i < c->notes.n; i++)
        c->notes.list[i].p = dup(r->notes.list[i].p, r->notes.list[i].n);
    c->busy = 0;
    c->open = c->exclusive = c->read_only = false;
    return c;
}

void sim_replica_cut(struct sim_replica *r, uint64_t lo, uint64_t hi)
{
    uint32_t k = 0;
    for (uint32_t i = 0; i < r->nentities; i++) {
        if (r->entities[i].hash >= lo && r->entities[i].hash <= hi)
            r->entities[k++] = r->entities[i];
        else
            free(r->entities[i].facts);
    }
    r->nentities = k;
    k = 0;
    for (uint32_t i = 0; i < r->ntombs; i++)
        if (r->tombs[i].hash >= lo && r->tombs[i].hash <= hi)
            r->tombs[k++] = r->tombs[i];
    r->ntombs = k;
    k = 0;
    for (uint32_t i = 0; i < r->nlog; i++) {
        uint64_t h = r->log[i].tomb ? r->log[i].t.hash : r->log[i].f.hash;
        if (h >= lo && h <= hi)
            r->log[k++] = r->log[i];
    }
    r->nlog = k;
    r->about.lo = lo;
    r->about.hi = hi;
}

/* ---- Content ---- */
static int entity_cmp(const struct sim_entity *e, uint32_t view, uint64_t hash, struct ldr_slice key)
{
    if (e->hash != hash)
        return e->hash < hash ? -1 : 1;
    if (e->view != view)
        return e->view < view ? -1 : 1;
    return ldr_slice_cmp(e->key, key);
}

static uint32_t entity_place(struct sim_replica *r, uint32_t view, uint64_t hash, struct ldr_slice key)
{
    uint32_t lo = 0, hi = r->nentities;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (entity_cmp(&r->entities[mid], view, hash, key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct sim_entity *sim_entity_find(struct sim_replica *r, uint32_t view, uint64_t hash, struct ldr_slice key)
{
    uint32_t i = entity_place(r, view, hash, key);
    return i < r->nentities && entity_cmp(&r->entities[i], view, hash, key) == 0 ? &r->entities[i] : NULL;
}

#define GROW(list, n, cap)                                    \
    do {                                                      \
        if ((n) == (cap)) {                                   \
            (cap) = (cap) ? 2 * (cap) : 8;                    \
            (list) = realloc((list), (cap) * sizeof *(list)); \
            LDR_ASSERT(list);                                 \
        }                                                     \
    } while (0)

static struct sim_entity *entity_make(struct sim_replica *r, const struct sim_fact *f)
{
    uint32_t i = entity_place(r, f->view, f->hash, f->key);
    if (i < r->nentities && entity_cmp(&r->entities[i], f->view, f->hash, f->key) == 0)
        return &r->entities[i];
    GROW(r->entities, r->nentities, r->entities_cap);
    memmove(r->entities + i + 1, r->entities + i, (r->nentities - i) * sizeof *r->entities);
    r->nentities++;
    r->entities[i] = (struct sim_entity){.view = f->view, .hash = f->hash, .key = f->key};
    return &r->entities[i];
}

static struct sim_log_entry *log_add(struct sim_replica *r)
{
    GROW(r->log, r->nlog, r->log_cap);
    struct sim_log_entry *e = &r->log[r->nlog++];
    *e = (struct sim_log_entry){.seq = ++r->about.head_seq};
    return e;
}

static bool refused(const struct sim_replica *r, const struct sim_fact *f)
{
    for (uint32_t i = 0; i < r->ntombs && !LDR_BUG(erase_forgets_late); i++)
        if (sim_tomb_covers(&r->tombs[i], f->view, f->key, f->created_us))
            return true;
    return false;
}

static void set_latest(struct sim_entity *e)
{
    if (e->n)
        e->latest = e->facts[0];
    else
        e->latest = (struct sim_fact){0};
}

enum sim_taken sim_replica_take(struct sim_replica *r, const struct sim_fact *f)
{
    if (refused(r, f))
        return SIM_ERASED;
    struct sim_entity *e = entity_make(r, f);
    uint32_t i = 0;
    for (; i < e->n; i++) {
        int c = sim_fact_cmp(f, &e->facts[i]);
        if (c == 0)
            return SIM_DUPLICATE;
        if (c > 0)
            break;
    }
    GROW(e->facts, e->n, e->cap);
    memmove(e->facts + i + 1, e->facts + i, (e->n - i) * sizeof *e->facts);
    e->facts[i] = *f;
    e->n++;
    if (i == 0 || LDR_BUG(late_fact_overwrites_latest))
        e->latest = *f;
    log_add(r)->f = *f;
    return SIM_TAKEN;
}

uint64_t sim_replica_erase(struct sim_replica *r, const struct sim_tomb *t)
{
    uint64_t removed = 0;
    struct sim_tomb *known = NULL;
    for (uint32_t i = 0; i < r->ntombs; i++)
        if (r->tombs[i].view == t->view && r->tombs[i].entity_id == t->entity_id &&
            ldr_slice_eq(r->tombs[i].key, t->key))
            known = &r->tombs[i];
    if (known && known->erase_us >= t->erase_us)
        return 0;
    if (!known) {
        GROW(r->tombs, r->ntombs, r->tombs_cap);
        known = &r->tombs[r->ntombs++];
    }
    *known = *t;
    if (!t->collected) {
        struct sim_log_entry *le = log_add(r);
        known->seq = le->seq;
        le->tomb = true;
        le->t = *t;
    }
    for (uint32_t i = 0; i < r->nentities; i++) {
        struct sim_entity *e = &r->entities[i];
        uint32_t k = 0;
        if (e->hash != t->hash)
            continue;
        for (uint32_t j = 0; j < e->n; j++)
            if (!sim_tomb_covers(t, e->view, e->key, e->facts[j].created_us))
                e->facts[k++] = e->facts[j];
        removed += e->n - k;
        if (k != e->n) {
            e->n = k;
            set_latest(e);
        }
    }
    return removed;
}

uint64_t sim_fact_hash(const struct sim_fact *f)
{
    uint64_t h = ldr_hash64_seed(f->key.p, f->key.n, f->view);
    h = ldr_hash64_seed(f->row.p, f->row.n, h + f->flags);
    int64_t times[2] = {f->event_us, f->created_us};
    return ldr_hash64_seed(times, sizeof times, h);
}

uint64_t sim_tomb_hash(const struct sim_tomb *t)
{
    uint64_t h = ldr_hash64_seed(t->key.p, t->key.n, t->view + UINT64_C(1000));
    return ldr_hash64_seed(&t->erase_us, sizeof t->erase_us, h + t->entity_id);
}

bool sim_disk_each(struct sim_disk *d, uint32_t shard,
                   void (*fact)(void *ctx, const struct sim_fact *f, bool latest),
                   void (*tomb)(void *ctx, const struct sim_tomb *t), void *ctx)
{
    struct sim_replica *r = d ? sim_replica_find(d, shard) : NULL;
    if (!r)
        return false;
    for (uint32_t i = 0; i < r->nentities; i++)
        for (uint32_t k = 0; k < r->entities[i].n; k++)
            fact(ctx, &r->entities[i].facts[k],
                 sim_fact_cmp(&r->entities[i].facts[k], &r->entities[i].latest) == 0);
    for (uint32_t i = 0; i < r->ntombs; i++)
        tomb(ctx, &r->tombs[i]);
    return true;
}

static void add_fact(void *ctx, const struct sim_fact *f, bool latest)
{
    (void)latest;
    *(uint64_t *)ctx += sim_fact_hash(f);
}
static void add_tomb(void *ctx, const struct sim_tomb *t)
{
    *(uint64_t *)ctx += sim_tomb_hash(t);
}

uint64_t sim_disk_hash(struct sim_disk *d, uint32_t shard)
{
    uint64_t h = 1;
    return sim_disk_each(d, shard, add_fact, add_tomb, &h) ? h : 0;
}

/* ---- Notes ---- */
const struct sim_note *sim_note_find(const struct sim_notes *n, const char *key)
{
    for (uint32_t i = 0; i < n->n; i++)
        if (strcmp(n->list[i].key, key) == 0)
            return &n->list[i];
    return NULL;
}

void sim_note_put(struct sim_notes *n, const char *key, struct ldr_slice value)
{
    struct sim_note *x = (struct sim_note *)sim_note_find(n, key);
    if (!x) {
        n->list = realloc(n->list, (n->n + 1) * sizeof *n->list);
        LDR_ASSERT(n->list);
        x = &n->list[n->n++];
        *x = (struct sim_note){0};
        snprintf(x->key, sizeof x->key, "%s", key);
    }
    free(x->p);
    x->p = dup(value.p, value.n);
    x->n = value.n;
}

void sim_notes_free(struct sim_notes *n)
{
    for (uint32_t i = 0; i < n->n; i++)
        free(n->list[i].p);
    free(n->list);
    *n = (struct sim_notes){0};
}

void sim_disk_faults(struct sim_disk *d, bool full, uint32_t error_chance, uint32_t slow)
{
    if (!d)
        return;
    d->full = full;
    d->error_chance = error_chance;
    d->slow = slow;
}
