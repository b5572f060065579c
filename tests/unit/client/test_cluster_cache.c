/* A cluster's map and definitions on disk: what is damaged, foreign or too much is ignored, never believed.
 */
#include "store_fixture.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "client/cluster/cluster_cache.h"
#include "client/disk/files.h"

#define ADDRESSES "127.0.0.1:7411,127.0.0.1:7412"

static char root[64], dir[128];
static struct ldr_registry *registry;
static struct ldr_map map;

static int setup(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/larder-test-XXXXXX");
    assert_non_null(mkdtemp(root));
    snprintf(dir, sizeof dir, "%s/a/b", root); /* neither is there yet */
    assert_int_equal(ldr_registry_create(NULL, &registry), 0);
    static struct ldr_map_node nodes[3];
    static struct ldr_map_shard shards[2] = {
        {.id = 1, .hi = UINT64_MAX / 2, .epoch = 3, .nreplicas = 3},
        {.id = 2, .lo = UINT64_MAX / 2 + 1, .hi = UINT64_MAX, .epoch = 3}};
    for (uint32_t i = 0; i < 3; i++) {
        nodes[i] =
            (struct ldr_map_node){.id = i + 1, .state = LDR_NODE_ACTIVE, .weight = 100, .incarnation = i + 9};
        snprintf(nodes[i].address, sizeof nodes[i].address, "127.0.0.1:%u", 7000 + i);
        shards[0].replicas[i] = (struct ldr_map_replica){i + 1, LDR_REPLICA_ACTIVE};
    }
    shards[1] = (struct ldr_map_shard){
        .id = 2,
        .lo = shards[0].hi + 1,
        .hi = UINT64_MAX,
        .epoch = 3,
        .nreplicas = 3,
        .replicas = {shards[0].replicas[0], shards[0].replicas[1], shards[0].replicas[2]}};
    map = (struct ldr_map){.version = 5,
                           .cluster = "here",
                           .replicas = 3,
                           .write_quorum = 2,
                           .next_node = 4,
                           .next_shard = 3,
                           .next_move = 1,
                           .nodes = nodes,
                           .nnodes = 3,
                           .shards = shards,
                           .nshards = 2};
    return 0;
}

static int teardown(void **state)
{
    struct ldr_err err;
    (void)state;
    ldr_registry_destroy(registry);
    return ldr_dir_remove(root, &err);
}

static struct ldr_cluster_cache *cache_of(const char *addresses)
{
    struct ldr_cluster_cache *c;
    assert_int_equal(ldr_cluster_cache_open(dir, addresses, &c), 0);
    assert_non_null(c);
    return c;
}

static int load(struct ldr_cluster_cache *c, uint64_t *version, char *why)
{
    struct ldr_map m;
    struct ldr_registry *r;
    struct ldr_err err = {0};
    int64_t saved;
    int rc = ldr_cluster_cache_load(c, &m, &r, &saved, &err);
    if (rc == 0) {
        *version = m.version;
        assert_int_equal(saved, 42);
        ldr_map_close(&m);
        ldr_registry_destroy(r);
    } else if (why) {
        snprintf(why, sizeof err.message, "%s", err.message);
    }
    return rc;
}

static void save(struct ldr_cluster_cache *c)
{
    struct ldr_err err = {0};
    if (ldr_cluster_cache_save(c, &map, registry, 42, &err))
        fail_msg("%s", err.message);
}

static size_t files(void)
{
    size_t n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d))
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

