"""A group of subcommands that are imported when one of them runs, and not before."""

import inspect
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from sre_autopilot.cli.commands import CommandEntry
from sre_autopilot.cli.errors import exit_on_known_errors

KEEP_LINES = "\b\n"
"""Before a paragraph of a help text: typer does not wrap it."""


class LazyCommand(TyperCommand):
    """Stands for a subcommand until it runs; `--help` of its group needs no more than this.

    A group runs `context.command`, and `make_context` returns the context of the real command:
    this object itself never parses or runs anything.
    """

    def __init__(self, name: str, entry: CommandEntry) -> None:
        super().__init__(name, short_help=entry.summary, rich_markup_mode=None)
        self.entry = entry

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        return self.load().make_context(*arguments, **options)

    def load(self) -> Any:
        """Imports the target: a function with typer options, or a typer app of its own."""
        target: Callable[..., Any] | typer.Typer = pkgutil.resolve_name(self.entry.target)
        if isinstance(target, typer.Typer):
            return get_command(target)
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(name=self.name, help=help_text(target))(target)
        return get_command(app)


class LazyGroup(TyperGroup):
    """A group whose commands are `entries`; errors that a user can mend end in one line."""

    entries: ClassVar[Mapping[str, CommandEntry]]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = {name: LazyCommand(name, entry) for name, entry in self.entries.items()}

    def invoke(self, ctx: Any) -> Any:
        with exit_on_known_errors():
            return super().invoke(ctx)


def help_text(function: Callable[..., Any]) -> str:
    """The docstring of a command; paragraphs that begin with "Example" keep their lines."""
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    return "\n\n".join(
        KEEP_LINES + text if text.startswith("Example") else text for text in paragraphs
    )
