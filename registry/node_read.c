/* Single values out of nodes: texts, names, durations, types; and the keys of maps. */
#include "registry/defs_read.h"
#include "registry/suggest.h"

#include <stdlib.h>

void *ldr_read_calloc(struct ldr_reader *r, size_t n, size_t size)
{
    void *p = ldr_arena_calloc(r->a, n ? n : 1, size);
    if (!p)
        r->problems->err = LDR_E_NOMEM;
    return p;
}

static const char *copy_text(struct ldr_reader *r, struct ldr_slice s)
{
    const char *p = s.n ? ldr_arena_strndup(r->a, (const char *)s.p, s.n) : "";
    if (!p)
        r->problems->err = LDR_E_NOMEM;
    return p ? p : "";
}

const char *ldr_read_found(struct ldr_reader *r, const struct ldr_node *node)
{
    switch (node->kind) {
    case LDR_NODE_TEXT:
        return ldr_problem_quote(r->problems, node->text);
    case LDR_NODE_LIST:
        return "a list";
    case LDR_NODE_MAP:
        return "a map";
    default:
        return "nothing";
    }
}

/* ---- Maps ---- */

/* "description, join_keys, name", for messages; "" when out of memory. */
static const char *key_list(struct ldr_reader *r, const struct ldr_read_map *spec)
{
    struct ldr_buf b;
    ldr_buf_init(&b, r->a->heap, 0);
    for (uint32_t i = 0; i < spec->nkeys; i++)
        ldr_buf_printf(&b, "%s%s", i ? ", " : "", spec->keys[i]);
    const char *text = b.err ? "" : copy_text(r, ldr_buf_slice(&b));
    if (b.err)
        r->problems->err = LDR_E_NOMEM;
    ldr_buf_close(&b);
    return text;
}

static void unknown_key(struct ldr_reader *r, const struct ldr_read_map *spec, const struct ldr_node *key)
{
    struct ldr_suggest sug;
    ldr_suggest_init(&sug, key->text);
    for (uint32_t i = 0; i < spec->nkeys; i++)
        ldr_suggest_offer(&sug, spec->keys[i]);
    const char *quoted = ldr_problem_quote(r->problems, key->text);
    if (sug.best)
        ldr_problem_add(r->problems, key->pos, "found unknown key %s in %s%s%s%s", quoted, spec->what,
                        LDR_SUGGEST(&sug));
    else
        ldr_problem_add(r->problems, key->pos, "found unknown key %s in %s, expected one of %s", quoted,
                        spec->what, key_list(r, spec));
}

static int key_index(const struct ldr_read_map *spec, struct ldr_slice text)
{
    for (uint32_t i = 0; i < spec->nkeys; i++) {
        if (ldr_slice_eq(text, ldr_slice_str(spec->keys[i])))
            return (int)i;
    }
    return -1;
}

bool ldr_read_map(struct ldr_reader *r, const struct ldr_read_map *spec, const struct ldr_node *node,
                  const struct ldr_node *values[LDR_READ_KEYS_MAX])
{
    const struct ldr_node *seen[LDR_READ_KEYS_MAX] = {0};
    for (uint32_t i = 0; i < LDR_READ_KEYS_MAX; i++)
        values[i] = NULL;
    if (node->kind != LDR_NODE_MAP) {
        ldr_problem_add(r->problems, node->pos, "found %s, expected %s: a map of %s", ldr_read_found(r, node),
                        spec->what, key_list(r, spec));
        return false;
    }
    for (const struct ldr_node *key = node->first; key; key = key->next->next) {
        if (key->kind != LDR_NODE_TEXT) {
            ldr_problem_add(r->problems, key->pos, "found %s as a key in %s, expected text",
                            ldr_read_found(r, key), spec->what);
            continue;
        }
        int i = key_index(spec, key->text);
        if (i < 0) {
            unknown_key(r, spec, key);
        } else if (seen[i]) {
            ldr_problem_add(r->problems, key->pos, "found key '%s' again in %s, first at line %u",
                            spec->keys[i], spec->what, seen[i]->pos.line);
        } else {
            seen[i] = key;
            if (key->next->kind != LDR_NODE_NULL)
                values[i] = key->next;
        }
    }
    for (uint32_t i = 0; i < spec->nkeys; i++) {
        if (!(spec->required >> i & 1) || values[i])
            continue;
        if (seen[i])
            ldr_problem_add(r->problems, seen[i]->pos, "found key '%s' without a value in %s, expected one",
                            spec->keys[i], spec->what);
        else
            ldr_problem_add(r->problems, node->pos, "found no key '%s' in %s, expected one", spec->keys[i],
                            spec->what);
    }
    return true;
}

bool ldr_read_is_list(struct ldr_reader *r, const struct ldr_node *node, const char *what)
{
    if (!node)
        return false;
    if (node->kind == LDR_NODE_LIST)
        return true;
    ldr_problem_add(r->problems, node->pos, "found %s, expected a list of %s", ldr_read_found(r, node), what);
    return false;
}

/* ---- Texts ---- */

const char *ldr_read_text(struct ldr_reader *r, const struct ldr_node *node, const char *what)
{
    if (!node)
        return "";
    if (node->kind != LDR_NODE_TEXT) {
        ldr_problem_add(r->problems, node->pos, "found %s, expected %s", ldr_read_found(r, node), what);
        return "";
    }
    if (node->text.n > LDR_TEXT_MAX) {
        ldr_problem_add(r->problems, node->pos, "found %zu bytes, expected %s of at most %d", node->text.n,
                        what, LDR_TEXT_MAX);
        return "";
    }
    if (!ldr_text_valid(node->text)) {
        ldr_problem_add(r->problems, node->pos, "found a NUL character, expected %s without", what);
        return "";
    }
    return copy_text(r, node->text);
}

