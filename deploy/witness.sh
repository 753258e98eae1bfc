#!/bin/sh
# A witness: its key at the first start, its one file from the log's public keys, then it serves.
set -eu
cd /srv/witness
[ -s key.pem ] || python -m ledger.witness --new-key key.pem "$WITNESS_NAME" >/dev/null
keys=$(sed 's/.*/"&",/' /srv/public/log.keys)
cat > witness.toml <<EOF
listen = "0.0.0.0:8100"
state = "state.sqlite"

[[keys]]
name = "$WITNESS_NAME"
file = "key.pem"

[[logs]]
keys = [$keys]
EOF
python -m ledger.witness --keys witness.toml > "/srv/public/$(hostname).key"
exec python -m ledger.witness witness.toml
