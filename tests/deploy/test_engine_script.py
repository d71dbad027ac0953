"""scripts/engine.sh where no engine answers: on a Mac, and beside another program that uses apt."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

SCRIPT = ROOT / "scripts" / "engine.sh"
TOOLS = ("bash", "cat", "env", "grep", "mkdir", "rm", "sed", "sleep", "tail", "uname", "id")
"""What the script may use beside apt and docker; a Mac has no `timeout`."""
LOCKED = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)"


class Machine:
    """A PATH with few tools, and what each of the scripted ones does."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.state = folder / "state"
        for tool in TOOLS:
            where = shutil.which(tool)
            assert where is not None, tool
            (self.bin / tool).symlink_to(where)

    def script(self, name: str, text: str) -> None:
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/usr/bin/env bash\n{text}\n")
        path.chmod(0o755)

    def start(self, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [SCRIPT, "start"],
            env={"PATH": str(self.bin), "SRE_ENGINE_STATE": str(self.state), **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    machine.script("docker", "exit 1")
    machine.script("id", "echo 0")
    return machine


def test_a_mac_without_its_engine_gets_the_advice_to_start_docker_desktop(machine: Machine) -> None:
    machine.script("uname", "echo Darwin")
    started = machine.start()
    assert started.returncode == 1
    assert "Docker Desktop" in started.stderr and "this is not Linux" in started.stderr
    assert "not found" not in started.stderr


def test_an_engine_on_a_mac_is_taken_without_timeout(machine: Machine) -> None:
    machine.script("uname", "echo Darwin")
    machine.script("docker", "echo 27.0")
    started = machine.start()
    assert (started.returncode, started.stdout) == (0, "engine 27.0 answers\n"), started.stderr


def test_a_held_lock_of_apt_is_waited_for_and_said(machine: Machine, tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    # Locked at first; then the packages do not install, which ends the script.
    machine.script(
        "apt-get",
        f"echo try >>{tries}\n"
        f"[[ $(grep -c try {tries}) -gt 2 ]] && echo no space left && exit 1\n"
        f"echo '{LOCKED}'; exit 100",
    )
    started = machine.start()
    assert started.returncode == 1
    assert started.stdout.count("another program holds apt's lock") == 1
    assert "no space left" in started.stderr and "Could not get lock" not in started.stderr


def test_a_lock_that_stays_held_ends_the_wait(machine: Machine) -> None:
    machine.script("apt-get", f"echo '{LOCKED}'; exit 100")
    started = machine.start(SRE_APT_LOCK_TIMEOUT_S="1")
    assert started.returncode == 1
    assert "Another program holds apt's lock since 1 s" in started.stderr
    assert "held by process 1" in started.stderr


def test_packages_of_a_newer_debian_leave_no_source_and_no_pin_behind() -> None:
    text = SCRIPT.read_text()
    assert "preferences.d" not in text and "-t trixie" not in text
    assert os.access(SCRIPT, os.X_OK)
