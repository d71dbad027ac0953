"""The command `sre-autopilot`: its groups, and the function that starts it."""

import signal
import sys
from typing import Annotated

import typer

from sre_autopilot.cli.commands import COMMANDS, DEV_COMMANDS
from sre_autopilot.cli.lazy import LazyGroup

NAME = "sre-autopilot"
TERMINATED = 128 + signal.SIGTERM


class Commands(LazyGroup):
    """What users type."""

    entries = COMMANDS


class DevCommands(LazyGroup):
    """Commands for people who work on the project."""

    entries = DEV_COMMANDS


app = typer.Typer(
    name=NAME,
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
dev_app = typer.Typer(
    name="dev",
    cls=DevCommands,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)


def _print_version(requested: bool) -> None:
    if requested:
        from sre_autopilot.version import __version__

        typer.echo(f"{NAME} {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    """SRE Autopilot: on-call agents mend real failures.

    Start with `sre-autopilot doctor`, then `sre-autopilot demo`.
    """


@dev_app.callback()
def dev() -> None:
    """Commands for work on the project; most need a checkout of the repository."""


def main() -> None:
    """Runs the command line; exits with its status.

    A user's own `module:Class` may stand in the current folder, which an installed command does not
    search. It is searched last: nothing in it hides a module of ours.

    SIGTERM ends a command as an exit does, so that it ends what it started.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(TERMINATED))
    sys.path.append("")
    app(prog_name=NAME)
