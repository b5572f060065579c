/* completion: scripts for bash, zsh and fish, made from the verb table. */
#include "ops/cli.h"
#include "ops/verbs.h"

static const char kinds[] = "entities sources feature-views features feature-services";

/* What the first argument of a verb is, by its synopsis. */
static bool takes_kind(const struct ldr_verb *v)
{
    return strncmp(v->synopsis, "KIND", 4) == 0;
}

static bool takes_view(const struct ldr_verb *v)
{
    return strncmp(v->synopsis, "VIEW", 4) == 0;
}

static bool is_path(const char *arg)
{
    return strcmp(arg, "FILE") == 0 || strcmp(arg, "DIR") == 0;
}

static bool hidden_by(const struct ldr_opt *global, const struct ldr_opt *opts)
{
    for (; opts && opts->name; opts++) {
        if (strcmp(opts->name, global->name) == 0)
            return true;
    }
    return false;
}

static void put_names(struct ldr_buf *b, const struct ldr_opt *opts, const struct ldr_opt *hide)
{
    for (const struct ldr_opt *o = opts; o && o->name; o++) {
        if (hidden_by(o, hide))
            continue;
        ldr_buf_printf(b, "--%s ", o->name);
        if (o->letter)
            ldr_buf_printf(b, "-%c ", o->letter);
    }
}

/* The options whose argument is (or is not) a path, as patterns of a shell `case`. */
static void put_patterns(struct ldr_buf *b, bool path, bool *any)
{
    for (size_t i = 0; ldr_verbs[i]; i++) {
        const struct ldr_opt *tables[2] = {ldr_verbs[i]->opts, i == 0 ? ldr_global_opts : NULL};
        for (size_t t = 0; t < 2; t++) {
            for (const struct ldr_opt *o = tables[t]; o && o->name; o++) {
                if (!o->arg || is_path(o->arg) != path)
                    continue;
                ldr_buf_printf(b, "%s--%s", *any ? "|" : "", o->name);
                if (o->letter)
                    ldr_buf_printf(b, "|-%c", o->letter);
                *any = true;
            }
        }
    }
}

