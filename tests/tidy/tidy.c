/* The repository's own rules, checked on every run. usage: tidy ROOT | tidy --self-test */
#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct folder {
    const char *name, *header;
    int rank;
    bool pure;
};
/* Ranks as in docs/architecture.md; a folder may include folders of lower rank only. */
static const struct folder folders[] = {
    {"base", "base/base.h", 1, true},
    {"feature", "feature/feature.h", 2, true},
    {"ring", "ring/ring.h", 2, true},
    {"env", "env/env.h", 2, false},
    {"registry", "registry/registry.h", 3, true},
    {"shard", "shard/shard.h", 3, false},
    {"rpc", "rpc/rpc.h", 3, false},
    {"node", "node/node.h", 4, false},
    {"coordinator", "coordinator/coordinator.h", 4, false},
    {"client", "client/larder.h", 4, false},
    {"ops", "ops/ops.h", 5, false},
    {"gateway", "gateway/gateway.h", 5, false},
};
/* A header (or, with a slash at its end, a folder of headers) and the folders that may include it. */
static const char *const vendor[][2] = {
    {"xxhash.h", "base"},     {"yaml.h", "registry"},
    {"rocksdb/c.h", "shard"}, {"uv.h", "env rpc coordinator gateway"},
    {"jansson.h", "client"},  {"zlib.h", "client gateway"},
    {"nng/", "rpc"},          {"raft.h", "coordinator"},
    {"raft/", "coordinator"}, {"http_parser.h", "gateway"},
};
static const char *const banned[] = {"strcpy", "strcat", "sprintf", "vsprintf", "gets",
                                     "atoi",   "atol",   "atof",    "strtok",   "rand",
                                     "srand",  "alloca", "system",  "tmpnam",   "mktemp"};
static const char *const impure[] = {"<time.h>",   "<pthread.h>",   "<sys/socket.h>", "<fcntl.h>",
                                     "<unistd.h>", "<threads.h>",   "<sys/time.h>",   "<sys/stat.h>",
                                     "<dirent.h>", "<sys/random.h>"};
static const char *const leftovers[] = {"TO"
                                        "DO",
                                        "FIX"
                                        "ME",
                                        "XX"
                                        "X:",
                                        "HA"
                                        "CK"};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
static int found, files_seen;

static void report(const char *file, int line, const char *rule, const char *what)
{
    printf("%s:%d: %s: %s\n", file, line, rule, what);
    found++;
}

static const struct folder *folder_of(const char *path)
{
    for (size_t i = 0; i < COUNT(folders); i++) {
        size_t n = strlen(folders[i].name);
        if (strncmp(path, folders[i].name, n) == 0 && path[n] == '/')
            return &folders[i];
    }
    return NULL;
}

static bool is_header(const char *name, const char *header)
{
    size_t n = strlen(header);
    return header[n - 1] == '/' ? strncmp(name, header, n) == 0 : strcmp(name, header) == 0;
}

/* Whether `word` is one of the words of `list`. */
static bool names_folder(const char *list, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = list; (p = strstr(p, word)) != NULL; p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == ' ' || p[n] == 0))
            return true;
    return false;
}

static void check_include(const char *file, int line, const char *text)
{
    const struct folder *own = folder_of(file);
    char name[256];
    char close = 0;
    if (sscanf(text, " # include %*[\"<]%255[^\">]%c", name, &close) != 2)
        return;
    for (size_t i = 0; i < COUNT(vendor); i++)
        if (own && is_header(name, vendor[i][0]) && !names_folder(vendor[i][1], own->name))
            report(file, line, "third-party header outside its folder", name);
    const struct folder *other = folder_of(name);
    if (!own || !other || own == other)
        return;
    if (other->rank >= own->rank)
        report(file, line, "includes a folder of the same or a higher rank", name);
    else if (strcmp(name, other->header) != 0)
        report(file, line, "includes another folder's private header", name);
}

static bool word_call(const char *text, const char *word)
{
    size_t n = strlen(word);
    for (const char *p = strstr(text, word); p; p = strstr(p + 1, word)) {
        bool start = p == text || (!isalnum((unsigned char)p[-1]) && p[-1] != '_');
        const char *q = p + n;
        while (*q == ' ')
            q++;
        if (start && *q == '(')
            return true;
    }
    return false;
}

static void check_line(const char *file, int line, const char *text)
{
    const struct folder *own = folder_of(file);
    check_include(file, line, text);
    for (size_t i = 0; i < COUNT(banned); i++)
        /* tests copy and damage whole folders with the shell's help */
        if (word_call(text, banned[i]) &&
            !(strcmp(banned[i], "system") == 0 && strncmp(file, "tests/", 6) == 0))
            report(file, line, "banned call", banned[i]);
    for (size_t i = 0; i < COUNT(leftovers); i++)
        if (strstr(text, leftovers[i]))
            report(file, line, "left-over", leftovers[i]);
    if (own && own->pure && strstr(text, "#include"))
        for (size_t i = 0; i < COUNT(impure); i++)
            /* the fault points read the environment, in test builds only */
            if (strstr(text, impure[i]) && strcmp(file, "base/fault.c") != 0)
                report(file, line, "pure folder reaches outside", impure[i]);
}

