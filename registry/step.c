/* One command against the state. Everything that can fail happens first, aside; the change itself is moving
 * pointers. */
#include "registry/command.h"
#include "registry/suggest.h"

struct change {
    enum ldr_change_op op;
    enum ldr_kind kind;
    uint32_t id;
    struct ldr_reg_thing *thing;
    bool fresh;  /* the thing is new, and not yet in its table */
    bool forget; /* what was materialized does not hold any more */
    struct ldr_reg_version *version;
    struct ldr_arena schema_arena;
    struct ldr_schema *schema;
};

struct step {
    struct ldr_registry *r;
    int64_t now_us;
    struct ldr_arena *scratch; /* this step's */
    struct ldr_buf *events;    /* may be NULL */
    struct ldr_err *err;
    struct change *changes;
    uint32_t n;
    uint32_t next_id[LDR_KINDS];
    struct ldr_buf bytes;
    uint64_t grown; /* bytes of the new versions */
    struct ldr_arena today_arena;
    struct ldr_defs today;
    const struct ldr_view_def **by_id;
};

/* ---- Preparing ---- */

/* A new version of a thing: def, or its end when NULL. */
static int prepare_change(struct step *s, enum ldr_kind kind, const char *name, const struct ldr_about *old,
                          const struct ldr_about *def)
{
    struct change *c = &s->changes[s->n];
    *c = (struct change){.kind = kind, .id = def ? def->id : old->id};
    c->op = !def ? LDR_CHANGE_REMOVE : old ? LDR_CHANGE_UPDATE : LDR_CHANGE_ADD;
    ldr_arena_init(&c->schema_arena, s->r->heap, 1024);
    c->thing = ldr_reg_find(s->r, kind, name);
    c->fresh = !c->thing;
    if (c->fresh)
        c->thing = ldr_reg_thing_create(s->r->heap, name);
    if (!c->thing)
        return LDR_E_NOMEM;
    s->n++; /* from here on, undo or commit takes care of it */
    c->forget = kind == LDR_KIND_VIEW && old &&
                (!def || strcmp(LDR_DEF(ldr_view_def, old)->source, LDR_DEF(ldr_view_def, def)->source) != 0);
    int rc = ldr_reg_thing_reserve(s->r->heap, c->thing);
    if (rc)
        return rc;
    ldr_buf_reset(&s->bytes);
    if (def && ldr_def_encode(kind, def, &s->bytes))
        return s->bytes.err;
    s->grown += s->bytes.n + LDR_REG_VERSION_COST;
    rc = ldr_reg_version_create(s->r->heap, kind, s->r->version + 1, s->now_us, ldr_buf_slice(&s->bytes),
                                &c->version);
    if (!rc)
        c->thing->pending = c->version;
    return rc;
}

static int prepare_tables(struct step *s)
{
    uint32_t more[LDR_KINDS] = {0};
    uint32_t nfresh = 0;
    struct ldr_reg_fresh *fresh = ldr_arena_calloc(s->scratch, s->n + (size_t)1, sizeof *fresh);
    if (!fresh)
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < s->n; i++) {
        if (!s->changes[i].fresh)
            continue;
        more[s->changes[i].kind]++;
        fresh[nfresh++] = (struct ldr_reg_fresh){s->changes[i].kind, s->changes[i].thing};
    }
    for (uint32_t k = 0; k < LDR_KINDS; k++) {
        int rc = ldr_reg_table_reserve(s->r->heap, &s->r->tables[k], more[k]);
        if (rc)
            return rc;
    }
    int rc = ldr_reg_today_build(s->r, fresh, nfresh, &s->today_arena, &s->today, &s->by_id);
    for (uint32_t i = 0; !rc && i < s->n; i++) {
        struct change *c = &s->changes[i];
        if (c->kind == LDR_KIND_VIEW)
            rc = ldr_reg_schema_build(c->thing, &s->today, &c->schema_arena, &c->schema);
    }
    return rc;
}

