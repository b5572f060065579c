#!/bin/sh
# A PostgreSQL of the bench's own in DIR, behind a Unix socket; as root it runs as the package's user.
# usage: bench/postgres.sh start DIR (prints how to connect) | stop DIR
set -eu
dir=$2
for d in /usr/lib/postgresql/*/bin; do
    programs=$d
done
as() {
    if [ "$(id -u)" = 0 ]; then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
}
case "$1" in
start)
    mkdir -p "$dir"
    [ "$(id -u)" != 0 ] || chown postgres "$dir"
    chmod 755 "$dir"
    # the socket's folder: a path may be too long for a socket's name
    sockets=$(mktemp -d)
    [ "$(id -u)" != 0 ] || chown postgres "$sockets"
    chmod 755 "$sockets"
    cd "$dir"
    as "$programs/initdb" --pgdata "$dir/data" --auth trust --username bench --no-sync >"$dir/initdb.log" 2>&1 || {
        tail -n 5 "$dir/initdb.log" >&2
        exit 1
    }
    echo "$sockets" >"$dir/sockets"
    as "$programs/pg_ctl" --pgdata "$dir/data" --wait --silent --log "$dir/data/server.log" \
        --options "-c listen_addresses='' -c unix_socket_directories=$sockets -c shared_buffers=1GB -c max_connections=300 -c max_wal_size=8GB" \
        start >&2
    echo "host=$sockets user=bench dbname=postgres"
    ;;
stop)
    [ -d "$dir" ] || exit 0
    cd "$dir"
    as "$programs/pg_ctl" --pgdata "$dir/data" --wait --silent --mode immediate stop >/dev/null 2>&1 || true
    rm -rf "$(cat "$dir/sockets" 2>/dev/null || echo "$dir/data")" "$dir"
    ;;
*) echo "usage: bench/postgres.sh start|stop DIR" >&2; exit 2 ;;
esac
