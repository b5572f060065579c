/* One folder, several handles and processes: who has it answers the others, and is followed by one of them.
 */
#include "unit/client/share_fixture.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "client/share/share_serve.h"
#include "rpc/frame.h"
#include "rpc/rpc.h"

static void a_guest_works_like_the_holder(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, share_defs);
    struct ldr_store *g = open_also(&f, NULL);
    assert_false(f.store->guest);
    assert_true(g->guest);
    must_put(f.store, 1, 10);
    assert_int_equal(get(g, 1), 10); /* at once */
    must_put(g, 1, 11);
    assert_int_equal(get(f.store, 1), 11);
    assert_int_equal(get(g, 2), INT64_MIN);
    ldr_close(g);
    g = open_also(&f, NULL); /* and again */
    assert_int_equal(get(g, 1), 11);
    ldr_close(g);
    fx_close(&f);
}

static void a_guest_follows_when_the_holder_closes(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, share_defs);
    struct ldr_store *g = open_also(&f, NULL), *h = open_also(&f, NULL);
    must_put(g, 1, 10);
    ldr_close(f.store);
    must_put(g, 1, 12);
    assert_int_equal(get(h, 1), 12);
    must_put(h, 2, 20);
    assert_int_equal(get(g, 2), 20);
    f.store = open_also(&f, NULL);
    assert_true(f.store->guest);
    assert_int_equal(get(f.store, 2), 20);
    ldr_close(g);
    must_put(f.store, 3, 30);
    assert_int_equal(get(h, 3), 30);
    ldr_close(h);
    assert_int_equal(get(f.store, 3), 30);
    fx_close(&f);
}

static void definitions_are_those_of_now(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, share_defs);
    struct ldr_store *g = open_also(&f, NULL);
    struct ldr_query *q;
    struct ldr_rows *r;
    struct ldr_table *t;
    const char *features[] = {"a:x"};
    struct ldr_query_spec spec = {.features = features, .nfeatures = 1};
    struct ldr_datum key = {.type = LDR_INT64, .v.i = 1};
    must_put(g, 1, 5);
    assert_int_equal(ldr_query_create(g, &spec, &q, &f.err), 0);
    assert_int_equal(ldr_rows_create(&r), 0);
    assert_int_equal(ldr_online_get(q, &key, 1, NULL, r, &f.err), 0);
    assert_int_equal(ldr_rows_row(r, 0)->status, LDR_PRESENT);
    /* changed elsewhere: the very next read goes by it */
    fx_apply(&f, "feature_views:\n  - {name: a, entity: e, ttl: 1d, features: [{name: x, type: int64}]}\n");
    assert_int_equal(ldr_online_get(q, &key, 1, NULL, r, &f.err), 0);
    assert_int_equal(ldr_rows_row(r, 0)->status, LDR_OUTSIDE_MAX_AGE);
    fx_apply(&f, "feature_views:\n  - {name: b, entity: e, features: [{name: y, type: int64}]}\n");
    assert_int_equal(ldr_list(g, "feature-views", &t, &f.err), 0);
    assert_int_equal(ldr_table_rows(t), 2);
    ldr_table_destroy(t);
    assert_int_equal(ldr_delete(g, "feature-views", "a", &f.err), 0);
    assert_int_equal(ldr_list(f.store, "feature-views", &t, &f.err), 0);
    assert_int_equal(ldr_table_rows(t), 1);
    ldr_table_destroy(t);
    assert_int_equal(ldr_online_get(q, &key, 1, NULL, r, &f.err), LDR_E_NOT_FOUND);
    assert_int_equal(put(g, 1, 6, &f.err), LDR_E_NOT_FOUND);
    ldr_rows_destroy(r);
    ldr_query_destroy(q);
    ldr_close(g);
    fx_close(&f);
}

static int inherited(void *ctx)
{
    struct fixture *f = ctx;
    struct ldr_err err;
    struct ldr_table *t;
    struct ldr_req req = {.done = (void (*)(struct ldr_req *, int, const struct ldr_err *))(uintptr_t)1};
    uint64_t from = now_ms();
    if (put(f->store, 1, 1, &err) != LDR_E_CLOSED || !strstr(err.message, "forked"))
        return 1;
    if (ldr_list(f->store, "entities", &t, &err) != LDR_E_CLOSED)
        return 2;
    if (ldr_write_async(&req, f->store, "a", NULL, 0, NULL, 0, NULL, NULL, NULL) != LDR_E_CLOSED)
        return 3;
    ldr_close(f->store);
    struct ldr_store *s = open_also(f, NULL);
    if (!s->guest || get(s, 1) != 10)
        return 4;
    must_put(s, 2, 20);
    ldr_close(s);
    return now_ms() - from < 60000 ? 0 : 5;
}

