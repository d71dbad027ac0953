#!/usr/bin/env bash
# Has OpenEnv's validators judge this checkout: the one that is installed, and the older one that
# the hackathon's script installs. The two share an import name, so the older gets an environment
# of its own, which is thrown away. Where that one cannot be had, this says so and goes on.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

OLDER=openenv-core==0.3.0
python=${PYTHON:-.venv/bin/python}
uv=${UV:-uv}

not_judged() {
    echo "not judged by $OLDER: $1" >&2
    exit 0
}

"$python" -m openenv.cli validate --level static .

if [[ ! -e uv.lock ]]; then
    command -v "$uv" >/dev/null || not_judged "it asks for uv.lock, which 'uv lock' writes"
    "$uv" lock --quiet
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m venv "$scratch"
"$scratch/bin/python" -m pip install -qq --disable-pip-version-check "$OLDER" \
    || not_judged "it could not be installed"
"$scratch/bin/openenv" validate
