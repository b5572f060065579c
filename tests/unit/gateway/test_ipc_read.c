/* Streams of Arrow from strangers: what the gateway writes it takes, whatever else is cut or changed does no
 * harm (integration/gateway_spine.py has pyarrow write every type; tests/fuzz/gateway_spine.c looks for the
 * rest). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/ipc.h"
#include "gateway/ipc_read.h"
#include "gateway/rebase.h"

static int put(void *ctx, struct ldr_slice bytes)
{
    return ldr_buf_put(ctx, bytes.p, bytes.n);
}

enum { ROWS = 11, COLUMNS = 6 };
static const int64_t numbers[ROWS] = {7, 0, -1, INT64_MIN, INT64_MAX, 5, 6, 7, 8, 9, 10};
static const int64_t texts[ROWS + 1] = {0, 1, 1, 3, 4, 5, 6, 7, 8, 8, 8, 9};
static const int64_t lists[ROWS + 1] = {0, 2, 2, 3, 3, 3, 4, 5, 5, 5, 6, 7};
static const uint8_t some[2] = {0xed, 0x07}, bools[2] = {0x5a, 0x02};
static const uint8_t statuses[ROWS] = {0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2};

static void write_stream(struct ldr_buf *out, size_t batches)
{
    const struct ldr_column_data
        number = {.type = LDR_INT64, .n = ROWS, .validity = some, .data = numbers},
        flag = {.type = LDR_BOOL, .n = ROWS, .data = bools},
        text = {.type = LDR_STRING, .n = ROWS, .data = "aéxyzuvwq", .offsets = texts},
        element = {.type = LDR_BOOL, .n = 7, .data = bools},
        list = {.n = ROWS, .validity = some, .offsets = lists, .child = &element},
        element2 = {.type = LDR_STRING, .n = 7, .data = "aéxyzuvwq", .offsets = texts},
        list2 = {.n = ROWS, .offsets = lists, .child = &element2}, status = {.data = statuses};
    const struct ldr_gw_out columns[COLUMNS] = {
        {.name = "number", .type = LDR_INT64, .data = &number},
        {.name = "flag", .type = LDR_BOOL, .data = &flag},
        {.name = "text", .type = LDR_STRING, .data = &text},
        {.name = "list", .type = LDR_LIST | LDR_BOOL, .data = &list},
        {.name = "words", .type = LDR_LIST | LDR_STRING, .data = &list2},
        {.name = "s", .type = LDR_GW_IPC_STATUS, .data = &status}};
    struct ldr_gw_stream to = {.ctx = out, .put = put};
    struct ldr_gw_ipc ipc;
    ldr_gw_ipc_init(&ipc, &to);
    assert_int_equal(ldr_gw_ipc_schema(&ipc, columns, COLUMNS), 0);
    for (size_t i = 0; i < batches; i++)
        assert_int_equal(ldr_gw_ipc_batch(&ipc, columns, COLUMNS, ROWS), 0);
    assert_int_equal(ldr_gw_ipc_end(&ipc), 0);
    ldr_gw_ipc_close(&ipc);
}

static bool bit(const uint8_t *p, size_t i)
{
    return p[i / 8] >> (i % 8) & 1;
}

static void rows_are(struct ldr_gw_ipc_reader *r, size_t from, size_t n)
{
    static const uint8_t types[COLUMNS] = {
        LDR_INT64, LDR_BOOL, LDR_STRING, LDR_LIST | LDR_BOOL, LDR_LIST | LDR_STRING, LDR_STRING};
    const char *names[COLUMNS];
    struct ldr_gw_rebased cut[COLUMNS];
    struct ldr_import *im;
    struct ArrowArray rows;
    struct ldr_err err = {0};
    for (size_t c = 0; c < COLUMNS; c++) {
        names[c] = r->columns[c].name;
        assert_int_equal(r->columns[c].type, types[c]);
        ldr_gw_rebased_init(&cut[c]);
    }
    ldr_gw_ipc_rows(r, from, n, &rows);
    assert_int_equal(ldr_import_create(&r->schema, &rows, names, NULL, COLUMNS, &im, &err), 0);
    for (size_t c = 0; c < COLUMNS; c++)
        assert_int_equal(ldr_gw_rebase(&cut[c], &ldr_import_columns(im)[c]), 0);
    assert_true(cut[2].data.offsets[0] == 0 && cut[3].data.offsets[0] == 0 && cut[4].data.offsets[0] == 0);
    for (size_t i = 0; i < n; i++) {
        size_t row = from + i, word = (size_t)texts[row];
        assert_int_equal(((const int64_t *)cut[0].data.data)[i], numbers[row]);
        assert_int_equal(bit(cut[0].data.validity, i), bit(some, row));
        assert_int_equal(bit(cut[1].data.data, i), bit(bools, row));
        int64_t at = cut[2].data.offsets[i], end = cut[2].data.offsets[i + 1];
        assert_int_equal(end - at, texts[row + 1] - texts[row]);
        assert_memory_equal((const char *)cut[2].data.data + at, "aéxyzuvwq" + word, (size_t)(end - at));
        assert_int_equal(cut[3].data.offsets[i + 1] - cut[3].data.offsets[i], lists[row + 1] - lists[row]);
        for (int64_t k = 0; k < lists[row + 1] - lists[row]; k++) {
            size_t there = (size_t)(lists[row] + k);
            assert_int_equal(bit(cut[3].data.child->data, (size_t)(cut[3].data.offsets[i] + k)),
                             bit(bools, there));
            const struct ldr_column_data *words = cut[4].data.child;
            size_t w = (size_t)(cut[4].data.offsets[i] + k);
            assert_int_equal(words->offsets[w + 1] - words->offsets[w], texts[there + 1] - texts[there]);
            assert_memory_equal((const char *)words->data + words->offsets[w], "aéxyzuvwq" + texts[there],
                                (size_t)(texts[there + 1] - texts[there]));
        }
    }
    for (size_t c = 0; c < COLUMNS; c++)
        ldr_gw_rebased_close(&cut[c]);
    ldr_import_destroy(im);
}

static void takes_what_it_writes(void **state)
{
    (void)state;
    struct ldr_gw_ipc_reader r;
    struct ldr_arena arena;
    struct ldr_buf stream;
    struct ldr_err err = {0};
    bool more;
    ldr_arena_init(&arena, NULL, 0);
    ldr_buf_init(&stream, NULL, 0);
    write_stream(&stream, 2);
    assert_int_equal(ldr_gw_ipc_open(&r, ldr_buf_slice(&stream), &arena, &err), 0);
    assert_int_equal(r.n, COLUMNS);
    for (int again = 0; again < 2; again++, ldr_gw_ipc_rewind(&r)) {
        for (int batch = 0; batch < 2; batch++) {
            assert_int_equal(ldr_gw_ipc_next(&r, &more, &err), 0);
            assert_true(more && r.rows == ROWS);
            for (size_t from = 0; from <= ROWS; from++)
                for (size_t n = 0; n <= ROWS - from; n++)
                    rows_are(&r, from, n);
            assert_int_equal(ldr_gw_ipc_fit(&r, 0, ROWS, 1 << 20), ROWS);
            assert_int_equal(ldr_gw_ipc_fit(&r, 0, ROWS, 0), 1);
            assert_int_equal(ldr_gw_ipc_fit(&r, 1, 5, 30), 2); /* NULL_VALUE, NOT_FOUND */
        }
        assert_int_equal(ldr_gw_ipc_next(&r, &more, &err), 0);
        assert_false(more);
    }
    ldr_buf_close(&stream);
    ldr_arena_close(&arena);
}

