/* The kinds of things: their names, and how people write them. */
#include "registry/registry.h"

static const struct {
    const char *name;       /* in messages */
    const char *spelled[3]; /* besides the name; '-', '_' and ' ' are one */
} kinds[] = {
    [LDR_KIND_ENTITY] = {"entity", {"entities"}},
    [LDR_KIND_SOURCE] = {"source", {"sources"}},
    [LDR_KIND_VIEW] = {"feature view", {"feature-views", "view", "views"}},
    [LDR_KIND_FEATURE] = {"feature", {"features"}},
    [LDR_KIND_SERVICE] = {"feature service", {"feature-services", "service", "services"}},
    [LDR_KIND_PROJECT] = {"project", {"projects"}},
};

const char *ldr_kind_name(enum ldr_kind k)
{
    if ((unsigned)k < LDR_KIND_ENTITY || (unsigned)k > LDR_KIND_PROJECT)
        return "thing";
    return kinds[k].name;
}

static bool same_word(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        bool gap_a = *a == '-' || *a == '_' || *a == ' ', gap_b = *b == '-' || *b == '_' || *b == ' ';
        if (gap_a != gap_b || (!gap_a && *a != *b))
            return false;
    }
    return *a == *b;
}

int ldr_kind_parse(const char *text, enum ldr_kind *k)
{
    for (unsigned i = LDR_KIND_ENTITY; i <= LDR_KIND_PROJECT; i++) {
        bool hit = same_word(text, kinds[i].name);
        for (unsigned j = 0; j < 3 && kinds[i].spelled[j]; j++)
            hit = hit || same_word(text, kinds[i].spelled[j]);
        if (hit) {
            *k = (enum ldr_kind)i;
            return 0;
        }
    }
    return LDR_E_INVALID;
}