static void check_file(const char *root, const char *file)
{
    char path[8400], text[8192];
    snprintf(path, sizeof path, "%s/%s", root, file);
    FILE *f = fopen(path, "r");
    if (!f) {
        report(file, 0, "cannot read", path);
        return;
    }
    int line = 0;
    files_seen++;
    while (fgets(text, sizeof text, f))
        check_line(file, ++line, text);
    fclose(f);
    if (line > 500)
        report(file, line, "too long", "over 500 lines");
}

static bool is_source(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (strcmp(dot, ".c") == 0 || strcmp(dot, ".h") == 0);
}

static void walk(const char *root, const char *dir)
{
    char path[8400], sub[4096];
    snprintf(path, sizeof path, "%s/%s", root, dir);
    struct dirent **list;
    int n = scandir(path, &list, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        struct stat st;
        const char *name = list[i]->d_name;
        snprintf(sub, sizeof sub, "%s%s%s", dir, *dir ? "/" : "", name);
        snprintf(path, sizeof path, "%s/%s", root, sub);
        if (name[0] != '.' && strcmp(name, "build") != 0 && lstat(path, &st) == 0) {
            if (S_ISDIR(st.st_mode))
                walk(root, sub);
            else if (S_ISREG(st.st_mode) && is_source(name) && strcmp(sub, "tests/tidy/tidy.c") != 0)
                check_file(root, sub);
        }
        free(list[i]);
    }
    if (n >= 0)
        free(list);
}

static void check_readmes(const char *root)
{
    struct dirent **list;
    int n = scandir(root, &list, NULL, alphasort);
    for (int i = 0; i < n; i++) {
        struct stat st;
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", root, list[i]->d_name);
        if (list[i]->d_name[0] != '.' && strcmp(list[i]->d_name, "build") != 0 && stat(path, &st) == 0 &&
            S_ISDIR(st.st_mode)) {
            snprintf(path, sizeof path, "%s/%s/README.md", root, list[i]->d_name);
            if (stat(path, &st) != 0)
                report(list[i]->d_name, 0, "folder without README.md", path);
        }
        free(list[i]);
    }
    if (n >= 0)
        free(list);
}

/* Each line breaks one rule in the file named beside it; a rule that lets its line pass is broken itself. */
static int self_test(void)
{
    static const char *const bad[][2] = {
        {"base/x.c", "#include \"feature/feature.h\""},
        {"feature/x.c", "#include \"base/err.h\""},
        {"shard/x.c", "#include <yaml.h>"},
        {"registry/x.c", "#include <time.h>"},
        {"ops/x.c", "    n = atoi (text);"},
        {"ops/x.c", "    system(text);"},
        {"client/x.c", "/* TO"
                       "DO later */"},
        {"feature/x.c", "#include \"ring/ring.h\""},
        {"node/x.c", "#include \"client/larder.h\""},
        {"coordinator/x.c", "#include \"node/node.h\""},
        {"shard/x.c", "#include \"rpc/rpc.h\""},
        {"node/x.c", "#include <raft/uv.h>"},
        {"client/x.c", "#include <nng/nng.h>"},
        {"node/x.c", "#include <uv.h>"},
        {"node/x.c", "#include \"rpc/frame.h\""},
        {"gateway/x.c", "#include \"ops/ops.h\""},
        {"ops/x.c", "#include <http_parser.h>"},
    };
    static const char *const good[][2] = {
        {"shard/x.c", "#include \"feature/feature.h\""},
        {"shard/x.c", "#include \"shard/layout.h\""},
        {"env/x.c", "#include <time.h>"},
        {"tests/x.c", "    system(text);"},
        {"rpc/x.c", "#include <uv.h>"},
        {"rpc/x.c", "#include <nng/protocol/reqrep0/req.h>"},
        {"coordinator/x.c", "#include <raft.h>"},
        {"node/x.c", "#include \"rpc/rpc.h\""},
        {"ops/x.c", "    my_atoi(text);"},
    };
    int failed = 0;
    for (size_t i = 0; i < COUNT(bad); i++) {
        found = 0;
        check_line(bad[i][0], 1, bad[i][1]);
        failed += found != 1;
    }
    for (size_t i = 0; i < COUNT(good); i++) {
        found = 0;
        check_line(good[i][0], 1, good[i][1]);
        failed += found != 0;
    }
    printf("self-test: %d wrong\n", failed);
    return failed ? 1 : 0;
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: tidy ROOT | tidy --self-test\n");
        return 2;
    }
    if (strcmp(argv[1], "--self-test") == 0)
        return self_test();
    walk(argv[1], "");
    check_readmes(argv[1]);
    if (files_seen == 0)
        report(argv[1], 0, "no sources found", argv[1]);
    printf("tidy: %d files, %d problems\n", files_seen, found);
    return found ? 1 : 0;
}
