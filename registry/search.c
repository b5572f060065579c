/* Finding things by words, owner and tags. Case does not matter, in ASCII letters. */
#include "registry/state.h"

#include <stdlib.h>

#define WORDS_MAX 16
/* What a word is worth where it is found; the best place counts, and words add up. */
enum {
    SCORE_WHOLE = 1000,
    SCORE_PREFIX = 500,
    SCORE_PART = 250,
    SCORE_TAG = 100,
    SCORE_OWNER = 60,
    SCORE_TEXT = 40
};

struct query {
    const struct ldr_search *ask;
    struct ldr_slice words[WORDS_MAX];
    uint32_t nwords;
};
struct subject { /* one thing, as the search sees it */
    enum ldr_kind kind;
    const char *name;   /* of its own */
    const char *within; /* of the view, for a feature; "" otherwise */
    const char *owner;  /* a feature without one has that of its view */
    const struct ldr_about *about;
    const char *type;
};
struct hits {
    struct ldr_arena *a;
    struct ldr_hit *list;
    uint32_t n, cap;
};

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool same_at(const char *text, struct ldr_slice word)
{
    for (size_t i = 0; i < word.n; i++) {
        if (lower((uint8_t)text[i]) != lower(word.p[i]))
            return false;
    }
    return true;
}

static bool contains(const char *text, struct ldr_slice word)
{
    size_t n = strlen(text);
    for (size_t i = 0; word.n <= n && i <= n - word.n; i++) {
        if (same_at(text + i, word))
            return true;
    }
    return false;
}

static bool same(const char *text, const char *other)
{
    return strlen(text) == strlen(other) && same_at(text, ldr_slice_str(other));
}

/* 0 = the word is nowhere. */
static int word_score(const struct subject *s, struct ldr_slice word)
{
    if (contains(s->name, word)) {
        if (!same_at(s->name, ldr_slice(word.p, word.n <= strlen(s->name) ? word.n : 0)))
            return SCORE_PART;
        return strlen(s->name) == word.n ? SCORE_WHOLE : SCORE_PREFIX;
    }
    for (uint32_t i = 0; i < s->about->ntags; i++) {
        if (contains(s->about->tags[i].key, word) || contains(s->about->tags[i].value, word))
            return SCORE_TAG;
    }
    if (contains(s->owner, word))
        return SCORE_OWNER;
    return contains(s->about->description, word) || contains(s->within, word) ? SCORE_TEXT : 0;
}

static bool passes_filters(const struct query *q, const struct subject *s)
{
    const struct ldr_search *ask = q->ask;
    if (ask->owner && !same(s->owner, ask->owner))
        return false;
    if (ask->pii_only && (s->kind != LDR_KIND_FEATURE || !LDR_DEF(ldr_feature_def, s->about)->pii))
        return false;
    if (!ask->tag_key)
        return true;
    for (uint32_t i = 0; i < s->about->ntags; i++) {
        const struct ldr_tag *tag = &s->about->tags[i];
        if (strcmp(tag->key, ask->tag_key) == 0)
            return !ask->tag_value || strcmp(tag->value, ask->tag_value) == 0;
    }
    return false;
}

static int push(struct hits *h, const struct subject *s, int score)
{
    if (h->n == h->cap) {
        uint32_t cap = h->cap ? h->cap * 2 : 32;
        struct ldr_hit *grown = ldr_arena_calloc(h->a, cap, sizeof *grown);
        if (!grown)
            return LDR_E_NOMEM;
        if (h->n)
            memcpy(grown, h->list, h->n * sizeof *grown);
        h->list = grown;
        h->cap = cap;
    }
    const char *name = s->within[0] ? ldr_arena_printf(h->a, "%s:%s", s->within, s->name) : s->name;
    if (!name)
        return LDR_E_NOMEM;
    h->list[h->n++] = (struct ldr_hit){s->kind, name, s->about, s->type, score};
    return 0;
}

static int consider(const struct query *q, const struct subject *s, struct hits *h)
{
    int score = 0;
    if (!passes_filters(q, s))
        return 0;
    for (uint32_t i = 0; i < q->nwords; i++) {
        int one = word_score(s, q->words[i]);
        if (!one)
            return 0;
        score += one;
    }
    return push(h, s, score);
}

static int consider_thing(const struct query *q, enum ldr_kind kind, const struct ldr_about *about,
                          struct hits *h)
{
    struct subject s = {kind, about->name, "", about->owner, about, ""};
    return consider(q, &s, h);
}

static int consider_view(const struct query *q, const struct ldr_view_def *v, struct hits *h)
{
    int rc = consider_thing(q, LDR_KIND_VIEW, &v->about, h);
    for (uint32_t i = 0; !rc && i < v->nfeatures; i++) {
        const struct ldr_feature_def *f = &v->features[i];
        const char *owner = f->about.owner[0] ? f->about.owner : v->about.owner;
        struct subject s = {LDR_KIND_FEATURE, f->about.name,         v->about.name, owner,
                            &f->about,        ldr_type_name(f->type)};
        rc = consider(q, &s, h);
    }
    return rc;
}

/* Splits at white space. False when there are too many words. */
static bool split(struct query *q, const char *text)
{
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, " \t\r\n");
        if (n && q->nwords == WORDS_MAX)
            return false;
        if (n)
            q->words[q->nwords++] = ldr_slice(p, n);
        p += n;
        p += strspn(p, " \t\r\n");
    }
    return true;
}

static int hit_cmp(const void *pa, const void *pb)
{
    const struct ldr_hit *a = pa, *b = pb;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    if (a->kind != b->kind)
        return a->kind < b->kind ? -1 : 1;
    return strcmp(a->name, b->name);
}

int ldr_registry_search(const struct ldr_registry *r, const struct ldr_search *ask, struct ldr_arena *a,
                        struct ldr_hit **out, uint32_t *n)
{
    struct query q = {.ask = ask};
    struct hits h = {.a = a};
    const struct ldr_defs *d = &r->today;
    int rc = split(&q, ask->text ? ask->text : "") ? 0 : LDR_E_TOO_BIG;
    for (uint32_t i = 0; !rc && i < d->nentities; i++)
        rc = consider_thing(&q, LDR_KIND_ENTITY, &d->entities[i].about, &h);
    for (uint32_t i = 0; !rc && i < d->nsources; i++)
        rc = consider_thing(&q, LDR_KIND_SOURCE, &d->sources[i].about, &h);
    for (uint32_t i = 0; !rc && i < d->nviews; i++)
        rc = consider_view(&q, &d->views[i], &h);
    for (uint32_t i = 0; !rc && i < d->nservices; i++)
        rc = consider_thing(&q, LDR_KIND_SERVICE, &d->services[i].about, &h);
    if (!rc && h.n)
        qsort(h.list, h.n, sizeof *h.list, hit_cmp);
    *out = h.list;
    *n = h.n;
    return rc;
}
