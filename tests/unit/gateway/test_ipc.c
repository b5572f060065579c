/* A small stream of Arrow, byte by byte: as it was when pyarrow read it and gave the same values back
 * (integration/gateway_arrow.py has every type and size). And what types columns of JSON become. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/ipc.h"
#include "gateway/sheet.h"
#include "gateway/spine.h"

struct sink {
    struct ldr_buf bytes;
    size_t room;
};

static int put(void *ctx, struct ldr_slice bytes)
{
    struct sink *s = ctx;
    if (bytes.n > s->room)
        return LDR_E_CANCELLED;
    s->room -= bytes.n;
    return ldr_buf_put(&s->bytes, bytes.p, bytes.n);
}

/* Three rows of: a number with a null, a bool, a text, a list of numbers, a status. */
static int stream(struct sink *sink)
{
    static const uint8_t some = 5, bools = 2, statuses[] = {LDR_PRESENT, LDR_OUTSIDE_MAX_AGE, LDR_NOT_FOUND};
    static const int64_t numbers[] = {7, 0, -1}, texts[] = {0, 1, 1, 3}, lists[] = {0, 2, 2, 3};
    static const int32_t elements[] = {1, 2, 3};
    const struct ldr_column_data number = {.type = LDR_INT64, .n = 3, .validity = &some, .data = numbers},
                                 flag = {.type = LDR_BOOL, .n = 3, .data = &bools},
                                 text = {.type = LDR_STRING, .n = 3, .data = "aé", .offsets = texts},
                                 element = {.type = LDR_INT32, .n = 3, .data = elements},
                                 list = {.n = 3, .validity = &some, .offsets = lists, .child = &element},
                                 status = {.data = statuses};
    const struct ldr_gw_out columns[] = {
        {.name = "number", .type = LDR_INT64, .data = &number},
        {.name = "flag", .type = LDR_BOOL, .data = &flag},
        {.name = "text", .type = LDR_STRING, .data = &text},
        {.name = "list", .type = LDR_LIST | LDR_INT32, .data = &list},
        {.name = "text__status", .type = LDR_GW_IPC_STATUS, .data = &status}};
    struct ldr_gw_stream to = {.ctx = sink, .put = put};
    struct ldr_gw_ipc ipc;
    ldr_gw_ipc_init(&ipc, &to);
    int rc = ldr_gw_ipc_schema(&ipc, columns, 5);
    if (!rc)
        rc = ldr_gw_ipc_batch(&ipc, columns, 5, 3);
    if (!rc)
        rc = ldr_gw_ipc_end(&ipc);
    if (!rc)
        assert_int_equal(ipc.bytes, sink->bytes.n);
    ldr_gw_ipc_close(&ipc);
    return rc;
}

static void a_stream_is_what_it_was(void **state)
{
    (void)state;
    struct sink s = {.room = SIZE_MAX};
    char path[4096], hex[8192];
    const char *here = __FILE__, *end = strstr(here, "unit/gateway/test_ipc.c");
    assert_non_null(end);
    ldr_buf_init(&s.bytes, NULL, 0);
    assert_int_equal(stream(&s), 0);
    assert_int_equal(s.bytes.n % 8, 0);
    snprintf(path, sizeof path, "%.*sgolden/arrow_stream.hex", (int)(end - here), here);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(hex, 1, sizeof hex, f), at = 0;
    fclose(f);
    for (size_t i = 0; i < n; i++) {
        char pair[3] = {hex[i], i + 1 < n ? hex[i + 1] : 0};
        if (hex[i] == '\n')
            continue;
        assert_true(at < s.bytes.n);
        assert_int_equal(s.bytes.p[at++], strtoul(pair, NULL, 16));
        i++;
    }
    assert_int_equal(at, s.bytes.n);
    ldr_buf_close(&s.bytes);
}

static void it_ends_when_the_reader_has_gone(void **state)
{
    (void)state;
    struct sink s = {0};
    ldr_buf_init(&s.bytes, NULL, 0);
    for (size_t room = 0;; room += 8) {
        ldr_buf_reset(&s.bytes);
        s.room = room;
        int rc = stream(&s);
        if (rc == 0)
            break;
        assert_int_equal(rc, LDR_E_CANCELLED);
        assert_true(s.bytes.n <= room);
    }
    ldr_buf_close(&s.bytes);
}

struct batches {
    size_t put, flushed, flushes;
};
static int put_batch(void *ctx, struct ldr_slice bytes)
{
    ((struct batches *)ctx)->put += bytes.n;
    return 0;
}
static int flush_batch(void *ctx)
{
    struct batches *b = ctx;
    b->flushes++;
    b->flushed = b->put;
    return 0;
}

/* The end of each batch is told, so that what compresses them keeps none back. */
static void batches_are_flushed(void **state)
{
    (void)state;
    static const int64_t numbers[] = {7, 0, -1};
    const struct ldr_column_data number = {.type = LDR_INT64, .n = 3, .data = numbers};
    for (int arrow = 0; arrow < 2; arrow++) {
        struct batches seen = {0};
        struct ldr_gw_stream to = {.ctx = &seen, .put = put_batch, .flush = flush_batch};
        struct ldr_gw_answer answer = {.stream = &to};
        struct ldr_gw_out column = {.name = "n", .type = LDR_INT64, .data = &number};
        struct ldr_gw_sheet sheet;
        struct ldr_arena arena;
        struct ldr_err err;
        ldr_arena_init(&arena, NULL, 0);
        ldr_gw_sheet_init(&sheet, &answer);
        assert_int_equal(ldr_gw_sheet_begin(&sheet, &arena, arrow, &column, 1, &err), 0);
        for (size_t i = 1; i < 4; i++) {
            assert_int_equal(ldr_gw_sheet_batch(&sheet, 3, &err), 0);
            assert_true(seen.flushes == i && seen.flushed == seen.put && seen.put > 0);
        }
        ldr_gw_sheet_end(&sheet, 0, &err);
        ldr_gw_sheet_close(&sheet);
        ldr_arena_close(&arena);
    }
}

static void infers(const char *json, size_t rows, unsigned type, bool text)
{
    struct ldr_gw_column c = {.name = "x"};
    bool as_text;
    ldr_json_reader_init(&c.at, ldr_slice_str(json));
    assert_int_equal(ldr_json_next(&c.at), LDR_JSON_ARRAY);
    unsigned got = ldr_gw_infer(&c, rows, &as_text);
    if (got != type || as_text != text)
        fail_msg("%s: type %u, %s", json, got, as_text ? "as text" : "as it is");
}

static void columns_of_json_get_types(void **state)
{
    (void)state;
    infers("[]", 0, LDR_STRING, false);
    infers("[null,null]", 2, LDR_STRING, false);
    infers("[true,null,false]", 3, LDR_BOOL, false);
    infers("[1,-9223372036854775808]", 2, LDR_INT64, false);
    infers("[1,2.0]", 2, LDR_FLOAT64, false);
    infers("[1e3,1,2]", 3, LDR_FLOAT64, false);
    infers("[\"a\",null,\"\"]", 3, LDR_STRING, false);
    infers("[\"a\",1]", 2, LDR_STRING, true);
    infers("[true,1]", 2, LDR_STRING, true);
    infers("[[1],null]", 2, LDR_STRING, true);
    infers("[{}]", 1, LDR_STRING, true);
    infers("[1e999]", 1, LDR_STRING, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_is_what_it_was),
        cmocka_unit_test(it_ends_when_the_reader_has_gone),
        cmocka_unit_test(batches_are_flushed),
        cmocka_unit_test(columns_of_json_get_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
