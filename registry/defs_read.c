/* Files, entities and services: nodes to definitions. */
#include "registry/defs_read.h"

void *ldr_read_push(struct ldr_reader *r, struct ldr_read_list *list, struct ldr_pos pos)
{
    if (list->n == LDR_DEFS_MAX) {
        ldr_problem_add(r->problems, pos, "found more than %d definitions of one kind", LDR_DEFS_MAX);
        return NULL;
    }
    if (list->n == list->cap) {
        uint32_t cap = list->cap ? list->cap * 2 : 16;
        void *grown = ldr_read_calloc(r, cap, list->size);
        if (!grown)
            return NULL;
        if (list->n)
            memcpy(grown, list->items, list->n * list->size);
        list->items = grown;
        list->cap = cap;
    }
    return (char *)list->items + list->size * list->n++;
}

/* ---- Entities ---- */

static void read_join_key(struct ldr_reader *r, const struct ldr_node *node, struct ldr_entity_def *e)
{
    enum { NAME, TYPE };
    static const char *const keys[] = {"name", "type"};
    static const struct ldr_read_map spec = {"a join key", keys, 2, 1u << NAME | 1u << TYPE};
    const struct ldr_node *v[LDR_READ_KEYS_MAX];
    if (!ldr_read_map(r, &spec, node, v))
        return;
    const char *name = ldr_read_name(r, v[NAME], "the name of a join key");
    uint8_t type = ldr_read_type(r, v[TYPE], true);
    if (name[0] && ldr_entity_has_key(e, name))
        ldr_problem_add(r->problems, v[NAME]->pos, "found join key '%s' again, expected different names",
                        name);
    e->keys[e->nkeys] = name;
    e->key_types[e->nkeys++] = type;
}

static void read_join_keys(struct ldr_reader *r, const struct ldr_node *node, struct ldr_entity_def *e)
{
    if (!ldr_read_is_list(r, node, "join keys such as {name: origin, type: string}"))
        return;
    if (node->n == 0 || node->n > LDR_KEY_PARTS_MAX) {
        ldr_problem_add(r->problems, node->pos, "found %u join keys, expected 1 to %d", node->n,
                        LDR_KEY_PARTS_MAX);
        return;
    }
    e->keys = ldr_read_calloc(r, node->n, sizeof *e->keys);
    e->key_types = ldr_read_calloc(r, node->n, 1);
    if (!e->keys || !e->key_types)
        return;
    for (const struct ldr_node *key = node->first; key; key = key->next)
        read_join_key(r, key, e);
}

void ldr_read_entity(struct ldr_reader *r, const struct ldr_node *node)
{
    enum { DESCRIPTION, JOIN_KEYS, NAME, OWNER, TAGS };
    static const char *const keys[] = {"description", "join_keys", "name", "owner", "tags"};
    static const struct ldr_read_map spec = {"an entity", keys, 5, 1u << NAME | 1u << JOIN_KEYS};
    const struct ldr_node *v[LDR_READ_KEYS_MAX];
    if (!ldr_read_map(r, &spec, node, v))
        return;
    struct ldr_entity_def e = {.about.pos = node->pos};
    ldr_read_about(r, v[NAME], "the name of an entity", v[DESCRIPTION], v[OWNER], v[TAGS], &e.about);
    read_join_keys(r, v[JOIN_KEYS], &e);
    struct ldr_read_entity *out = ldr_read_push(r, &r->entities, node->pos);
    if (out)
        out->def = e;
}

/* ---- Services ---- */

static void read_item(struct ldr_reader *r, const struct ldr_node *node, struct ldr_service_def *s)
{
    struct ldr_slice view = node->text, feature = {0};
    const uint8_t *colon = node->kind == LDR_NODE_TEXT && view.n ? memchr(view.p, ':', view.n) : NULL;
    if (colon) {
        feature = ldr_slice(colon + 1, view.n - (size_t)(colon + 1 - view.p));
        view.n = (size_t)(colon - view.p);
    }
    if (node->kind != LDR_NODE_TEXT || !ldr_name_valid(view) || (colon && !ldr_name_valid(feature))) {
        ldr_problem_add(
            r->problems, node->pos,
            "found %s, expected a feature view such as weather, or view:feature such as weather:temp_f",
            ldr_read_found(r, node));
        return;
    }
    struct ldr_service_item *item = &s->items[s->nitems];
    item->pos = node->pos;
    item->view = ldr_arena_strndup(r->a, (const char *)view.p, view.n);
    item->feature = colon ? ldr_arena_strndup(r->a, (const char *)feature.p, feature.n) : "";
    if (!item->view || !item->feature)
        r->problems->err = LDR_E_NOMEM;
    else
        s->nitems++;
}

