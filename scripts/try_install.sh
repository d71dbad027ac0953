#!/usr/bin/env bash
# Installs the wheel of this checkout from the package index into an empty environment, as a user
# does, and uses it there: scripts/try_install.sh [EXTRA...]. Prints what the install brought, what
# it weighs and what importing it costs. Everything is made in a folder that is removed at the end.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

REPEATS=5
python=${PYTHON:-.venv/bin/python}
extras=$(IFS=,; echo "$*")

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
"$python" -m hatchling build -t wheel -d "$scratch/dist" &>"$scratch/log" || { cat "$scratch/log" >&2; exit 1; }
wheel=$(echo "$scratch"/dist/*.whl)
"$python" -m venv "$scratch/venv"
installed=$scratch/venv/bin/python
start_kb=$(du -sk "$scratch/venv" | cut -f 1)
began=$SECONDS
"$installed" -m pip install -q --disable-pip-version-check "$wheel${extras:+[$extras]}"
took=$((SECONDS - began))
packages=$("$installed" -m pip list --disable-pip-version-check --format=freeze --exclude pip --exclude setuptools | wc -l)
mb=$((($(du -sk "$scratch/venv" | cut -f 1) - start_kb) / 1024))
echo "install${extras:+ [$extras]}: $packages packages, $mb MB, $took s"

# Not in the checkout, which Python would import in place of what is installed.
cd "$scratch"
median_s() {
    "$installed" - "$1" "$REPEATS" <<'PYTHON'
import statistics, subprocess, sys, time

statement, repeats = sys.argv[1], int(sys.argv[2])
times_s = []
for _ in range(repeats + 1):  # the first one writes byte code
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    times_s.append(time.perf_counter() - began)
print(f"{statistics.median(times_s[1:]):.2f} s  {statement}")
PYTHON
}
median_s "pass"
median_s "import sre_autopilot"
median_s "from sre_autopilot import SREEnv"
median_s "from sre_autopilot import make_env"
median_s "import gymnasium; gymnasium.make('sre_autopilot:SREAutopilot-v0')"

"$scratch/venv/bin/sre-autopilot" --version
SRE_BACKEND=simulator "$scratch/venv/bin/sre-autopilot" evaluate --policies random --tiers easy --seeds 1
