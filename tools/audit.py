"""Looks the pinned packages up among known vulnerabilities, where pip-audit and a network are.

Says so where it could not: a check that was skipped is no check that was passed.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence

from tools.sbom import LOCKS

PROGRAM = "pip-audit"
LOCK = LOCKS / "dev.txt"
"""It holds what the images' locks pin, too."""
TIMEOUT_S = 120.0
VERDICT = re.compile(r"^(No|Found \d+) known ", re.MULTILINE)
"""How pip-audit says that it has looked."""

Run = Callable[[Sequence[str]], tuple[int, str]]
"""Runs a command: its exit status, and its output with its errors."""


def run_program(command: Sequence[str]) -> tuple[int, str]:
    """Raises OSError, subprocess.TimeoutExpired."""
    ran = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    return ran.returncode, ran.stdout


def audit(program: str | None, run: Run = run_program) -> tuple[int, str]:
    """Exit status, and what to print: 1 only where a pinned package is known to be vulnerable."""
    if program is None:
        return 0, f"skipped: {PROGRAM} is not installed"
    command = (program, "--disable-pip", "--require-hashes", "--requirement", str(LOCK))
    try:
        status, output = run(command)
    except (OSError, subprocess.TimeoutExpired) as error:
        return 0, f"skipped: {error}"
    if not VERDICT.search(output):
        reason = output.strip().splitlines()[-1:] or [f"status {status}"]
        return 0, f"skipped: {PROGRAM} could not look anything up: {reason[0]}"
    return int(status != 0), output.strip()


def main() -> int:
    status, text = audit(shutil.which(PROGRAM))
    sys.stdout.write(f"known vulnerabilities: {text}\n")
    return status


if __name__ == "__main__":
    sys.exit(main())