static void forked_processes_open_anew(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, share_defs);
    must_put(f.store, 1, 10);
    for (int i = 0; i < 3; i++)
        assert_int_equal(in_child(inherited, &f), 0);
    assert_int_equal(get(f.store, 2), 20);
    struct ldr_store *own = f.store, *g = open_also(&f, NULL);
    f.store = g; /* a guest's handle, too */
    assert_int_equal(in_child(inherited, &f), 0);
    assert_int_equal(get(g, 2), 20);
    ldr_close(g);
    f.store = own;
    must_put(f.store, 3, 30); /* the parent's is as it was */
    fx_close(&f);
}

static int without_threads(void *ctx)
{
    struct fixture *f = ctx;
    struct ldr_open_opts quick = {.read_ms = 500}, alone = {.exclusive = true};
    struct ldr_store *s;
    char url[600];
    url_of(f, url);
    if (ldr_open(url, &alone, &s, &f->err) != LDR_E_UNSUPPORTED || !strstr(f->err.message, "RocksDB"))
        return 1;
    if (ldr_open(url, &quick, &s, &f->err) != LDR_E_UNSUPPORTED || !strstr(f->err.message, "RocksDB"))
        return 2;
    return 0;
}

/* RocksDB's threads stay with the parent: its children may ask, but not have a folder. */
static void forked_processes_have_no_folder(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, share_defs);
    ldr_close(f.store);
    assert_int_equal(in_child(without_threads, &f), 0);
    fx_open(&f, NULL);
    fx_close(&f);
}

static void long_paths_are_reached(void **state)
{
    (void)state;
    struct fixture f;
    fx_init(&f, NULL, share_defs);
    char part[101], url[600], deep[512];
    memset(part, 'd', 100);
    part[100] = '\0';
    mkdir(fx_path(&f, part, deep), 0777);
    snprintf(url, sizeof url, "local:%s/%s/store", f.dir, part);
    struct ldr_store *s, *g;
    assert_int_equal(ldr_open(url, NULL, &s, &f.err), 0);
    if (ldr_open(url, NULL, &g, &f.err))
        fail_msg("%s", f.err.message);
    assert_true(g->guest);
    ldr_close(s);
    struct ldr_table *t;
    assert_int_equal(ldr_list(g, "entities", &t, &f.err), 0); /* by itself */
    ldr_table_destroy(t);
    ldr_close(g);
    fx_close(&f);
}

static void a_guest_takes_a_backup(void **state)
{
    (void)state;
    struct fixture f;
    char backup[512], url[600];
    struct ldr_store *s;
    fx_init(&f, NULL, share_defs);
    struct ldr_store *g = open_also(&f, NULL);
    must_put(f.store, 1, 10);
    must_put(g, 2, 20);
    if (ldr_backup(g, fx_path(&f, "backup", backup), &f.err))
        fail_msg("%s", f.err.message);
    assert_false(fx_exists(&f, "store/guest.tmp"));
    assert_int_equal(ldr_backup(g, backup, &f.err), LDR_E_REFUSED); /* not empty */
    must_put(f.store, 1, 11);
    snprintf(url, sizeof url, "local:%s/restored", f.dir);
    if (ldr_restore(backup, url, &f.err) || ldr_open(url, NULL, &s, &f.err))
        fail_msg("%s", f.err.message);
    assert_int_equal(get(s, 1), 10);
    assert_int_equal(get(s, 2), 20);
    ldr_close(s);
    url_of(&f, url);
    assert_int_equal(ldr_restore(backup, url, &f.err), LDR_E_REFUSED); /* onto the folder in use */
    struct ldr_restore_opts o = {.backup_dir = backup};
    struct ldr_restore_report rep;
    assert_int_equal(ldr_restore_into(g, &o, NULL, &rep, &f.err), LDR_E_UNSUPPORTED);
    ldr_close(g);
    fx_close(&f);
}