/* All events of the step, or none. */
static int tell(struct step *s, const struct ldr_event *list, uint32_t n)
{
    struct ldr_buf *out = s->events;
    if (!out)
        return 0;
    if (out->err)
        return out->err;
    size_t before = out->n;
    for (uint32_t i = 0; i < n; i++) {
        int rc = ldr_event_encode(&list[i], out);
        if (rc) {
            out->n = before;
            out->err = 0; /* the caller may try the command again */
            return rc;
        }
    }
    return 0;
}

static int tell_changes(struct step *s)
{
    struct ldr_event *list = ldr_arena_calloc(s->scratch, s->n + (size_t)1, sizeof *list);
    if (!list)
        return LDR_E_NOMEM;
    for (uint32_t i = 0; i < s->n; i++) {
        const struct change *c = &s->changes[i];
        list[i] = (struct ldr_event){s->r->version + 1, s->now_us, c->op, c->kind, c->id, c->thing->name};
    }
    return tell(s, list, s->n);
}

/* ---- Committing and undoing ---- */

static void commit(struct step *s)
{
    struct ldr_registry *r = s->r;
    for (uint32_t i = 0; i < s->n; i++) {
        struct change *c = &s->changes[i];
        struct ldr_reg_thing *t = c->thing;
        t->versions[t->nversions++] = c->version;
        t->pending = NULL;
        if (c->forget) {
            t->materialized = false;
            t->start_us = t->end_us = 0;
        }
        if (c->kind == LDR_KIND_VIEW) {
            ldr_arena_close(&t->schema_arena);
            t->schema_arena = c->schema_arena;
            t->schema = c->schema;
        } else {
            ldr_arena_close(&c->schema_arena);
        }
        if (c->fresh)
            ldr_reg_table_insert(&r->tables[c->kind], t);
    }
    memcpy(r->next_id, s->next_id, sizeof r->next_id);
    ldr_arena_close(&r->today_arena);
    r->today_arena = s->today_arena;
    r->today = s->today;
    r->by_id = s->by_id;
    r->bytes += s->grown;
    r->version++;
}

static void undo(struct step *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct change *c = &s->changes[i];
        c->thing->pending = NULL;
        ldr_reg_version_destroy(s->r->heap, c->version);
        ldr_arena_close(&c->schema_arena);
        if (c->fresh)
            ldr_reg_thing_destroy(s->r->heap, c->thing);
    }
    ldr_arena_close(&s->today_arena);
}

static const char *thing_label(struct step *s, enum ldr_kind kind, const char *name)
{
    const char *label = ldr_arena_printf(s->scratch, "%s '%s'", ldr_kind_name(kind), name);
    return label ? label : ldr_kind_name(kind);
}

/* Runs the changes of items; they were checked, so only memory and limits can be in the way. */
static int run_changes(struct step *s, const struct ldr_reg_merge_item *items, uint32_t n)
{
    s->changes = ldr_arena_calloc(s->scratch, n + (size_t)1, sizeof *s->changes);
    if (!s->changes)
        return LDR_E_NOMEM;
    ldr_buf_init(&s->bytes, s->r->heap, 0);
    ldr_arena_init(&s->today_arena, s->r->heap, 4096);
    int rc = 0;
    for (uint32_t i = 0; !rc && i < n; i++)
        rc = prepare_change(s, items[i].kind, items[i].name, items[i].old, items[i].now);
    if (!rc && s->r->bytes + s->grown > LDR_REG_BYTES_MAX)
        rc = ldr_fail(s->err, LDR_E_TOO_BIG,
                      "the definitions and their past versions would take over %u bytes", LDR_REG_BYTES_MAX);
    if (!rc)
        rc = prepare_tables(s);
    if (!rc)
        rc = tell_changes(s);
    if (rc)
        undo(s);
    else
        commit(s);
    ldr_buf_close(&s->bytes);
    return rc;
}

/* ---- The commands ---- */

