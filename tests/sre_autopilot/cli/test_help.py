"""Every command explains itself: a help text for each option, and an example."""

from collections.abc import Iterator
from typing import Any

import pytest

from sre_autopilot.cli.app import DevCommands
from sre_autopilot.cli.commands import COMMANDS, DEV_COMMANDS
from sre_autopilot.cli.lazy import LazyCommand
from tests.sre_autopilot.cli.terminal import invoke, is_narrow

GROUP = "dev"
FOREIGN = frozenset({"golden-episodes"})
"""A module of the tests, which has no typer command of its own."""


def commands() -> Iterator[tuple[str, LazyCommand]]:
    """Every subcommand by what one types, those of `dev` too."""
    for name, entry in COMMANDS.items():
        if name != GROUP:
            yield name, LazyCommand(name, entry)
    for name, entry in DEV_COMMANDS.items():
        if name not in FOREIGN:
            yield f"{GROUP} {name}", LazyCommand(name, entry)


@pytest.fixture(params=[name for name, _command in commands()])
def typed(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def parameters(typed: str) -> list[Any]:
    return list(dict(commands())[typed].load().params)


def test_every_option_and_argument_has_a_help_text(typed: str) -> None:
    silent = [parameter.name for parameter in parameters(typed) if not parameter.help]
    assert silent == []


def test_help_shows_an_example_at_80_columns(typed: str) -> None:
    result = invoke(*typed.split(), "--help")
    assert result.exit_code == 0
    assert f"sre-autopilot {typed}" in result.stdout.partition("Example:")[2]
    assert is_narrow(result.stdout), result.stdout


def test_unknown_option_is_named_with_status_2(typed: str) -> None:
    result = invoke(*typed.split(), "--no-such-option")
    assert result.exit_code == 2
    assert "--no-such-option" in result.stderr


def test_unknown_command_is_named_with_status_2() -> None:
    for words in (("no-such-command",), (GROUP, "no-such-command")):
        result = invoke(*words)
        assert result.exit_code == 2
        assert "no-such-command" in result.stderr


def test_dev_group_holds_the_development_commands() -> None:
    assert DevCommands.entries == DEV_COMMANDS
