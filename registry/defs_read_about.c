/* What every thing has: name, description, owner, tags. */
#include "registry/defs_read.h"

#include <stdlib.h>

struct placed_tag {
    struct ldr_tag tag;
    struct ldr_pos pos;
};

static int placed_tag_cmp(const void *pa, const void *pb)
{
    const struct placed_tag *a = pa, *b = pb;
    int c = strcmp(a->tag.key, b->tag.key);
    return c ? c : ldr_pos_cmp(&a->pos, &b->pos);
}

/* One pair of a tags map; false when it is not usable (told). */
static bool read_tag(struct ldr_reader *r, const struct ldr_node *key, struct placed_tag *out)
{
    const struct ldr_node *value = key->next;
    if (key->kind != LDR_NODE_TEXT || !ldr_tag_key_valid(key->text)) {
        ldr_problem_add(r->problems, key->pos, "found %s, expected the key of a tag: %s",
                        ldr_read_found(r, key), LDR_TAG_KEY_RULE);
        return false;
    }
    out->pos = key->pos;
    out->tag.key = ldr_read_text(r, key, "the key of a tag");
    out->tag.value = ldr_read_text(r, value->kind == LDR_NODE_NULL ? NULL : value, "the value of a tag");
    return true;
}

static void read_tags(struct ldr_reader *r, const struct ldr_node *node, struct ldr_about *out)
{
    if (!node)
        return;
    if (node->kind != LDR_NODE_MAP) {
        ldr_problem_add(r->problems, node->pos, "found %s, expected a map of tags such as {tier: gold}",
                        ldr_read_found(r, node));
        return;
    }
    if (node->n > LDR_TAGS_MAX) {
        ldr_problem_add(r->problems, node->pos, "found %u tags, expected at most %d", node->n, LDR_TAGS_MAX);
        return;
    }
    struct placed_tag list[LDR_TAGS_MAX];
    uint32_t n = 0;
    for (const struct ldr_node *key = node->first; key; key = key->next->next) {
        if (read_tag(r, key, &list[n]))
            n++;
    }
    qsort(list, n, sizeof *list, placed_tag_cmp);
    out->tags = ldr_read_calloc(r, n, sizeof *out->tags);
    for (uint32_t i = 0; out->tags && i < n; i++) {
        if (i && strcmp(list[i - 1].tag.key, list[i].tag.key) == 0)
            ldr_problem_add(r->problems, list[i].pos, "found tag '%s' again, first at line %u",
                            list[i].tag.key, list[i - 1].pos.line);
        out->tags[out->ntags++] = list[i].tag;
    }
}

void ldr_read_about(struct ldr_reader *r, const struct ldr_node *name, const char *name_what,
                    const struct ldr_node *description, const struct ldr_node *owner,
                    const struct ldr_node *tags, struct ldr_about *out)
{
    if (name)
        out->pos = name->pos;
    out->name = ldr_read_name(r, name, name_what);
    out->description = ldr_read_text(r, description, "a description");
    out->owner = ldr_read_text(r, owner, "an owner");
    read_tags(r, tags, out);
}
