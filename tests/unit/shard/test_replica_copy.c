/* Copies carried file by file, adopted, and arcs cut in two, with a crash at any point. */
#include "tests/unit/shard/split_kit.h"
#include <sys/stat.h>

struct carry {
    const char *from, *to;
    int n;
    char last[80];
};
static int carry_file(void *ctx, const char *name, uint64_t size)
{
    struct carry *c = ctx;
    struct ldr_err err;
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    assert_true(ldr_copy_name_valid(ldr_slice_str(name)));
    for (uint64_t at = 0; at < size || at == 0; at += 1000) { /* in pieces */
        size_t n = size - at < 1000 ? (size_t)(size - at) : 1000;
        ldr_buf_reset(&b);
        assert_int_equal(ldr_copy_read(c->from, name, at, n, &b, &err), 0);
        assert_int_equal(ldr_copy_put(c->to, name, at, ldr_buf_slice(&b), &err), 0);
    }
    assert_int_equal(ldr_copy_read(c->from, name, size, 1, &b, &err), LDR_E_INVALID);
    ldr_buf_close(&b);
    snprintf(c->last, sizeof c->last, "%s", name);
    c->n++;
    return 0;
}

static void carried_copy_is_adopted(void **state)
{
    (void)state;
    struct kit a, b;
    struct model m;
    struct ldr_copy_origin made, origin;
    struct ldr_shard_stats sa, sb;
    char snap[128], in[128];
    kit_init(&a);
    kit_open(&a);
    model_init(&m, &a, 8, 5);
    fill(&m, &a, 100);
    struct ldr_note note = {"x", ldr_slice_str("carried")};
    assert_int_equal(ldr_shard_note_put(a.s, &note, 1, &a.err), 0);
    snprintf(snap, sizeof snap, "%s/snap", a.dir);
    snprintf(in, sizeof in, "%s/in", a.dir);
    assert_int_equal(ldr_shard_copy(a.s, snap, &made, &a.err), 0);
    kit_put(&a, "later", 1, 1, 1); /* not in the copy */
    struct carry c = {.from = snap, .to = in};
    assert_int_equal(ldr_copy_receive(in, &a.err), 0);
    assert_int_equal(ldr_copy_files(snap, carry_file, &c, &a.err), 0);
    assert_string_equal(c.last, "MARKER");
    assert_int_equal(ldr_copy_finish(in, &a.err), 0);
    ldr_copy_remove(snap);
    assert_int_equal(access(snap, F_OK), -1);

    b = a;
    b.s = NULL;
    b.opts.dir = in;
    b.opts.create = false;
    assert_int_equal(ldr_shard_adopt(&b.opts, &b.err), 0);
    kit_open(&b);
    model_hold(&m, &b);
    ldr_shard_stats(a.s, &sa);
    ldr_shard_stats(b.s, &sb);
    assert_true(sb.incarnation != sa.incarnation);
    assert_int_equal(sb.seq, made.seq);
    assert_int_equal(sa.seq, made.seq + 1);
    assert_int_equal(ldr_shard_origin(b.s, &origin, &b.err), 0);
    assert_true(origin.incarnation == sa.incarnation && origin.seq == made.seq);
    assert_int_equal(ldr_shard_origin(a.s, &origin, &a.err), LDR_E_NOT_FOUND);
    struct ldr_buf buf;
    ldr_buf_init(&buf, NULL, 0);
    assert_int_equal(ldr_shard_note_get(b.s, "x", &buf, &b.err), 0);
    ldr_buf_close(&buf);
    struct ldr_page page;
    struct ldr_log_reach reach;
    ldr_page_init(&page);
    assert_int_equal(ldr_shard_log_page(b.s, 0, 1 << 20, &page, &reach, &b.err), 0);
    assert_int_equal(reach.first_seq, 0); /* the log came along */
    assert_true(page.nfacts > 0);
    ldr_page_close(&page);
    uint64_t incarnation = sb.incarnation;
    ldr_shard_close(b.s);
    b.s = NULL;
    assert_int_equal(ldr_shard_adopt(&b.opts, &b.err), 0); /* once more changes nothing */
    kit_open(&b);
    ldr_shard_stats(b.s, &sb);
    assert_true(sb.incarnation == incarnation);
    ldr_shard_close(b.s);
    model_close(&m);
    kit_close(&a);
}

