#!/bin/sh
# Makes the cluster, the roles and the database at the first start, then becomes Postgres.
set -eu
bin=$(ls -d /usr/lib/postgresql/*/bin | tail -n 1)
if [ ! -s /data/PG_VERSION ]; then
    "$bin/initdb" -D /data -U postgres --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --locale=C >/dev/null
    echo "host all all all scram-sha-256" >> /data/pg_hba.conf
    "$bin/pg_ctl" -D /data -w -o "-c listen_addresses='' -c unix_socket_directories=/tmp" start >/dev/null
    "$bin/psql" -h /tmp -U postgres -v ON_ERROR_STOP=1 -v password="$POSTGRES_PASSWORD" >/dev/null <<'SQL'
CREATE ROLE hourglass_app NOLOGIN;
CREATE ROLE hourglass_owner LOGIN PASSWORD :'password';
CREATE ROLE hourglass LOGIN PASSWORD :'password' IN ROLE hourglass_app;
CREATE DATABASE hourglass OWNER hourglass_owner;
SQL
    "$bin/pg_ctl" -D /data -w stop >/dev/null
fi
exec "$bin/postgres" -D /data -c listen_addresses='*' -c unix_socket_directories=/tmp -c max_connections=200
