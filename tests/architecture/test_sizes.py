"""Small pieces: how long a file may be. Functions are ruff's to measure."""

import pytest

from sre_autopilot.world.topology import Service
from tests.architecture.source import sources

IN_FOLDER = {"chaos/faults": 80, "orchestrator/actions": 60}
"""Lines of a file directly in the folder."""
OF_A_SERVICE = 60
MOST = 400
"""Lines of any other file."""


def lines_allowed(path: str) -> int:
    if path in {f"services/{service}.py" for service in Service}:
        return OF_A_SERVICE
    return IN_FOLDER.get(path.rpartition("/")[0], MOST)


def test_a_file_stays_small() -> None:
    too_long = [
        f"{source.path}: {lines} lines, {lines_allowed(source.path)} allowed"
        for source in sources()
        for lines in [len(source.text.splitlines())]
        if lines > lines_allowed(source.path)
    ]
    assert not too_long, "\n".join(too_long)


@pytest.mark.parametrize(
    ("path", "lines"),
    [
        ("services/user_db.py", 60),
        ("services/traffic.py", 400),
        ("chaos/faults/noop.py", 80),
        ("chaos/fault.py", 400),
        ("orchestrator/actions/wait.py", 60),
    ],
)
def test_small_pieces_have_their_own_limit(path: str, lines: int) -> None:
    assert lines_allowed(path) == lines