/* All of a stream; what was taken is read. */
static int read_all(struct ldr_slice in)
{
    struct ldr_gw_ipc_reader r;
    struct ldr_arena arena;
    struct ldr_err err = {0};
    bool more = true;
    uint8_t *own = malloc(in.n + 1); /* reading past it is seen by a sanitizer */
    memcpy(own, in.p, in.n);
    own = realloc(own, in.n ? in.n : 1);
    ldr_arena_init(&arena, NULL, 0);
    int rc = ldr_gw_ipc_open(&r, ldr_slice(own, in.n), &arena, &err);
    while (!rc && more) {
        rc = ldr_gw_ipc_next(&r, &more, &err);
        if (rc || !more)
            break;
        struct ldr_import *im;
        struct ArrowArray rows;
        const char *names[LDR_GW_IPC_COLUMNS];
        uint8_t types[LDR_GW_IPC_COLUMNS];
        for (size_t c = 0; c < r.n; c++) {
            names[c] = r.columns[c].name;
            types[c] = r.columns[c].type ? r.columns[c].type : LDR_STRING;
        }
        assert_true(r.rows < 1000);
        ldr_gw_ipc_fit(&r, 0, r.rows, 100);
        ldr_gw_ipc_rows(&r, 0, r.rows, &rows);
        rc = ldr_import_create(&r.schema, &rows, names, types, r.n, &im, &err);
        ldr_import_destroy(im);
    }
    assert_int_equal(!rc, !err.message[0]);
    free(own);
    ldr_arena_close(&arena);
    return rc;
}

static void survives_what_is_cut_or_changed(void **state)
{
    (void)state;
    static const uint8_t with[] = {0, 1, 2, 4, 8, 0x10, 0x7f, 0x80, 0xff};
    struct ldr_buf stream;
    size_t taken = 0, refused = 0;
    ldr_buf_init(&stream, NULL, 0);
    write_stream(&stream, 1);
    assert_int_equal(read_all(ldr_buf_slice(&stream)), 0);
    for (size_t n = 0; n < stream.n - 8; n++)
        if (read_all(ldr_slice(stream.p, n)) == 0)
            taken++;
    assert_true(taken < 4); /* behind the schema, a dictionary, the batch: as if no more were meant to come */
    taken = 0;
    for (size_t i = 0; i < stream.n; i++)
        for (size_t k = 0; k < sizeof with; k++) {
            uint8_t was = stream.p[i];
            stream.p[i] = with[k];
            *(read_all(ldr_buf_slice(&stream)) ? &refused : &taken) += 1;
            stream.p[i] = was;
        }
    assert_true(taken > 100 && refused > 1000);
    ldr_buf_close(&stream);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_it_writes),
        cmocka_unit_test(survives_what_is_cut_or_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
