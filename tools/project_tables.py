"""Tables of the project itself: its commands, targets, settings and decision records."""

import re
from collections.abc import Mapping
from pathlib import Path

from orchestrator.settings import Settings, valid_range, variable
from sre_autopilot.cli.commands import COMMANDS, DEV_COMMANDS, CommandEntry
from tools.markdown import table

ROOT = Path(__file__).parents[1]
DECISIONS = ROOT / "docs" / "decisions"
TARGET = re.compile(r"(?m)^([a-z-]+):.*## (.+)$")
PIN = re.compile(r"(?m)^(\S+)==(\S+)$")


def commands() -> str:
    """What users type; the group `dev` has a table of its own."""
    return _commands({name: entry for name, entry in COMMANDS.items() if name != "dev"})


def dev_commands() -> str:
    """Commands for people who work on the project."""
    return _commands({f"dev {name}": entry for name, entry in DEV_COMMANDS.items()})


def _commands(entries: Mapping[str, CommandEntry]) -> str:
    rows = ((f"`sre-autopilot {name}`", entry.summary) for name, entry in entries.items())
    return table("command | what it does", rows)


def targets() -> str:
    """The targets of the Makefile, by the help text that stands beside each."""
    targets_and_help = TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8"))
    return table(
        "target | what it does", ((f"`make {name}`", about) for name, about in targets_and_help)
    )


def settings() -> str:
    """Every variable that commands and the server read."""
    rows = (
        (f"`{variable(name)}`", field.default or "-", valid_range(name) or "-", field.description)
        for name, field in Settings.model_fields.items()
    )
    return table("variable | default | valid | meaning", rows)


def trainers() -> str:
    """The libraries of the adapters, and the versions that their tests play with."""
    rows = (
        (name, version, f"`pip install --require-hashes -r requirements/adapters/{file.stem}.txt`")
        for file in sorted((ROOT / "requirements" / "adapters").glob("*.in"))
        for name, version in PIN.findall(file.read_text(encoding="utf-8"))
    )
    return table("library | version | in an environment of its own", rows)


def decisions() -> str:
    """Every decision record, by its heading: "# 001. What was decided"."""
    records = sorted(DECISIONS.glob("[0-9]*.md"))
    headings = (path.read_text(encoding="utf-8").partition("\n")[0] for path in records)
    rows = (
        (f"[{number}]({path.name})", title)
        for path, heading in zip(records, headings, strict=True)
        for number, _, title in [heading.removeprefix("# ").partition(". ")]
    )
    return table("record | decision", rows)
