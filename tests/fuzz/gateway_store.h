/* gateway_store.h: a store in a folder of its own, for the targets that answer requests; gone at the end. */
#ifndef LDR_FUZZ_GATEWAY_STORE_H
#define LDR_FUZZ_GATEWAY_STORE_H
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "client/larder.h"
#include "gateway/gateway.h"

static const char definitions[] =
    "entities:\n"
    "  - {name: driver, join_keys: [{name: id, type: int64}]}\n"
    "  - {name: way, join_keys: [{name: from, type: string}, {name: at, type: timestamp}]}\n"
    "sources:\n"
    "  - {name: taps, type: push, event_timestamp: event_timestamp}\n"
    "feature_views:\n"
    "  - {name: v, entity: driver, source: taps, ttl: 1h, features: [{name: a, type: int32}, {name: b, type: "
    "string},\n"
    "     {name: c, type: float64}, {name: d, type: list<float32>}, {name: e, type: bytes}, {name: f, type: "
    "list<string>}]}\n"
    "  - {name: w, entity: way, features: [{name: a, type: bool}, {name: t, type: timestamp}]}\n"
    "feature_services:\n"
    "  - {name: s, features: [v, \"w:t\"]}\n";

static char dir[] = "/tmp/larder-fuzz-XXXXXX";

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static void remove_all(void)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct ldr_store *fuzz_store(void)
{
    char path[64];
    const struct ldr_open_opts opts = {
        .no_sync = true, .threads = 1, .latest_bytes = 8 << 20, .cache_bytes = 8 << 20};
    struct ldr_table *changes = NULL, *problems = NULL;
    struct ldr_store *store = NULL;
    struct ldr_err err = {0};
    LDR_ASSERT(mkdtemp(dir) && atexit(remove_all) == 0);
    snprintf(path, sizeof path, "%s/defs", dir);
    LDR_ASSERT(mkdir(path, 0700) == 0);
    snprintf(path, sizeof path, "%s/defs/d.yaml", dir);
    FILE *f = fopen(path, "w");
    LDR_ASSERT(f && fputs(definitions, f) >= 0 && fclose(f) == 0);
    char url[64];
    snprintf(url, sizeof url, "local:%s/store", dir);
    snprintf(path, sizeof path, "%s/defs", dir);
    int rc = ldr_open(url, &opts, &store, &err);
    if (!rc)
        rc = ldr_apply(store, path, UINT64_MAX, &changes, NULL, NULL, &problems, &err);
    if (rc)
        fprintf(stderr, "%s\n", err.message);
    LDR_ASSERT(rc == 0);
    ldr_table_destroy(changes);
    ldr_table_destroy(problems);
    return store;
}

static void is_json(struct ldr_slice text)
{
    struct ldr_json_reader r;
    ldr_json_reader_init(&r, text);
    enum ldr_json_token t = ldr_json_next(&r);
    LDR_ASSERT(t != LDR_JSON_ERROR && ldr_json_skip(&r, t) == 0 && ldr_json_next(&r) == LDR_JSON_END);
}

static void are_lines(struct ldr_slice text)
{
    while (text.n) {
        const uint8_t *end = memchr(text.p, '\n', text.n);
        LDR_ASSERT(end);
        size_t n = (size_t)(end - text.p);
        is_json(ldr_slice(text.p, n));
        text = ldr_slice(end + 1, text.n - n - 1);
    }
}
#endif
