"""`dev on-stack` hands a command over and ends with its status; stacks are for the live suite."""

import pytest

from deploy import local_stack
from tests.sre_autopilot.cli.terminal import invoke


@pytest.mark.parametrize("status", [0, 3])
def test_the_command_is_handed_over_and_its_status_kept(monkeypatch, status):
    commands = []

    def main(words):
        commands.append(words)
        return status

    monkeypatch.setattr(local_stack, "main", main)
    result = invoke("dev", "on-stack", "--", "echo", "--loud", "x")
    assert result.exit_code == status
    assert commands == [["echo", "--loud", "x"]]


def test_a_command_is_required():
    assert invoke("dev", "on-stack").exit_code == 2
