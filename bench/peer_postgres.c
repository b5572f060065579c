/* PostgreSQL, synchronous commit, behind a Unix socket: one packed row a key, a prepared statement.
 * bench/postgres.sh starts it and says where it is in BENCH_POSTGRES. */
#include "bench/peer_pool.h"
#include <libpq-fe.h>
#include <stdlib.h>

struct postgres {
    struct pool pool;
};
static void must(PGconn *c, PGresult *r, ExecStatusType want)
{
    if (PQresultStatus(r) != want)
        bench_die("postgres", PQerrorMessage(c));
    PQclear(r);
}
static PGconn *connection_new(void)
{
    PGconn *c = PQconnectdb(getenv("BENCH_POSTGRES"));
    if (PQstatus(c) != CONNECTION_OK)
        bench_die("postgres", PQerrorMessage(c));
    return c;
}
static void *pg_open(const char *dir)
{
    (void)dir;
    struct postgres *s = calloc(1, sizeof *s);
    pthread_mutex_init(&s->pool.lock, NULL);
    PGconn *c = connection_new();
    must(c, PQexec(c, "SET client_min_messages = warning"), PGRES_COMMAND_OK);
    must(c, PQexec(c, "DROP TABLE IF EXISTS rows"), PGRES_COMMAND_OK);
    must(c, PQexec(c, "CREATE TABLE rows (entity bigint PRIMARY KEY, packed bytea NOT NULL)"),
         PGRES_COMMAND_OK);
    PQfinish(c);
    return s;
}
static void pg_put(void *db, uint64_t entity, uint64_t version)
{
    struct postgres *s = db;
    PGconn *c = pool_take(&s->pool);
    if (!c) {
        c = connection_new();
        must(c,
             PQprepare(c, "put",
                       "INSERT INTO rows VALUES ($1, $2) ON CONFLICT (entity) DO UPDATE SET packed = "
                       "EXCLUDED.packed",
                       0, NULL),
             PGRES_COMMAND_OK);
    }
    struct row r;
    uint8_t packed[ROW_PACKED_MAX];
    uint64_t key = __builtin_bswap64(entity);
    row_make(&r, entity, version);
    const char *values[2] = {(const char *)&key, (const char *)packed};
    const int lengths[2] = {sizeof key, (int)row_pack(&r, packed)}, binary[2] = {1, 1};
    must(c, PQexecPrepared(c, "put", 2, values, lengths, binary, 1), PGRES_COMMAND_OK);
    pool_give(&s->pool, c);
}
static void pg_close(void *db)
{
    struct postgres *s = db;
    for (PGconn *c; (c = pool_take(&s->pool));)
        PQfinish(c);
    free(s);
}
const struct peer peer_postgres = {.name = "postgres", .open = pg_open, .put = pg_put, .close = pg_close};