static void check_overlap(struct ldr_reader *r, const struct ldr_service_def *s)
{
    bool found;
    uint32_t at, other;
    if (ldr_service_overlap(r->a, s, &found, &at, &other)) {
        r->problems->err = LDR_E_NOMEM;
        return;
    }
    if (!found)
        return;
    const struct ldr_service_item *x = &s->items[at], *y = &s->items[other];
    const char *xt = ldr_item_text(r->a, x), *yt = ldr_item_text(r->a, y);
    if (!xt || !yt)
        r->problems->err = LDR_E_NOMEM;
    else
        ldr_problem_add(r->problems, x->pos, "found '%s', which '%s' at line %u already takes", xt, yt,
                        y->pos.line);
}

void ldr_read_service(struct ldr_reader *r, const struct ldr_node *node)
{
    enum { DESCRIPTION, FEATURES, NAME, OWNER, TAGS };
    static const char *const keys[] = {"description", "features", "name", "owner", "tags"};
    static const struct ldr_read_map spec = {"a feature service", keys, 5, 1u << NAME | 1u << FEATURES};
    const struct ldr_node *v[LDR_READ_KEYS_MAX];
    if (!ldr_read_map(r, &spec, node, v))
        return;
    struct ldr_service_def s = {.about.pos = node->pos};
    ldr_read_about(r, v[NAME], "the name of a feature service", v[DESCRIPTION], v[OWNER], v[TAGS], &s.about);
    const struct ldr_node *list = v[FEATURES];
    if (ldr_read_is_list(r, list, "feature views and view:feature")) {
        if (list->n == 0 || list->n > LDR_FEATURES_REQ_MAX)
            ldr_problem_add(r->problems, list->pos, "found %u features, expected 1 to %d", list->n,
                            LDR_FEATURES_REQ_MAX);
        else
            s.items = ldr_read_calloc(r, list->n, sizeof *s.items);
        for (const struct ldr_node *item = list->first; s.items && item; item = item->next)
            read_item(r, item, &s);
        if (s.items)
            check_overlap(r, &s);
    }
    struct ldr_read_service *out = ldr_read_push(r, &r->services, node->pos);
    if (out)
        out->def = s;
}

/* ---- Files ---- */

/* Texts that a folder has once; files may repeat them when they agree. */
static void read_once(struct ldr_reader *r, const struct ldr_node *node, const char *key, bool name,
                      struct ldr_read_text *into)
{
    if (!node)
        return;
    const char *text =
        name ? ldr_read_name(r, node, "the name of a project") : ldr_read_text(r, node, "a text");
    if (!into->text) {
        into->text = text;
        into->pos = node->pos;
    } else if (strcmp(into->text, text) != 0 && text[0] && into->text[0]) {
        ldr_problem_add(r->problems, node->pos, "found %s %s, but %s:%u:%u says %s", key,
                        ldr_problem_quote(r->problems, ldr_slice_str(text)), into->pos.file, into->pos.line,
                        into->pos.column, ldr_problem_quote(r->problems, ldr_slice_str(into->text)));
    }
}

static void read_each(struct ldr_reader *r, const struct ldr_node *list, const char *what,
                      void (*read)(struct ldr_reader *, const struct ldr_node *))
{
    if (!ldr_read_is_list(r, list, what))
        return;
    for (const struct ldr_node *n = list->first; n && !ldr_problem_sink_full(r->problems); n = n->next)
        read(r, n);
}

void ldr_read_file(struct ldr_reader *r, const struct ldr_node *root)
{
    enum { DESCRIPTION, ENTITIES, SERVICES, VIEWS, PROJECT, SOURCES, STORE };
    static const char *const keys[] = {
        "description", "entities", "feature_services", "feature_views", "project", "sources", "store"};
    static const struct ldr_read_map spec = {"a definition file", keys, 7, 0};
    const struct ldr_node *v[LDR_READ_KEYS_MAX];
    if (root->kind == LDR_NODE_NULL || !ldr_read_map(r, &spec, root, v))
        return;
    read_once(r, v[PROJECT], "project", true, &r->project);
    read_once(r, v[DESCRIPTION], "description", false, &r->description);
    read_once(r, v[STORE], "store", false, &r->store);
    read_each(r, v[ENTITIES], "entities", ldr_read_entity);
    read_each(r, v[SOURCES], "sources", ldr_read_source);
    read_each(r, v[VIEWS], "feature views", ldr_read_view);
    read_each(r, v[SERVICES], "feature services", ldr_read_service);
}