static void names_from_the_wire(void **state)
{
    (void)state;
    static const char *const good[] = {"MARKER", "db/CURRENT", "db/000012.sst", "db/OPTIONS-000007"};
    static const char *const bad[] = {"",       "db",     "db/",        "db/../MARKER", "../x",
                                      "/etc/x", "db/a/b", "db/.hidden", "MARKER ",      "bulk/x",
                                      "db/a b", "db/\nx", "db/..",      "marker",       "LOCK"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(ldr_copy_name_valid(ldr_slice_str(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(ldr_copy_name_valid(ldr_slice_str(bad[i])));
    struct ldr_err err;
    assert_int_equal(ldr_copy_put("/nonexistent", "../x", 0, ldr_slice_str("x"), &err), LDR_E_INVALID);
}

/* ---- splits ---- */

static void page_stays_in_arc(struct split *x, struct kit *k, bool upper)
{
    struct ldr_page page;
    struct ldr_log_reach reach;
    ldr_page_init(&page);
    assert_int_equal(ldr_shard_log_page(k->s, 0, 16 << 20, &page, &reach, &k->err), 0);
    assert_int_equal(reach.upto_seq, x->seq);
    assert_true(page.nfacts > 0);
    for (size_t i = 0; i < page.nfacts; i++)
        assert_true((page.facts[i].hash >= x->mid) == upper);
    for (size_t i = 0; i < page.ntombs; i++)
        assert_true((ldr_key_hash(page.tombs[i].key) >= x->mid) == upper);
    ldr_page_close(&page);
}

static void split_holds(struct split *x)
{
    struct ldr_shard_stats st;
    struct ldr_buf b;
    kit_open(&x->child);
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_shard_note_get(x->child.s, "cursor/2", &b, &x->child.err), 0);
    assert_int_equal(ldr_shard_note_get(x->parent.s, "cursor/2", &b, &x->parent.err), 0);
    ldr_buf_close(&b);
    for (int round = 0; round < 2; round++) {
        ldr_shard_stats(x->child.s, &st);
        assert_true(st.incarnation == ldr_child_incarnation(x->incarnation, 5));
        assert_int_equal(st.seq, x->seq);
        ldr_shard_stats(x->parent.s, &st);
        assert_true(st.incarnation == x->incarnation);
        assert_int_equal(st.seq, x->seq);
        hold_part(x, &x->parent, false);
        hold_part(x, &x->child, true);
        page_stays_in_arc(x, &x->parent, false);
        page_stays_in_arc(x, &x->child, true);
        assert_int_equal(ldr_shard_compact(x->parent.s, &x->parent.err), 0);
        x->parent.opts.arc_hi = x->mid - 1;
        x->parent.opts.create = false;
        kit_reopen(&x->parent);
        kit_reopen(&x->child);
    }
}

/* What a process leaves that is killed while RocksDB makes its checkpoint. */
static void half_a_checkpoint(const char *dir)
{
    char path[512];
    assert_int_equal(mkdir(dir, 0777), 0);
    snprintf(path, sizeof path, "%s/db.tmp", dir);
    assert_int_equal(mkdir(path, 0777), 0);
    snprintf(path, sizeof path, "%s/db.tmp/000009.sst", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
}

static void split_cuts_in_two(void **state)
{
    (void)state;
    struct split x;
    split_init(&x, 3);
    split_fill(&x);
    half_a_checkpoint(x.child_path);
    split_identity(&x);
    struct ldr_shard_opts wrong = x.child.opts;
    wrong.arc_hi = UINT64_MAX - 5; /* the middle */
    assert_int_equal(ldr_shard_split(x.parent.s, &wrong, &x.parent.err), LDR_E_INVALID);
    assert_int_equal(ldr_shard_split(x.parent.s, &x.child.opts, &x.parent.err), 0);
    assert_int_equal(ldr_shard_split(x.parent.s, &x.child.opts, &x.parent.err), 0); /* done already */
    split_holds(&x);
    ldr_shard_close(x.child.s);
    x.child.s = NULL;
    ldr_copy_remove(x.child_path);
    assert_int_equal(ldr_shard_split(x.parent.s, &x.child.opts, &x.parent.err), LDR_E_CORRUPT);
    split_close(&x);
}

#ifdef LARDER_FAULTS
static void fill_and_close(struct split *x)
{
    split_fill(x);
    ldr_shard_close(x->parent.s);
}
static void open_and_split(struct split *x)
{
    if (ldr_shard_open(&x->parent.opts, &x->parent.s, &x->parent.err) == 0 &&
        ldr_shard_set_view(x->parent.s, x->parent.schema, KIT_ENTITY) == 0)
        ldr_shard_split(x->parent.s, &x->child.opts, &x->parent.err);
}

/* A process ends by a signal at a named point; the next one finishes the split. This process looks for armed
 * points once only, so all those that die come first. */
static void split_survives_kills(void **state)
{
    (void)state;
    static const char *const points[] = {"split_after_copy:1", "split_after_child:1", "write_before_sync:1",
                                         "write_after_sync:1", "write_before_sync:2", "write_after_sync:2"};
    enum { N = sizeof points / sizeof points[0] };
    struct split *all = calloc(N, sizeof *all);
    assert_non_null(all);
    for (size_t p = 0; p < N; p++) {
        split_init(&all[p], 10 + p);
        /* Kits hand their own address to the clock. */
        assert_int_equal(in_process(fill_and_close, &all[p]), 0);
        setenv("LARDER_FAULT", points[p], 1);
        int status = in_process(open_and_split, &all[p]);
        unsetenv("LARDER_FAULT");
        assert_true(WIFSIGNALED(status));
        fill(&all[p].m, &all[p].parent, 150); /* the model alone */
    }
    for (size_t p = 0; p < N; p++) {
        struct split *x = &all[p];
        int rc = ldr_shard_open(&x->parent.opts, &x->parent.s, &x->parent.err);
        assert_int_equal(rc != 0, p == 5); /* only the last one got as far as that */
        if (rc == LDR_E_INVALID) {
            x->parent.opts.arc_hi = x->mid - 1;
            rc = ldr_shard_open(&x->parent.opts, &x->parent.s, &x->parent.err);
        }
        assert_int_equal(rc, 0);
        assert_int_equal(ldr_shard_set_view(x->parent.s, x->parent.schema, KIT_ENTITY), 0);
        split_identity(x);
        rc = ldr_shard_split(x->parent.s, &x->child.opts, &x->parent.err);
        if (rc)
            print_error("%s: split: %s\n", points[p], x->parent.err.message);
        assert_int_equal(rc, 0);
        split_holds(x);
        split_close(x);
    }
    free(all);
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
#ifdef LARDER_FAULTS
        cmocka_unit_test(split_survives_kills), /* first: see there */
#endif
        cmocka_unit_test(carried_copy_is_adopted),
        cmocka_unit_test(names_from_the_wire),
        cmocka_unit_test(split_cuts_in_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
