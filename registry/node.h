/* A YAML file as a tree, with the place of everything: what the readers of definitions walk. */
#ifndef LDR_REGISTRY_NODE_H
#define LDR_REGISTRY_NODE_H
#include "registry/problems.h"

#define LDR_NODE_DEPTH_MAX 32         /* definitions need 7 */
#define LDR_NODES_MAX      (1u << 20) /* in one file */

enum ldr_node_kind { LDR_NODE_NULL, LDR_NODE_TEXT, LDR_NODE_LIST, LDR_NODE_MAP };
struct ldr_node {
    enum ldr_node_kind kind;
    struct ldr_pos pos;
    struct ldr_slice text;         /* of TEXT; for NULL what was written, such as "~" */
    uint32_t n;                    /* items of a list; pairs of a map */
    struct ldr_node *first, *last; /* children: items, or key, value, key, value ... */
    struct ldr_node *next;
};

/* Reads one file into the arena. *root is NULL when the file is empty, or when it could not be read and
 * problems were added. Plain YAML only: one document, no anchors, aliases or explicit tags; so a small file
 * is a small tree. 0 or LDR_E_NOMEM. */
int ldr_yaml_load(struct ldr_arena *a, const struct ldr_def_file *f, struct ldr_problem_sink *problems,
                  struct ldr_node **root);
#endif
