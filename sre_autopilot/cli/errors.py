"""Errors that a user can mend, as one line on standard error and an exit status.

Status 2: the command was asked for something that does not exist or cannot be read. Status 1: the
world failed while it ran. Status 130: interrupted. Anything else is a bug and keeps its traceback.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from sre_autopilot.distribution import installation_command

BAD_INPUT, FAILED, INTERRUPTED = 2, 1, 130
CHECKOUT_ONLY = frozenset({"baseline", "benchmarks", "deploy", "inference", "tests", "tools"})
"""Modules that are not installed: they run from a checkout of the repository."""


class BadInput(Exception):
    """A wrong option or argument of a command; the message names it and the valid values."""


@contextmanager
def exit_on_known_errors() -> Iterator[None]:
    """Turns errors that a user can mend into a line on standard error and `typer.Exit`."""
    from orchestrator.errors import BackendError
    from sre_autopilot.errors import SREError
    from sre_autopilot.grading import RecordError

    try:
        yield
    except ModuleNotFoundError as error:
        message = missing_module(error)
        if message is None:
            raise
        raise fail(message, BAD_INPUT) from error
    except BackendError as error:
        raise fail(str(error), FAILED) from error
    except (BadInput, SREError, RecordError) as error:
        raise fail(str(error), BAD_INPUT) from error


@contextmanager
def bad_input(name: str = "") -> Iterator[None]:
    """For the part of a command that reads its options: a ValueError there is the user's to mend.

    name: the option, for messages that do not name it themselves.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        raise BadInput(f"{name}: {error}" if name else str(error)) from error


@contextmanager
def on_interrupt(message: Callable[[], str]) -> Iterator[None]:
    """Says on Ctrl-C what was kept and how to go on, and exits with status 130."""
    try:
        yield
    except KeyboardInterrupt as error:
        raise fail(message(), INTERRUPTED) from error


def missing_module(error: ModuleNotFoundError) -> str | None:
    """What to do about a module that is not installed; None for an unknown one."""
    name = (error.name or "").partition(".")[0]
    if name in CHECKOUT_ONLY:
        return f"this command needs a checkout of the repository (no module {name!r} here)"
    command = installation_command(name)
    return None if command is None else f"this command needs {name}: {command}"


def fail(message: str, status: int) -> typer.Exit:
    """Prints `message` on standard error; returns the exception that ends the command."""
    if status == INTERRUPTED:
        start = "\n" if sys.stderr.isatty() else ""  # the terminal has echoed ^C
        typer.echo(f"{start}{message}", err=True)
    else:
        typer.echo(f"error: {message}", err=True)
    return typer.Exit(status)
