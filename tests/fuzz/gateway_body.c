/* Bodies of requests: fields, entities, values of every type. What is taken is written and reads back the
 * same. links: gateway */
#include "gateway/entities.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void value(struct ldr_arena *a, struct ldr_slice json, unsigned type, bool feast)
{
    struct ldr_gw_reading g = {.arena = a, .feast = feast, .key = feast, .why = NULL};
    struct ldr_json_reader r;
    struct ldr_datum d, again;
    struct ldr_buf one, two;
    ldr_json_reader_init(&r, json);
    int rc = ldr_gw_value_read(&g, &r, ldr_json_next(&r), type, &d);
    if (rc) {
        LDR_ASSERT(rc == LDR_E_INVALID && g.why);
        return;
    }
    ldr_buf_init(&one, NULL, 0);
    ldr_buf_init(&two, NULL, 0);
    ldr_gw_value_put(&one, &d, feast);
    ldr_json_reader_init(&r, ldr_buf_slice(&one));
    rc = ldr_gw_value_read(&g, &r, ldr_json_next(&r), type, &again);
    LDR_ASSERT(rc == 0 && ldr_json_next(&r) == LDR_JSON_END);
    ldr_gw_value_put(&two, &again, feast);
    LDR_ASSERT(ldr_slice_eq(ldr_buf_slice(&one), ldr_buf_slice(&two)));
    ldr_buf_close(&one);
    ldr_buf_close(&two);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *keys[] = {"a", "b", "c"};
    static uint8_t types[] = {LDR_INT64, LDR_STRING, LDR_TIMESTAMP};
    static const uint8_t all[] = {1, 2, 3, 4, 5, 6, 7, 8};
    const struct ldr_gw_query q = {.nkeys = 3, .keys = keys, .key_types = types};
    struct ldr_gw_field f[] = {{.name = "entities"}, {.name = "features"}, {.name = "full_feature_names"}};
    struct ldr_slice body = ldr_slice(data, size);
    struct ldr_arena a;
    struct ldr_err err;
    struct ldr_datum *found = NULL;
    const char *const *texts = NULL;
    size_t n = 0;
    bool full = false;
    ldr_arena_init(&a, NULL, 0);
    if (ldr_gw_fields(body, f, 3, true, &err) == 0) {
        ldr_gw_bool(&f[2], &full, &err);
        ldr_gw_texts(&f[1], &a, &texts, &n, &err);
        if (f[0].token != LDR_JSON_END &&
            ldr_gw_entities(f[0].raw, &q, &a, 1000, true, &found, &n, &err) == 0)
            LDR_ASSERT(n <= 1000 && (n == 0 || found));
    }
    for (size_t i = 0; i < sizeof all; i++) {
        value(&a, body, all[i], i & 1);
        value(&a, body, LDR_LIST | all[i], i & 1);
    }
    ldr_arena_close(&a);
    return 0;
}
