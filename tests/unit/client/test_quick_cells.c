/* Cells filled all at once must be those filled one by one: random columns, random nulls, rows written under
 * older and newer versions of the view. */
#include "store_fixture.h"

#include "client/quick_cells.h"

enum { COLS_MAX = 40, ROUNDS = 4000 };

static uint64_t rng = 7;
static uint64_t rnd(void)
{
    rng = rng * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return rng >> 33;
}

static const uint8_t kinds[] = {LDR_BOOL,      LDR_INT32,  LDR_INT64, LDR_FLOAT32,         LDR_FLOAT64,
                                LDR_TIMESTAMP, LDR_STRING, LDR_BYTES, LDR_LIST | LDR_INT64};
enum { PLAIN_KINDS = 8 };

static struct ldr_value random_value(uint8_t type, bool null)
{
    static const uint8_t text[] = "some words of up to thirty two!!";
    struct ldr_value v = ldr_value_null(type);
    if (null)
        return v;
    v.null = false;
    switch (type) {
    case LDR_BOOL:
        v.b = rnd() % 2;
        break;
    case LDR_INT32:
        v.i = (int32_t)(rnd() << 1);
        break;
    case LDR_FLOAT32:
        v.f32 = (float)rnd() / 7;
        break;
    case LDR_FLOAT64:
        v.f64 = -(double)rnd() / 7;
        break;
    case LDR_STRING:
    case LDR_BYTES:
        v.s = ldr_slice(text, rnd() % 32);
        break;
    case LDR_LIST | LDR_INT64:
        v.count = (uint32_t)(rnd() % 3);
        v.s = ldr_slice(text, v.count * 8);
        break;
    default:
        v.i = (int64_t)rnd() - INT32_MAX;
    }
    return v;
}

static struct ldr_schema *schema_of(struct ldr_arena *a, uint32_t n, const uint8_t *types)
{
    static char text[COLS_MAX][12];
    const char *names[COLS_MAX];
    struct ldr_schema *s;
    for (uint32_t i = 0; i < n; i++) {
        snprintf(text[i], sizeof text[i], "c%u", i);
        names[i] = text[i];
    }
    assert_int_equal(ldr_schema_build(a, 1, n, names, types, NULL, 0, NULL, 0, 0, &s), 0);
    return s;
}

static void must_equal(const struct ldr_datum *a, const struct ldr_datum *b)
{
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->status, b->status);
    assert_int_equal(a->null, b->null);
    assert_int_equal(a->count, b->count);
    if (a->null)
        return;
    switch (a->type) {
    case LDR_BOOL:
        assert_int_equal(a->v.b, b->v.b);
        break;
    case LDR_FLOAT32:
        assert_true(a->v.f32 == b->v.f32);
        break;
    case LDR_STRING:
    case LDR_BYTES:
        assert_ptr_equal(a->v.s.p, b->v.s.p);
        assert_int_equal(a->v.s.n, b->v.s.n);
        break;
    default:
        assert_true(a->v.i == b->v.i);
    }
}

/* A row of `written` columns, read under `known`; the query wants some, in any order of output columns.
 * Returns whether the quick way was taken. */
static bool one_round(bool lists)
{
    struct ldr_arena a;
    struct ldr_buf row;
    uint8_t types[COLS_MAX];
    struct ldr_value values[COLS_MAX];
    struct ldr_datum quick[COLS_MAX], plain[COLS_MAX];
    uint32_t cols[COLS_MAX], slots[COLS_MAX];
    ldr_arena_init(&a, NULL, 0);
    ldr_buf_init(&row, NULL, 0);
    uint32_t known = 1 + (uint32_t)(rnd() % COLS_MAX), written = known;
    if (rnd() % 3 == 0)
        written = 1 + (uint32_t)(rnd() % COLS_MAX);
    uint64_t nulls = rnd() % 4;
    for (uint32_t i = 0; i < COLS_MAX; i++) {
        types[i] = kinds[rnd() % (PLAIN_KINDS + lists)];
        values[i] = random_value(types[i], nulls && rnd() % 4 < nulls);
    }
    const struct ldr_schema *writer = schema_of(&a, written, types), *reader = schema_of(&a, known, types);
    assert_int_equal(ldr_row_encode(writer, values, &row), 0);
    assert_int_equal(ldr_row_verify(reader, ldr_buf_slice(&row)), 0);
    struct ldr_query_view v = {.schema = reader, .cols = cols, .slots = slots};
    for (uint32_t i = 0; i < known; i++)
        if (rnd() % 3) {
            cols[v.ncols] = known - 1 - i;
            slots[v.ncols++] = i;
        }
    memset(quick, 0xee, sizeof quick);
    memset(plain, 0xee, sizeof plain);
    assert_int_equal(ldr_quick_plan(&a, &v), 0);
    bool took = ldr_quick_fill(&v, ldr_buf_slice(&row), quick);
    for (uint32_t i = 0; took && i < v.ncols; i++) {
        ldr_row_datum(reader, ldr_buf_slice(&row), slots[i], &plain[cols[i]]);
        must_equal(&quick[cols[i]], &plain[cols[i]]);
    }
    for (uint32_t i = 0; !took && i < COLS_MAX; i++)
        assert_memory_equal(&quick[i], &plain[i], sizeof quick[i]); /* nothing was written */
    ldr_buf_close(&row);
    ldr_arena_close(&a);
    return took;
}

static void all_at_once_is_one_by_one(void **state)
{
    (void)state;
    int took = 0;
    for (int i = 0; i < ROUNDS; i++)
        took += one_round(false);
    assert_true(took > ROUNDS / 2); /* the test is about the quick way */
    assert_true(took < ROUNDS);     /* and rows older than a column are left to the other */
}

static void lists_are_left_to_the_other_way(void **state)
{
    (void)state;
    for (int i = 0; i < ROUNDS / 4; i++)
        one_round(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_at_once_is_one_by_one),
        cmocka_unit_test(lists_are_left_to_the_other_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