/* "1 problem: a; b; and 3 more" */
static int refuse_problems(struct step *s, const struct ldr_problems *problems)
{
    struct ldr_buf text;
    ldr_buf_init(&text, s->r->heap, 0);
    uint32_t shown = 0;
    for (; shown < problems->n && (shown == 0 || text.n + strlen(problems->list[shown].text) < 900); shown++)
        ldr_buf_printf(&text, "%s%s", shown ? "; " : "", problems->list[shown].text);
    if (shown < problems->n)
        ldr_buf_printf(&text, "; and %u more", problems->n - shown);
    int rc = text.err ? LDR_E_NOMEM : ldr_fail(s->err, LDR_E_REFUSED, "%s", ldr_buf_cstr(&text));
    ldr_buf_close(&text);
    return rc;
}

static int step_apply(struct step *s, const struct ldr_command *cmd)
{
    struct ldr_reg_merge merge;
    int rc = ldr_reg_merge(s->r, cmd->defs, s->scratch, &merge);
    if (rc)
        return rc;
    if (merge.problems.n)
        return refuse_problems(s, &merge.problems);
    if (merge.nitems == 0)
        return 0;
    memcpy(s->next_id, merge.next_id, sizeof s->next_id);
    return run_changes(s, merge.items, merge.nitems);
}

static int not_found(struct step *s, enum ldr_kind kind, const char *name)
{
    struct ldr_suggest sug;
    ldr_suggest_init(&sug, ldr_slice_str(name));
    const struct ldr_reg_table *t = &s->r->tables[kind];
    for (uint32_t i = 0; i < t->n; i++) {
        if (ldr_reg_def_at(s->r, kind, t->things[i]->name, 0))
            ldr_suggest_offer(&sug, t->things[i]->name);
    }
    return ldr_fail(s->err, LDR_E_NOT_FOUND, "no %s '%.128s'%s%s%s", ldr_kind_name(kind), name,
                    LDR_SUGGEST(&sug));
}

static int refuse_used(struct step *s, enum ldr_kind kind, const char *name, const char *const *users,
                       uint32_t n)
{
    struct ldr_buf text;
    ldr_buf_init(&text, s->r->heap, 0);
    uint32_t shown = 0;
    for (; shown < n && text.n + strlen(users[shown]) < 700; shown++)
        ldr_buf_printf(&text, "%s%s", shown ? ", " : "", users[shown]);
    if (shown < n)
        ldr_buf_printf(&text, " and %u more", n - shown);
    int rc = text.err ? LDR_E_NOMEM
                      : ldr_fail(s->err, LDR_E_REFUSED, "%s is used by %s: change or delete %s first",
                                 thing_label(s, kind, name), ldr_buf_cstr(&text), n == 1 ? "it" : "them");
    ldr_buf_close(&text);
    return rc;
}

/* The view without the feature, as a change to run. */
static int without_feature(struct step *s, const struct ldr_view_def *view, const char *feature,
                           struct ldr_reg_merge_item *item)
{
    if (view->nfeatures == 1)
        return ldr_fail(
            s->err, LDR_E_REFUSED,
            "feature '%s:%s' is the only one of its feature view: delete the feature view instead",
            view->about.name, feature);
    struct ldr_view_def *now = ldr_arena_calloc(s->scratch, 1, sizeof *now);
    struct ldr_feature_def *features = ldr_arena_calloc(s->scratch, view->nfeatures, sizeof *features);
    if (!now || !features)
        return LDR_E_NOMEM;
    *now = *view;
    now->features = features;
    now->nfeatures = 0;
    for (uint32_t i = 0; i < view->nfeatures; i++) {
        if (strcmp(view->features[i].about.name, feature) != 0)
            features[now->nfeatures++] = view->features[i];
    }
    *item = (struct ldr_reg_merge_item){LDR_KIND_VIEW, view->about.name, &view->about, &now->about,
                                        view->about.pos};
    return 0;
}

