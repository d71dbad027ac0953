"""Options that several commands share."""

import pytest

from sre_autopilot.cli.options import listed


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("runbook", ["runbook"]),
        ("runbook,belief", ["runbook", "belief"]),
        ("runbook, belief", ["runbook", "belief"]),
        ("runbook belief", ["runbook", "belief"]),
        (" runbook,\n", ["runbook"]),
        ("", [""]),
        (",", [""]),
    ],
)
def test_names_stand_between_commas_or_blanks(text: str, names: list[str]) -> None:
    assert listed(text) == names
