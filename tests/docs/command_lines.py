"""Command lines of the documents, parsed by the real commands, whose bodies do not run."""

import functools
import pkgutil
import re
import shlex
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import typer
from typer.testing import CliRunner

import baseline
import inference
from orchestrator.validation import parse_tier
from sre_autopilot.cli.app import NAME, app
from sre_autopilot.policies import load_policy
from tests.docs.makefile import RECIPES

PROGRAMS = {"inference.py": inference.main, "baseline.py": baseline.main}
IF_NONE_GIVEN = re.compile(r"\$\(or \$\(ARGS\),([^)]*)\)")
MADE_BEFORE = "runs/"
"""A folder that earlier commands of a page write: it need not be there when one is parsed."""
NAMED_POLICIES, NAMED_TIERS = ("policy", "policies"), ("tier", "tiers")


def parse(program: str, arguments: list[str]) -> None:
    """Fails where the command would not take these arguments."""
    values: dict[str, Any] = {}
    runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb"})
    if program == NAME:
        with patch("pkgutil.resolve_name", lambda name: _bodyless(name, values)):
            outcome = runner.invoke(app, arguments)
    else:
        alone = typer.Typer(add_completion=False)
        alone.command()(_recorder(PROGRAMS[program], values))
        outcome = runner.invoke(alone, arguments)
    if outcome.exit_code and f"'{MADE_BEFORE}" not in outcome.output:
        raise AssertionError(f"{program} {shlex.join(arguments)}: {outcome.output}")
    _check_names(values)


def _bodyless(name: str, values: dict[str, Any]) -> Any:
    target = RESOLVE(name)
    return target if isinstance(target, typer.Typer) else _recorder(target, values)


RESOLVE = pkgutil.resolve_name


def _recorder(command: Callable[..., Any], values: dict[str, Any]) -> Callable[..., None]:
    """A function with the parameters of `command` that keeps their values and does nothing."""

    @functools.wraps(command)
    def record(**arguments: Any) -> None:
        values.update(arguments)

    return record


def _check_names(values: dict[str, Any]) -> None:
    """Policies and tiers exist; a policy given as module:Class is the reader's own."""
    for name, value in values.items():
        parts = [part for part in str(value or "").split(",") if part]
        if name in NAMED_POLICIES:
            assert all(":" in policy or load_policy(policy) for policy in parts)
        if name in NAMED_TIERS:
            assert all(map(parse_tier, parts))


def of_target(target: str, arguments: str) -> list[str] | None:
    """The arguments that a target of the Makefile gives to `sre-autopilot`, ARGS among them."""
    for line in RECIPES[target].splitlines():
        _, runs, template = line.partition("-m sre_autopilot.cli ")
        if runs:
            filled = IF_NONE_GIVEN.sub(lambda match: arguments or match[1], template)
            return shlex.split(filled.replace("$(ARGS)", arguments))
    return None