static void care_is_taken_from_a_guest(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_open_opts three = {.shards = 3};
    struct ldr_table *t;
    uint64_t wrong = 99;
    fx_init(&f, &three, share_defs);
    struct ldr_store *g = open_also(&f, NULL);
    for (int64_t i = 0; i < 50; i++)
        must_put(i % 2 ? g : f.store, i, i);
    if (ldr_check(g, true, &wrong, &t, &f.err))
        fail_msg("%s", f.err.message);
    assert_int_equal(wrong, 0);
    uint64_t facts = 0;
    for (size_t i = 0; i < ldr_table_rows(t); i++)
        if (strncmp(ldr_table_cell(t, i, 1)->v.s.p, "facts", 5) == 0)
            facts += (uint64_t)ldr_table_cell(t, i, 2)->v.i;
    assert_int_equal(facts, 50);
    ldr_table_destroy(t);
    assert_int_equal(ldr_compact(g, &f.err), 0);
    assert_int_equal(ldr_store_stats(g, &t, &f.err), 0);
    ldr_table_destroy(t);
    assert_int_equal(ldr_stats(g, "a", INT64_MIN, INT64_MAX, NULL, &t, &f.err), 0);
    assert_int_equal(ldr_table_cell(t, 0, 2)->v.i, 50);
    ldr_table_destroy(t);
    assert_int_equal(ldr_scrub(g, 0, &t, &f.err), LDR_E_UNSUPPORTED);
    ldr_close(g);
    fx_close(&f);
}

/* ---- Commands ---- */

static int command(struct fixture *f, uint64_t client, uint64_t seq, struct ldr_slice bytes,
                   uint64_t *version)
{
    struct ldr_map_command c = {.kind = LDR_CMD_REGISTRY, .registry = bytes};
    struct ldr_serving serving = {.store = f->store};
    struct ldr_command_rep rep;
    struct ldr_buf body, out, in;
    ldr_buf_init(&body, NULL, 0);
    ldr_buf_init(&out, NULL, 0);
    ldr_buf_init(&in, NULL, 0);
    assert_int_equal(ldr_map_command_encode(&c, &body), 0);
    struct ldr_command_req q = {client, seq, ldr_buf_slice(&body)};
    assert_int_equal(ldr_command_req_encode(&q, &out), 0);
    int rc = ldr_serve(&serving, LDR_MSG_COMMAND, ldr_buf_slice(&out), &in, &f->err);
    if (!rc)
        assert_int_equal(ldr_command_rep_decode(ldr_buf_slice(&in), NULL, &rep), 0);
    *version = rc ? 0 : rep.defs_version;
    ldr_buf_close(&body);
    ldr_buf_close(&out);
    ldr_buf_close(&in);
    return rc;
}

/* Its answer was lost with the process that ran it; the next one is asked again. */
static void a_command_runs_once(void **state)
{
    (void)state;
    struct fixture f;
    struct ldr_buf b;
    uint64_t version, again;
    fx_init(&f, NULL, share_defs);
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_command_delete(LDR_KIND_VIEW, "a", LDR_VERSION_ANY, &b), 0);
    assert_int_equal(command(&f, 77, 1, ldr_buf_slice(&b), &version), 0);
    assert_int_equal(version, 2);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(command(&f, 77, 1, ldr_buf_slice(&b), &again), 0);
        assert_int_equal(again, version);
        ldr_close(f.store);
        fx_open(&f, NULL);
    }
    assert_int_equal(command(&f, 77, 2, ldr_buf_slice(&b), &again), LDR_E_NOT_FOUND);
    assert_int_equal(command(&f, 78, 1, ldr_buf_slice(&b), &again), LDR_E_NOT_FOUND);
    ldr_buf_close(&b);
    fx_close(&f);
}

/* ---- What is no holder of this version ---- */

struct stranger {
    struct fixture f;
    int lock, listener;
    uint16_t proto;
    pthread_t thread;
};

