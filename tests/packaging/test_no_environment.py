"""A Python without the project's packages says which commands make an environment."""

import subprocess
import sys

from tests.architecture.source import ROOT


def test_command_without_its_packages_says_how_to_install_them() -> None:
    # -S leaves out site-packages: the interpreter is as it comes from a distribution.
    done = subprocess.run(
        [sys.executable, "-S", "-m", "sre_autopilot.cli", "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "python3 -m venv .venv\n  .venv/bin/python -m pip install -e" in done.stderr
    assert "Traceback" not in done.stderr


def test_make_setup_says_what_it_makes_and_how_long_it_takes() -> None:
    planned = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "--always-make", "setup"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Making .venv with the packages of requirements/dev.txt: one to three minutes" in planned
    assert ".venv is ready." in planned
