#!/bin/bash
# First start: make the cluster, the user, the database, and run /docker-entrypoint-initdb.d.
# Every start: become PID 1's postgres as the user postgres, so that stop signals reach the server itself.
set -euo pipefail

if [[ ${1:-} == -* ]]; then
    set -- postgres "$@"
fi
if [[ ${1:-} != postgres ]]; then
    exec "$@"
fi

if [[ $(id -u) == 0 ]]; then
    mkdir -p "$PGDATA"
    chown -R postgres:postgres "$PGDATA"
    chmod 700 "$PGDATA"
    export HOME=/var/lib/postgresql
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

# VALUE_FILE names a file (a Compose secret) that holds VALUE.
from_file() {
    local file_variable="$1_FILE"
    if [[ -n ${!file_variable:-} ]]; then
        export "$1"="$(<"${!file_variable}")"
    fi
}

first_start() {
    from_file POSTGRES_PASSWORD
    from_file POSTGRES_USER
    from_file POSTGRES_DB
    local user="${POSTGRES_USER:-postgres}" method="${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}"
    local database="${POSTGRES_DB:-$user}"
    if [[ -z ${POSTGRES_PASSWORD:-} && $method != trust ]]; then
        echo "error: set POSTGRES_PASSWORD (or POSTGRES_HOST_AUTH_METHOD=trust) for the first start" >&2
        exit 1
    fi

    # The password goes through standard input, never onto a command line; an empty one means none.
    initdb --username="$user" --encoding=UTF8 --auth-local=trust --auth-host="$method" \
        ${POSTGRES_PASSWORD:+--pwfile=/dev/stdin} <<< "${POSTGRES_PASSWORD:-}"
    printf '\nhost all all all %s\n' "$method" >> "$PGDATA/pg_hba.conf"

    # A server that only this script can reach: nobody may see a half-made database.
    pg_ctl --wait --options="-c listen_addresses=''" start
    if [[ $database != postgres ]]; then
        createdb --username="$user" "$database"
    fi
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
            *.sql) psql -v ON_ERROR_STOP=1 --no-psqlrc --username="$user" --dbname="$database" --file="$file" ;;
            *.sql.gz) gunzip -c "$file" | psql -v ON_ERROR_STOP=1 --no-psqlrc --username="$user" --dbname="$database" ;;
            *.sh) POSTGRES_USER="$user" POSTGRES_DB="$database" bash "$file" ;;
        esac
    done
    pg_ctl --wait --mode=fast stop
}

if [[ ! -s $PGDATA/PG_VERSION ]]; then
    first_start
fi
exec "$@"