static void *answer_hello(void *ctx)
{
    struct stranger *x = ctx;
    uint8_t head[4], bytes[4096];
    int fd = accept(x->listener, NULL, NULL);
    if (fd < 0 || recv(fd, head, 4, MSG_WAITALL) != 4)
        return NULL;
    size_t n = ldr_get_le32(head);
    struct ldr_frame q;
    if (n > sizeof bytes || recv(fd, bytes, n, MSG_WAITALL) != (ssize_t)n ||
        ldr_frame_get(ldr_slice(bytes, n), &q))
        return NULL;
    struct ldr_hello_rep rep = {.proto = x->proto, .node = 1};
    struct ldr_buf b;
    ldr_buf_init(&b, NULL, 0);
    ldr_hello_rep_encode(&rep, &b);
    struct ldr_frame a = {LDR_MSG_HELLO, LDR_FRAME_ANSWER, q.id, 0, ldr_buf_slice(&b)};
    ldr_put_le32(bytes, (uint32_t)(LDR_FRAME_HEAD_BARE + b.n));
    ldr_frame_put(bytes + 4, &a);
    memcpy(bytes + LDR_FRAME_HEAD, b.p, b.n);
    send(fd, bytes, LDR_FRAME_HEAD + b.n, MSG_NOSIGNAL);
    ldr_buf_close(&b);
    while (recv(fd, bytes, sizeof bytes, 0) > 0)
        ;
    close(fd);
    return NULL;
}

static void another_protocol_is_told(void **state)
{
    (void)state;
    struct stranger x = {.proto = LDR_PROTO + 1};
    char path[512], url[600];
    struct ldr_store *s;
    fx_init(&x.f, NULL, share_defs);
    ldr_close(x.f.store);
    x.lock = open(fx_path(&x.f, "store/LOCK", path), O_RDWR);
    assert_int_equal(flock(x.lock, LOCK_EX | LOCK_NB), 0);
    fx_write(&x.f, "store/LOCK", "4711 shared\n");
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    snprintf(a.sun_path, sizeof a.sun_path, "%.80s/store/socket", x.f.dir);
    x.listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(x.listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(x.listener, 5), 0);
    pthread_create(&x.thread, NULL, answer_hello, &x);
    url_of(&x.f, url);
    assert_int_equal(ldr_open(url, NULL, &s, &x.f.err), LDR_E_FORMAT);
    assert_non_null(strstr(x.f.err.message, "another version of the protocol"));
    pthread_join(x.thread, NULL);
    /* nobody listens, though somebody has it */
    close(x.listener);
    struct ldr_open_opts quick = {.read_ms = 300};
    assert_int_equal(ldr_open(url, &quick, &s, &x.f.err), LDR_E_TIMEOUT);
    assert_non_null(strstr(x.f.err.message, "4711"));
    /* an older version, which serves nobody */
    fx_write(&x.f, "store/LOCK", "4711\n");
    assert_int_equal(ldr_open(url, NULL, &s, &x.f.err), LDR_E_LOCKED);
    close(x.lock);
    if (ldr_open(url, NULL, &x.f.store, &x.f.err)) /* what is left of the socket does not matter */
        fail_msg("%s", x.f.err.message);
    assert_false(x.f.store->guest);
    fx_close(&x.f);
}

static int as_nobody(void *ctx)
{
    struct fixture *f = ctx;
    struct ldr_store *s;
    char url[600];
    if (setgid(65534) || setuid(65534))
        return 1;
    url_of(f, url);
    int rc = ldr_open(url, NULL, &s, &f->err);
    if (rc != LDR_E_REFUSED || !strstr(f->err.message, "another user"))
        fprintf(stderr, "%d: %s\n", rc, f->err.message);
    return rc == LDR_E_REFUSED ? 0 : 2;
}

static void another_user_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    if (geteuid() != 0)
        skip();
    fx_init(&f, NULL, share_defs);
    assert_int_equal(chmod(f.dir, 0755), 0);
    assert_int_equal(in_child(as_nobody, &f), 0);
    fx_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_guest_works_like_the_holder),
        cmocka_unit_test(a_guest_follows_when_the_holder_closes),
        cmocka_unit_test(definitions_are_those_of_now),
        cmocka_unit_test(forked_processes_open_anew),
        cmocka_unit_test(forked_processes_have_no_folder),
        cmocka_unit_test(long_paths_are_reached),
        cmocka_unit_test(a_guest_takes_a_backup),
        cmocka_unit_test(care_is_taken_from_a_guest),
        cmocka_unit_test(a_command_runs_once),
        cmocka_unit_test(another_protocol_is_told),
        cmocka_unit_test(another_user_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
