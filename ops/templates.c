#include "ops/templates.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_MAX 16384

static bool is_dir(const char *path)
{
    struct stat st;
    return path && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* LARDER_TEMPLATES; beside an installed program; where this build would install them; the sources it was
 * built from. */
const char *ldr_templates_dir(struct ldr_cli *c)
{
    char exe[4096];
    const char *named = getenv("LARDER_TEMPLATES"), *beside = NULL;
    if (named && *named)
        return named;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n > 0) {
        exe[n] = '\0';
        char *slash = strrchr(exe, '/');
        *slash = '\0';
        beside = ldr_arena_printf(&c->arena, "%s/../share/larder/templates", exe);
    }
    const char *places[] = {beside, LARDER_TEMPLATE_DIR, LARDER_SOURCE_DIR "/examples"};
    for (size_t i = 0; i < 3; i++) {
        if (is_dir(places[i]))
            return places[i];
    }
    return NULL;
}

const char *ldr_template_text(struct ldr_cli *c, const char *templates, const char *name)
{
    const char *path = ldr_arena_printf(&c->arena, "%s/%s/TEMPLATE", templates, name);
    char *text = ldr_arena_alloc(&c->arena, TEXT_MAX);
    FILE *f = path && text && !strchr(name, '/') ? fopen(path, "rb") : NULL;
    if (!f)
        return NULL;
    size_t n = fread(text, 1, TEXT_MAX - 1, f);
    bool bad = ferror(f) != 0;
    fclose(f);
    text[n] = '\0';
    return bad ? NULL : text;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

const char **ldr_template_names(struct ldr_cli *c, const char *templates, size_t *n)
{
    enum { MOST = 256 };
    const char **names = ldr_arena_calloc(&c->arena, MOST, sizeof *names);
    DIR *d = names ? opendir(templates) : NULL;
    *n = 0;
    for (struct dirent *e; d && *n < MOST && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.' || !ldr_template_text(c, templates, e->d_name))
            continue;
        names[*n] = ldr_arena_strndup(&c->arena, e->d_name, strlen(e->d_name));
        *n += names[*n] != NULL;
    }
    if (d)
        closedir(d);
    if (*n)
        qsort(names, *n, sizeof *names, by_name);
    return names;
}

/* What was made, to take it back. */
struct made {
    const char *path;
    struct made *before;
};
struct copy {
    struct ldr_cli *c;
    struct made *last;
    size_t files;
};

static int note_made(struct copy *k, const char *path)
{
    struct made *m = ldr_arena_calloc(&k->c->arena, 1, sizeof *m);
    if (!m)
        return ldr_cli_fail(k->c, LDR_E_NOMEM, NULL);
    *m = (struct made){path, k->last};
    k->last = m;
    return 0;
}

static int copy_file(struct copy *k, const char *from, const char *to)
{
    char block[16384];
    size_t n;
    FILE *in = fopen(from, "rb"), *out = in ? fopen(to, "wbx") : NULL;
    int code = out ? note_made(k, to) : 0;
    bool bad = !out;
    do {
        n = bad ? 0 : fread(block, 1, sizeof block, in);
        bad = bad || fwrite(block, 1, n, out) != n;
    } while (n == sizeof block);
    bad = bad || ferror(in);
    if (in)
        fclose(in);
    if (out)
        bad = fclose(out) != 0 || bad;
    k->files++;
    return bad ? ldr_cli_error(k->c, LDR_EXIT_REFUSED, "cannot copy %s to %s", from, to) : code;
}

static int copy_dir(struct copy *k, const char *from, const char *to, int depth)
{
    int code = 0;
    struct stat st;
    if (!is_dir(to)) {
        if (mkdir(to, 0777) != 0)
            return ldr_cli_error(k->c, LDR_EXIT_REFUSED, "cannot make the folder %s", to);
        code = note_made(k, to);
    }
    DIR *d = opendir(from);
    if (!d)
        return ldr_cli_error(k->c, LDR_EXIT_REFUSED, "cannot read %s", from);
    for (struct dirent *e; code == 0 && (e = readdir(d)) != NULL;) {
        const char *source = ldr_arena_printf(&k->c->arena, "%s/%s", from, e->d_name);
        const char *target = ldr_arena_printf(&k->c->arena, "%s/%s", to, e->d_name);
        if (!source || !target)
            code = ldr_cli_fail(k->c, LDR_E_NOMEM, NULL);
        else if (e->d_name[0] == '.' || (depth == 0 && strcmp(e->d_name, "TEMPLATE") == 0) ||
                 stat(source, &st) != 0)
            continue;
        else if (S_ISDIR(st.st_mode) && depth < 8)
            code = copy_dir(k, source, target, depth + 1);
        else if (S_ISREG(st.st_mode))
            code = copy_file(k, source, target);
    }
    closedir(d);
    return code;
}

/* 0 when the folder is missing or empty. */
static int must_be_empty(struct ldr_cli *c, const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0)
        return 0;
    DIR *d = opendir(path);
    if (!d)
        return ldr_cli_error(c, LDR_EXIT_REFUSED, "%s is there already and not a folder that can be read",
                             path);
    bool empty = true;
    for (struct dirent *e; empty && (e = readdir(d)) != NULL;)
        empty = strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0;
    closedir(d);
    return empty ? 0
                 : ldr_cli_error(c, LDR_EXIT_REFUSED,
                                 "%s is not empty; name a new folder, nothing was changed", path);
}

int ldr_template_copy(struct ldr_cli *c, const char *from, const char *to, size_t *files)
{
    struct copy k = {.c = c};
    int code = must_be_empty(c, to);
    if (code == 0)
        code = copy_dir(&k, from, to, 0);
    for (; code && k.last; k.last = k.last->before)
        remove(k.last->path);
    *files = k.files;
    return code;
}
