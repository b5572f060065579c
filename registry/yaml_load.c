/* YAML text to nodes, through libyaml's events: they carry places, and stop early on hostile input. */
#include "registry/node.h"

#include <yaml.h>

struct loader {
    struct ldr_arena *a;
    const struct ldr_def_file *file;
    struct ldr_slice text; /* of the file; p is never NULL */
    struct ldr_problem_sink *problems;
    struct ldr_node *stack[LDR_NODE_DEPTH_MAX]; /* open lists and maps */
    uint32_t depth, nodes, documents;
    struct ldr_node *root;
    bool bad;  /* something was wrong: the tree is not to be used */
    bool stop; /* the tree broke off: reading cannot go on */
};

static struct ldr_pos place(const struct loader *l, yaml_mark_t m)
{
    return (struct ldr_pos){l->file->path, (uint32_t)m.line + 1, (uint32_t)m.column + 1};
}

/* Line and column of a byte offset; columns count code points. */
static struct ldr_pos place_of_byte(const struct loader *l, size_t offset)
{
    struct ldr_pos pos = {l->file->path, 1, 1};
    for (size_t i = 0; i < offset && i < l->text.n; i++) {
        uint8_t c = l->text.p[i];
        if (c == '\n') {
            pos.line++;
            pos.column = 1;
        } else if ((c & 0xC0) != 0x80) {
            pos.column++;
        }
    }
    return pos;
}

static size_t first_bad_byte(struct ldr_slice s)
{
    size_t i = 0;
    while (i < s.n) {
        size_t len = 1;
        while (len <= 4 && !(i + len <= s.n && ldr_utf8_valid(ldr_slice(s.p + i, len))))
            len++;
        if (len > 4)
            break;
        i += len;
    }
    return i;
}

static bool bytes_ok(struct loader *l)
{
    struct ldr_slice s = l->text;
    if (s.n > LDR_DEF_FILE_MAX) {
        ldr_problem_add(l->problems, (struct ldr_pos){l->file->path, 1, 1},
                        "found a file of %zu bytes, expected at most %u", s.n, LDR_DEF_FILE_MAX);
        return false;
    }
    if (!ldr_utf8_valid(s)) {
        size_t at = first_bad_byte(s);
        ldr_problem_add(l->problems, place_of_byte(l, at), "found byte 0x%02X, expected UTF-8 text", s.p[at]);
        return false;
    }
    return true;
}

static bool tab_at(const struct loader *l, struct ldr_pos pos)
{
    struct ldr_slice s = l->text;
    size_t i = 0;
    for (uint32_t line = 1; line < pos.line && i < s.n; i++)
        line += s.p[i] == '\n';
    for (uint32_t col = 1; col < pos.column && i < s.n; col++) {
        i++;
        while (i < s.n && (s.p[i] & 0xC0) == 0x80)
            i++;
    }
    return i < s.n && s.p[i] == '\t';
}

static int parser_problem(struct loader *l, const yaml_parser_t *p)
{
    l->bad = true;
    if (p->error == YAML_MEMORY_ERROR)
        return l->problems->err = LDR_E_NOMEM;
    const char *what = p->problem ? p->problem : "malformed text";
    if (p->error == YAML_READER_ERROR) {
        ldr_problem_add(l->problems, place_of_byte(l, p->problem_offset), "not YAML: %s", what);
        return 0;
    }
    struct ldr_pos pos = place(l, p->problem_mark);
    if (tab_at(l, pos))
        ldr_problem_add(l->problems, pos, "found a tab, expected spaces: YAML takes no tabs here");
    else if (p->context)
        ldr_problem_add(l->problems, pos, "not YAML: %s, %s (line %zu)", what, p->context,
                        p->context_mark.line + 1);
    else
        ldr_problem_add(l->problems, pos, "not YAML: %s", what);
    return 0;
}

static bool is_null_text(const yaml_event_t *e)
{
    if (e->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp((const char *)e->data.scalar.value, words[i]) == 0)
            return true;
    }
    return false;
}

static struct ldr_node *add_node(struct loader *l, enum ldr_node_kind kind, yaml_mark_t mark)
{
    if (++l->nodes > LDR_NODES_MAX) {
        ldr_problem_add(l->problems, place(l, mark), "found more than %u values in one file", LDR_NODES_MAX);
        l->bad = l->stop = true;
        return NULL;
    }
    struct ldr_node *n = ldr_arena_calloc(l->a, 1, sizeof *n);
    if (!n) {
        l->problems->err = LDR_E_NOMEM;
        return NULL;
    }
    n->kind = kind;
    n->pos = place(l, mark);
    if (l->depth == 0) {
        l->root = n;
        return n;
    }
    struct ldr_node *parent = l->stack[l->depth - 1];
    LDR_ASSERT(parent);
    if (parent->last)
        parent->last->next = n;
    else
        parent->first = n;
    parent->last = n;
    parent->n++;
    return n;
}

