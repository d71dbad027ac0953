#!/usr/bin/env bash
# Makes sure that .env has the token of a stack's control traffic: every docker compose command reads
# it there, so that all of them mean the same containers. To change it, take its line out of .env.
#
#   scripts/mesh_token.sh
set -euo pipefail

readonly FILE=.env NAME=SRE_MESH_TOKEN

cd "$(dirname "$0")/.."
if [ -z "${SRE_MESH_TOKEN:-}" ] && ! grep -qs "^$NAME=." "$FILE"; then
    umask 077
    token=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
    # A file of the user's may lack the end of its last line.
    if [ -s "$FILE" ] && [ -n "$(tail -c 1 "$FILE")" ]; then echo >>"$FILE"; fi
    echo "$NAME=$token" >>"$FILE"
    chmod go-rwx "$FILE"
fi