static void comes_back(void **state)
{
    (void)state;
    struct ldr_cluster_cache *c = cache_of(ADDRESSES), *other = cache_of("127.0.0.1:7412,127.0.0.1:7411");
    uint64_t version = 0;
    assert_int_equal(load(c, &version, NULL), LDR_E_NOT_FOUND);
    save(c);
    assert_int_equal(load(c, &version, NULL), 0);
    assert_int_equal(version, 5);
    map.version = 4; /* another cluster at these addresses: what is heard counts, not what is newer */
    save(c);
    assert_int_equal(load(other, &version, NULL), 0); /* the order of the list does not matter */
    assert_int_equal(version, 4);
    assert_int_equal(files(), 1);
    struct stat st, again;
    assert_int_equal(stat(ldr_cluster_cache_path(c), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    save(c); /* the same: not written again */
    assert_int_equal(stat(ldr_cluster_cache_path(c), &again), 0);
    assert_int_equal(st.st_ino, again.st_ino);
    ldr_cluster_cache_close(c);
    ldr_cluster_cache_close(other);
}

static void nothing_damaged_is_believed(void **state)
{
    (void)state;
    struct ldr_cluster_cache *c = cache_of(ADDRESSES);
    struct ldr_buf b;
    struct ldr_err err;
    char why[1024];
    uint64_t version;
    save(c);
    ldr_buf_init(&b, NULL, 0);
    assert_int_equal(ldr_file_read(ldr_cluster_cache_path(c), 1 << 20, &b, &err), 0);
    for (size_t bit = 0; bit < b.n * 8; bit++) {
        b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(ldr_file_replace(ldr_cluster_cache_path(c), ldr_buf_slice(&b), false, &err), 0);
        assert_int_equal(load(c, &version, why), LDR_E_CORRUPT);
        assert_non_null(strstr(why, ldr_cluster_cache_path(c)));
        b.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t n = 0; n < b.n; n++) {
        assert_int_equal(ldr_file_replace(ldr_cluster_cache_path(c), ldr_slice(b.p, n), false, &err), 0);
        assert_int_equal(load(c, &version, why), LDR_E_CORRUPT);
    }
    save(c); /* what was damaged is replaced */
    assert_int_equal(load(c, &version, why), 0);
    /* another list of coordinators under this name */
    struct ldr_cluster_cache *other = cache_of("127.0.0.1:9999");
    assert_int_equal(ldr_file_replace(ldr_cluster_cache_path(other), ldr_buf_slice(&b), false, &err), 0);
    assert_int_equal(load(other, &version, why), LDR_E_CORRUPT);
    /* a format of later days, well checksummed */
    ldr_put_le32(b.p + 8, 2);
    ldr_put_le64(b.p + b.n - 8, ldr_hash64(b.p, b.n - 8));
    assert_int_equal(ldr_file_replace(ldr_cluster_cache_path(c), ldr_buf_slice(&b), false, &err), 0);
    assert_int_equal(load(c, &version, why), LDR_E_FORMAT);
    /* larger than anything that is ever written */
    assert_int_equal(truncate(ldr_cluster_cache_path(c), (off_t)LDR_CACHE_BYTES_MAX + 1), 0);
    assert_int_equal(load(c, &version, why), LDR_E_TOO_BIG);
    ldr_buf_close(&b);
    ldr_cluster_cache_close(c);
    ldr_cluster_cache_close(other);
}

static void files_are_limited(void **state)
{
    (void)state;
    char path[256], addresses[64];
    uint64_t version;
    for (int i = 0; i < LDR_CACHE_FILES_MAX + 5; i++) {
        snprintf(addresses, sizeof addresses, "127.0.0.1:%d", 8000 + i);
        struct ldr_cluster_cache *c = cache_of(addresses);
        save(c);
        /* the first of all is the oldest, though it was made first by less than the file system's clock tells
         */
        struct timeval old[2] = {{1000 + i, 0}, {1000 + i, 0}};
        assert_int_equal(utimes(ldr_cluster_cache_path(c), old), 0);
        assert_true(files() <= LDR_CACHE_FILES_MAX);
        ldr_cluster_cache_close(c);
        if (i == 0) { /* somebody else's file stays, whatever its age */
            snprintf(path, sizeof path, "%s/.note", dir);
            struct ldr_err err;
            assert_int_equal(ldr_file_replace(path, ldr_slice("x", 1), false, &err), 0);
            assert_int_equal(utimes(path, old), 0);
        }
    }
    assert_int_equal(access(path, F_OK), 0);
    for (int i = 0; i < LDR_CACHE_FILES_MAX + 5; i++) {
        snprintf(addresses, sizeof addresses, "127.0.0.1:%d", 8000 + i);
        struct ldr_cluster_cache *c = cache_of(addresses);
        assert_int_equal(load(c, &version, NULL), i < 5 ? LDR_E_NOT_FOUND : 0);
        ldr_cluster_cache_close(c);
    }
}

static void places(void **state)
{
    (void)state;
    struct ldr_cluster_cache *c;
    assert_int_equal(ldr_cluster_cache_open("", ADDRESSES, &c), 0);
    assert_null(c);
    setenv("XDG_CACHE_HOME", root, 1);
    assert_int_equal(ldr_cluster_cache_open(NULL, ADDRESSES, &c), 0);
    assert_int_equal(strncmp(ldr_cluster_cache_path(c), root, strlen(root)), 0);
    ldr_cluster_cache_close(c);
    setenv("XDG_CACHE_HOME", "relative", 1);
    setenv("HOME", root, 1);
    assert_int_equal(ldr_cluster_cache_open(NULL, ADDRESSES, &c), 0);
    snprintf(dir, sizeof dir, "%s/.cache/larder/", root);
    assert_int_equal(strncmp(ldr_cluster_cache_path(c), dir, strlen(dir)), 0);
    ldr_cluster_cache_close(c);
    unsetenv("XDG_CACHE_HOME");
    unsetenv("HOME");
    assert_int_equal(ldr_cluster_cache_open(NULL, ADDRESSES, &c), 0);
    assert_null(c);
    /* a place that cannot be written to is an error that says so, no more */
    struct ldr_err err = {0};
    assert_int_equal(ldr_cluster_cache_open("/proc/larder", ADDRESSES, &c), 0);
    assert_true(ldr_cluster_cache_save(c, &map, registry, 42, &err) < 0);
    assert_non_null(strstr(err.message, "/proc/larder"));
    ldr_cluster_cache_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_damaged_is_believed, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_limited, setup, teardown),
        cmocka_unit_test_setup_teardown(places, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
