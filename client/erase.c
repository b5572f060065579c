/* ldr_erase: an entity's data, away for ever. */
#include "client/store.h"

struct erasing {
    struct ldr_store *s;
    const char *const *names;
    const struct ldr_datum *values;
    size_t n;
    int64_t at_us;
    uint64_t removed;
};

/* Position among the given names of one join key; -1 = not given. */
static int given(const struct erasing *e, const char *key)
{
    for (size_t i = 0; i < e->n; i++) {
        if (e->names[i] && strcmp(e->names[i], key) == 0)
            return (int)i;
    }
    return -1;
}

/* Whether exactly these join keys are given. */
static bool keys_match(const struct erasing *e, const struct ldr_entity_def *entity)
{
    bool same = entity->nkeys == e->n;
    for (uint32_t i = 0; same && i < entity->nkeys; i++)
        same = given(e, entity->keys[i]) >= 0;
    return same;
}

static int erase_entity(struct erasing *e, uint32_t view, const struct ldr_entity_def *entity,
                        struct ldr_err *err)
{
    struct ldr_value parts[LDR_KEY_PARTS_MAX];
    for (uint32_t i = 0; i < entity->nkeys; i++) {
        const char *why = "";
        int rc =
            ldr_datum_value(&e->values[given(e, entity->keys[i])], entity->key_types[i], &parts[i], &why);
        if (!rc && parts[i].null) {
            why = "a join key must not be null";
            rc = LDR_E_INVALID;
        }
        if (rc)
            return ldr_fail(err, rc, "join key '%s': %s", entity->keys[i], why);
    }
    struct ldr_buf key;
    ldr_buf_init(&key, NULL, LDR_KEY_MAX * 2);
    uint64_t removed = 0;
    int rc = ldr_key_encode(parts, entity->nkeys, &key);
    if (rc) {
        ldr_fail(err, rc, "the join key is over a limit");
    } else {
        struct ldr_slice k = ldr_buf_slice(&key);
        rc = ldr_place_erase(ldr_store_shard_of(e->s, ldr_key_hash(k)), view, entity->about.id, k, e->at_us,
                             &removed, err);
    }
    e->removed += removed;
    ldr_buf_close(&key);
    return rc;
}

static int erase_view(struct erasing *e, const struct ldr_catalog *c, const char *view, struct ldr_err *err)
{
    const struct ldr_view_entry *v;
    int rc = ldr_catalog_view(c, view, &v, err);
    if (rc)
        return rc;
    if (!keys_match(e, v->entity)) {
        struct ldr_buf keys;
        ldr_buf_init(&keys, NULL, 0);
        for (uint32_t i = 0; i < v->entity->nkeys; i++)
            ldr_buf_printf(&keys, "%s%s", i ? ", " : "", v->entity->keys[i]);
        rc = ldr_fail(err, LDR_E_INVALID, "feature view '%s' has the join keys %s: give each of them once",
                      view, ldr_buf_cstr(&keys));
        ldr_buf_close(&keys);
        return rc;
    }
    return erase_entity(e, v->schema->view_id, v->entity, err);
}

static int erase_everywhere(struct erasing *e, const struct ldr_catalog *c, struct ldr_err *err)
{
    const struct ldr_defs *d = ldr_registry_defs(c->registry);
    bool any = false;
    int rc = 0;
    for (uint32_t i = 0; !rc && i < d->nentities; i++) {
        if (!keys_match(e, &d->entities[i]))
            continue;
        rc = erase_entity(e, 0, &d->entities[i], err);
        if (rc && any && err)
            err->in_doubt = true; /* an entity before it is erased already */
        any = true;
    }
    if (!rc && !any)
        return ldr_fail(err, LDR_E_NOT_FOUND, "no entity has exactly these join keys");
    return rc;
}

int ldr_erase(struct ldr_store *s, const char *view, const char *const *names, const struct ldr_datum *values,
              size_t n, uint64_t *removed, struct ldr_err *err)
{
    ldr_err_clear(err);
    int entered = ldr_store_enter(s, err);
    if (entered)
        return entered;
    if (removed)
        *removed = 0;
    struct erasing e = {.s = s, .names = names, .values = values, .n = n};
    if (n == 0 || n > LDR_KEY_PARTS_MAX)
        return ldr_fail(err, LDR_E_INVALID, "an entity is named by its join keys: 1 to %d of them",
                        LDR_KEY_PARTS_MAX);
    /* Later than every fact accepted before, earlier than every one accepted afterwards. */
    int rc = ldr_store_stamp(s, &e.at_us, err);
    if (rc)
        return rc;
    pthread_rwlock_rdlock(&s->gate);
    struct ldr_catalog *c = ldr_store_catalog(s);
    rc = view ? erase_view(&e, c, view, err) : erase_everywhere(&e, c, err);
    ldr_catalog_release(c);
    pthread_rwlock_unlock(&s->gate);
    if (removed)
        *removed = e.removed;
    return rc;
}
