/* Help texts, laid out from the verb table. */
#include "ops/cli.h"
#include "ops/verbs.h"

#define NAME_WIDTH 26

static void print_indented(FILE *to, const char *text, const char *indent)
{
    while (*text) {
        size_t n = strcspn(text, "\n");
        if (n)
            fprintf(to, "%s%.*s", indent, (int)n, text);
        fputc('\n', to);
        text += n + (text[n] == '\n');
    }
}

static void print_option(FILE *to, const struct ldr_opt *o)
{
    char left[64];
    char letter[8] = "";
    if (o->letter)
        snprintf(letter, sizeof letter, "-%c, ", o->letter);
    snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->arg ? " " : "", o->arg ? o->arg : "");
    const char *p = o->help;
    fprintf(to, "  %-*s", NAME_WIDTH, left);
    if (strlen(left) >= NAME_WIDTH)
        fprintf(to, "\n  %*s", NAME_WIDTH, "");
    for (;;) {
        size_t n = strcspn(p, "\n");
        fprintf(to, "%.*s\n", (int)n, p);
        if (!p[n])
            break;
        p += n + 1;
        fprintf(to, "  %*s", NAME_WIDTH, "");
    }
}

static void print_options(FILE *to, const struct ldr_opt *o)
{
    for (; o && o->name; o++)
        print_option(to, o);
}

void ldr_help_overview(FILE *to)
{
    const char *group = "";
    fputs("larder: a feature store. Declare features once, load facts, read the newest values or build\n"
          "training sets as of any moment. No server needed.\n"
          "\n"
          "usage: larder [OPTIONS] COMMAND ...\n",
          to);
    for (size_t i = 0; ldr_verbs[i]; i++) {
        if (strcmp(group, ldr_verbs[i]->group) != 0)
            fprintf(to, "\n%s\n", ldr_verbs[i]->group);
        group = ldr_verbs[i]->group;
        fprintf(to, "  %-*s%s\n", NAME_WIDTH, ldr_verbs[i]->name, ldr_verbs[i]->summary);
    }
    fputs("\nOptions, before or after the command\n", to);
    print_options(to, ldr_global_opts);
    fputs(
        "\n"
        "Exit codes: 0 done; 1 done, but something was rejected or found wrong; 2 the command line, an "
        "input\n"
        "or a definition is wrong; 3 the store refused or cannot be reached; 4 in doubt: a write may have\n"
        "happened; 10 plan: there are changes; 130 stopped by Ctrl-C (143 by SIGTERM), the store is whole.\n"
        "\n"
        "New here?  larder init flights && cd flights && larder apply\n"
        "More:      larder help COMMAND\n",
        to);
}

void ldr_help_verb(const struct ldr_verb *v, FILE *to)
{
    fprintf(to, "larder %s: %s\n\nusage: larder %s%s%s\n", v->name, v->summary, v->name,
            *v->synopsis ? " " : "", v->synopsis);
    if (v->text) {
        fputc('\n', to);
        print_indented(to, v->text, "");
    }
    if (v->opts && v->opts->name) {
        fputs("\nOptions\n", to);
        print_options(to, v->opts);
    }
    fputs("\nExample\n", to);
    print_indented(to, v->example, "  ");
    fputs("\nOptions of every command (--store, --dir, --json ...): larder help\n", to);
}