const char *ldr_read_word(struct ldr_reader *r, const struct ldr_node *node, const char *what)
{
    if (node && node->kind == LDR_NODE_TEXT && node->text.n == 0)
        ldr_problem_add(r->problems, node->pos, "found '', expected %s", what);
    return ldr_read_text(r, node, what);
}

const char *ldr_read_name(struct ldr_reader *r, const struct ldr_node *node, const char *what)
{
    if (!node)
        return "";
    if (node->kind == LDR_NODE_TEXT && ldr_name_valid(node->text))
        return copy_text(r, node->text);
    ldr_problem_add(r->problems, node->pos, "found %s, expected %s: %s", ldr_read_found(r, node), what,
                    LDR_NAME_RULE);
    return "";
}

bool ldr_read_bool(struct ldr_reader *r, const struct ldr_node *node, const char *what, bool absent)
{
    static const struct {
        const char *text;
        bool value;
    } words[] = {{"true", true},   {"True", true},   {"TRUE", true},
                 {"false", false}, {"False", false}, {"FALSE", false}};
    if (!node)
        return absent;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (node->kind == LDR_NODE_TEXT && ldr_slice_eq(node->text, ldr_slice_str(words[i].text)))
            return words[i].value;
    }
    ldr_problem_add(r->problems, node->pos, "found %s, expected %s: true or false", ldr_read_found(r, node),
                    what);
    return absent;
}

int64_t ldr_read_duration(struct ldr_reader *r, const struct ldr_node *node, const char *what)
{
    int64_t us = 0;
    const char *why = NULL;
    if (!node)
        return 0;
    if (node->kind != LDR_NODE_TEXT)
        ldr_problem_add(r->problems, node->pos, "found %s, expected %s: a duration such as 90s, 2h or 400d",
                        ldr_read_found(r, node), what);
    else if (ldr_duration_parse(node->text, &us, &why))
        ldr_problem_add(r->problems, node->pos, "found %s, expected %s: %s", ldr_read_found(r, node), what,
                        why);
    return us;
}

/* ---- Words out of a few ---- */

static void offer_types(struct ldr_suggest *sug, bool key_only)
{
    /* What other systems call them; a suggestion is the type they most likely mean. */
    static const char *const aliases[][2] = {
        {"boolean", "bool"},
        {"int", "int64"},
        {"integer", "int64"},
        {"long", "int64"},
        {"bigint", "int64"},
        {"int8", "int32"},
        {"int16", "int32"},
        {"float", "float64"},
        {"double", "float64"},
        {"real", "float32"},
        {"str", "string"},
        {"text", "string"},
        {"varchar", "string"},
        {"binary", "bytes"},
        {"blob", "bytes"},
        {"datetime", "timestamp"},
        {"date", "timestamp"},
        {"time", "timestamp"},
        {"unix_timestamp", "timestamp"},
    };
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        unsigned type;
        if (ldr_slice_eq(sug->word, ldr_slice_str(aliases[i][0])) &&
            ldr_type_parse(ldr_slice_str(aliases[i][1]), &type) == 0 &&
            (!key_only || ldr_type_key_valid(type))) {
            sug->best = aliases[i][1];
            return;
        }
    }
    for (unsigned t = 1; t < 256; t++) {
        if (ldr_type_valid(t) && (!key_only || ldr_type_key_valid(t)))
            ldr_suggest_offer(sug, ldr_type_name(t));
    }
}

uint8_t ldr_read_type(struct ldr_reader *r, const struct ldr_node *node, bool key_only)
{
    unsigned type;
    if (!node)
        return 0;
    bool known = node->kind == LDR_NODE_TEXT && ldr_type_parse(node->text, &type) == 0;
    if (known && (!key_only || ldr_type_key_valid(type)))
        return (uint8_t)type;
    struct ldr_suggest sug;
    ldr_suggest_init(&sug, node->kind == LDR_NODE_TEXT && !known ? node->text : ldr_slice(NULL, 0));
    offer_types(&sug, key_only);
    if (key_only)
        ldr_problem_add(
            r->problems, node->pos,
            "found %s, expected a join key's type: one of string bytes int32 int64 bool timestamp%s%s%s",
            ldr_read_found(r, node), LDR_SUGGEST(&sug));
    else
        ldr_problem_add(
            r->problems, node->pos,
            "found %s, expected one of bool int32 int64 float32 float64 string bytes timestamp, or "
            "list<T> of one of them%s%s%s",
            ldr_read_found(r, node), LDR_SUGGEST(&sug));
    return 0;
}

const char *ldr_read_choice(struct ldr_reader *r, const struct ldr_node *node, const char *what,
                            const char *const *words, uint32_t n)
{
    struct ldr_suggest sug;
    if (!node)
        return "";
    ldr_suggest_init(&sug, node->kind == LDR_NODE_TEXT ? node->text : ldr_slice(NULL, 0));
    for (uint32_t i = 0; i < n; i++) {
        if (node->kind == LDR_NODE_TEXT && ldr_slice_eq(node->text, ldr_slice_str(words[i])))
            return words[i];
        ldr_suggest_offer(&sug, words[i]);
    }
    ldr_problem_add(r->problems, node->pos, "found %s, expected %s%s%s%s", ldr_read_found(r, node), what,
                    LDR_SUGGEST(&sug));
    return "";
}