static void put_bash(struct ldr_buf *b)
{
    bool any = false;
    ldr_buf_puts(
        b,
        "# bash completion for larder: source <(larder completion bash)\n"
        "_larder_views() {\n"
        "    larder list feature-views --json 2>/dev/null | sed -n 's/.*\"name\":\"\\([^\"]*\\)\".*/\\1/p'\n"
        "}\n"
        "_larder() {\n"
        "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} verb= at=0 i words=\n"
        "    COMPREPLY=()\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        case \" $_larder_verbs \" in\n"
        "        *\" ${COMP_WORDS[i]} \"*) verb=${COMP_WORDS[i]}; at=$((COMP_CWORD - i)); break ;;\n"
        "        esac\n"
        "    done\n"
        "    case $prev in\n    ");
    put_patterns(b, true, &any);
    ldr_buf_puts(b, ") compopt -o default; return ;;\n    -v|--view) COMPREPLY=($(compgen -W "
                    "\"$(_larder_views)\" -- \"$cur\")); "
                    "return ;;\n    ");
    any = false;
    put_patterns(b, false, &any);
    ldr_buf_puts(b, ") return ;;\n    esac\n    case $verb in\n    '') words=\"$_larder_verbs ");
    put_names(b, ldr_global_opts, NULL);
    ldr_buf_puts(b, "\" ;;\n");
    for (size_t i = 0; ldr_verbs[i]; i++) {
        const struct ldr_verb *v = ldr_verbs[i];
        ldr_buf_printf(b, "    %s) words=\"", v->name);
        put_names(b, v->opts, NULL);
        put_names(b, ldr_global_opts, v->opts);
        ldr_buf_puts(b, "\"");
        if (takes_kind(v))
            ldr_buf_printf(b, "; [ $at = 1 ] && words=\"%s $words\"", kinds);
        else if (takes_view(v))
            ldr_buf_puts(b, "; [ $at = 1 ] && words=\"$(_larder_views) $words\"");
        else if (v == &ldr_verb_help)
            ldr_buf_puts(b, "; words=\"$_larder_verbs $words\"");
        else if (v == &ldr_verb_completion)
            ldr_buf_puts(b, "; words=\"bash zsh fish $words\"");
        ldr_buf_puts(b, " ;;\n");
    }
    ldr_buf_puts(b, "    esac\n"
                    "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                    "    [ ${#COMPREPLY[@]} = 0 ] && compopt -o default\n"
                    "    return 0\n"
                    "}\n"
                    "_larder_verbs=\"");
    for (size_t i = 0; ldr_verbs[i]; i++)
        ldr_buf_printf(b, "%s%s", i ? " " : "", ldr_verbs[i]->name);
    ldr_buf_puts(b, "\"\ncomplete -F _larder larder\n");
}

/* Text inside single quotes of a shell; zsh: brackets and colons mean something in its descriptions. */
static void put_quoted(struct ldr_buf *b, const char *text, bool zsh)
{
    for (; *text && *text != '\n'; text++) {
        if (*text == '\'')
            ldr_buf_puts(b, zsh ? "'\\''" : "\\'");
        else if (zsh && strchr("[]:\\", *text))
            ldr_buf_printf(b, "\\%c", *text);
        else
            ldr_buf_putc(b, *text);
    }
}

static void zsh_option(struct ldr_buf *b, const struct ldr_opt *o)
{
    ldr_buf_puts(b, " \\\n            '*");
    if (o->letter)
        ldr_buf_printf(b, "'{-%c,--%s}'", o->letter, o->name);
    else
        ldr_buf_printf(b, "--%s", o->name);
    ldr_buf_putc(b, '[');
    put_quoted(b, o->help, true);
    ldr_buf_putc(b, ']');
    if (o->arg) {
        ldr_buf_putc(b, ':');
        put_quoted(b, o->arg, true);
        ldr_buf_putc(b, ':');
        ldr_buf_puts(b, is_path(o->arg)               ? "_files"
                        : strcmp(o->arg, "VIEW") == 0 ? "($(_larder_views))"
                                                      : " ");
    }
    ldr_buf_putc(b, '\'');
}

static void zsh_options(struct ldr_buf *b, const struct ldr_opt *opts, const struct ldr_opt *hide)
{
    for (const struct ldr_opt *o = opts; o && o->name; o++) {
        if (!hidden_by(o, hide))
            zsh_option(b, o);
    }
}

static void put_zsh(struct ldr_buf *b)
{
    ldr_buf_puts(
        b,
        "#compdef larder\n"
        "# zsh completion for larder: larder completion zsh > \"${fpath[1]}/_larder\"\n"
        "_larder_views() {\n"
        "    larder list feature-views --json 2>/dev/null | sed -n 's/.*\"name\":\"\\([^\"]*\\)\".*/\\1/p'\n"
        "}\n"
        "_larder() {\n"
        "    local -a verbs\n"
        "    local state line\n"
        "    verbs=(\n");
    for (size_t i = 0; ldr_verbs[i]; i++) {
        ldr_buf_printf(b, "        '%s:", ldr_verbs[i]->name);
        put_quoted(b, ldr_verbs[i]->summary, true);
        ldr_buf_puts(b, "'\n");
    }
    ldr_buf_puts(b, "    )\n    _arguments -C");
    zsh_options(b, ldr_global_opts, NULL);
    ldr_buf_puts(b, " \\\n            '1:command:->verb' '*::argument:->args'\n"
                    "    case $state in\n"
                    "    verb) _describe command verbs ;;\n"
                    "    args)\n"
                    "        case $words[1] in\n");
    for (size_t i = 0; ldr_verbs[i]; i++) {
        const struct ldr_verb *v = ldr_verbs[i];
        ldr_buf_printf(b, "        %s) _arguments", v->name);
        zsh_options(b, v->opts, NULL);
        zsh_options(b, ldr_global_opts, v->opts);
        if (takes_kind(v))
            ldr_buf_printf(b, " \\\n            '1:kind:(%s)'", kinds);
        else if (takes_view(v))
            ldr_buf_puts(b, " \\\n            '1:view:($(_larder_views))'");
        else if (v == &ldr_verb_help)
            ldr_buf_puts(b, " \\\n            '1:command:_larder_help'");
        else if (v == &ldr_verb_completion)
            ldr_buf_puts(b, " \\\n            '1:shell:(bash zsh fish)'");
        ldr_buf_puts(b, " \\\n            '*:file:_files' ;;\n");
    }
    ldr_buf_puts(b, "        esac ;;\n    esac\n}\n_larder_help() { compadd");
    for (size_t i = 0; ldr_verbs[i]; i++)
        ldr_buf_printf(b, " %s", ldr_verbs[i]->name);
    ldr_buf_puts(b, " }\n_larder \"$@\"\n");
}

static void fish_option(struct ldr_buf *b, const struct ldr_opt *o, const char *condition)
{
    ldr_buf_printf(b, "complete -c larder -n '%s' -l %s", condition, o->name);
    if (o->letter)
        ldr_buf_printf(b, " -s %c", o->letter);
    if (o->arg && is_path(o->arg))
        ldr_buf_puts(b, " -rF");
    else if (o->arg && strcmp(o->arg, "VIEW") == 0)
        ldr_buf_puts(b, " -xa '(__larder_views)'");
    else if (o->arg)
        ldr_buf_puts(b, " -x");
    ldr_buf_puts(b, " -d '");
    put_quoted(b, o->help, false);
    ldr_buf_puts(b, "'\n");
}

static void put_fish(struct ldr_buf *b)
{
    char seen[96];
    ldr_buf_puts(
        b, "# fish completion for larder: larder completion fish > ~/.config/fish/completions/larder.fish\n"
           "function __larder_views\n"
           "    larder list feature-views --json 2>/dev/null | string replace -rf "
           "'.*\"name\":\"([^\"]*)\".*' '$1'\n"
           "end\n");
    for (const struct ldr_opt *o = ldr_global_opts; o->name; o++)
        fish_option(b, o, "true");
    for (size_t i = 0; ldr_verbs[i]; i++) {
        const struct ldr_verb *v = ldr_verbs[i];
        ldr_buf_printf(b, "complete -c larder -n __fish_use_subcommand -xa %s -d '", v->name);
        put_quoted(b, v->summary, false);
        ldr_buf_puts(b, "'\n");
        snprintf(seen, sizeof seen, "__fish_seen_subcommand_from %s", v->name);
        for (const struct ldr_opt *o = v->opts; o && o->name; o++)
            fish_option(b, o, seen);
        if (takes_kind(v))
            ldr_buf_printf(b, "complete -c larder -n '%s' -xa '%s'\n", seen, kinds);
        else if (takes_view(v))
            ldr_buf_printf(b, "complete -c larder -n '%s' -a '(__larder_views)'\n", seen);
        else if (v == &ldr_verb_completion)
            ldr_buf_printf(b, "complete -c larder -n '%s' -xa 'bash zsh fish'\n", seen);
    }
}

static int run_completion(struct ldr_cli *c)
{
    static const struct {
        const char *name;
        void (*put)(struct ldr_buf *b);
    } shells[] = {{"bash", put_bash}, {"zsh", put_zsh}, {"fish", put_fish}};
    struct ldr_buf b, doc;
    struct ldr_json j;
    size_t i = 0;
    while (i < 3 && strcmp(c->args[0], shells[i].name) != 0)
        i++;
    if (i == 3)
        return ldr_cli_usage(c, "expected bash, zsh or fish, found '%s'", c->args[0]);
    ldr_buf_init(&b, NULL, 0);
    ldr_buf_init(&doc, NULL, 0);
    shells[i].put(&b);
    if (c->json) {
        ldr_json_init(&j, &doc);
        ldr_json_object(&j);
        ldr_json_key(&j, "shell");
        ldr_json_cstr(&j, shells[i].name);
        ldr_json_key(&j, "script");
        ldr_json_str(&j, ldr_buf_slice(&b));
        ldr_json_object_end(&j);
        ldr_buf_putc(&doc, '\n');
    }
    int rc = b.err ? b.err : doc.err;
    if (rc == 0)
        ldr_out_flush(c->json ? &doc : &b);
    ldr_buf_close(&b);
    ldr_buf_close(&doc);
    return rc ? ldr_cli_fail(c, rc, NULL) : LDR_EXIT_DONE;
}

const struct ldr_verb ldr_verb_completion = {
    .name = "completion",
    .group = "More",
    .synopsis = "bash|zsh|fish",
    .summary = "a completion script for your shell",
    .text = "bash: source <(larder completion bash)\n"
            "zsh:  larder completion zsh > \"${fpath[1]}/_larder\"\n"
            "fish: larder completion fish > ~/.config/fish/completions/larder.fish",
    .example = "larder completion bash > ~/.local/share/bash-completion/completions/larder",
    .min_args = 1,
    .max_args = 1,
    .run = run_completion,
};