static void add_text(struct loader *l, const yaml_event_t *e)
{
    enum ldr_node_kind kind = is_null_text(e) ? LDR_NODE_NULL : LDR_NODE_TEXT;
    struct ldr_node *n = add_node(l, kind, e->start_mark);
    if (!n)
        return;
    const char *copy = ldr_arena_strndup(l->a, (const char *)e->data.scalar.value, e->data.scalar.length);
    if (!copy)
        l->problems->err = LDR_E_NOMEM;
    else
        n->text = ldr_slice(copy, e->data.scalar.length);
}

static void open_node(struct loader *l, enum ldr_node_kind kind, const yaml_event_t *e)
{
    struct ldr_node *n = add_node(l, kind, e->start_mark);
    if (!n)
        return;
    if (l->depth == LDR_NODE_DEPTH_MAX) {
        ldr_problem_add(l->problems, n->pos, "found nesting deeper than %d, expected less",
                        LDR_NODE_DEPTH_MAX);
        l->bad = l->stop = true;
        return;
    }
    l->stack[l->depth++] = n;
}

/* Anchors and aliases make small files large and hide what is meant; tags change what a value is. */
static void refuse_extras(struct loader *l, const yaml_event_t *e, const yaml_char_t *anchor,
                          const yaml_char_t *tag)
{
    if (anchor) {
        ldr_problem_add(l->problems, place(l, e->start_mark),
                        "found the anchor %s, which definitions do not take: write the value out",
                        ldr_problem_quote(l->problems, ldr_slice_str((const char *)anchor)));
        l->bad = true;
    }
    if (tag) {
        ldr_problem_add(l->problems, place(l, e->start_mark),
                        "found the tag %s, which definitions do not take: write the plain value",
                        ldr_problem_quote(l->problems, ldr_slice_str((const char *)tag)));
        l->bad = true;
    }
}

/* Returns false when reading should stop: the end, or nothing more to gain. */
static bool take_event(struct loader *l, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_STREAM_END_EVENT:
        return false;
    case YAML_DOCUMENT_START_EVENT:
        if (l->documents++ == 0)
            return true;
        ldr_problem_add(
            l->problems, place(l, e->start_mark),
            "found a second document, expected one in a file: split the file or remove the '---'");
        l->bad = true;
        return false;
    case YAML_ALIAS_EVENT:
        ldr_problem_add(l->problems, place(l, e->start_mark),
                        "found an alias of %s, which definitions do not take: write the value out",
                        ldr_problem_quote(l->problems, ldr_slice_str((const char *)e->data.alias.anchor)));
        l->bad = true;
        add_node(l, LDR_NODE_NULL, e->start_mark);
        break;
    case YAML_SCALAR_EVENT:
        refuse_extras(l, e, e->data.scalar.anchor, e->data.scalar.tag);
        add_text(l, e);
        break;
    case YAML_SEQUENCE_START_EVENT:
        refuse_extras(l, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
        open_node(l, LDR_NODE_LIST, e);
        break;
    case YAML_MAPPING_START_EVENT:
        refuse_extras(l, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
        open_node(l, LDR_NODE_MAP, e);
        break;
    case YAML_SEQUENCE_END_EVENT:
        l->depth--;
        break;
    case YAML_MAPPING_END_EVENT:
        l->depth--;
        LDR_ASSERT(l->stack[l->depth]);
        l->stack[l->depth]->n /= 2;
        break;
    default:
        break;
    }
    return !l->stop && !ldr_problem_sink_full(l->problems);
}

int ldr_yaml_load(struct ldr_arena *a, const struct ldr_def_file *f, struct ldr_problem_sink *problems,
                  struct ldr_node **root)
{
    struct loader l = {
        .a = a, .file = f, .text = f->text.p ? f->text : ldr_slice_str(""), .problems = problems};
    *root = NULL;
    if (!bytes_ok(&l))
        return problems->err;
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        return problems->err = LDR_E_NOMEM;
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, l.text.p, l.text.n);
    bool more = true;
    while (more) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            parser_problem(&l, &parser);
            break;
        }
        more = take_event(&l, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (!l.bad && !problems->err)
        *root = l.root;
    return problems->err;
}
