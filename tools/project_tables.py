"""Tables of the project itself: its commands and its settings."""

from collections.abc import Mapping

from orchestrator.settings import PREFIX, Settings
from sre_autopilot.cli.commands import COMMANDS, DEV_COMMANDS, CommandEntry
from tools.markdown import table


def commands() -> str:
    """What users type; the group `dev` has a table of its own."""
    return _commands({name: entry for name, entry in COMMANDS.items() if name != "dev"})


def dev_commands() -> str:
    """What those type who work on the project."""
    return _commands({f"dev {name}": entry for name, entry in DEV_COMMANDS.items()})


def _commands(entries: Mapping[str, CommandEntry]) -> str:
    rows = ((f"`sre-autopilot {name}`", entry.summary) for name, entry in entries.items())
    return table("command | what it does", rows)


def settings() -> str:
    """Every variable that commands and the server read."""
    rows = (
        (f"`{PREFIX}{name.upper()}`", field.default or "-", field.description)
        for name, field in Settings.model_fields.items()
    )
    return table("variable | default | meaning", rows)
