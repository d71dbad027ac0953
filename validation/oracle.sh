#!/usr/bin/env bash
# Plays the episode of runtime.json as the oracle, who is told the fault and cures it as soon as
# the cure takes. The result, with its score, is one line of JSON on standard output.
set -euo pipefail
tier=${1:-easy}
seed=${2:-7}
cd "$(dirname "${BASH_SOURCE[0]}")/.."

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python}" -m sre_autopilot.cli evaluate --policies oracle --tiers "$tier" \
    --first-seed "$seed" --seeds 1 --meshes 1 --out "$folder/result.jsonl" >&2
cat "$folder/result.jsonl"
