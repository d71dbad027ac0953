"""`sre-autopilot doctor`: whether this machine can run the project, and what to do where not."""

import os
from collections.abc import Sequence

import typer
from rich import box
from rich.table import Table
from rich.text import Text

from sre_autopilot.checked_settings import unknown_variables
from sre_autopilot.cli.checks import Check, Status, checks
from sre_autopilot.cli.errors import FAILED, BadInput
from sre_autopilot.cli.machine import read_machine
from sre_autopilot.cli.options import JsonOption, read_settings
from sre_autopilot.cli.output import TEXT_WIDTH, messages_console, print_json, results_console
from sre_autopilot.errors import SREError
from sre_autopilot.world.stack import METRICS_PORT, SERVER_PORT

STYLES = {Status.OK: "green", Status.WARN: "yellow", Status.FAIL: "bold red"}


def command(as_json: JsonOption = False) -> None:
    """Check this machine: Python, packages, ports, memory, Docker, caches, variables.

    Ends with status 1 where something fails that every command needs; `warn` is about a part.

    Example:
      sre-autopilot doctor
      sre-autopilot doctor --json
    """
    with messages_console().status("asking the Docker engine"):
        machine = read_machine(os.environ, (SERVER_PORT, METRICS_PORT))
    verdicts = [settings_check(), *checks(machine)]
    if as_json:
        print_json([check.as_json() for check in verdicts])
    else:
        results_console(TEXT_WIDTH).print(table(verdicts))
        results_console().print(summary(verdicts))
    if any(check.status is Status.FAIL for check in verdicts):
        raise typer.Exit(FAILED)


def settings_check() -> Check:
    """Whether the variables SRE_... can be read."""
    try:
        read_settings()
    except (BadInput, SREError) as error:
        return Check(
            "settings", Status.FAIL, str(error), "set these to a valid value or unset them"
        )
    unknown = unknown_variables(os.environ)
    if unknown:
        return Check("settings", Status.WARN, "\n".join(unknown), "rename or unset them")
    return Check("settings", Status.OK, "valid")


def table(verdicts: Sequence[Check]) -> Table:
    """A row a check; what to do stands below the fact, so that 80 columns suffice."""
    out = Table("check", "status", "what was found, and what to do", box=box.SIMPLE_HEAD)
    for check in verdicts:
        text = check.fact + (f"\n-> {check.advice}" if check.advice else "")
        out.add_row(check.name, Text(check.status, STYLES[check.status]), Text(text))
    return out


def summary(verdicts: Sequence[Check]) -> str:
    """One sentence on what runs."""
    counts = {status: sum(check.status is status for check in verdicts) for status in Status}
    if counts[Status.FAIL]:
        return "Mend what fails first."
    if counts[Status.WARN]:
        return "It runs here, with the restrictions above. Next: sre-autopilot demo"
    return "It runs here. Next: sre-autopilot demo"
