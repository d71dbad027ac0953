"""An audit fails for known vulnerabilities alone, and says when it could not look."""

import subprocess
from collections.abc import Sequence

import pytest

from tools.audit import LOCK, audit


def answering(status: int, output: str):
    commands: list[Sequence[str]] = []

    def run(command: Sequence[str]) -> tuple[int, str]:
        commands.append(command)
        return status, output

    return run, commands


def test_without_the_program_it_is_skipped() -> None:
    assert audit(None) == (0, "skipped: pip-audit is not installed")


@pytest.mark.parametrize(
    ("status", "output", "result"),
    [
        (0, "No known vulnerabilities found\n", 0),
        (1, "Found 2 known vulnerabilities in 1 package\nName Version\n", 1),
    ],
)
def test_the_answer_is_passed_on(status: int, output: str, result: int) -> None:
    run, commands = answering(status, output)
    assert audit("pip-audit", run) == (result, output.strip())
    assert commands[0][-1] == str(LOCK)


@pytest.mark.parametrize("output", ["ERROR: cannot connect\n", ""])
def test_without_a_network_it_is_skipped(output: str) -> None:
    run, _commands = answering(1, output)
    status, text = audit("pip-audit", run)
    assert status == 0
    assert text.startswith("skipped: pip-audit could not look anything up")


def test_a_program_that_hangs_is_skipped() -> None:
    def run(command: Sequence[str]) -> tuple[int, str]:
        raise subprocess.TimeoutExpired(list(command), 1.0)

    status, text = audit("pip-audit", run)
    assert (status, text.startswith("skipped: ")) == (0, True)