static int step_delete(struct step *s, const struct ldr_command *cmd)
{
    struct ldr_reg_merge_item item = {.kind = cmd->kind, .name = cmd->name};
    char view_name[LDR_NAME_MAX + 1];
    const char *feature = NULL;
    const struct ldr_view_def *view = NULL;
    if (cmd->kind == LDR_KIND_FEATURE) {
        if (!ldr_reg_split_feature(cmd->name, view_name, &feature))
            return ldr_fail(s->err, LDR_E_NOT_FOUND, "no feature '%.200s': expected view:feature", cmd->name);
        view = ldr_registry_view(s->r, view_name, 0);
        if (!view)
            return not_found(s, LDR_KIND_VIEW, view_name);
        if (!ldr_view_feature(view, feature))
            return ldr_fail(s->err, LDR_E_NOT_FOUND, "no feature '%s' in feature view '%s'", feature,
                            view_name);
    } else {
        item.old = ldr_reg_def_at(s->r, cmd->kind, cmd->name, 0);
        if (!item.old)
            return not_found(s, cmd->kind, cmd->name);
    }
    const char **users;
    uint32_t n;
    int rc = ldr_reg_dependents(s->r, cmd->kind, cmd->name, s->scratch, &users, &n);
    if (rc)
        return rc;
    if (n)
        return refuse_used(s, cmd->kind, cmd->name, users, n);
    if (view)
        rc = without_feature(s, view, feature, &item);
    return rc ? rc : run_changes(s, &item, 1);
}

static int step_materialized(struct step *s, const struct ldr_command *cmd)
{
    const struct ldr_view_def *view = ldr_registry_view(s->r, cmd->name, 0);
    struct ldr_reg_thing *t = ldr_reg_find(s->r, LDR_KIND_VIEW, cmd->name);
    if (!view)
        return not_found(s, LDR_KIND_VIEW, cmd->name);
    if (!view->source[0])
        return ldr_fail(s->err, LDR_E_REFUSED, "feature view '%s' has no source to materialize", cmd->name);
    if (t->materialized && cmd->end_us <= t->end_us)
        return 0;
    struct ldr_event e = {s->r->version + 1, s->now_us,      LDR_CHANGE_UPDATE,
                          LDR_KIND_VIEW,     view->about.id, t->name};
    int rc = tell(s, &e, 1);
    if (rc)
        return rc;
    t->materialized = true;
    t->start_us = cmd->start_us;
    t->end_us = cmd->end_us;
    s->r->version++;
    return 0;
}

static int run_command(struct step *s, const struct ldr_command *cmd)
{
    if (cmd->expect_version != LDR_VERSION_ANY && cmd->expect_version != s->r->version)
        return ldr_fail(s->err, LDR_E_CONFLICT,
                        "the registry is at version %llu, expected %llu: look at the plan again",
                        (unsigned long long)s->r->version, (unsigned long long)cmd->expect_version);
    switch (cmd->op) {
    case LDR_COMMAND_APPLY:
        return step_apply(s, cmd);
    case LDR_COMMAND_DELETE:
        return step_delete(s, cmd);
    case LDR_COMMAND_MATERIALIZED:
        return step_materialized(s, cmd);
    case LDR_COMMAND_RESTORE:
        return ldr_reg_take_over(s->r, cmd->snapshot, s->now_us, s->events, s->err);
    }
    return LDR_E_CORRUPT;
}

int ldr_registry_step(struct ldr_registry *r, struct ldr_slice command, int64_t now_us,
                      struct ldr_buf *events, struct ldr_err *err)
{
    struct ldr_arena scratch;
    struct ldr_command cmd;
    if (now_us < LDR_TIME_MIN_US || now_us > LDR_TIME_MAX_US)
        return ldr_fail(err, LDR_E_INVALID, "the time of the command is not in years 0001 to 9999");
    ldr_arena_init(&scratch, r->heap, 0);
    struct step s = {.r = r, .now_us = now_us, .scratch = &scratch, .events = events, .err = err};
    memcpy(s.next_id, r->next_id, sizeof s.next_id);
    ldr_err_clear(err);
    int rc = ldr_command_decode(command, &scratch, &cmd);
    if (rc == LDR_E_CORRUPT)
        rc = ldr_fail(err, rc, "not a registry command");
    else if (rc == LDR_E_FORMAT)
        rc = ldr_fail(err, rc, "the registry command has a newer format than %d", LDR_COMMAND_FORMAT);
    else if (!rc)
        rc = run_command(&s, &cmd);
    if (rc == LDR_E_NOMEM)
        ldr_fail(err, rc, "out of memory");
    ldr_arena_close(&scratch);
    return rc;
}
