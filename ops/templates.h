/* templates.h: example projects. A template is a folder with a file TEMPLATE: its first line says what it is,
 * the others are the commands to try next, with @larder@ for the program. All other files are the project. */
#ifndef LDR_OPS_TEMPLATES_H
#define LDR_OPS_TEMPLATES_H
#include "ops/cli.h"

/* The folder that holds the templates, in the arena; NULL when there is none. */
const char *ldr_templates_dir(struct ldr_cli *c);
/* The text of a template's TEMPLATE file in the arena; NULL when it is no template. */
const char *ldr_template_text(struct ldr_cli *c, const char *templates, const char *name);
/* Names of all templates, sorted; *n of them. */
const char **ldr_template_names(struct ldr_cli *c, const char *templates, size_t *n);
/* Copies a template into a folder, which is made when missing and must be empty. Nothing is left behind on
 * failure. 0 or the exit code after saying why. *files counts. */
int ldr_template_copy(struct ldr_cli *c, const char *from, const char *to, size_t *files);
#endif
