"""Every command that the documents show can be run as it stands."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from functools import cache
from itertools import takewhile

import pytest

from orchestrator.settings import PREFIX, Settings
from orchestrator.validation import parse_tier
from services.process import COLLECTOR_VARIABLE
from sre_autopilot.policies import POLICY_NAMES
from tests.architecture.source import ROOT
from tests.docs.documents import commands
from tests.docs.makefile import RECIPES, module_behind, runs_today
from tests.docs.test_quick_starts import SERVER_COMMANDS

KNOWN_VARIABLES = {PREFIX + name.upper() for name in Settings.model_fields} | {
    "API_BASE_URL",
    "MODEL_NAME",
    "HF_TOKEN",
    COLLECTOR_VARIABLE,
}
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
SHOWN = [pytest.param(name, words, id=f"{name}: {shlex.join(words)}") for name, words in commands()]


def run(*command: str) -> str:
    environ = {**os.environ, "COLUMNS": "200", "TERM": "dumb"}
    done = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@cache
def help_of(*program: str) -> str:
    return run(sys.executable, *program, "--help")


def check_arguments(told: str, arguments: list[str]) -> None:
    """Options are in the help text; policies and tiers exist."""
    for argument, value in zip(arguments, [*arguments[1:], ""], strict=False):
        if argument.startswith("--"):
            assert re.search(rf"{argument}\b", told), argument
        if argument.startswith("--polic"):
            assert {p for p in value.split(",") if ":" not in p} <= {*POLICY_NAMES}
        if argument == "--tiers":
            assert all(map(parse_tier, value.split(",")))


def check_make(target: str, *variables: str) -> None:
    assert target in RECIPES and runs_today(target)
    run("make", "-n", target)
    given = dict(variable.split("=", 1) for variable in variables)
    assert given.keys() <= {"ARGS", "PYTHON", "PIP_INDEX_URL"}
    module = module_behind(target)
    if module and "ARGS" in given and module.startswith("orchestrator."):
        check_arguments(help_of("-m", module), shlex.split(given["ARGS"]))


def check_python(*arguments: str) -> None:
    program = arguments[:2] if arguments[0] == "-m" else arguments[:1]
    check_arguments(help_of(*program), list(arguments[len(program) :]))


@pytest.mark.parametrize(("name", "words"), SHOWN)
def test_a_command_works(name: str, words: list[str]) -> None:
    given = [*takewhile(re.compile(r"[A-Z_]+=").match, words)]
    assert {variable.split("=")[0] for variable in given} <= KNOWN_VARIABLES
    match words[len(given) :]:
        case ["make", target, *variables]:
            check_make(target, *variables)
        case ["python", "grader.py", path, *_] if path != "FILE":
            run(sys.executable, *words[1:])
        case ["python", *arguments]:
            check_python(*arguments)
        case ["pip", "install", extra]:
            assert extra.removeprefix(".[").removesuffix("]") in EXTRAS
        case ["uvicorn", *_]:
            assert words in [shlex.split(line) for line in SERVER_COMMANDS]
        case ["docker", *_] if name == "README.md":
            pass  # tests/live/test_readme.py runs it
        case ["docker", "compose", "up", "--detach"]:
            pass  # tests/live/test_stack_spans.py runs it, with that variable
        case _:
            pytest.fail("a command that this test does not know")


def test_the_two_commands_are_shown_first() -> None:
    readme = [words for name, words in commands() if name == "README.md"]
    assert readme[:2] == [["make", "demo"], ["make", "test"]]


@pytest.mark.parametrize(
    ("arguments", "works"),
    [
        (["--seeds", "5", "--tiers", "easy,hard"], True),
        (["--policies", "runbook,mine:Policy"], True),
        (["--policies", "genius"], False),
        (["--tiers", "impossible"], False),
        (["--faults", "5"], False),
    ],
)
def test_arguments_that_do_not_exist_are_found(arguments: list[str], works: bool) -> None:
    told = help_of("-m", "sre_autopilot.cli", "evaluate")
    if works:
        check_arguments(told, arguments)
    else:
        with pytest.raises((AssertionError, ValueError)):
            check_arguments(told, arguments)
