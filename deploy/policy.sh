#!/bin/sh
# The policy file, from the public keys of the log and of the witnesses named: any one of them is a quorum.
set -eu
cd /srv/public
{
    sed 's/^/log /' log.keys
    for name in "$@"; do echo "witness $name $(cat "$name.key") http://$name:8100"; done
    echo "group witnesses any $*"
    echo "quorum witnesses"
} > policy.half
mv policy.half policy
